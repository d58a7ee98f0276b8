error-slot-unknown = We could not find this time. Please choose another.
error-slot-in-past = This time has passed. Please choose another.
error-slot-too-soon = This time is too close to book. Please choose a later one.
error-slot-too-far = Bookings for this day are not open yet. Please choose an earlier day.
error-slot-closed = This clinic is not taking bookings now. Please choose another time.
error-bad-range = The period is not right. Please choose again.
field-slot-modality = Choose in person or video.
field-slot-instant = This is not a valid point in time.
