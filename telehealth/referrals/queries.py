"""Reading service requests. Row-level security decides which there are for whom."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.directory import calendar
from telehealth.directory.calendar import Override
from telehealth.directory.queries import calendar_overrides
from telehealth.referrals.codes import OPEN, RequestKind, RequestStatus
from telehealth.referrals.policies import RequestScope
from telehealth.referrals.rules import SlipRules, due_day, lapsed, shifted

_CALENDAR_DAYS = 400


@dataclass(frozen=True, slots=True)
class Clinical:
    """What the doctor writes on a slip, as XML13 and XML14 name it (QĐ 130/2023/QĐ-BYT)."""

    summary: str = ""
    diagnosis: str = ""
    signs: str = ""
    results: str = ""
    treatment: str = ""
    plan: str = ""
    transport: str = ""
    escort: str = ""


@dataclass(frozen=True, slots=True)
class SlipAppointment:
    """The appointment that a slip is spent on."""

    id: UUID
    code: str
    status: str
    start: datetime
    facility_id: UUID
    modality: str
    version: int

    @property
    def day(self) -> date:
        """Return the local day."""
        return business_date(self.start)


@dataclass(frozen=True, slots=True)
class Place:
    """A facility by id, code and name."""

    id: UUID
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request as others see it. `due_on`: the paper's day, moved off holidays."""

    id: UUID
    kind: RequestKind
    origin: str
    status: RequestStatus
    priority: str
    number: str
    issuer_name: str | None
    patient_id: UUID
    patient_name: str
    presented_by: UUID | None
    encounter_id: UUID | None
    requester: Place | None
    requester_level: str | None
    practitioner_name: str | None
    practitioner_title: str | None
    entered_facility_id: UUID | None
    entered_by: UUID | None
    target: Place | None
    target_service_code: str | None
    target_service_vi: str | None
    target_service_en: str | None
    performer_id: UUID | None
    icd10: str | None
    appointment_on: date | None
    due_on: date | None
    signed_on: date
    valid_from: date
    valid_until: date | None
    listed: bool
    owner_role: str | None
    owner: Place | None
    escalation_step: int
    escalate_at: datetime | None
    deferred_at: datetime | None
    lapsed: bool
    reason: str | None
    decided_on: date | None
    decision: str | None
    decision_reason: str | None
    version: int
    created_at: datetime
    appointment: SlipAppointment | None
    needs_decision: bool

    @property
    def open(self) -> bool:
        """Tell whether somebody has still to do with it."""
        return self.status in OPEN

    @property
    def bookable(self) -> bool:
        """Tell whether an appointment may be made for it."""
        return (
            self.status in (RequestStatus.ACTIVE, RequestStatus.ON_HOLD)
            and self.appointment is None
            and not self.lapsed
        )

    @property
    def issuer(self) -> str:
        """Return who made the slip."""
        return self.requester.name if self.requester else self.issuer_name or ""

    def service_name(self, locale: str) -> str | None:
        """Return the asked service in a language."""
        return self.target_service_en if locale == "en" else self.target_service_vi

    @property
    def scope(self) -> RequestScope:
        """Return what the policy asks about it."""
        people = {self.patient_id, self.presented_by} - {None}
        places = {
            self.requester and self.requester.id,
            self.target and self.target.id,
            self.owner and self.owner.id,
            self.performer_id,
            self.entered_facility_id,
        } - {None}
        return RequestScope(
            frozenset(each for each in people if each),
            frozenset(each for each in places if each),
            self.requester.id if self.requester and self.origin == "issued" else None,
            self.entered_by,
        )


@dataclass(frozen=True, slots=True)
class RequestPage:
    """Some requests, and the cursor of the next ones."""

    items: tuple[RequestView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class EscalatedView:
    """A request as the province sees it: no name, no diagnosis, no text."""

    id: UUID
    number: str
    kind: str
    origin: str
    status: str
    priority: str
    requester: Place | None
    issuer_name: str | None
    target: Place | None
    target_service_code: str | None
    signed_on: date
    valid_until: date | None
    escalation_step: int
    escalate_at: datetime | None
    deferred_at: datetime | None
    lapsed: bool
    version: int


@dataclass(frozen=True, slots=True)
class EventView:
    """One thing that happened to a request."""

    at: datetime
    kind: str
    actor_kind: str
    owner_role: str | None
    owner_name: str | None
    escalate_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Days:
    """The calendar around a day, read once: working days in law, and holidays at a place."""

    overrides: tuple[Override, ...]

    def working(self, day: date) -> bool:
        """Tell whether it counts as a working day in law."""
        return calendar.is_working_day(day, self.overrides)

    def holiday(self, day: date, facility_id: UUID | None) -> bool:
        """Tell whether people are off there."""
        return calendar.day_kind(day, self.overrides, facility_id).holiday


def days_around(session: Session, *days: date | None) -> Days:
    """Return the calendar from the earliest of the days on, for more than a year."""
    known = [day for day in days if day is not None]
    first = min(known)
    last = max(known) + timedelta(days=_CALENDAR_DAYS)
    return Days(calendar_overrides(session, first, last))


_SELECT = """
SELECT r.*, p.full_name AS patient_name, q.code AS requester_code, q.name AS requester_name,
       q.care_level AS requester_level, d.name AS practitioner_name, d.title AS practitioner_title,
       f.code AS target_code, f.name AS target_name, o.code AS owner_code, o.name AS owner_name,
       s.name_vi AS service_vi, s.name_en AS service_en
  FROM service_request r
  LEFT JOIN patient p ON p.id = r.patient_id
  LEFT JOIN facility q ON q.id = r.requester_facility_id
  LEFT JOIN practitioner d ON d.id = r.requester_practitioner_id
  LEFT JOIN facility f ON f.id = r.target_facility_id
  LEFT JOIN facility o ON o.id = r.owner_facility_id
  LEFT JOIN LATERAL (SELECT h.name_vi, h.name_en FROM healthcare_service h
                      WHERE h.code = r.target_service_code ORDER BY h.facility_id = r.target_facility_id DESC
                      LIMIT 1) s ON true
"""
_LATEST = "ORDER BY r.created_at DESC, r.id DESC LIMIT %(most)s"


def request(
    session: Session, request_id: UUID, *, now: datetime, cipher: FieldCipher, rules: SlipRules
) -> RequestView | None:
    """Return a request the entered principal may see."""
    found = _views(session, "WHERE r.id = %(id)s", {"id": request_id}, now=now, cipher=cipher, rules=rules)
    return found[0] if found else None


def requests_of(
    session: Session,
    patient_ids: Iterable[UUID],
    *,
    limit: int,
    cursor: str | None = None,
    now: datetime,
    cipher: FieldCipher,
    rules: SlipRules,
) -> RequestPage:
    """Return a page of these people's slips, latest first."""
    where = "(r.patient_id = ANY(%(people)s) OR r.presented_by = ANY(%(people)s))"
    return _page(
        session,
        where,
        {"people": list(patient_ids)},
        limit=limit,
        cursor=cursor,
        now=now,
        cipher=cipher,
        rules=rules,
    )


def requests_at(
    session: Session,
    facility_id: UUID,
    *,
    limit: int,
    cursor: str | None = None,
    status: str | None = None,
    now: datetime,
    cipher: FieldCipher,
    rules: SlipRules,
) -> RequestPage:
    """Return a page of what a facility has to do with, latest first."""
    where = """%(place)s IN (r.requester_facility_id, r.target_facility_id, r.performer_id,
                             r.owner_facility_id, r.entered_facility_id)
           AND (%(status)s::text IS NULL OR r.status = %(status)s::text)"""
    given = {"place": facility_id, "status": status}
    return _page(session, where, given, limit=limit, cursor=cursor, now=now, cipher=cipher, rules=rules)


def worklist(
    session: Session,
    facility_id: UUID,
    *,
    limit: int = 200,
    now: datetime,
    cipher: FieldCipher,
    rules: SlipRules,
) -> list[RequestView]:
    """Return what the facility must see to: deferred ones by their clocks, lapsed ones, dates to decide."""
    where = """WHERE (r.owner_facility_id = %(place)s AND r.status IN ('draft', 'active', 'on-hold')
                 AND (r.status = 'on-hold' OR r.valid_until < %(today)s))
              OR (r.performer_id = %(place)s AND r.status = 'active' AND r.kind = 'reexamination')
           ORDER BY r.escalate_at NULLS LAST, r.valid_until, r.created_at LIMIT %(most)s"""
    given = {"place": facility_id, "today": business_date(now), "most": limit}
    found = _views(session, where, given, now=now, cipher=cipher, rules=rules)
    return [
        each for each in found if each.status is RequestStatus.ON_HOLD or each.lapsed or each.needs_decision
    ]


def slip_of_encounter(
    session: Session, encounter_id: UUID, *, now: datetime, cipher: FieldCipher, rules: SlipRules
) -> RequestView | None:
    """Return the slip to come again that a visit ended with."""
    where = """WHERE r.encounter_id = %(id)s AND r.kind = 'reexamination'
                 AND r.status NOT IN ('revoked', 'entered-in-error')"""
    found = _views(session, where, {"id": encounter_id}, now=now, cipher=cipher, rules=rules)
    return found[0] if found else None


def slip_of_appointment(
    session: Session, appointment_id: UUID, *, now: datetime, cipher: FieldCipher, rules: SlipRules
) -> RequestView | None:
    """Return the slip that is spent on an appointment."""
    where = """WHERE EXISTS (SELECT FROM slip_use u WHERE u.service_request_id = r.id
                 AND u.appointment_id = %(id)s AND u.released_at IS NULL)"""
    found = _views(session, where, {"id": appointment_id}, now=now, cipher=cipher, rules=rules)
    return found[0] if found else None


def slip_in_system(session: Session, kind: str, key: str, patient_id: UUID) -> tuple[bool, UUID | None]:
    """Tell whether the person has a request of that number, whoever wrote it; and which, if the record is the
    same. Others who ask for the number wait until this transaction is over.
    """
    row = (
        session.connection()
        .exec_driver_sql(
            "SELECT known, own_id FROM slip_in_system(%(kind)s, %(key)s, %(patient)s)",
            {"kind": kind, "key": key, "patient": patient_id},
        )
        .one()
    )
    return row.known, row.own_id


def clinical(session: Session, request_id: UUID, cipher: FieldCipher) -> Clinical | None:
    """Return what the doctor wrote; the caller leaves the audit row."""
    sealed = (
        session.connection()
        .exec_driver_sql("SELECT clinical_sealed FROM service_request WHERE id = %(id)s", {"id": request_id})
        .scalar_one_or_none()
    )
    text = cipher.open_text(sealed, clinical_context(request_id))
    return None if text is None else Clinical(**json.loads(text))


def sealed_clinical(given: Clinical, request_id: UUID, cipher: FieldCipher) -> bytes | None:
    """Return what is stored of a doctor's words; nothing for none."""
    if given == Clinical():
        return None
    return cipher.seal_text(json.dumps(asdict(given), ensure_ascii=False), clinical_context(request_id))


def clinical_context(request_id: UUID) -> str:
    """Return what the doctor's words are sealed for."""
    return f"service_request.clinical_sealed:{request_id}"


def icd10_context(request_id: UUID) -> str:
    """Return what a diagnosis is sealed for."""
    return f"service_request.icd10_sealed:{request_id}"


def events(session: Session, request_id: UUID) -> list[EventView]:
    """Return what happened to a request, the first first."""
    rows = session.connection().exec_driver_sql(
        """SELECT e.at, e.kind, e.actor_kind, e.owner_role, f.name, e.escalate_at, e.reason
             FROM service_request_event e LEFT JOIN facility f ON f.id = e.owner_facility_id
            WHERE e.service_request_id = %(id)s ORDER BY e.id""",
        {"id": request_id},
    )
    return [EventView(*row) for row in rows]


def at_province(session: Session, now: datetime) -> list[EscalatedView]:
    """Return what has come up to the province; nothing for who is no officer of it."""
    rows = session.connection().exec_driver_sql(
        """SELECT e.*, q.code AS requester_code, q.name AS requester_name, f.code AS target_code,
                  f.name AS target_name
             FROM requests_at_province() e
             LEFT JOIN facility q ON q.id = e.requester_facility_id
             LEFT JOIN facility f ON f.id = e.target_facility_id
            ORDER BY e.escalate_at NULLS LAST, e.signed_on"""
    )
    return [
        EscalatedView(
            row.id,
            row.number,
            row.kind,
            row.origin,
            row.status,
            row.priority,
            _place(row.requester_facility_id, row.requester_code, row.requester_name),
            row.issuer_name,
            _place(row.target_facility_id, row.target_code, row.target_name),
            row.target_service_code,
            row.signed_on,
            row.valid_until,
            row.escalation_step,
            row.escalate_at,
            row.deferred_at,
            lapsed(row.status, row.valid_until, business_date(now)),
            row.version,
        )
        for row in rows
    ]


def _page(
    session: Session,
    where: str,
    given: dict[str, Any],
    *,
    limit: int,
    cursor: str | None,
    now: datetime,
    cipher: FieldCipher,
    rules: SlipRules,
) -> RequestPage:
    if cursor is not None:
        where += " AND (r.created_at, r.id) < (%(at)s, %(after)s)"
        given["at"], given["after"] = _key(cursor)
    sql = f"WHERE {where} {_LATEST}"
    found = _views(session, sql, given | {"most": limit + 1}, now=now, cipher=cipher, rules=rules)
    items = tuple(found[:limit])
    more = len(found) > limit
    return RequestPage(
        items, encode_cursor(items[-1].created_at.isoformat(), str(items[-1].id)) if more else None
    )


def _key(cursor: str) -> tuple[datetime, UUID]:
    at, identifier = decode_cursor(cursor, 2)
    try:
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None:
            raise BadCursor
        return instant, UUID(identifier)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadCursor from error


def _views(
    session: Session,
    where: str,
    given: dict[str, Any],
    *,
    now: datetime,
    cipher: FieldCipher,
    rules: SlipRules,
) -> list[RequestView]:
    """Read requests with their appointments: three statements at most."""
    connection = session.connection()
    rows = connection.exec_driver_sql(_SELECT + where, given).all()
    if not rows:
        return []
    booked = _appointments(session, [row.id for row in rows])
    papers = [row.appointment_on for row in rows if row.appointment_on is not None]
    days = days_around(session, *papers) if papers else Days(())
    return [_view(row, booked.get(row.id), days, now, cipher, rules) for row in rows]


def _appointments(session: Session, ids: Sequence[UUID]) -> dict[UUID, SlipAppointment]:
    rows = session.connection().exec_driver_sql(
        "SELECT * FROM appointments_of_slips(%(ids)s)", {"ids": list(ids)}
    )
    return {
        row.service_request_id: SlipAppointment(
            row.appointment_id, row.code, row.status, row.start_at, row.facility_id, row.modality, row.version
        )
        for row in rows
    }


def _view(
    row: Row[Any],
    booked: SlipAppointment | None,
    days: Days,
    now: datetime,
    cipher: FieldCipher,
    rules: SlipRules,
) -> RequestView:
    due = _due(row, days)
    return RequestView(
        id=row.id,
        kind=RequestKind(row.kind),
        origin=row.origin,
        status=RequestStatus(row.status),
        priority=row.priority,
        number=row.number,
        issuer_name=row.issuer_name,
        patient_id=row.patient_id,
        patient_name=row.patient_name or "",
        presented_by=row.presented_by,
        encounter_id=row.encounter_id,
        requester=_place(row.requester_facility_id, row.requester_code, row.requester_name),
        requester_level=row.requester_level,
        practitioner_name=row.practitioner_name,
        practitioner_title=row.practitioner_title,
        entered_facility_id=row.entered_facility_id,
        entered_by=row.entered_by,
        target=_place(row.target_facility_id, row.target_code, row.target_name),
        target_service_code=row.target_service_code,
        target_service_vi=row.service_vi,
        target_service_en=row.service_en,
        performer_id=row.performer_id,
        icd10=cipher.open_text(row.icd10_sealed, icd10_context(row.id)),
        appointment_on=row.appointment_on,
        due_on=due,
        signed_on=row.signed_on,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        listed=row.listed,
        owner_role=row.owner_role,
        owner=_place(row.owner_facility_id, row.owner_code, row.owner_name),
        escalation_step=row.escalation_step,
        escalate_at=row.escalate_at,
        deferred_at=row.deferred_at,
        lapsed=booked is None and lapsed(row.status, row.valid_until, business_date(now)),
        reason=row.reason,
        decided_on=row.decided_on,
        decision=row.decision,
        decision_reason=row.decision_reason,
        version=row.version,
        created_at=row.created_at,
        appointment=booked,
        needs_decision=_needs_decision(row, booked, due, rules),
    )


def _due(row: Row[Any], days: Days) -> date | None:
    if row.appointment_on is None:
        return None
    place = row.target_facility_id
    return due_day(row.appointment_on, lambda day: days.holiday(day, place), days.working)


def _needs_decision(
    row: Row[Any], booked: SlipAppointment | None, due: date | None, rules: SlipRules
) -> bool:
    if booked is None or due is None or row.appointment_on is None or booked.status != "booked":
        return False
    other = shifted(booked.day, row.appointment_on, due, rules)
    return other and not (row.decision == "accepted" and row.decided_on == booked.day)


def _place(identifier: UUID | None, code: str | None, name: str | None) -> Place | None:
    return None if identifier is None else Place(identifier, code or "", name or "")
