"""Places that have become free go down the line, to one after another who wants and can have them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from notifications import Outbox, Recipient
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import at_local, business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots
from telehealth.waitlist import messages
from telehealth.waitlist.codes import WAITS, EntryState, EventKind, PlaceOfferState
from telehealth.waitlist.queries import LINE, PlaceOfferView, wish_of
from telehealth.waitlist.rules import (
    NOTICE,
    Person,
    Place,
    Wish,
    answered_until,
    hindered,
    offered_from,
    unfit,
)
from telehealth.waitlist.services.line import close_offer, execute, free_again, move, note

AT_ONCE = 50
LONGEST_LINE = 500
LOOKED_OVER_EVERY = timedelta(minutes=10)
_WORTH_TRYING = 3


@dataclass(frozen=True, slots=True)
class Sender:
    """What offering takes."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One of the line, as the worker sees them."""

    entry_id: UUID
    patient_id: UUID
    account_id: UUID | None
    by_desk: bool
    desk_only: bool
    wish: Wish


_LINE = f"""
SELECT e.id, e.patient_id, e.account_id, e.channel, e.service_code, e.facility_id, e.area, e.practitioner_id,
       e.modality, e.first_day, e.last_day, e.weekdays, e.from_minute, e.to_minute,
       lower(e.bound) AS bound_from, upper(e.bound) AS bound_to,
       EXISTS (SELECT FROM booking_restriction r WHERE r.patient_id = e.patient_id
                  AND r.grade = 'desk-only' AND r.until > %(now)s) AS desk_only
  FROM waitlist_entry e
 WHERE e.state = 'waiting' AND e.service_code = %(service)s
   AND (e.facility_id IS NULL OR e.facility_id = %(facility)s)
   AND (e.area IS NULL OR e.area = (SELECT f.area FROM facility f WHERE f.id = %(facility)s))
 ORDER BY {LINE} LIMIT {LONGEST_LINE} FOR UPDATE OF e SKIP LOCKED
"""
_TAKE_FREED = f"""
DELETE FROM freed_place WHERE id IN (
    SELECT id FROM freed_place WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT {AT_ONCE}
       FOR UPDATE SKIP LOCKED)
RETURNING practitioner_id, from_at, to_at
"""
_LATER = """INSERT INTO freed_place (practitioner_id, from_at, to_at, due_at)
VALUES (%(practitioner)s, %(from)s, %(to)s, %(due)s)"""
_PERSON = """
SELECT EXISTS (SELECT FROM claim k WHERE k.active AND k.resource_id = %(patient)s
                  AND k.during && tstzrange(%(start)s, %(end)s)) AS busy,
       EXISTS (SELECT FROM appointment a JOIN healthcare_service v ON v.id = a.service_id
                WHERE a.patient_id = %(patient)s AND a.status = 'booked' AND v.code = %(service)s
                  AND a.start_at > %(now)s AND a.start_at <= %(start)s) AS has_earlier,
       EXISTS (SELECT FROM waitlist_offer o
                WHERE o.entry_id = %(entry)s AND o.slot_id = %(slot)s) AS answered
"""


def offer_places(session: Session, sender: Sender, *, now: datetime) -> int:
    """Offer what has become free to the line; returns how many spans of time were looked at.

    A place that is still free when an offer of it has ended comes here again, for the next in line.
    """
    freed = _rows(session, _TAKE_FREED, {"now": now})
    for practitioner, from_at, to_at in sorted({tuple(row) for row in freed}, key=str):
        online = {
            slot.id: slot.free for slot in _free(session, practitioner, from_at, to_at, Channel.ONLINE, now)
        }
        for slot in _free(session, practitioner, from_at, to_at, Channel.DESK, now):
            _offer_slot(session, sender, slot, online.get(slot.id, 0), now)
    return len(freed)


def close_overdue(session: Session, *, now: datetime) -> int:
    """End offers that nobody answered and waiting whose days are over; returns how many."""
    late = _rows(
        session,
        """SELECT o.id, o.entry_id, o.slot_id, o.start_at FROM waitlist_offer o
             JOIN waitlist_entry e ON e.id = o.entry_id
            WHERE o.state = 'open' AND o.expires_at <= %(now)s
            ORDER BY o.entry_id LIMIT 200 FOR UPDATE OF e SKIP LOCKED""",
        {"now": now},
    )
    for row in late:
        if close_offer(session, row.id, PlaceOfferState.LAPSED, now):
            move(session, row.entry_id, (EntryState.OFFERED,), EntryState.WAITING, now)
            note(session, row.entry_id, EventKind.LAPSED, now, start=row.start_at)
            free_again(session, row.slot_id)
    past = _rows(
        session,
        """SELECT e.id FROM waitlist_entry e
            WHERE e.state = 'waiting' AND (e.last_day < %(today)s OR upper(e.bound) <= %(now)s)
            ORDER BY e.id LIMIT 200 FOR UPDATE SKIP LOCKED""",
        {"today": business_date(now), "now": now},
    )
    for row in past:
        move(session, row.id, WAITS, EntryState.OVER, now)
        note(session, row.id, EventKind.OVER, now)
    return len(late) + len(past)


def look_over(session: Session, *, now: datetime) -> int:
    """Look for places on behalf of those not looked after for a while: whatever became free unnoticed.

    A reserve that fell to all doors, a session whose release hour has come, an entry just made: what is found
    goes down the whole line like any other freed place.
    """
    waiting = _rows(
        session,
        f"""UPDATE waitlist_entry SET looked_at = %(now)s WHERE id IN (
                SELECT id FROM waitlist_entry
                 WHERE state = 'waiting' AND (looked_at IS NULL OR looked_at <= %(before)s)
                 ORDER BY looked_at NULLS FIRST, since LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)
            RETURNING id, channel, service_code, facility_id, area, practitioner_id, modality, first_day,
                      last_day, weekdays, from_minute, to_minute, lower(bound) AS bound_from,
                      upper(bound) AS bound_to""",
        {"now": now, "before": now - LOOKED_OVER_EVERY},
    )
    for row in waiting:
        for slot in _wished(session, row, now):
            _again(session, slot, now)
    return len(waiting)


def _free(
    session: Session, practitioner_id: UUID, from_at: datetime, to_at: datetime, channel: str, now: datetime
) -> list[SlotView]:
    if to_at <= now:
        return []
    query = SlotQuery(practitioner_id=practitioner_id, from_=from_at, to=to_at, limit=100, channel=channel)
    return earliest_slots(session, query, now=now)


def _offer_slot(session: Session, sender: Sender, slot: SlotView, online_free: int, now: datetime) -> None:
    """Offer each place of a slot that nobody is thinking about to the next who wants it."""
    due = offered_from(now, slot.start)
    until = answered_until(due, slot.start, _notice(session, slot))
    if until is None:
        return
    if due > now:
        _again(session, slot, due)
        return
    open_offers = _open_offers(session, slot.id)
    line = _line(session, slot, now)
    for place_no in range(open_offers, slot.free):
        place = Place(slot.start, slot.practitioner.id, slot.modality, online=place_no < online_free)
        if not _offer_next(session, sender, slot, place, line, until, now):
            return


def _offer_next(
    session: Session,
    sender: Sender,
    slot: SlotView,
    place: Place,
    line: Iterator[_Waiting],
    until: datetime,
    now: datetime,
) -> bool:
    """Offer a place to the first in line who can have it, and tell those passed over why."""
    for waiting in line:
        why = unfit(waiting.wish, place)
        to = None if why else recipient_of(session, waiting.patient_id, waiting.account_id, sender.cipher)
        why = why or hindered(_person(session, waiting, slot, to, now), place)
        if why is None and to is not None:
            _offer(session, sender, waiting, slot, to, until, now)
            return True
        if why is not None:
            note(session, waiting.entry_id, EventKind.PASSED_OVER, now, start=slot.start, reason=why)
    return False


def _offer(
    session: Session,
    sender: Sender,
    waiting: _Waiting,
    slot: SlotView,
    to: Recipient,
    until: datetime,
    now: datetime,
) -> None:
    made = PlaceOfferView(new_id(), waiting.entry_id, slot.id, slot.start, PlaceOfferState.OPEN, until)
    execute(
        session,
        """INSERT INTO waitlist_offer (id, entry_id, slot_id, start_at, state, expires_at, created_at)
           VALUES (%(id)s, %(entry)s, %(slot)s, %(start)s, 'open', %(until)s, %(now)s)""",
        {
            "id": made.id,
            "entry": made.entry_id,
            "slot": made.slot_id,
            "start": made.start,
            "until": until,
            "now": now,
        },
    )
    move(session, waiting.entry_id, (EntryState.WAITING,), EntryState.OFFERED, now)
    note(session, waiting.entry_id, EventKind.OFFERED, now, start=slot.start)
    sender.outbox.enqueue(session, [messages.place(made, slot, to, links=sender.links, now=now)], now=now)


def _line(session: Session, slot: SlotView, now: datetime) -> Iterator[_Waiting]:
    """Yield who waits for a slot's service at its facility, in order, each once."""
    asked = {"service": slot.service.code, "facility": slot.facility.id, "now": now}
    for row in _rows(session, _LINE, asked):
        by_desk = row.channel == Channel.DESK
        yield _Waiting(row.id, row.patient_id, row.account_id, by_desk, row.desk_only, wish_of(row))


def _person(
    session: Session, waiting: _Waiting, slot: SlotView, to: Recipient | None, now: datetime
) -> Person:
    asked = {
        "patient": waiting.patient_id,
        "entry": waiting.entry_id,
        "slot": slot.id,
        "service": slot.service.code,
        "start": slot.start,
        "end": slot.end,
        "now": now,
    }
    row = _rows(session, _PERSON, asked)[0]
    return Person(
        reachable=to is not None,
        busy=row.busy,
        has_earlier=row.has_earlier,
        answered=row.answered,
        desk_only=waiting.desk_only,
        by_desk=waiting.by_desk,
    )


def _open_offers(session: Session, slot_id: str) -> int:
    rows = _rows(
        session,
        "SELECT count(*) AS open FROM waitlist_offer WHERE slot_id = %(slot)s AND state = 'open'",
        {"slot": slot_id},
    )
    return int(rows[0].open)


def _notice(session: Session, slot: SlotView) -> timedelta:
    """Return how long before the visit booking ends: the session's own notice, or everybody's."""
    rows = _rows(
        session,
        "SELECT notice_minutes FROM clinic_session WHERE id = %(id)s::uuid",
        {"id": slot.id.partition(".")[0]},
    )
    minutes = rows[0].notice_minutes if rows else None
    return NOTICE if minutes is None else timedelta(minutes=minutes)


def _wished(session: Session, row: Any, now: datetime) -> list[SlotView]:
    """Return the first free slots that an entry waits for and has not answered yet."""
    wish = wish_of(row)
    query = SlotQuery(
        service_code=wish.service_code,
        facility_id=wish.facility_id,
        practitioner_id=wish.practitioner_id,
        modality=wish.modality,
        from_=max(now, at_local(wish.first_day, 0)),
        to=at_local(wish.last_day + timedelta(days=1), 0),
        limit=100,
        channel=row.channel,
    )
    known = {
        offered.slot_id
        for offered in _rows(
            session, "SELECT slot_id FROM waitlist_offer WHERE entry_id = %(id)s", {"id": row.id}
        )
    }
    found = earliest_slots(session, query, now=now)
    wanted = [slot for slot in found if slot.id not in known and unfit(wish, _seen(slot)) is None]
    return wanted[:_WORTH_TRYING]


def _seen(slot: SlotView) -> Place:
    return Place(slot.start, slot.practitioner.id, slot.modality, online=True)


def _again(session: Session, slot: SlotView, due: datetime) -> None:
    execute(
        session,
        _LATER,
        {"practitioner": slot.practitioner.id, "from": slot.start, "to": slot.end, "due": due},
    )


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()
