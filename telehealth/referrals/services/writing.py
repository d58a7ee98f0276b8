"""Making slips: issued here by a doctor, or papers from anywhere that somebody types in."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_code, new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.text import clean, search_form
from telehealth.directory.icd10 import normalise_icd10
from telehealth.directory.queries import services_of
from telehealth.patients.queries import patient
from telehealth.patients.services import link_facility
from telehealth.referrals.codes import (
    EventKind,
    OwnerRole,
    RequestKind,
    RequestOrigin,
    RequestPriority,
    RequestStatus,
)
from telehealth.referrals.errors import BadRequestFields, SlipKnown, VisitHasSlip
from telehealth.referrals.models import ServiceRequest
from telehealth.referrals.queries import (
    Clinical,
    RequestView,
    days_around,
    icd10_context,
    request,
    sealed_clinical,
    slip_in_system,
)
from telehealth.referrals.rules import (
    LATEST_SIGNED_DAYS,
    NUMBER_LENGTH,
    NUMBER_LETTERS,
    number_key,
    ours,
    validity,
)
from telehealth.referrals.services.means import Means, found_request
from telehealth.referrals.services.trail import happened, note
from telehealth.referrals.services.using import Use, book


@dataclass(frozen=True, slots=True)
class Asked:
    """What both sorts of slips say. `listed`: staff have found the disease in the year-long list."""

    kind: RequestKind
    patient_id: UUID
    target_facility_id: UUID | None = None
    service_code: str | None = None
    priority: RequestPriority = RequestPriority.ROUTINE
    icd10: str | None = None
    appointment_on: date | None = None
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """A slip that a doctor makes at a facility, for a visit of the patient there."""

    asked: Asked
    facility_id: UUID
    practitioner_id: UUID | None
    encounter_id: UUID | None = None
    clinical: Clinical = field(default_factory=Clinical)
    transfer_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper slip of any hospital. `facility_id`: the desk that has seen it (None: typed at home).

    `issuer_id`: the facility that made it, if it is one of ours.
    """

    asked: Asked
    number: str
    signed_on: date
    issuer_name: str
    issuer_id: UUID | None = None
    facility_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """The slip and the appointment it was spent on in the same step."""

    request: RequestView
    appointment: AppointmentView | None


def issue(
    session: Session, principal: Principal, wanted: Issue, means: Means, *, use: Use | None = None
) -> Issued:
    """Make a slip and, with `use`, spend it on an appointment in the same transaction.

    Raises NotFound, BadRequestFields, VisitHasSlip and what `book` raises; then the caller must roll back.
    """
    asked, today = wanted.asked, business_date(means.now)
    _check(session, asked, today, signed_on=today, means=means)
    if asked.kind is RequestKind.REFERRAL and asked.target_facility_id == wanted.facility_id:
        raise BadRequestFields({"target": ["field-referral-same-place"]})
    request_id = new_id()
    letters = f"{NUMBER_LETTERS[asked.kind]}{today:%y}"
    number = f"{letters}-{new_code(NUMBER_LENGTH)}"
    made = _insert(
        session,
        means,
        asked,
        today,
        {
            "id": request_id,
            "origin": RequestOrigin.ISSUED,
            "number": number,
            "number_key": number_key(number),
            "issuer_key": str(wanted.facility_id),
            "encounter_id": wanted.encounter_id,
            "requester_facility_id": wanted.facility_id,
            "requester_practitioner_id": wanted.practitioner_id,
            "entered_facility_id": wanted.facility_id,
            "entered_by": principal.id,
            "clinical_sealed": sealed_clinical(wanted.clinical, request_id, means.cipher),
            "transfer_reason": wanted.transfer_reason,
            "owner_role": OwnerRole.DESK,
            "owner_facility_id": wanted.facility_id,
        },
    )
    if not made:
        raise VisitHasSlip
    if asked.target_facility_id is not None:
        link_facility(session, asked.patient_id, asked.target_facility_id, means.now)
    happened(session, principal, EventKind.ISSUED, request_id, means.now)
    note(session, principal, "referral.issue", request_id, asked.patient_id, wanted.facility_id, means.now)
    booked = None if use is None else book(session, principal, request_id, use, means)
    return Issued(found_request(session, request_id, means), booked)


def enter(session: Session, principal: Principal, paper: Paper, means: Means) -> RequestView:
    """Type in a paper; the same paper for the same person again is the one that is there.

    A slip that was made here is shown to be theirs by its number, its date and their name; its number is
    never a paper's. Nobody but the family and staff types for a patient: whoever may only see their
    appointments, or book them, does not see their slips. Raises NotFound, BadRequestFields, SlipKnown.
    """
    asked, today = paper.asked, business_date(means.now)
    if principal.kind is PrincipalKind.PATIENT and asked.patient_id not in principal.patient_ids:
        raise NotFound
    key = number_key(paper.number)
    if not key:
        raise BadRequestFields({"number": ["field-slip-number-missing"]})
    shown = _presented(session, key, paper.signed_on, asked.patient_id, means.now)
    if shown is not None:
        return found_request(session, shown, means)
    standing = _in_system(session, paper, key, means)
    if standing is not None:
        return standing
    _check(session, asked, today, signed_on=paper.signed_on, means=means)
    issuer = clean(paper.issuer_name)
    if not issuer and paper.issuer_id is None:
        raise BadRequestFields({"issuer": ["field-slip-issuer-missing"]})
    issuer_key = str(paper.issuer_id or search_form(issuer))
    request_id = new_id()
    owner = paper.facility_id or asked.target_facility_id
    made = _insert(
        session,
        means,
        asked,
        paper.signed_on,
        {
            "id": request_id,
            "origin": RequestOrigin.PAPER,
            "number": clean(paper.number),
            "number_key": key,
            "issuer_key": issuer_key,
            "issuer_name": issuer or None,
            "requester_facility_id": paper.issuer_id,
            "entered_facility_id": paper.facility_id,
            "entered_by": principal.id,
            "owner_role": OwnerRole.PROVINCE if owner is None else OwnerRole.DESK,
            "owner_facility_id": owner,
        },
    )
    if not made:
        raise SlipKnown
    happened(session, principal, EventKind.ENTERED, request_id, means.now)
    note(session, principal, "slip.enter", request_id, asked.patient_id, paper.facility_id, means.now)
    return found_request(session, request_id, means)


def _in_system(session: Session, paper: Paper, key: str, means: Means) -> RequestView | None:
    """Return the request of that paper if it is the person's own; None: nobody has typed it in.

    The hospital's name does not count: it may be spelt in many ways, and the slip is good once.
    """
    known, own = slip_in_system(session, paper.asked.kind, key, paper.asked.patient_id)
    view = None if own is None else request(session, own, **means.reading)
    if view is not None and view.origin == RequestOrigin.PAPER and view.signed_on == paper.signed_on:
        return view
    if known:
        raise SlipKnown
    if ours(key):
        raise BadRequestFields({"number": ["field-slip-number-unknown"]})
    return None


def _presented(session: Session, key: str, signed_on: date, patient_id: UUID, now: datetime) -> UUID | None:
    found: UUID | None = (
        session.connection()
        .exec_driver_sql(
            "SELECT present_slip(%(key)s, %(day)s, %(patient)s, %(now)s)",
            {"key": key, "day": signed_on, "patient": patient_id, "now": now},
        )
        .scalar_one()
    )
    return found


def _check(session: Session, asked: Asked, today: date, *, signed_on: date, means: Means) -> None:
    """Raise NotFound or BadRequestFields."""
    if patient(session, asked.patient_id, means.cipher) is None:
        raise NotFound
    faults: dict[str, list[str]] = {}
    if not 0 <= (today - signed_on).days <= LATEST_SIGNED_DAYS:
        faults["signed_on"] = ["field-slip-signed-on"]
    ahead = 0 if asked.appointment_on is None else (asked.appointment_on - signed_on).days
    if not 0 <= ahead <= LATEST_SIGNED_DAYS:
        faults["appointment_on"] = ["field-slip-appointment-on"]
    if asked.kind is RequestKind.REEXAMINATION and asked.appointment_on is None:
        faults["appointment_on"] = ["field-slip-appointment-on-missing"]
    if asked.icd10 and normalise_icd10(asked.icd10) is None:
        faults["icd10"] = ["field-slip-icd10"]
    if asked.target_facility_id is None and asked.service_code is None:
        faults["target"] = ["field-slip-target-missing"]
    if asked.target_facility_id is not None and asked.service_code is not None:
        offered = {each.code for each in services_of(session, asked.target_facility_id)}
        if asked.service_code not in offered:
            faults["service"] = ["field-slip-service"]
    if faults:
        raise BadRequestFields(faults)


def _insert(session: Session, means: Means, asked: Asked, signed_on: date, values: dict[str, Any]) -> bool:
    """Write the request; False: that paper, or that visit's slip, is there already."""
    code = normalise_icd10(asked.icd10 or "")
    working = days_around(session, signed_on).working
    good = validity(asked.kind, signed_on, code, working, means.rules, listed=asked.listed)
    made = session.execute(
        insert(ServiceRequest)
        .values(
            kind=asked.kind,
            status=RequestStatus.ACTIVE,
            priority=asked.priority,
            patient_id=asked.patient_id,
            target_facility_id=asked.target_facility_id,
            target_service_code=asked.service_code,
            icd10_sealed=means.cipher.seal_text(code, icd10_context(values["id"])),
            appointment_on=asked.appointment_on,
            signed_on=signed_on,
            valid_from=good.first,
            valid_until=good.last,
            listed=good.source == means.rules.listed_source,
            rules_version=means.rules.version,
            created_at=means.now,
            updated_at=means.now,
            **values,
        )
        .on_conflict_do_nothing()
        .returning(ServiceRequest.id)
    ).one_or_none()
    return made is not None
