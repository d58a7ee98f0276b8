"""Finding people and booking for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.audit.services import Entry, record
from telehealth.booking import queries as bookings
from telehealth.booking import services as booking
from telehealth.booking.queries import AppointmentView
from telehealth.booking.series_queries import SeriesView
from telehealth.booking.services import (
    AnyPractitioner,
    BookingRequest,
    ConsentGiven,
    SeriesMeans,
    SeriesOrder,
)
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal
from telehealth.desk.errors import BookedThatDay, NotThisDesk
from telehealth.desk.rules import Asked, Typed
from telehealth.identification.cards import IdentityCard, InsuranceCard
from telehealth.identities.queries import Described, Doubles, possible_doubles
from telehealth.patients import services as patients
from telehealth.patients.models import AskedBy, AskedHow, IdentifierSystem
from telehealth.patients.queries import PatientView, search_patients
from telehealth.patients.services import NewPatient
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import slot_by_id

CONSENT = ConsentGiven(purpose="booking-on-behalf", text_version="desk-2026-11")


_ASKED = {
    Asked.PATIENT: patients.Asked(AskedBy.PATIENT, AskedHow.IN_PERSON),
    Asked.FAMILY: patients.Asked(AskedBy.FAMILY, AskedHow.IN_PERSON),
    Asked.HEALTH_WORKER: patients.Asked(AskedBy.HEALTH_WORKER, AskedHow.IN_PERSON),
    Asked.PHONE: patients.Asked(AskedBy.PATIENT, AskedHow.PHONE),
    Asked.FAMILY_PHONE: patients.Asked(AskedBy.FAMILY, AskedHow.PHONE),
    Asked.HEALTH_WORKER_PHONE: patients.Asked(AskedBy.HEALTH_WORKER, AskedHow.PHONE),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody works, and who."""

    principal: Principal
    facility_id: UUID


class _Means(TypedDict):
    now: datetime
    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


@dataclass(frozen=True, slots=True)
class Order:
    """A booking as the desk makes it; `overbook`: why somebody is put beside those who have the slot.

    `override`: why a blocked time is booked all the same. `any_of`: instead of a slot, whichever doctor can.
    `again`: also for who has the service that day already.
    """

    patient_id: UUID
    slot_id: str
    asked: Asked
    coverage_basis: str
    companion: bool
    reason: str | None
    overbook: str | None = None
    override: str | None = None
    any_of: AnyPractitioner | None = None
    again: bool = False


def find(
    session: Session, desk: Desk, typed: Typed, *, now: datetime, cipher: FieldCipher
) -> list[PatientView]:
    """Return whom the box may mean: a shown number finds anybody, a name only people known here."""
    numbers = _numbers(typed)
    for system, value in numbers:
        found = patients.find_by_identifier(
            session,
            desk.principal,
            system,
            value,
            facility_id=desk.facility_id,
            now=now,
            cipher=cipher,
        )
        if found:
            return found
    if numbers:
        return []
    known = search_patients(
        session,
        desk.facility_id,
        name=typed.name,
        phone=typed.phone,
        birth_year=typed.birth_year,
        cipher=cipher,
    )
    patients.note_read(
        session,
        desk.principal,
        *[view.id for view in known],
        now=now,
        facility_id=desk.facility_id,
        why="patient.search",
    )
    return known


def draft_of(typed: Typed) -> NewPatient:
    """Return the person to register as far as the box tells."""
    card = typed.card
    if isinstance(card, IdentityCard):
        return NewPatient(
            full_name=card.full_name,
            sex=card.sex,
            birth_date=card.birth_date,
            national_id=card.national_id,
            old_national_id=card.old_national_id,
            address=card.address,
        )
    if isinstance(card, InsuranceCard):
        return NewPatient(
            full_name=card.full_name,
            sex=card.sex,
            birth_date=card.birth_date,
            insurance_no=card.insurance_no,
            address=card.address,
        )
    return NewPatient(
        full_name=typed.name or "",
        birth_date=typed.birth_date,
        phone=typed.phone,
        national_id=typed.national_id,
        insurance_no=typed.insurance_no,
    )


def doubles(session: Session, desk: Desk, new: NewPatient, *, now: datetime, cipher: FieldCipher) -> Doubles:
    """Return who might be the same person, to be shown before somebody is registered twice.

    A personal number is left to register(): it gives the person who has it.
    """
    found = possible_doubles(session, desk.facility_id, Described.of(new, cipher), cipher)
    patients.note_read(
        session,
        desk.principal,
        *[view.id for view in found.candidates],
        now=now,
        facility_id=desk.facility_id,
        why="patient.double",
    )
    return found


def register(session: Session, desk: Desk, new: NewPatient, *, now: datetime, cipher: FieldCipher) -> UUID:
    """Register a person here; a number that is known already gives the person who has it."""
    if new.national_id:
        known = patients.find_by_identifier(
            session,
            desk.principal,
            IdentifierSystem.NATIONAL_ID.value,
            new.national_id,
            facility_id=desk.facility_id,
            now=now,
            cipher=cipher,
        )
        if known:
            return known[0].id
    patient_id = patients.register(session, desk.principal, new, now=now, cipher=cipher)
    patients.link_facility(session, patient_id, desk.facility_id, now)
    return patient_id


def book(
    session: Session,
    desk: Desk,
    order: Order,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    links: AnswerLinks,
) -> AppointmentView:
    """Book for somebody at the desk; elsewhere by the same rules as from home.

    Raises what booking raises, and BookedThatDay.
    """
    slot = slot_by_id(session, order.slot_id, now)
    here = order.any_of is not None or (slot is not None and slot.facility.id == desk.facility_id)
    request = BookingRequest(
        patient_id=order.patient_id,
        slot_id=order.slot_id,
        coverage_basis=order.coverage_basis,
        companion=order.companion,
        reason=order.reason,
        channel=Channel.DESK if here else Channel.ONLINE,
        overbook=order.overbook,
        override=order.override,
    )
    means: _Means = {"now": now, "cipher": cipher, "outbox": outbox, "links": links}
    if order.any_of is None:
        view = booking.book(session, desk.principal, request, **means)
    else:
        view = booking.book_any(session, desk.principal, request, order.any_of, **means)
    if not order.again:
        _once_that_day(session, order.patient_id, view)
    patients.consent(
        session,
        desk.principal,
        order.patient_id,
        purpose=CONSENT.purpose,
        text_version=CONSENT.text_version,
        channel=request.channel,
        now=now,
        asked=replace(_ASKED[order.asked], appointment_id=view.id),
    )
    entry = Entry(
        "desk.book",
        "Appointment",
        view.id,
        order.patient_id,
        desk.facility_id,
        {"asked": order.asked.value, "elsewhere": not here},
    )
    record(session, desk.principal, entry, now=now)
    return view


def _once_that_day(session: Session, patient_id: UUID, made: AppointmentView) -> None:
    if not made.others_that_day:
        return
    day = business_date(made.start)
    already = bookings.same_day(session, patient_id, made.service.code, day, but=made.id)
    if already:
        raise BookedThatDay([view.id for view in already])


def book_series(
    session: Session,
    desk: Desk,
    order: SeriesOrder,
    slot_ids: Sequence[str],
    shared: BookingRequest,
    asked: Asked,
    means: SeriesMeans,
) -> SeriesView:
    """Book several visits at the desk, all or none; who asked is kept with each."""
    series = booking.book_series(session, desk.principal, order, slot_ids, shared, means)
    for view in series.visits:
        patients.consent(
            session,
            desk.principal,
            order.patient_id,
            purpose=CONSENT.purpose,
            text_version=CONSENT.text_version,
            channel=Channel.DESK,
            now=means.now,
            asked=replace(_ASKED[asked], appointment_id=view.id),
        )
    return series


def appointment(session: Session, desk: Desk, appointment_id: UUID) -> AppointmentView:
    """Return an appointment at this facility, or one that this clerk booked elsewhere. Raises NotThisDesk."""
    view = bookings.appointment(session, appointment_id)
    if view is None or not (view.facility.id == desk.facility_id or booked_by(desk, view)):
        raise NotThisDesk
    return view


def booked_by(desk: Desk, view: AppointmentView) -> bool:
    """Tell whether this clerk made the appointment."""
    return view.account_id is not None and view.account_id == desk.principal.id


def _numbers(typed: Typed) -> Sequence[tuple[str, str]]:
    card = typed.card
    pairs: list[tuple[IdentifierSystem, str | None]] = [
        (IdentifierSystem.NATIONAL_ID, typed.national_id),
        (IdentifierSystem.INSURANCE, typed.insurance_no),
    ]
    if isinstance(card, IdentityCard):
        pairs += [
            (IdentifierSystem.NATIONAL_ID, card.national_id),
            (IdentifierSystem.OLD_NATIONAL_ID, card.old_national_id),
        ]
    if isinstance(card, InsuranceCard):
        pairs.append((IdentifierSystem.INSURANCE, card.insurance_no))
    return [(system.value, value) for system, value in pairs if value]
