"""Where somebody works who may work at several facilities: the one chosen last stays in the cookie."""

from collections.abc import Iterable
from uuid import UUID

from flask import session as cookie

_PLACE = "desk-facility"


def choose_workplace(facility_id: UUID) -> None:
    """Work there from now on; the caller has asked whether they may."""
    cookie[_PLACE] = str(facility_id)


def workplace(own: Iterable[UUID]) -> UUID | None:
    """Return the facility chosen last if it is one's own, else the first of them."""
    places = sorted(own)
    return next(
        (place for place in places if str(place) == cookie.get(_PLACE)), places[0] if places else None
    )
