"""Places that have become free go down the line, to one after another who wants and can have them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from notifications import Outbox, Recipient
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import at_local, business_date, local, minute_of_day
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

_log = logging.getLogger(__name__)
AT_ONCE = 50
LONGEST_LINE = 500
MOST_TOLD = 100
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


# Whom the place fits is asked before the line is cut off: however many it does not fit hide nobody. Of
# those it does not fit the first are told why (rules.unfit has the words for it).
_LINE = f"""
WITH fitting AS MATERIALIZED (
    SELECT e.id, row_number() OVER (ORDER BY {LINE}) AS place,
           (e.practitioner_id IS NULL OR e.practitioner_id = %(practitioner)s)
           AND (e.modality IS NULL OR e.modality = %(modality)s)
           AND %(day)s::date BETWEEN e.first_day AND e.last_day
           AND (cardinality(e.weekdays) = 0 OR %(weekday)s = ANY (e.weekdays))
           AND e.from_minute <= %(minute)s AND %(minute)s < e.to_minute
           AND (e.bound IS NULL OR e.bound @> %(start)s::timestamptz) AS fits
      FROM waitlist_entry e
     WHERE e.state = 'waiting' AND e.service_code = %(service)s
       AND (e.facility_id IS NULL OR e.facility_id = %(facility)s)
       AND (e.area IS NULL OR e.area = (SELECT f.area FROM facility f WHERE f.id = %(facility)s)))
SELECT e.id, e.patient_id, e.account_id, e.channel, e.service_code, e.facility_id, e.area, e.practitioner_id,
       e.modality, e.first_day, e.last_day, e.weekdays, e.from_minute, e.to_minute,
       lower(e.bound) AS bound_from, upper(e.bound) AS bound_to,
       EXISTS (SELECT FROM booking_restriction r WHERE r.patient_id = e.patient_id
                  AND r.grade = 'desk-only' AND r.until > %(now)s) AS desk_only
  FROM waitlist_entry e
 WHERE e.state = 'waiting'
   AND (e.id IN (SELECT id FROM fitting WHERE fits ORDER BY place LIMIT {LONGEST_LINE})
        OR e.id IN (SELECT id FROM fitting WHERE NOT fits ORDER BY place LIMIT {MOST_TOLD}))
 ORDER BY {LINE} FOR UPDATE OF e SKIP LOCKED
"""
_TAKE_FREED = """
WITH first AS MATERIALIZED (
    SELECT practitioner_id, from_at, to_at FROM freed_place WHERE due_at <= %(now)s
     ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED),
same AS MATERIALIZED (
    SELECT p.id FROM freed_place p JOIN first USING (practitioner_id, from_at, to_at)
     WHERE p.due_at <= %(now)s FOR UPDATE OF p SKIP LOCKED)
DELETE FROM freed_place WHERE id IN (SELECT id FROM same) RETURNING practitioner_id, from_at, to_at
"""
_LATER = """INSERT INTO freed_place (practitioner_id, from_at, to_at, due_at)
SELECT %(practitioner)s, %(from)s, %(to)s, %(due)s
 WHERE NOT EXISTS (SELECT FROM freed_place p WHERE p.practitioner_id = %(practitioner)s
    AND p.from_at = %(from)s AND p.to_at = %(to)s AND p.due_at = %(due)s)"""
_PERSON = """
SELECT EXISTS (SELECT FROM claim k WHERE k.active AND k.resource_id = %(patient)s
                  AND k.during && tstzrange(%(start)s, %(end)s)) AS busy,
       EXISTS (SELECT FROM appointment a JOIN healthcare_service v ON v.id = a.service_id
                WHERE a.patient_id = %(patient)s AND a.status = 'booked' AND v.code = %(service)s
                  AND a.start_at > %(now)s AND a.start_at <= %(start)s) AS has_earlier,
       EXISTS (SELECT FROM waitlist_offer o
                WHERE o.entry_id = %(entry)s AND o.slot_id = %(slot)s) AS answered
"""


def offer_places(session: Session, sender: Sender, *, now: datetime) -> bool:
    """Offer what has become free in one span of time to the line; False when there is none left to look at.

    One span to a transaction. What fails is undone and comes again later, and keeps nobody else waiting; so
    does a place that is still free when an offer of it has ended, for the next in line.
    """
    freed = _rows(session, _TAKE_FREED, {"now": now})
    if not freed:
        return False
    span = freed[0]
    try:
        with session.begin_nested():
            _offer_span(session, sender, span, now)
    except Exception as error:  # noqa: BLE001 whatever it is, it is one row's
        who = span.practitioner_id
        _log.warning("places of practitioner %s were not offered: %s", who, type(error).__name__)
        later = {"practitioner": who, "from": span.from_at, "to": span.to_at, "due": now + LOOKED_OVER_EVERY}
        execute(session, _LATER, later)
    return True


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
        _look_for(session, row, now)
    return len(waiting)


def _look_for(session: Session, row: Any, now: datetime) -> None:
    """Queue what one entry waits for; one that fails is undone and keeps nobody else waiting."""
    try:
        with session.begin_nested():
            for slot in _wished(session, row, now):
                _again(session, slot, now)
    except Exception as error:  # noqa: BLE001 whatever it is, it is one row's
        _log.warning("waitlist entry %s was not looked after: %s", row.id, type(error).__name__)


def _offer_span(session: Session, sender: Sender, span: Row[Any], now: datetime) -> None:
    online = {slot.id: slot.free for slot in _free(session, span, Channel.ONLINE, now)}
    for slot in _free(session, span, Channel.DESK, now):
        _offer_slot(session, sender, slot, online.get(slot.id, 0), now)


def _free(session: Session, span: Row[Any], channel: str, now: datetime) -> list[SlotView]:
    if span.to_at <= now:
        return []
    query = SlotQuery(
        practitioner_id=span.practitioner_id, from_=span.from_at, to=span.to_at, limit=100, channel=channel
    )
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
        try:
            with session.begin_nested():
                if _offered(session, sender, slot, place, waiting, until, now):
                    return True
        except Exception as error:  # noqa: BLE001 whatever it is, it is one row's
            _log.warning("waitlist entry %s was offered nothing: %s", waiting.entry_id, type(error).__name__)
    return False


def _offered(
    session: Session,
    sender: Sender,
    slot: SlotView,
    place: Place,
    waiting: _Waiting,
    until: datetime,
    now: datetime,
) -> bool:
    """Offer a place to somebody, or tell them why not; returns whether it was offered."""
    why = unfit(waiting.wish, place)
    to = None if why else recipient_of(session, waiting.patient_id, waiting.account_id, sender.cipher)
    why = why or hindered(_person(session, waiting, slot, to, now), place)
    if why is not None or to is None:
        note(session, waiting.entry_id, EventKind.PASSED_OVER, now, start=slot.start, reason=why)
        return False
    _offer(session, sender, waiting, slot, to, until, now)
    return True


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
    day = local(slot.start).date()
    asked = {
        "service": slot.service.code,
        "facility": slot.facility.id,
        "practitioner": slot.practitioner.id,
        "modality": slot.modality,
        "start": slot.start,
        "day": day,
        "weekday": day.weekday(),
        "minute": minute_of_day(slot.start),
        "now": now,
    }
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
        from_=max(now, at_local(max(wish.first_day, business_date(now)), 0)),
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
