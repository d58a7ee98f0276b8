"""Reading appointments. Row-level security decides which rows there are for whom."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.booking.actions import Standing, Verdict, verdicts
from telehealth.booking.codes import AppointmentStatus, OfferState
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.rules import CutOff
from telehealth.core.clock import at_local
from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.directory.queries import Prices
from telehealth.scheduling.codes import SessionMode
from telehealth.scheduling.queries import FacilityRef, PractitionerRef, ServiceRef
from telehealth.scheduling.rules import DAY_MINUTES, SlotId

May = Callable[[str, Any], bool]
"""Tells whether the current principal may do an action of the policy to a resource (web.context.may)."""

_ACTION = {
    "cancel": "booking.cancel",
    "reschedule": "booking.reschedule",
    "check-in": "appointment.check-in",
    "join": "room.join",
    "no-show": "booking.no_show",
    "confirm-coverage": "booking.confirm_coverage",
    "calendar": "booking.read",
    "confirm": "booking.confirm",
    "set-out": "booking.confirm",
    "offer": "booking.offer",
    "answer-offer": "booking.confirm",
    "overbook": "booking.overbook",
}
_SHOWN_ACTIONS = ("cancel", "reschedule", "check-in", "join", "no-show", "confirm-coverage", "calendar")
STAFF_KINDS = frozenset({PrincipalKind.STAFF, PrincipalKind.SYSTEM, PrincipalKind.KIOSK})


@dataclass(frozen=True, slots=True)
class AppointmentView:
    """An appointment as others see it. `coverage_checked` is False until staff confirm the basis.

    `agreed_at`: since when its time stands. `disrupted`: the doctor is away then, or the place is closed.
    `cancel_notice_minutes`: until how long before the start a patient may change it (None: until the start).
    `bound_from`, `bound_until`: when it must start, by a referral or slip. `overbooked`: beside the others.
    `mode`: whether `start` is the patient's hour (slot) or they come within start to end (session).
    `others_that_day`: how many more the patient had that day when this was booked; 0 of one that is read.
    """

    id: UUID
    code: str
    status: str
    version: int
    start: datetime
    end: datetime
    facility: FacilityRef
    practitioner: PractitionerRef
    service: ServiceRef
    modality: str
    patient_id: UUID | None
    patient_name: str | None
    account_id: UUID | None
    channel: str
    price_class: str
    coverage_basis: str
    coverage_checked: bool
    companion: bool
    prices: Prices
    room: str
    lane: int
    slot_id: str
    created_at: datetime
    cancel_reason: str | None = None
    confirmed_at: datetime | None = None
    on_the_way_at: datetime | None = None
    agreed_at: datetime | None = None
    disrupted: bool = False
    overbooked: bool = False
    mode: str = SessionMode.SLOT
    cancel_notice_minutes: int | None = None
    bound_from: datetime | None = None
    bound_until: datetime | None = None
    others_that_day: int = 0

    @property
    def scope(self) -> AppointmentScope:
        """Return what the policy asks about it."""
        return AppointmentScope(self.facility.id, self.patient_id, self.account_id, self.practitioner.id)

    @property
    def cut_off(self) -> CutOff:
        """Return until when the patient may change it, and whom to call afterwards."""
        return CutOff.of(self.start, self.cancel_notice_minutes, self.facility.hotline)

    @property
    def change_until(self) -> datetime:
        """Return until when the patient may cancel or move it."""
        return self.cut_off.until

    def verdicts(
        self, principal: Principal, now: datetime, may: May, *, offered: bool = False
    ) -> list[Verdict]:
        """Return for every verb whether the principal may do it now, else why not (GET .../actions)."""
        standing = Standing(
            self.status,
            self.modality,
            self.start,
            self.end,
            self.cut_off,
            self.facility.name,
            disrupted=self.disrupted,
            offered=offered,
        )

        def allowed(name: str) -> bool:
            return may(_ACTION[name], self.facility.id if name == "check-in" else self.scope)

        return verdicts(standing, now, staff=principal.kind in STAFF_KINDS, allowed=allowed)

    def actions(self, principal: Principal, now: datetime, may: May) -> tuple[str, ...]:
        """Return the names of what the principal may do now that lists and pages show."""
        return tuple(
            verdict.action
            for verdict in self.verdicts(principal, now, may)
            if verdict.allowed and verdict.action in _SHOWN_ACTIONS
        )


@dataclass(frozen=True, slots=True)
class OfferView:
    """Another slot offered for an appointment. One whose time is over is expired, whatever its row says.

    `hold_id`: what keeps its place for the patient; None where the place is whoever's comes first.
    """

    id: UUID
    appointment_id: UUID
    slot_id: str
    state: OfferState
    expires_at: datetime
    created_at: datetime
    hold_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AppointmentPage:
    """Some appointments, and the cursor of the next ones."""

    items: tuple[AppointmentView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many appointments of one practitioner's day stand in one status."""

    practitioner: PractitionerRef
    status: str
    count: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A practitioner who offers a service on some day, and when that day."""

    practitioner_id: UUID
    from_: datetime
    to: datetime


_CANDIDATES = """
SELECT s.practitioner_id, min(s.start_at) AS from_, max(s.end_at) AS to
  FROM clinic_session s
  LEFT JOIN practitioner_day y ON y.practitioner_id = s.practitioner_id AND y.business_date = s.business_date
 WHERE s.facility_id = %(facility)s AND s.service_code = %(service)s AND s.status = 'open'
   AND s.start_at < %(to)s AND s.end_at > %(from)s
   AND (%(modality)s::text IS NULL OR s.modality = %(modality)s)
 GROUP BY s.practitioner_id, s.business_date, y.booked
 ORDER BY EXISTS (SELECT FROM appointment a WHERE a.patient_id = ANY(%(patients)s::uuid[])
                     AND a.practitioner_id = s.practitioner_id AND a.status IN ('arrived', 'fulfilled')) DESC,
          s.business_date, coalesce(y.booked, 0), min(s.start_at), random()
"""


def candidates(
    session: Session,
    *,
    patients: Collection[UUID],
    service_code: str,
    facility_id: UUID,
    modality: str | None,
    from_: datetime,
    to: datetime,
) -> list[Candidate]:
    """Return who could see a patient, in the policy's order, one row for each practitioner and day.

    Who has seen one of `patients` comes first; then, day by day, who has the fewest patients that day; then
    who begins earliest. Equals come in any order, so that a crowd spreads over them.
    """
    rows = session.connection().exec_driver_sql(
        _CANDIDATES,
        {
            "patients": sorted(patients),
            "service": service_code,
            "facility": facility_id,
            "modality": modality,
            "from": from_,
            "to": to,
        },
    )
    return [Candidate(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class FullSlot:
    """A slot that is taken, beside which somebody may deliberately be put."""

    id: str
    start: datetime
    practitioner: PractitionerRef
    room: str


_FULL = """
SELECT s.id AS session_id, s.start_minute + s.lead_minutes + i.n * s.slot_minutes AS minute,
       s.start_at + (s.lead_minutes + i.n * s.slot_minutes) * interval '1 minute' AS start_at,
       p.id, p.licence_no, p.name, p.title, p.specialty, s.room
  FROM clinic_session s
  JOIN practitioner p ON p.id = s.practitioner_id
 CROSS JOIN LATERAL generate_series(0, s.slot_count - 1) AS i (n)
 CROSS JOIN LATERAL (
    SELECT s.start_at + i.n * s.slot_minutes * interval '1 minute' AS begins,
           s.start_at + (i.n + 1) * s.slot_minutes * interval '1 minute' AS ends) step
 CROSS JOIN LATERAL (
    SELECT count(DISTINCT k.lane) FILTER (WHERE k.lane <= s.capacity) AS own,
           count(DISTINCT k.lane) FILTER (WHERE k.lane > s.capacity) AS beside
      FROM claim k
     WHERE k.active AND k.resource_id = s.practitioner_id
       AND lower(k.during) > step.begins - interval '8 hours' AND lower(k.during) < step.ends
       AND k.during && tstzrange(step.begins, step.ends)) taken
 WHERE s.facility_id = %(facility)s AND s.service_code = %(service)s AND s.modality = %(modality)s
   AND s.status = 'open' AND s.end_at > %(now)s AND s.start_at < %(until)s
   AND step.ends - s.tail_minutes * interval '1 minute' > %(now)s
   AND taken.own >= s.capacity AND taken.beside < s.overbook_most
 ORDER BY 3, s.id LIMIT %(most)s
"""


def full_slots(
    session: Session,
    facility_id: UUID,
    service_code: str,
    modality: str,
    *,
    now: datetime,
    until: datetime,
    most: int = 12,
) -> list[FullSlot]:
    """Return the next slots of a facility's service that are taken and have room beside, in order."""
    rows = session.connection().exec_driver_sql(
        _FULL,
        {
            "facility": facility_id,
            "service": service_code,
            "modality": modality,
            "now": now,
            "until": until,
            "most": most,
        },
    )
    return [
        FullSlot(
            str(SlotId(row.session_id, row.minute)),
            row.start_at,
            PractitionerRef(row.id, row.licence_no, row.name, row.title, row.specialty),
            row.room,
        )
        for row in rows
    ]


_RESTRICTION = """
SELECT (SELECT r.grade FROM booking_restriction r
         WHERE r.patient_id = %(patient)s AND r.since <= %(now)s AND r.until > %(now)s) AS grade,
       desk_only_by_identity(%(patient)s, %(now)s) AS by_identity
"""
_SELECT = """
SELECT a.id, a.code, a.status, a.version, a.start_at, a.end_at, a.modality, a.patient_id,
       a.account_id, a.channel, a.price_class, a.coverage_basis,
       a.coverage_checked_at IS NOT NULL AS coverage_checked, a.companion, a.lane, a.created_at,
       a.cancel_reason, a.confirmed_at, a.on_the_way_at, a.agreed_at, a.overbooked,
       lower(a.bound) AS bound_from, upper(a.bound) AS bound_until, y.cancel_notice_minutes, s.room, s.mode,
       s.id AS session_id,
       EXISTS (SELECT FROM appointment_disruption d WHERE d.appointment_id = a.id
                  AND d.start_at = a.start_at AND d.resolved_at IS NULL) AS disrupted,
       s.start_minute + (extract(epoch FROM a.start_at - s.start_at) / 60)::int AS minute,
       t.full_name AS patient_name,
       v.id AS service_id, v.code AS service_code, v.name_vi, v.name_en, v.duration_minutes,
       v.price_insured_vnd, v.price_self_vnd, v.price_on_request_vnd, v.price_after_hours_vnd,
       f.id AS facility_id, f.code AS facility_code, f.name AS facility_name, f.address, f.hotline,
       p.id AS practitioner_id, p.licence_no, p.name AS practitioner_name, p.title, p.specialty
  FROM appointment a
  JOIN clinic_session s ON s.id = a.clinic_session_id
  JOIN healthcare_service v ON v.id = a.service_id
  JOIN facility f ON f.id = a.facility_id
  JOIN practitioner p ON p.id = a.practitioner_id
  LEFT JOIN patient t ON t.id = a.patient_id
  LEFT JOIN booking_policy y ON y.service_id = a.service_id
"""
_COUNT = """
SELECT p.id, p.licence_no, p.name, p.title, p.specialty, a.status, count(*) AS appointments
  FROM appointment a
  JOIN clinic_session s ON s.id = a.clinic_session_id
  JOIN practitioner p ON p.id = a.practitioner_id
"""
_SHOWN = f"a.status NOT IN ('{AppointmentStatus.HELD}', '{AppointmentStatus.EXPIRED}')"


def appointment(session: Session, appointment_id: UUID) -> AppointmentView | None:
    """Return an appointment the entered principal may see, or None."""
    return _one(session, "WHERE a.id = %(id)s", {"id": appointment_id})


def appointments_by_ids(session: Session, ids: Sequence[UUID]) -> list[AppointmentView]:
    """Return several appointments at once, in the order of their ids."""
    sql = f"{_SELECT} WHERE a.id = ANY(%(ids)s::uuid[]) ORDER BY a.id"
    return [_view(row) for row in session.connection().exec_driver_sql(sql, {"ids": list(ids)})]


def appointment_by_code(session: Session, code: str) -> AppointmentView | None:
    """Return the appointment with a booking code (any case, spaces and dashes ignored), or None."""
    plain = "".join(ch for ch in code.upper() if ch.isalnum())
    return _one(session, f"WHERE a.code = %(code)s AND {_SHOWN}", {"code": plain})


def restriction(session: Session, patient_id: UUID, *, now: datetime) -> tuple[str | None, bool]:
    """Return the grade that missed visits have led to, and whether an earlier record with the same number
    may book at the desk only.
    """
    row = session.connection().exec_driver_sql(_RESTRICTION, {"patient": patient_id, "now": now}).one()
    return row.grade, row.by_identity


def offer(session: Session, offer_id: UUID, *, now: datetime) -> OfferView | None:
    """Return an offer for an appointment that the entered principal may see, or None."""
    return _offer(session, "o.id = %(id)s", {"id": offer_id}, now)


def open_offer(session: Session, appointment_id: UUID, *, now: datetime) -> OfferView | None:
    """Return the offer that an appointment's patient may still accept, or None."""
    where = "o.appointment_id = %(id)s AND o.state = 'open' AND o.expires_at > %(now)s"
    return _offer(session, where, {"id": appointment_id, "now": now}, now)


def _offer(session: Session, where: str, parameters: dict[str, Any], now: datetime) -> OfferView | None:
    row = (
        session.connection()
        .exec_driver_sql(
            f"""SELECT o.id, o.appointment_id, o.slot_id, o.state, o.expires_at, o.created_at, o.hold_id
                  FROM appointment_offer o WHERE {where}""",
            parameters,
        )
        .one_or_none()
    )
    if row is None:
        return None
    late = row.state == OfferState.OPEN and row.expires_at <= now
    state = OfferState.EXPIRED if late else OfferState(row.state)
    return OfferView(
        row.id, row.appointment_id, row.slot_id, state, row.expires_at, row.created_at, row.hold_id
    )


def appointments_of(session: Session, principal: Principal, *, limit: int = 100) -> list[AppointmentView]:
    """Return the appointments of everyone the principal acts for, latest start first."""
    return list(page_of(session, principal, limit=limit).items)


def page_of(
    session: Session,
    principal: Principal,
    *,
    limit: int,
    cursor: str | None = None,
    patient_id: UUID | None = None,
) -> AppointmentPage:
    """Return a page of the family's appointments, or of those staff booked, latest start first.

    One statement. Raises BadCursor.
    """
    family = principal.kind is PrincipalKind.PATIENT
    mine = "a.patient_id = ANY(%(patients)s::uuid[])" if family else "a.account_id = %(account)s"
    where = [mine, _SHOWN]
    if patient_id is not None:
        where.append("a.patient_id = %(patient)s")
    return _page(
        session,
        where,
        {
            "account": principal.id,
            "patients": sorted(principal.people("booking.list")),
            "patient": patient_id,
        },
        limit=limit,
        cursor=cursor,
        newest_first=True,
    )


def coming_of(
    session: Session, patient_id: UUID, *, since: datetime, limit: int = 10
) -> list[AppointmentView]:
    """Return a patient's appointments from an instant on that the entered principal may see, in order."""
    where = ["a.patient_id = %(patient)s", "a.start_at >= %(since)s", _SHOWN]
    parameters: dict[str, Any] = {"patient": patient_id, "since": since}
    return list(_page(session, where, parameters, limit=limit, cursor=None, newest_first=False).items)


def last_visit(
    session: Session, patient_id: UUID, facility_id: UUID, *, before: datetime
) -> AppointmentView | None:
    """Return what a patient came for last at a facility, or None. Missed and cancelled ones are no visits."""
    where = [
        "a.patient_id = %(patient)s",
        "a.facility_id = %(facility)s",
        "a.start_at < %(before)s",
        f"a.status IN ('{AppointmentStatus.ARRIVED}', '{AppointmentStatus.FULFILLED}')",
    ]
    parameters: dict[str, Any] = {"patient": patient_id, "facility": facility_id, "before": before}
    found = _page(session, where, parameters, limit=1, cursor=None, newest_first=True).items
    return found[0] if found else None


def same_day(
    session: Session, patient_id: UUID, service_code: str, day: date, *, but: UUID | None = None
) -> list[AppointmentView]:
    """Return what a patient has already of a service on a day, anywhere the principal may see, in order."""
    where = [
        "a.patient_id = %(patient)s",
        "v.code = %(service)s",
        "a.start_at >= %(from)s",
        "a.start_at < %(to)s",
        f"a.status IN ('{AppointmentStatus.BOOKED}', '{AppointmentStatus.ARRIVED}')",
        "a.id IS DISTINCT FROM %(but)s::uuid",
    ]
    parameters: dict[str, Any] = {
        "patient": patient_id,
        "service": service_code,
        "from": at_local(day, 0),
        "to": at_local(day, DAY_MINUTES),
        "but": but,
    }
    return list(_page(session, where, parameters, limit=5, cursor=None, newest_first=False).items)


def day_page(
    session: Session,
    facility_id: UUID,
    practitioner_id: UUID | None,
    business_date: date,
    *,
    limit: int,
    cursor: str | None = None,
) -> AppointmentPage:
    """Return a page of a facility's or one practitioner's day, in order. One statement. Raises BadCursor."""
    where = ["a.facility_id = %(facility)s", "s.business_date = %(day)s", _SHOWN]
    if practitioner_id is not None:
        where.append("a.practitioner_id = %(practitioner)s")
    return _page(
        session,
        where,
        {"facility": facility_id, "day": business_date, "practitioner": practitioner_id},
        limit=limit,
        cursor=cursor,
        newest_first=False,
    )


def day_list(
    session: Session, facility_id: UUID, practitioner_id: UUID | None, business_date: date
) -> list[AppointmentView]:
    """Return the appointments of a facility's or one practitioner's day, in order, at most 2,000."""
    return list(day_page(session, facility_id, practitioner_id, business_date, limit=2000).items)


def day_counts(session: Session, facility_id: UUID, business_date: date) -> list[DayCount]:
    """Return a facility's day in figures, practitioners by name. No patient is read."""
    sql = f"""{_COUNT} WHERE a.facility_id = %(facility)s AND s.business_date = %(day)s AND {_SHOWN}
              GROUP BY p.id, a.status ORDER BY p.name_sort, p.id, a.status"""
    rows = session.connection().exec_driver_sql(sql, {"facility": facility_id, "day": business_date})
    return [
        DayCount(
            PractitionerRef(row.id, row.licence_no, row.name, row.title, row.specialty),
            row.status,
            row.appointments,
        )
        for row in rows
    ]


def _one(session: Session, where: str, parameters: Mapping[str, Any]) -> AppointmentView | None:
    row = session.connection().exec_driver_sql(_SELECT + where, dict(parameters)).one_or_none()
    return None if row is None else _view(row)


def _page(
    session: Session,
    where: Sequence[str],
    parameters: dict[str, Any],
    *,
    limit: int,
    cursor: str | None,
    newest_first: bool,
) -> AppointmentPage:
    conditions = list(where)
    if cursor is not None:
        conditions.append(f"(a.start_at, a.id) {'<' if newest_first else '>'} (%(start)s, %(after)s)")
        parameters["start"], parameters["after"] = _key(cursor)
    way = "DESC" if newest_first else "ASC"
    order = f"ORDER BY a.start_at {way}, a.id {way} LIMIT %(most)s"
    sql = f"{_SELECT} WHERE {' AND '.join(conditions)} {order}"
    rows = session.connection().exec_driver_sql(sql, {**parameters, "most": limit + 1}).all()
    items = tuple(_view(row) for row in rows[:limit])
    more = len(rows) > limit
    return AppointmentPage(items, _cursor(items[-1]) if more else None)


def _cursor(last: AppointmentView) -> str:
    return encode_cursor(last.start.isoformat(), str(last.id))


def _key(cursor: str) -> tuple[datetime, UUID]:
    start, identifier = decode_cursor(cursor, 2)
    try:
        instant = datetime.fromisoformat(start)
        if instant.tzinfo is None:
            raise BadCursor
        return instant, UUID(identifier)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadCursor from error


def _view(row: Row[Any]) -> AppointmentView:
    return AppointmentView(
        id=row.id,
        code=row.code,
        status=row.status,
        version=row.version,
        start=row.start_at,
        end=row.end_at,
        facility=FacilityRef(row.facility_id, row.facility_code, row.facility_name, row.address, row.hotline),
        practitioner=PractitionerRef(
            row.practitioner_id, row.licence_no, row.practitioner_name, row.title, row.specialty
        ),
        service=ServiceRef(row.service_id, row.service_code, row.name_vi, row.name_en, row.duration_minutes),
        modality=row.modality,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        account_id=row.account_id,
        channel=row.channel,
        price_class=row.price_class,
        coverage_basis=row.coverage_basis,
        coverage_checked=row.coverage_checked,
        companion=row.companion,
        prices=Prices(
            row.price_insured_vnd, row.price_self_vnd, row.price_on_request_vnd, row.price_after_hours_vnd
        ),
        room=row.room,
        lane=row.lane,
        slot_id=str(SlotId(row.session_id, row.minute)),
        created_at=row.created_at,
        cancel_reason=row.cancel_reason,
        confirmed_at=row.confirmed_at,
        on_the_way_at=row.on_the_way_at,
        agreed_at=row.agreed_at,
        disrupted=row.disrupted,
        overbooked=row.overbooked,
        mode=row.mode,
        cancel_notice_minutes=row.cancel_notice_minutes,
        bound_from=row.bound_from,
        bound_until=row.bound_until,
    )
