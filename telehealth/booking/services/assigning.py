"""Whichever doctor can see the patient: chosen where the place is taken or held, not before.

Each candidate is tried in a savepoint of the one transaction, in the order of the policy; a place that
another wins meanwhile costs nothing but the next try.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
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
from telehealth.booking.services.context import holder_of
from telehealth.booking.services.holding import Hold, hold, hold_among
from telehealth.booking.services.orders import BookingRequest
from telehealth.booking.services.taking import book
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import DomainError
from telehealth.core.principal import Principal
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotClosed
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots

_TRIES = 60
_ONE_START = timedelta(minutes=1)
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


@dataclass(frozen=True, slots=True)
class _Search:
    """Whom it is for, and by which door."""

    wanted: AnyPractitioner
    patients: Collection[UUID]
    channel: str
    referring_level: str | None
    now: datetime


_Taken = TypeVar("_Taken")


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
    search = _Search(wanted, [request.patient_id], request.channel, request.referring_level, now)
    return _with_the_first_who_can(
        session,
        search,
        lambda slot_id: book(
            session,
            principal,
            replace(request, slot_id=slot_id),
            now=now,
            cipher=cipher,
            outbox=outbox,
            links=links,
            policies=policies,
        ),
    )


def hold_any(
    session: Session,
    principal: Principal,
    wanted: AnyPractitioner,
    *,
    now: datetime,
    channel: str = Channel.ONLINE,
    policies: Policies = DEFAULT_POLICIES,
) -> Hold:
    """Hold the earliest slot of the first doctor who can, in the order of `book_any`: who has seen one of
    the caller's people comes first. A hold that the caller has among what is wanted is given again.

    Raises NobodyFree, or what `hold` raises about the caller. After any of them the caller must roll back.
    """
    held = hold_among(
        session,
        holder_of(principal),
        facility_id=wanted.facility_id,
        service_code=wanted.service_code,
        modality=wanted.modality,
        from_=wanted.from_,
        to=wanted.to,
    )
    if held is not None:
        return held
    search = _Search(wanted, principal.people("booking.book"), channel, None, now)
    return _with_the_first_who_can(
        session,
        search,
        lambda slot_id: hold(session, principal, slot_id, now=now, channel=channel, policies=policies),
    )


def _with_the_first_who_can(session: Session, search: _Search, take: Callable[[str], _Taken]) -> _Taken:
    """Return what `take` gives for the first slot it can have.

    Raises NobodyFree, or what `take` raises about whoever asks.
    """
    refused: DomainError = NobodyFree()
    passed_over: set[object] = set()
    for _attempt in range(_TRIES):
        slot = next(_free(session, search, passed_over), None)
        if slot is None:
            break
        try:
            with session.begin_nested():
                return take(slot.id)
        except _NOT_THAT_SLOT as refusal:
            refused = refusal
            passed_over.add(slot.id)
        except _NOT_THAT_DOCTOR as refusal:
            refused = refusal
            passed_over.add(slot.practitioner.id)
    raise NobodyFree if isinstance(refused, _NOT_THAT_SLOT) else refused


def _free(session: Session, search: _Search, passed_over: set[object]) -> Iterator[SlotView]:
    """Yield each candidate's earliest free slot that was not tried yet, candidates in the policy's order."""
    for candidate in _candidates(session, search):
        if candidate.practitioner_id in passed_over:
            continue
        for slot in earliest_slots(session, _slots_of(search, candidate), now=search.now):
            if slot.id not in passed_over:
                yield slot
                break


def _slots_of(search: _Search, candidate: Candidate) -> SlotQuery:
    wanted = search.wanted
    return SlotQuery(
        service_code=wanted.service_code,
        facility_id=wanted.facility_id,
        practitioner_id=candidate.practitioner_id,
        modality=wanted.modality,
        from_=max(wanted.from_, candidate.from_),
        to=min(wanted.to, candidate.to),
        limit=_SLOTS_LOOKED_AT,
        channel=search.channel,
        care_level=search.referring_level,
        shown=wanted.to - wanted.from_ <= _ONE_START,
    )


def _candidates(session: Session, search: _Search) -> list[Candidate]:
    wanted = search.wanted
    return candidates(
        session,
        patients=search.patients,
        service_code=wanted.service_code,
        facility_id=wanted.facility_id,
        modality=wanted.modality,
        from_=wanted.from_,
        to=wanted.to,
    )
