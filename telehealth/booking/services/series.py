"""Visits that belong together: looked for, booked all or none, cancelled and moved from one on.

Composed of `book`, `cancel` and `reschedule`: every visit is taken and given back by the ledger's own rules.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.audit.services import Entry, record
from telehealth.booking import messages, series_queries
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import NobodyFree, SeriesSlotOdd
from telehealth.booking.models import Appointment, AppointmentSeries
from telehealth.booking.queries import AppointmentView, coming_of
from telehealth.booking.series_queries import SeriesView
from telehealth.booking.series_rules import (
    LONGEST,
    NEAR_DAYS,
    SERIES_POLICIES,
    Match,
    SeriesDay,
    SeriesRule,
    match_of,
    nearest,
    series_days,
)
from telehealth.booking.services.context import account_of
from telehealth.booking.services.lifecycle import cancel
from telehealth.booking.services.moving import Move, reschedule
from telehealth.booking.services.orders import BookingRequest
from telehealth.booking.services.taking import book
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import at_local, business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import DomainError, PreconditionFailed
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.directory import calendar
from telehealth.directory.codes import Modality
from telehealth.directory.queries import calendar_overrides
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import MAX_LIMIT, SlotQuery, SlotView
from telehealth.scheduling.rules import DAY_MINUTES
from telehealth.scheduling.services import find_slots

_RINGS = tuple(timedelta(minutes=minutes) for minutes in (1, 60, 240, DAY_MINUTES))
_MOST_OF_ONE = 200


@dataclass(frozen=True, slots=True)
class SeriesOrder:
    """Who is to come for what, where, by which rule; `practitioner_id`: with whom, if it can be."""

    patient_id: UUID
    facility_id: UUID
    service_code: str
    rule: SeriesRule
    practitioner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A day of a series and the slot proposed for it; None: skipped, or nothing free near it."""

    day: SeriesDay
    slot: SlotView | None
    match: Match


@dataclass(frozen=True, slots=True)
class SeriesMeans:
    """What booking needs besides the order."""

    now: datetime
    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


@dataclass(frozen=True, slots=True)
class Refused:
    """A visit that stays as it was, and why."""

    appointment: AppointmentView
    refusal: DomainError


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """A series after a change, and the visits that could not be changed."""

    series: SeriesView
    changed: tuple[AppointmentView, ...]
    refused: tuple[Refused, ...]


def preview_series(session: Session, order: SeriesOrder, *, now: datetime) -> list[Proposal]:
    """Return for each day the slot nearest to what is asked: that day, else within two days; books nothing.

    Raises SeriesWithoutDays.
    """
    days = _days_of(session, order)
    search = _Search(session, order, now)
    avoided = {item.day for item in days}
    found = []
    for item in days:
        proposal = search.proposal(item, avoided)
        if proposal.slot is not None:
            avoided.add(business_date(proposal.slot.start))
        found.append(proposal)
    return found


def book_series(
    session: Session,
    principal: Principal,
    order: SeriesOrder,
    slot_ids: Sequence[str],
    request: BookingRequest,
    means: SeriesMeans,
) -> SeriesView:
    """Book the chosen slots, all or none, in the caller's transaction; one message tells of them.

    `request`: what all visits share; its slot and door are set here. Raises SeriesSlotOdd and what `book`
    raises, with the slot that could not be had in `extra`; then the caller must roll back.
    """
    if not slot_ids or len(set(slot_ids)) != len(slot_ids):
        raise SeriesSlotOdd
    shared = replace(request, patient_id=order.patient_id, channel=Channel.DESK, announced=False)
    views = [_one(session, principal, order, replace(shared, slot_id=slot), means) for slot in slot_ids]
    series_id = _write(session, principal, order, views, means.now)
    to = recipient_of(session, order.patient_id, None, means.cipher)
    told = messages.series_booked(views, to, links=means.links, now=means.now)
    means.outbox.enqueue(session, told, now=means.now)
    _note(session, principal, "series.book", series_id, order.patient_id, order.facility_id, means.now)
    return series_queries.found_series(session, series_id)


def cancel_series(
    session: Session,
    principal: Principal,
    series_id: UUID,
    *,
    version: int,
    from_: date | None,
    reason_code: str,
    means: SeriesMeans,
) -> SeriesChange:
    """Cancel the visits from a day on (None: all that are still to come), each by itself.

    Raises NotFound, PreconditionFailed.
    """

    def give_up(view: AppointmentView) -> AppointmentView:
        return cancel(
            session,
            principal,
            view.id,
            version=view.version,
            reason_code=reason_code,
            now=means.now,
            cipher=means.cipher,
            outbox=means.outbox,
        )

    series = _changed(session, series_id, version)
    _note(session, principal, "series.cancel", series_id, series.patient_id, series.facility.id, means.now)
    return _each(session, series, from_, means.now, give_up)


def move_series(
    session: Session,
    principal: Principal,
    series_id: UUID,
    *,
    version: int,
    from_: date | None,
    minute: int,
    means: SeriesMeans,
) -> SeriesChange:
    """Move the visits from a day on to the free time nearest to `minute` of their day, each by itself.

    Raises NotFound, PreconditionFailed.
    """
    series = _changed(session, series_id, version, minute=minute)
    order = SeriesOrder(
        series.patient_id,
        series.facility.id,
        series.service.code,
        replace(series.rule, minute=minute),
        series.practitioner.id if series.practitioner else None,
    )
    search = _Search(session, order, means.now)

    def move(view: AppointmentView) -> AppointmentView:
        day = business_date(view.start)
        wanted = at_local(day, minute)
        if view.start == wanted:
            return view
        slot = search.nearest_on(day, besides=view)
        if slot is None or abs(slot.start - wanted) >= abs(view.start - wanted):
            raise NobodyFree
        return reschedule(
            session,
            principal,
            view.id,
            Move(slot.id, view.version, Channel.DESK),
            now=means.now,
            cipher=means.cipher,
            outbox=means.outbox,
            links=means.links,
            policies=SERIES_POLICIES,
        )

    _note(session, principal, "series.move", series_id, series.patient_id, series.facility.id, means.now)
    return _each(session, series, from_, means.now, move)


class _Search:
    """Looks for a series' slots, past the times at which the patient is elsewhere."""

    def __init__(self, session: Session, order: SeriesOrder, now: datetime) -> None:
        self._session, self._order, self._now = session, order, now
        coming = coming_of(session, order.patient_id, since=now, limit=_MOST_OF_ONE)
        self._busy = [view for view in coming if view.status == AppointmentStatus.BOOKED]

    def proposal(self, item: SeriesDay, avoided: set[date | None]) -> Proposal:
        """Return what is proposed for a day."""
        if item.day is None:
            return Proposal(item, None, Match.NONE)
        for day in _near(item.day, avoided):
            slot = self.nearest_on(day)
            if slot is not None:
                match = match_of(
                    slot.start,
                    at_local(item.day, self._order.rule.minute),
                    same_day=day == item.day,
                    preferred=self._preferred(slot),
                )
                return Proposal(item, slot, match)
        return Proposal(item, None, Match.NONE)

    def nearest_on(self, day: date, *, besides: AppointmentView | None = None) -> SlotView | None:
        """Return the free slot of a day nearest to the rule's time; `besides`: what the patient gives up."""
        wanted = at_local(day, self._order.rule.minute)
        first, last = at_local(day, 0), at_local(day, DAY_MINUTES)
        for ring in _RINGS:
            slots = self._free(max(first, wanted - ring), min(last, wanted + ring), besides)
            place = nearest([(slot.start, self._preferred(slot)) for slot in slots], wanted)
            if place is not None:
                return slots[place]
        return None

    def _free(self, from_: datetime, to: datetime, besides: AppointmentView | None) -> list[SlotView]:
        query = SlotQuery(
            service_code=self._order.service_code,
            facility_id=self._order.facility_id,
            modality=Modality.IN_PERSON,
            from_=from_,
            to=to,
            limit=MAX_LIMIT,
            channel=Channel.DESK,
        )
        busy = [view for view in self._busy if besides is None or view.id != besides.id]
        return [
            slot
            for slot in find_slots(self._session, query, now=self._now)
            if not any(view.start < slot.end and slot.start < view.end for view in busy)
        ]

    def _preferred(self, slot: SlotView) -> bool:
        return self._order.practitioner_id in (None, slot.practitioner.id)


def _near(day: date, avoided: set[date | None]) -> Iterator[date]:
    yield day
    others = (day + timedelta(days=offset) for offset in NEAR_DAYS)
    yield from (other for other in others if other not in avoided)


def _days_of(session: Session, order: SeriesOrder) -> list[SeriesDay]:
    first = order.rule.first
    overrides = calendar_overrides(session, first, first + 2 * LONGEST)
    return series_days(
        order.rule,
        holiday=lambda day: calendar.day_kind(day, overrides, order.facility_id).holiday,
        working=lambda day: calendar.is_working_day(
            day, [item for item in overrides if item.facility_id in (None, order.facility_id)]
        ),
    )


def _one(
    session: Session, principal: Principal, order: SeriesOrder, request: BookingRequest, means: SeriesMeans
) -> AppointmentView:
    try:
        view = book(
            session,
            principal,
            request,
            now=means.now,
            cipher=means.cipher,
            outbox=means.outbox,
            links=means.links,
            policies=SERIES_POLICIES,
        )
    except DomainError as refusal:
        refusal.extra["slot_id"] = request.slot_id
        raise
    if (view.facility.id, view.service.code) != (order.facility_id, order.service_code):
        raise SeriesSlotOdd(extra={"slot_id": request.slot_id})
    return view


def _write(
    session: Session,
    principal: Principal,
    order: SeriesOrder,
    views: Sequence[AppointmentView],
    now: datetime,
) -> UUID:
    rule, series_id = order.rule, new_id()
    session.execute(
        insert(AppointmentSeries).values(
            id=series_id,
            patient_id=order.patient_id,
            service_id=views[0].service.id,
            facility_id=order.facility_id,
            practitioner_id=order.practitioner_id,
            first_day=rule.first,
            minute=rule.minute,
            every_days=rule.every_days,
            every_weeks=rule.every_weeks,
            weekdays=list(rule.weekdays),
            visits=rule.visits,
            until=rule.until,
            on_holiday=rule.on_holiday.value,
            created_by=account_of(principal),
            created_at=now,
        )
    )
    session.execute(
        update(Appointment).where(Appointment.id.in_([view.id for view in views])).values(series_id=series_id)
    )
    return series_id


def _changed(session: Session, series_id: UUID, version: int, *, minute: int | None = None) -> SeriesView:
    """Compare and swap; who changes it at the same time waits. Raises NotFound, PreconditionFailed."""
    series = series_queries.found_series(session, series_id)
    swapped = session.execute(
        update(AppointmentSeries)
        .where(AppointmentSeries.id == series_id, AppointmentSeries.version == version)
        .values(version=version + 1, minute=series.rule.minute if minute is None else minute)
        .returning(AppointmentSeries.id)
    ).one_or_none()
    if swapped is None:
        raise PreconditionFailed
    return series


def _each(
    session: Session,
    series: SeriesView,
    from_: date | None,
    now: datetime,
    do: Callable[[AppointmentView], AppointmentView],
) -> SeriesChange:
    changed, refused = [], []
    for view in series.visits:
        later = from_ is None or business_date(view.start) >= from_
        if not later or view.status != AppointmentStatus.BOOKED or view.start <= now:
            continue
        try:
            with session.begin_nested():
                changed.append(do(view))
        except DomainError as refusal:
            refused.append(Refused(view, refusal))
    after = series_queries.found_series(session, series.id)
    return SeriesChange(after, tuple(changed), tuple(refused))


def _note(
    session: Session,
    principal: Principal,
    action: str,
    series_id: UUID,
    patient_id: UUID,
    facility_id: UUID,
    now: datetime,
) -> None:
    record(
        session, principal, Entry(action, "AppointmentSeries", series_id, patient_id, facility_id), now=now
    )
