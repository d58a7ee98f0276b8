"""Whichever doctor can see the patient: chosen where the place is taken, not before.

Each candidate is tried in a savepoint of the one transaction, in the order of the policy; a place that
another wins meanwhile costs nothing but the next try.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking.errors import (
    DoorQuotaFull,
    NobodyFree,
    OnlineQuotaFull,
    PatientBusy,
    PractitionerDayFull,
    SlotTaken,
    TimeBlocked,
    TooManyThatDay,
    TooManyWithPractitioner,
)
from telehealth.booking.queries import AppointmentView, Candidate, candidates
from telehealth.booking.rules import DEFAULT_POLICIES, Policies
from telehealth.booking.services.orders import BookingRequest
from telehealth.booking.services.taking import book
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import DomainError
from telehealth.core.principal import Principal
from telehealth.scheduling.errors import SlotClosed
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots

_TRIES = 60
_SLOTS_LOOKED_AT = 10
_NOT_THAT_SLOT = (SlotTaken, SlotClosed, TimeBlocked, PatientBusy)
_NOT_THAT_DOCTOR = (
    OnlineQuotaFull,
    DoorQuotaFull,
    PractitionerDayFull,
    TooManyThatDay,
    TooManyWithPractitioner,
)


@dataclass(frozen=True, slots=True)
class AnyPractitioner:
    """A service at a facility, at some time from `from_` until `to`, with whoever can."""

    service_code: str
    facility_id: UUID
    from_: datetime
    to: datetime
    modality: str | None = None

    def query(
        self, request: BookingRequest, practitioner_id: UUID | None = None, limit: int = 3
    ) -> SlotQuery:
        """Return the search for its free slots, by the door of a request."""
        return SlotQuery(
            service_code=self.service_code,
            facility_id=self.facility_id,
            practitioner_id=practitioner_id,
            modality=self.modality,
            from_=self.from_,
            to=self.to,
            limit=limit,
            channel=request.channel,
            care_level=request.referring_level,
        )


def book_any(
    session: Session,
    principal: Principal,
    request: BookingRequest,
    wanted: AnyPractitioner,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    links: AnswerLinks,
    policies: Policies = DEFAULT_POLICIES,
) -> AppointmentView:
    """Book the earliest slot of the first doctor who can: one who has seen the patient, else who has the
    fewest booked that day, else who is free first.

    Raises NobodyFree, or what `book` raises about the patient. After any of them the caller must roll back.
    """
    refused: DomainError = NobodyFree()
    passed_over: set[object] = set()
    for _attempt in range(_TRIES):
        slot = next(_free(session, request, wanted, passed_over, now), None)
        if slot is None:
            break
        try:
            with session.begin_nested():
                return book(
                    session,
                    principal,
                    replace(request, slot_id=slot.id),
                    now=now,
                    cipher=cipher,
                    outbox=outbox,
                    links=links,
                    policies=policies,
                )
        except _NOT_THAT_SLOT as refusal:
            refused = refusal
            passed_over.add(slot.id)
        except _NOT_THAT_DOCTOR as refusal:
            refused = refusal
            passed_over.add(slot.practitioner.id)
    raise NobodyFree if isinstance(refused, _NOT_THAT_SLOT) else refused


def _free(
    session: Session,
    request: BookingRequest,
    wanted: AnyPractitioner,
    passed_over: set[object],
    now: datetime,
) -> Iterator[SlotView]:
    """Yield each candidate's earliest free slot that was not tried yet, candidates in the policy's order."""
    for candidate in _candidates(session, request, wanted):
        if candidate.practitioner_id in passed_over:
            continue
        first = max(wanted.from_, candidate.from_)
        query = replace(
            wanted.query(request, candidate.practitioner_id, _SLOTS_LOOKED_AT),
            from_=first,
            to=min(wanted.to, candidate.to),
        )
        for slot in earliest_slots(session, query, now=now):
            if slot.id not in passed_over:
                yield slot
                break


def _candidates(session: Session, request: BookingRequest, wanted: AnyPractitioner) -> list[Candidate]:
    return candidates(
        session,
        patient_id=request.patient_id,
        service_code=wanted.service_code,
        facility_id=wanted.facility_id,
        modality=wanted.modality,
        from_=wanted.from_,
        to=wanted.to,
    )
