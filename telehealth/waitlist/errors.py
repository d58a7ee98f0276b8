"""Why the waitlist says no."""

from telehealth.core.errors import Conflict, Gone, NotFound, Unprocessable


class EntryUnknown(NotFound):
    """Nobody waits by that name that the caller may see."""

    code = "waitlist-unknown"


class EntryOver(Gone):
    """The waiting has ended: booked, left, or its days are past."""

    code = "waitlist-over"


class WaitsElsewhere(Conflict):
    """The person waits for the service at a facility whose list the caller may not see."""

    code = "waitlist-elsewhere"


class PlaceOfferUnknown(NotFound):
    """No such offer that the caller may see."""

    code = "place-offer-unknown"


class PlaceOfferOver(Gone):
    """The time to answer is over, or it was answered otherwise."""

    code = "place-offer-over"


class PlaceGone(Conflict):
    """The place was taken before the answer came; the place in line is kept."""

    code = "place-gone"


class PlaceLinkUnknown(NotFound):
    """The link opens nothing: cut short, or none of ours."""

    code = "place-link-unknown"


class BadWish(Unprocessable):
    """The days or times wished for make no sense; `fields` says which."""

    code = "waitlist-bad-wish"
