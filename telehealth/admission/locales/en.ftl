error-no-waiting-room = There is no need for the waiting room now: choose a time as usual.
admission-outside-title = Waiting room
admission-outside-text = New times open at { $opens }. Everybody who comes before that is drawn in a fair random order; those who come later follow.
admission-early-title = You are in the waiting room
admission-early-text = At { $opens } everybody who waits is drawn in random order. It makes no difference how early you came.
admission-drawing-title = Drawing the order
admission-drawing-text = A few seconds, please.
admission-waiting-title = You are in line
admission-waiting-text = { $count ->
    [0] You are next. Your turn is expected at { $turn }.
    [one] One person is before you. Your turn is expected at { $turn }.
   *[other] { $count } people are before you. Your turn is expected at { $turn }.
}
admission-admitted-title = It is your turn
admission-admitted-text = Please choose a time. Your turn lasts until { $until }.
admission-lapsed-title = Your turn has passed
admission-lapsed-text = If you still want a time, please join the line again.
admission-ahead = People before you
admission-turn = Your turn, about
admission-service = Service
admission-place = Place
admission-enter = Enter the waiting room
admission-choose = Choose a time
admission-stay = This page updates by itself; keep it open. Everybody has one place in line, more pages do not help.
admission-leave-text = No longer need a time? Leaving the waiting room gives up your place; who comes back after the hour joins the end of the line.
admission-leave = Leave the waiting room
admission-left = You have left the waiting room and no longer have a place in line.
admission-near = New times open at { $opens }. Please come in through the waiting room.
