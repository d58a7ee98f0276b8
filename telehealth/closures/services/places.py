"""Free places that could be somebody's instead: there, and where they are too few, at other facilities."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from telehealth.closures.queries import Group
from telehealth.closures.rules import NOON, Place
from telehealth.core.clock import at_local, business_date
from telehealth.directory.places import Place as Spot
from telehealth.directory.queries import FacilityView, facilities_by_id
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import MAX_LIMIT, SlotQuery, SlotView, earliest_slots

DAYS_AHEAD = 14
TO_COME = timedelta(hours=1)  # nobody is offered a place sooner than they could be there
UNKNOWN_KM = 1000.0
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
    near = list(found.values())
    if sum(place.free for place in near) >= people:
        return near
    return near + _elsewhere(session, group, at_local(first, 0), now)


def _elsewhere(session: Session, group: Group, since: datetime, now: datetime) -> list[Place]:
    """Return the earliest free places of the same service at other facilities, with the way there."""
    query = SlotQuery(
        service_code=group.service_code,
        modality=group.modality,
        from_=max(since, now + TO_COME),
        to=since + timedelta(days=DAYS_AHEAD + 1),
        limit=MAX_LIMIT,
        channel=Channel.ONLINE,
    )
    slots = [
        slot for slot in earliest_slots(session, query, now=now) if slot.facility.id != group.facility_id
    ]
    facilities = facilities_by_id(session, [group.facility_id, *{slot.facility.id for slot in slots}])
    here = _spot(facilities.get(group.facility_id))
    return [
        Place(
            slot.id,
            slot.facility.id,
            slot.practitioner.id,
            slot.start,
            slot.free,
            _distance(here, _spot(facilities.get(slot.facility.id))),
        )
        for slot in slots
    ]


def _spot(facility: FacilityView | None) -> Spot | None:
    if facility is None or facility.latitude is None or facility.longitude is None:
        return None
    return Spot(facility.latitude, facility.longitude)


def _distance(here: Spot | None, there: Spot | None) -> float:
    """Return the way in kilometres; what nobody knows counts as far."""
    return UNKNOWN_KM if here is None or there is None else here.distance_km(there)


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
