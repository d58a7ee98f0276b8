"""Why a number is not given, or a person not called."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class QueueClosed(Conflict):
    """The queue is not in use."""

    code = "queue-closed"


class QueueFull(Conflict):
    """The day's numbers are all given."""

    code = "queue-full"


class WebNumbersGone(Conflict):
    """The day's numbers for the web are all given, or there are none, or their time is over."""

    code = "web-numbers-gone"


class WebNumberTaken(Conflict):
    """This person took a number from the web at this facility today."""

    code = "web-number-taken"


class WebNumberLapsed(Conflict):
    """The number from the web was not checked in by its time."""

    code = "web-number-lapsed"


class QueuePaused(Conflict):
    """Nobody is called for now."""

    code = "queue-paused"


class QueueMerged(Conflict):
    """Those waiting here are called from another queue today."""

    code = "queue-merged"


class LastRoom(Conflict):
    """People wait and no other room calls them."""

    code = "last-room"


class UndoTooLate(Conflict):
    """Somebody else was called since."""

    code = "undo-too-late"


class QueueEmpty(Conflict):
    """Nobody waits."""

    code = "queue-empty"


class TicketMovedOn(Conflict):
    """The ticket is no longer where this action starts from; `status` says where it is."""

    code = "ticket-moved-on"


class ReturnTooLate(Conflict):
    """Too many people were called since: a new number is due."""

    code = "return-too-late"


class PressReused(Unprocessable):
    """One press asked for two different numbers."""

    code = "press-reused"


class UnknownCode(NotFound):
    """No appointment has this code."""

    code = "check-in-unknown-code"


class CheckInElsewhere(Conflict):
    """The appointment is at another facility; params say where and when."""

    code = "check-in-elsewhere"


class CheckInOtherDay(Conflict):
    """The appointment is on another day; params say when."""

    code = "check-in-other-day"


class CheckInByVideo(Conflict):
    """A video appointment needs no number."""

    code = "check-in-by-video"


class CheckInNotBooked(Conflict):
    """The appointment was cancelled, or is over."""

    code = "check-in-not-booked"


class AlreadyCheckedIn(Conflict):
    """The appointment has its number already."""

    code = "already-checked-in"


class NoClinicQueue(Conflict):
    """The facility has no queue to put the person into."""

    code = "check-in-no-queue"


class QueuesAtTheNode(Conflict):
    """The facility's node runs its queues; the centre takes no step there."""

    code = "queues-at-the-node"


class NodeNotOnDuty(Conflict):
    """This node does not run its facility's queues, or does so no longer."""

    code = "node-not-on-duty"


class NoNumbersAtTheNode(Conflict):
    """The blocks of numbers that this node holds are used up."""

    code = "no-numbers-at-the-node"


class LeaseSuperseded(Conflict):
    """The holder began anew since: an older copy of it gives out no more numbers."""

    code = "lease-superseded"


class LeaseEnded(Conflict):
    """Somebody said already what became of this lease, and said otherwise."""

    code = "lease-ended"


class NumbersStillOpen(Conflict):
    """Numbers of this lease wait in the worklist, or lie beyond the last one given out."""

    code = "lease-numbers-open"
