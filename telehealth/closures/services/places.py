"""Free places that could be somebody's instead."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from telehealth.closures.queries import Group
from telehealth.closures.rules import NOON, Place
from telehealth.core.clock import at_local, business_date
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import MAX_LIMIT, SlotQuery, SlotView, earliest_slots

DAYS_AHEAD = 14
TO_COME = timedelta(hours=1)  # nobody is offered a place sooner than they could be there
_SPARE = 1.5  # places looked for, for each person: some are taken meanwhile, some do not suit


def places_for(session: Session, group: Group, start: datetime, people: int, *, now: datetime) -> list[Place]:
    """Return free places of the group's service there, from the day of `start` on, until there are enough."""
    first = business_date(max(start, now))
    wanted = int(people * _SPARE) + 1
    found: dict[str, Place] = {}
    for offset in range(DAYS_AHEAD + 1):
        day = first + timedelta(days=offset)
        for slot in _of_day(
            session, group, at_local(day, 0), at_local(day, NOON), at_local(day, 24 * 60), now
        ):
            found[slot.id] = Place(slot.id, slot.facility.id, slot.practitioner.id, slot.start, slot.free)
        if sum(place.free for place in found.values()) >= wanted:
            break
    return list(found.values())


def _of_day(
    session: Session, group: Group, midnight: datetime, noon: datetime, end: datetime, now: datetime
) -> list[SlotView]:
    """Return what is free on a day, each half of it by itself: neither crowds out the other."""
    soonest = now + TO_COME
    found: list[SlotView] = []
    for since, until in ((midnight, noon), (noon, end)):
        if until > soonest:
            query = SlotQuery(
                service_code=group.service_code,
                facility_id=group.facility_id,
                modality=group.modality,
                from_=max(since, soonest),
                to=until,
                limit=MAX_LIMIT,
                channel=Channel.DESK,
            )
            found += earliest_slots(session, query, now=now)
    return found
