error-answer-link-unknown = Part of the link may be missing, or the visit has moved. Please open the link in the newest message, or call the hotline for help.
answers-unknown-title = This link cannot be opened
answers-when = Time
answers-where = Place
answers-code = Booking code
answers-room = room { $room }
answers-by-video = By video with { $facility }
answers-call = Any questions? Call the facility:
answers-see-mine = See my appointments
answers-book-again = Book a new visit
answers-keep = Keep it, I will come
answers-cannot = Cannot come at this time?
answers-cancel-link = Cancel, so that someone else can have the place
answers-move-link = Choose another time (sign-in needed)

answers-confirm-open-title = Will you come?
answers-confirm-open-text = Press the button below, so that the facility can prepare for you.
answers-confirm-open-text-video = Press the button below, so that the doctor expects you.
answers-confirm-button = I will come
answers-confirm-button-video = I will be there
answers-confirm-done-title = Thank you for telling us
answers-confirm-done-text = The facility knows that you will come. Please come 15 minutes early with your identity papers and health insurance card, if any.
answers-confirm-done-text-video = The doctor knows that you will be there. Shortly before, a message brings you the link to the room.

answers-cancel-open-title = Cancel this visit?
answers-cancel-open-text = Your place goes to someone else at once. You can book again at any time.
answers-cancel-button = I cannot come, cancel
answers-cancel-done-title = This visit is cancelled
answers-cancel-done-text = You need not come. If you still want to be seen, please book again or call the facility.

answers-on-my-way-open-title = Are you on your way?
answers-on-my-way-open-text = Press the button below when you set out, so that the facility knows you are coming.
answers-on-my-way-button = I am on my way
answers-on-my-way-done-title = The facility knows that you are on your way
answers-on-my-way-done-text = Have a safe journey. When you arrive, please take a number at the machine or tell the desk.
answers-on-my-way-early-title = It is early to be on your way
answers-on-my-way-early-text = You can say so from { $time } on the day. Your visit stays as it is.

answers-arrived-title = You have checked in
answers-arrived-text = The facility has noted your arrival. To change or cancel, please tell the desk.
answers-cancelled-title = This visit is cancelled
answers-cancelled-text = You need not come. If you still want to be seen, please book again or call the facility.
answers-moved-title = This visit has moved
answers-moved-text = This link is about the old time. Please open the link in the newest message, or sign in to see the new time.
answers-over-title = The time of this visit is over
answers-over-text = If you have not been seen, please call the facility or book a new visit.
