"""Looking for free times by several practitioners, places or services at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.fhir.errors import TooBroad
from telehealth.scheduling.queries import SlotQuery, SlotView
from telehealth.scheduling.services import find_slots

_MOST_SEARCHES = 16


@dataclass(frozen=True, slots=True)
class OfferQuery:
    """Any of the codes, with any of the practitioners, at any of the facilities; empty asks nothing."""

    codes: Sequence[str] = ()
    facilities: Sequence[UUID] = ()
    practitioners: Sequence[UUID] = ()
    modality: str | None = None
    first: datetime | None = None
    before: datetime | None = None


def offered(session: Session, asked: OfferQuery, *, limit: int, now: datetime) -> list[SlotView]:
    """Return the earliest free slots, as GET /api/v1/slots finds them. Raises TooBroad."""
    codes: Sequence[str | None] = asked.codes or (None,)
    facilities: Sequence[UUID | None] = asked.facilities or (None,)
    practitioners: Sequence[UUID | None] = asked.practitioners or (None,)
    ways = list(product(codes, facilities, practitioners))
    if len(ways) > _MOST_SEARCHES:
        raise TooBroad(name="practitioner")
    if asked.first is not None and asked.before is not None and asked.before <= asked.first:
        return []
    found: dict[str, SlotView] = {}
    for code, facility_id, practitioner_id in ways:
        query = SlotQuery(
            service_code=code,
            facility_id=facility_id,
            practitioner_id=practitioner_id,
            modality=asked.modality,
            from_=asked.first,
            to=asked.before,
            limit=limit,
        )
        found |= {slot.id: slot for slot in find_slots(session, query, now=now)}
    return sorted(found.values(), key=lambda slot: slot.start)[:limit]
