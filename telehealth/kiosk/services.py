"""Finding out who is there, and giving them their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from notifications import Message, Outbox
from telehealth.accounts.services.limits import spend
from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import Forbidden, NotFound, Unprocessable
from telehealth.core.ids import new_id
from telehealth.core.phone import can_receive_sms, normalise_phone
from telehealth.core.principal import Principal
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.naming import short_name
from telehealth.directory.queries import facility
from telehealth.identification.cards import IdentityCard, InsuranceCard
from telehealth.identification.reading import (
    BookingCode,
    PhoneNumber,
    Reading,
    SlipNumber,
    TicketToken,
    Unrecognised,
    VisitToken,
    read,
)
from telehealth.kiosk.codes import FeedbackKind, FeedbackTopic
from telehealth.kiosk.errors import (
    CannotRead,
    NoAppointmentToday,
    NobodyKnown,
    PassOver,
    RoomClosed,
    TooManyLookUps,
)
from telehealth.kiosk.models import Feedback
from telehealth.kiosk.passes import NewPerson, Pass
from telehealth.kiosk.queries import (
    DueView,
    PersonAtKiosk,
    coming,
    due_by_id,
    due_by_phone,
    due_today,
    people_by_number,
    person,
    rooms_today,
    waiting_ticket,
)
from telehealth.kiosk.rules import look_up_limits, numbers_of
from telehealth.patients import services as patients
from telehealth.patients.queries import recipient_of
from telehealth.patients.services import NewPatient
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PrintStatus, PriorityClass, Purpose, StaffCallKind
from telehealth.queueing.errors import QueueClosed
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import FollowView, QueueView
from telehealth.queueing.rules import statutory_class
from telehealth.queueing.services.numbers import Holder, TicketView, issue, set_by, view

_WORTH_TELLING = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Kiosk:
    """The machine that asks, and where it stands."""

    principal: Principal
    device_id: UUID
    facility_id: UUID

    @classmethod
    def of(cls, principal: Principal, facility_id: UUID) -> "Kiosk":
        """Return the machine behind a principal. Raises Forbidden for anybody who is no machine."""
        if principal.device_id is None:
            raise Forbidden
        return cls(principal, principal.device_id, facility_id)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a scan: people to confirm, what they have here, a ticket, or a card of somebody new.

    Exactly one of `people`, `ticket` and `new` says something; `due` belongs to the people.
    """

    people: Sequence[PersonAtKiosk] = ()
    due: Sequence[DueView] = ()
    ticket: FollowView | None = None
    new: NewPerson | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person takes a number for; `queue_id` is the room they chose, None the registration."""

    purpose: Purpose
    priority: PriorityClass
    queue_id: UUID | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says; with a phone it is a complaint that wants an answer."""

    rating: int
    topics: Sequence[FeedbackTopic]
    phone: str | None


def identify(
    session: Session, kiosk: Kiosk, text: str, *, ahead: bool = False, now: datetime, cipher: FieldCipher
) -> Seen:
    """Tell who is there from what was scanned or typed; `ahead` looks beyond today.

    The people who were found are in the trail; they are not yet known to the facility: that begins when
    they say that it is them. Raises CannotRead, NobodyKnown, NoAppointmentToday, TooManyLookUps, and what
    check-in raises of a code.
    """
    reading = read(text)
    if isinstance(reading, Unrecognised):
        raise CannotRead({"text": [f"identification-{reading.reason.value}"]})
    spend(session, look_up_limits(kiosk.device_id), now=now, refusal=TooManyLookUps)
    seen = _seen(session, kiosk, reading, ahead, now, cipher)
    entries = [
        Entry("kiosk.identify", "Patient", each.id, each.id, kiosk.facility_id) for each in seen.people
    ]
    record(session, kiosk.principal, *entries, now=now)
    return seen


def check_in(
    session: Session,
    kiosk: Kiosk,
    held: Pass,
    appointment_id: UUID,
    *,
    press_key: str,
    now: datetime,
    cipher: FieldCipher,
) -> TicketView:
    """Check in one of the appointments that were shown. Raises PassOver, and what check-in raises."""
    if appointment_id not in held.appointments:
        raise PassOver
    return queueing.check_in(
        session, kiosk.principal, appointment_id, press_key=press_key, now=now, cipher=cipher
    )


def take_number(
    session: Session,
    kiosk: Kiosk,
    held: Pass | None,
    wish: Wish,
    *,
    press_key: str,
    now: datetime,
    cipher: FieldCipher,
) -> TicketView:
    """Give a walk-in a number, for a room or for registration; somebody new is registered first.

    Whoever waits in that queue already gets the same number again. Raises RoomClosed, QueueClosed, QueueFull,
    PressReused, BadPatient.
    """
    queue = _queue(session, kiosk, wish.queue_id, now)
    patient_id = None if held is None else patient_of(session, kiosk, held, wish, now=now, cipher=cipher)
    earlier = patient_id and waiting_ticket(session, queue.id, patient_id, now)
    if earlier:
        return view(session, session.get_one(Ticket, earlier), queue, now=now, cipher=cipher)
    granted, by = priority_of(session, kiosk, wish, patient_id, now)
    holder = Holder(priority=granted, priority_set_by=by, purpose=wish.purpose, patient_id=patient_id)
    return issue(session, kiosk.principal, queue, holder, press_key=press_key, now=now, cipher=cipher)


def new_patient(new: NewPerson, phone: str | None) -> NewPatient:
    """Return the person of a card as they are registered."""
    return NewPatient(
        full_name=new.full_name,
        sex=new.sex,
        birth_date=new.birth_date,
        phone=phone,
        national_id=new.national_id,
        old_national_id=new.old_national_id,
        insurance_no=new.insurance_no,
        address=new.address,
    )


def note_print(
    session: Session,
    principal: Principal,
    ticket_id: UUID,
    status: PrintStatus,
    *,
    slip_url: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> None:
    """Store what became of the slip. Where none came out, staff are called and the number is sent.

    The number stands: it is on the screen, and by message where a telephone is known. Raises NotFound.
    """
    queueing.note_print(session, ticket_id, status)
    if status is not PrintStatus.FAILED:
        return
    ticket = session.get_one(Ticket, ticket_id)
    queueing.call_staff(session, principal, ticket.facility_id, StaffCallKind.PRINTER, now=now)
    message = _slip_message(session, ticket, slip_url, now, cipher)
    if message is not None:
        outbox.enqueue(session, [message], now=now)


def give_feedback(
    session: Session, kiosk: Kiosk, opinion: Opinion, *, now: datetime, cipher: FieldCipher
) -> UUID:
    """Keep an opinion; a complaint with the telephone it is answered at. Raises Unprocessable."""
    phone = None
    if opinion.phone:
        phone = normalise_phone(opinion.phone)
        if phone is None:
            raise Unprocessable({"phone": ["kiosk-feedback-phone-wrong"]})
    if not 1 <= opinion.rating <= 5:
        raise Unprocessable({"rating": ["kiosk-feedback-rating-missing"]})
    feedback_id = new_id()
    session.add(
        Feedback(
            id=feedback_id,
            facility_id=kiosk.facility_id,
            device_id=kiosk.device_id,
            kind=FeedbackKind.FEEDBACK if phone is None else FeedbackKind.COMPLAINT,
            rating=opinion.rating,
            topics=[each.value for each in opinion.topics],
            phone_sealed=cipher.seal_text(phone, f"feedback.phone:{feedback_id}"),
            given_at=now,
        )
    )
    session.flush()
    return feedback_id


def handle_feedback(session: Session, principal: Principal, feedback_id: UUID, *, now: datetime) -> None:
    """Note who dealt with it; the first counts. Raises NotFound."""
    handled = session.scalar(
        update(Feedback)
        .where(Feedback.id == feedback_id)
        .values(
            handled_at=func.coalesce(Feedback.handled_at, now),
            handled_by=func.coalesce(Feedback.handled_by, principal.id),
        )
        .returning(Feedback.id)
    )
    if handled is None:
        raise NotFound


def _seen(
    session: Session, kiosk: Kiosk, reading: Reading, ahead: bool, now: datetime, cipher: FieldCipher
) -> Seen:
    match reading:
        case TicketToken(value=token) | VisitToken(value=token):
            followed = queues.follow(session, token, now)
            if followed is None:
                raise CannotRead({"text": ["identification-unknown"]})
            if followed.come_by is not None and followed.queue.facility_id == kiosk.facility_id:
                queueing.arrive_by_slip(
                    session, kiosk.principal, token, kiosk.facility_id, now=now, cipher=cipher
                )
                followed = queues.follow(session, token, now)
            return Seen(ticket=followed)
        case SlipNumber():
            raise CannotRead({"text": ["kiosk-slip-at-desk"]})
        case BookingCode(passport_no=None):
            return _by_code(session, kiosk, reading.value)
    found = people_by_number(session, numbers_of(reading), cipher)
    if found:
        return _people(session, kiosk, found, reading, ahead, now)
    if isinstance(reading, BookingCode):
        return _by_code(session, kiosk, reading.value)
    if isinstance(reading, PhoneNumber):
        return _by_phone(session, kiosk, reading.value, now, cipher)
    new = new_person(reading)
    if new is None:
        raise NobodyKnown
    return Seen(new=new, warnings=getattr(reading, "warnings", ()))


def _by_code(session: Session, kiosk: Kiosk, code: str) -> Seen:
    due = due_by_id(session, kiosk.facility_id, queueing.find_by_code(session, code, kiosk.facility_id))
    if due is None:
        raise NotFound
    return Seen(people=(due.person,), due=(due,))


def _by_phone(session: Session, kiosk: Kiosk, phone: str, now: datetime, cipher: FieldCipher) -> Seen:
    due = due_by_phone(session, kiosk.facility_id, phone, now, cipher)
    if not due:
        raise NoAppointmentToday
    return Seen(people=tuple({each.person.id: each.person for each in due}.values()), due=due)


def _people(
    session: Session,
    kiosk: Kiosk,
    found: Sequence[PersonAtKiosk],
    reading: Reading,
    ahead: bool,
    now: datetime,
) -> Seen:
    ids = [each.id for each in found]
    due = (coming if ahead else due_today)(session, kiosk.facility_id, ids, now)
    return Seen(people=found, due=due, warnings=getattr(reading, "warnings", ()))


def new_person(reading: Reading) -> NewPerson | None:
    """Return whom a card describes; a name whose letters were lost is not written down."""
    match reading:
        case IdentityCard(intact=True):
            return (
                NewPerson(
                    full_name=reading.full_name,
                    sex=reading.sex,
                    birth_date=reading.birth_date,
                    national_id=reading.national_id,
                    old_national_id=reading.old_national_id,
                    address=reading.address,
                )
                if reading.birth_date
                else None
            )
        case InsuranceCard(intact=True):
            return (
                NewPerson(
                    full_name=reading.full_name,
                    sex=reading.sex,
                    birth_date=reading.birth_date,
                    insurance_no=reading.insurance_no,
                    address=reading.address,
                )
                if reading.birth_date
                else None
            )
        case _:
            return None


def _queue(session: Session, kiosk: Kiosk, queue_id: UUID | None, now: datetime) -> QueueView:
    if queue_id is not None:
        if queue_id not in {room.queue_id for room in rooms_today(session, kiosk.facility_id, now)}:
            raise RoomClosed
        chosen = queues.queue_by_id(session, queue_id)
    else:
        open_here = queues.queues_of(session, kiosk.facility_id)
        chosen = next((each for each in open_here if each.kind is ServicePointKind.REGISTRATION), None)
    if chosen is None:
        raise QueueClosed
    return chosen


def patient_of(
    session: Session, kiosk: Kiosk, held: Pass, wish: Wish, *, now: datetime, cipher: FieldCipher
) -> UUID | None:
    """Return whose pass it is, known to the facility from now on; a new person is registered."""
    if held.patient_id is not None:
        patients.link_facility(session, held.patient_id, kiosk.facility_id, now)
        return held.patient_id
    if held.person is None:
        return None
    phone = normalise_phone(wish.phone) if wish.phone else None
    if wish.phone and (phone is None or not can_receive_sms(phone)):
        raise Unprocessable({"phone": ["kiosk-phone-wrong"]})
    patient_id = patients.register(
        session, kiosk.principal, new_patient(held.person, phone), now=now, cipher=cipher
    )
    patients.link_facility(session, patient_id, kiosk.facility_id, now)
    return patient_id


def priority_of(
    session: Session, kiosk: Kiosk, wish: Wish, patient_id: UUID | None, now: datetime
) -> tuple[PriorityClass, str | None]:
    """Return the class that the birth date alone gives, else what the person says."""
    who = None if patient_id is None else person(session, patient_id)
    computed = statutory_class(who.birth_date, business_date(now)) if who else PriorityClass.NONE
    if computed is not PriorityClass.NONE:
        return computed, "birth-date"
    return wish.priority, None if wish.priority is PriorityClass.NONE else set_by(kiosk.principal)


def _slip_message(
    session: Session, ticket: Ticket, slip_url: str, now: datetime, cipher: FieldCipher
) -> Message | None:
    if ticket.patient_id is None:
        return None
    queue = queues.queue_by_id(session, ticket.queue_id)
    recipient = recipient_of(session, ticket.patient_id, None, cipher)
    if recipient is None or queue is None:
        return None
    shown = view(session, ticket, queue, now=now, cipher=cipher)
    return Message(
        kind="ticket-slip",
        recipient=recipient,
        params={
            "facility": short_name(facility(session, ticket.facility_id).name),
            "number": shown.number_text,
            "room": shown.room,
            "link": slip_url + shown.public_token,
        },
        dedupe_key=f"ticket-slip:{ticket.id}",
        not_before=now,
        expires_at=now + _WORTH_TELLING,
        subject=ticket.appointment_id or ticket.id,
    )
