"""What is done for the people of a closure, one transaction each: it can stop anywhere and go on."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from telehealth.booking import messages
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus, CancelReason
from telehealth.booking.errors import PatientBusy
from telehealth.booking.queries import AppointmentView, appointment
from telehealth.closures import queries
from telehealth.closures.codes import ClosureKind, ClosurePlan, ClosureState, Equivalence, ItemState
from telehealth.closures.queries import ClosureView, Waiting
from telehealth.closures.rules import Affected, Place, assign, call_from, equivalence, kept_until, movable
from telehealth.closures.services.places import places_for
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM
from telehealth.core.sql import fetch_one
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import slot_by_id
from telehealth.scheduling.rules import SlotId

TIME_TO_ANSWER = timedelta(minutes=10)  # who has less is telephoned, not asked


@dataclass(frozen=True, slots=True)
class Means:
    """The keys, the outbox, and what writes links."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for one person: the place found, or none."""

    item_id: UUID
    person: Affected
    place: Place | None


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done for one person, as their item keeps it."""

    state: ItemState
    message_key: str | None = None
    place: Place | None = None
    kind: Equivalence | None = None
    offer_id: UUID | None = None


def plan(
    session: Session, closure: ClosureView, *, refused: Collection[tuple[UUID, str]], now: datetime
) -> list[Step]:
    """Return the next steps of a closure: a whole group's, so that places are shared out fairly.

    `refused`: places that were found and could not be had. Empty when nothing is left to do.
    """
    group = queries.next_group(session, closure.id)
    if group is None:
        return []
    waiting = queries.waiting_in(session, closure.id, group)
    if closure.plan == ClosurePlan.CANCEL:
        return [Step(each.item_id, each.affected, None) for each in waiting]
    people = [each.affected for each in waiting]
    places = places_for(session, group, people[0].start, len(people), now=now)
    return _steps(waiting, places, refused)


def _steps(waiting: list[Waiting], places: list[Place], refused: Collection[tuple[UUID, str]]) -> list[Step]:
    given = assign([each.affected for each in waiting], places, refused=refused)
    inside = sorted(waiting, key=lambda each: each.affected.urgency)
    return [Step(each.item_id, each.affected, given.get(each.affected.id)) for each in inside]


def act(session: Session, step: Step, means: Means, *, now: datetime) -> ItemState | None:
    """Do what is to be done for one person; None when it is done already, or the closure is being undone.

    Raises what `reserve`, `reschedule` and `cancel` raise; then roll back, and the person still waits.
    """
    fetch_one(session, "SELECT lock_appointment(%(id)s)", {"id": step.person.id})
    closure = _running(session, step.item_id)
    if closure is None:
        return None
    view = appointment(session, step.person.id)
    if view is None or not _as_found(view, step.person, now):
        done = _Done(ItemState.SETTLED)
    elif closure.plan == ClosurePlan.CANCEL:
        done = _cancelled(session, closure, view, means, now)
    elif step.place is None:
        done = _told(session, view, means, now)
    elif closure.plan == ClosurePlan.MOVE and movable(step.person, step.place):
        done = _moved(session, view, step, step.place, means, now)
    else:
        done = _offered(session, view, step, step.place, means, now)
    _keep(session, step, done, now)
    return done.state


def finish(session: Session, closure_id: UUID, *, now: datetime) -> None:
    """Note that something has been done for everybody."""
    session.connection().exec_driver_sql(
        """UPDATE session_closure SET state = 'finished', finished_at = %(now)s
            WHERE id = %(id)s AND state = 'running'
              AND NOT EXISTS (SELECT FROM session_closure_item i
                               WHERE i.closure_id = %(id)s AND i.state = 'waiting')""",
        {"id": closure_id, "now": now},
    )


def _running(session: Session, item_id: UUID) -> ClosureView | None:
    """Return the closure of an item that still waits, and keep it from being undone until commit."""
    row = fetch_one(
        session,
        """SELECT c.id FROM session_closure_item i JOIN session_closure c ON c.id = i.closure_id
            WHERE i.id = %(id)s AND i.state = 'waiting' AND c.state = %(running)s
              FOR SHARE OF c FOR UPDATE OF i""",
        {"id": item_id, "running": ClosureState.RUNNING},
    )
    return None if row is None else queries.closure(session, row[0])


def _as_found(view: AppointmentView, person: Affected, now: datetime) -> bool:
    """Tell whether the appointment is still the one that lost its time, and still to come."""
    same = view.status == AppointmentStatus.BOOKED and view.start == person.start
    return same and view.practitioner.id == person.practitioner_id and view.start > now


def _cancelled(
    session: Session, closure: ClosureView, view: AppointmentView, means: Means, now: datetime
) -> _Done:
    away = closure.kind == ClosureKind.PRACTITIONER
    reachable = _recipient(session, view, means) is not None
    booking.cancel(
        session,
        SYSTEM,
        view.id,
        version=view.version,
        reason_code=CancelReason.PRACTITIONER_AWAY if away else CancelReason.FACILITY,
        now=now,
        cipher=means.cipher,
        outbox=means.outbox,
    )
    key = f"appointment-cancelled:{view.id}:{view.version}"
    return _Done(ItemState.CANCELLED, key if reachable else None)


def _told(session: Session, view: AppointmentView, means: Means, now: datetime) -> _Done:
    """Say that the time is lost, with the way to choose another: no equivalent was found."""
    to = _recipient(session, view, means)
    told = []
    if to is not None:
        lost = _disruption(session, view)
        told = [messages.disrupted(view, to, lost, links=means.links, now=now)]
    return _Done(ItemState.TOLD, _say(session, view, told, means, now))


def _moved(
    session: Session, view: AppointmentView, step: Step, place: Place, means: Means, now: datetime
) -> _Done:
    reachable = _recipient(session, view, means) is not None
    moved = booking.reschedule(
        session,
        SYSTEM,
        view.id,
        booking.Move(place.slot_id, view.version, Channel.DESK),
        now=now,
        cipher=means.cipher,
        outbox=means.outbox,
        links=means.links,
    )
    key = f"appointment-moved:{view.id}:{moved.version}" if reachable else None
    return _Done(ItemState.MOVED, key, place, equivalence(step.person, place))


def _offered(
    session: Session, view: AppointmentView, step: Step, place: Place, means: Means, now: datetime
) -> _Done:
    until = kept_until(now, view.start, place.start)
    if until < now + TIME_TO_ANSWER:
        return _told(session, view, means, now)
    _check_free(session, view, place)
    offer = booking.reserve(session, SYSTEM, view.id, place.slot_id, until=until, now=now)
    to = _recipient(session, view, means)
    slot = slot_by_id(session, place.slot_id, now, channel=Channel.DESK)
    told = []
    if to is not None and slot is not None:
        told = [messages.replacement(view, offer, slot, to, links=means.links, now=now)]
    key = _say(session, view, told, means, now)
    return _Done(ItemState.OFFERED, key, place, equivalence(step.person, place), offer.id)


def _check_free(session: Session, view: AppointmentView, place: Place) -> None:
    """Raise PatientBusy if the person is somewhere else then: an offer that cannot be taken is none."""
    slot = SlotId.parse(place.slot_id)
    busy = fetch_one(
        session,
        """SELECT EXISTS (
               SELECT FROM clinic_session s JOIN claim k ON k.during &&
                      tstzrange(%(start)s, %(start)s + s.slot_minutes * interval '1 minute')
                WHERE s.id = %(session)s AND k.resource_id = %(patient)s AND k.active
                  AND k.appointment_id <> %(appointment)s)""",
        {
            "start": place.start,
            "session": None if slot is None else slot.session_id,
            "patient": view.patient_id,
            "appointment": view.id,
        },
    )
    if busy is not None and busy[0]:
        raise PatientBusy


def _say(
    session: Session, view: AppointmentView, told: list[Message], means: Means, now: datetime
) -> str | None:
    """Let this be all that is said of the appointment; return its key, None when nobody can be told."""
    means.outbox.replace(session, view.id, told, now=now)
    return told[0].dedupe_key if told else None


def _recipient(session: Session, view: AppointmentView, means: Means) -> Recipient | None:
    if view.patient_id is None:
        return None
    return recipient_of(session, view.patient_id, view.account_id, means.cipher)


def _disruption(session: Session, view: AppointmentView) -> UUID:
    """Return the loss that the appointment's people are told of; the closure has written it down."""
    row = fetch_one(
        session,
        """SELECT id FROM appointment_disruption
            WHERE appointment_id = %(id)s AND start_at = %(start)s AND resolved_at IS NULL""",
        {"id": view.id, "start": view.start},
    )
    return new_id() if row is None else row[0]


def _keep(session: Session, step: Step, done: _Done, now: datetime) -> None:
    slot = None if done.place is None else SlotId.parse(done.place.slot_id)
    session.connection().exec_driver_sql(
        """UPDATE session_closure_item
              SET state = %(state)s, equivalence = %(kind)s, new_session_id = %(session)s,
                  new_start_at = %(start)s, offer_id = %(offer)s, message_key = %(key)s, acted_at = %(now)s,
                  call_from = %(call_from)s
            WHERE id = %(id)s""",
        {
            "state": done.state,
            "kind": done.kind,
            "session": None if slot is None else slot.session_id,
            "start": None if done.place is None else done.place.start,
            "offer": done.offer_id,
            "key": done.message_key,
            "now": now,
            "call_from": call_from(now, step.person.start),
            "id": step.item_id,
        },
    )
