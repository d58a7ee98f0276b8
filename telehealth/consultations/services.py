"""Opening a room, letting people in, ending it. Each runs in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Interval, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment
from telehealth.booking.rules import VIDEO_CLOSES_AFTER, VIDEO_OPENS_BEFORE, video_window
from telehealth.consultations.errors import NotBooked, NotByVideo, RoomNotOpenYet, RoomOver
from telehealth.consultations.models import EndReason, JoinLink, Room, RoomKind
from telehealth.consultations.queries import (
    Consultation,
    Participant,
    RoomView,
    presences,
    room_of,
    room_view,
)
from telehealth.core import join_ticket
from telehealth.core.clock import local
from telehealth.core.crypto import token_hash
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_id, new_secret
from telehealth.core.join_ticket import JoinTicket, ParticipantRole
from telehealth.core.principal import Principal
from telehealth.directory.codes import Modality
from telehealth.encounters import services as encounters
from telehealth.encounters.models import Encounter, EncounterStatus
from telehealth.encounters.queries import encounter_of_appointment
from telehealth.encounters.services import Attendance, Visit

_OPEN = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED, AppointmentStatus.NOSHOW)


def shown(session: Session, principal: Principal, found: Consultation, *, now: datetime) -> Consultation:
    """Return a consultation for a page that names the patient; that it was shown is in the trail."""
    entry = Entry("room.show", "Appointment", found.appointment_id, found.patient_id, found.facility_id)
    audit.record(session, principal, entry, now=now)
    return found


def open_room(session: Session, found: Consultation, *, now: datetime) -> RoomView:
    """Return the room of a video appointment, made when first asked for.

    The window follows the appointment when it was moved. Raises NotByVideo, NotBooked, RoomOver.
    """
    if found.modality != Modality.VIDEO:
        raise NotByVideo
    if found.status == AppointmentStatus.FULFILLED:
        raise RoomOver
    if found.status not in _OPEN:
        raise NotBooked
    opens_at, closes_at = video_window(found.start_at, found.end_at)
    made = insert(Room).values(
        id=new_id(),
        kind=RoomKind.CONSULTATION,
        appointment_id=found.appointment_id,
        opens_at=opens_at,
        closes_at=closes_at,
        last_seq=0,
        created_at=now,
    )
    session.execute(
        made.on_conflict_do_update(
            index_elements=[Room.appointment_id],
            index_where=Room.appointment_id.is_not(None),
            set_={"opens_at": opens_at, "closes_at": closes_at},
            where=Room.ended_at.is_(None) & (Room.opens_at != opens_at),
        )
    )
    room = room_of(session, found.appointment_id)
    if room is None:
        raise NotFound
    return room


def join(
    session: Session, principal: Principal, found: Consultation, participant: Participant, *, now: datetime
) -> JoinTicket:
    """Issue the ticket that lets one participant in.

    The family's coming is the check-in, the practitioner's begins the Encounter. Raises what open_room
    raises, and RoomNotOpenYet.
    """
    room = open_room(session, found, now=now)
    if room.ended_at is not None or now >= room.closes_at:
        raise RoomOver
    if now < room.opens_at:
        raise RoomNotOpenYet(time=local(room.opens_at).strftime("%H:%M"))
    if participant.role is ParticipantRole.PRACTITIONER:
        _begin(session, principal, found, now=now)
    elif principal.signed_in:  # who came by a link is marked when the practitioner ends
        booking.mark_arrived(session, principal, found.appointment_id, now)
    entry = Entry(
        "room.join",
        "Encounter",
        room.id,
        found.patient_id,
        found.facility_id,
        {"role": participant.role.value},
    )
    audit.record(session, principal, entry, now=now)
    return join_ticket.issue(
        jti=new_id(),
        room_id=room.id,
        participant_id=participant.id,
        role=participant.role,
        display_name=participant.name,
        now=now,
    )


def end(session: Session, principal: Principal, found: Consultation, *, now: datetime) -> None:
    """End the consultation for both sides: the room, the Encounter and who was there.

    Ending twice is ending once. Raises NotFound when the room was never opened.
    """
    room = room_of(session, found.appointment_id)
    if room is None:
        raise NotFound
    session.execute(
        update(Room)
        .where(Room.id == room.id, Room.ended_at.is_(None))
        .values(ended_at=now, end_reason=EndReason.ENDED)
    )
    # A hint: realtime reads the row, tells both sides and closes their sockets.
    session.execute(select(func.pg_notify("room", str(room.id))))
    encounter = encounter_of_appointment(session, found.appointment_id)
    if encounter is not None and encounter.status != EncounterStatus.FINISHED:
        _finish(session, principal, encounter.id, room, until=now)


def close_cancelled_rooms(session: Session, *, now: datetime) -> int:
    """End the rooms of cancelled appointments and their links; return how many rooms. For the worker."""
    cancelled = select(Appointment.id).where(Appointment.status == AppointmentStatus.CANCELLED)
    closed = session.execute(
        update(Room)
        .where(Room.appointment_id.in_(cancelled), Room.ended_at.is_(None))
        .values(ended_at=now, end_reason=EndReason.CANCELLED)
        .returning(Room.id, Room.appointment_id)
        .execution_options(synchronize_session=False)
    ).all()
    for room_id, _ in closed:
        session.execute(select(func.pg_notify("room", str(room_id))))
    links = update(JoinLink).where(
        JoinLink.appointment_id.in_([appointment_id for _, appointment_id in closed]),
        JoinLink.revoked_at.is_(None),
    )
    session.execute(links.values(revoked_at=now))
    return len(closed)


def move_windows(session: Session) -> None:
    """Let rooms that are open already follow appointments that were moved. For the worker."""
    opens_at = Appointment.start_at - literal(VIDEO_OPENS_BEFORE, Interval)
    session.execute(
        update(Room)
        .where(
            Room.appointment_id == Appointment.id,
            Room.ended_at.is_(None),
            Appointment.status.in_(_OPEN),
            Room.opens_at != opens_at,
        )
        .values(opens_at=opens_at, closes_at=Appointment.end_at + literal(VIDEO_CLOSES_AFTER, Interval))
        .execution_options(synchronize_session=False)
    )


def settle_an_ended_room(session: Session, principal: Principal, *, now: datetime) -> bool:
    """Finish the Encounter of one room that ended with nobody to finish it; False when there is none.

    For the worker, one transaction each: what goes wrong with one visit must not hold up the others.
    """
    row = session.execute(
        select(Encounter.id, Room)
        .join(Room, Room.appointment_id == Encounter.appointment_id)
        .where(Room.ended_at.is_not(None), Encounter.status == EncounterStatus.IN_PROGRESS)
        .limit(1)
        .with_for_update(of=Room, skip_locked=True)
    ).one_or_none()
    if row is None:
        return False
    encounter_id, room = row
    _finish(session, principal, encounter_id, room_view(room), until=room.ended_at or now)
    return True


def invite(session: Session, found: Consultation, guest: Participant, *, now: datetime) -> str:
    """Return the token of a fresh link that lets the guest in without signing in.

    It stands in a message to the guest's own phone (`/j/{token}`), opens this consultation only, and
    dies with it. Stored hashed.
    """
    token = new_secret()
    session.add(
        JoinLink(
            token_hash=token_hash(token),
            appointment_id=found.appointment_id,
            participant_id=guest.id,
            role=guest.role,
            expires_at=video_window(found.start_at, found.end_at)[1],
            created_at=now,
        )
    )
    session.flush()
    return token


def _begin(session: Session, principal: Principal, found: Consultation, *, now: datetime) -> None:
    encounter_id = encounters.open_visit(
        session,
        principal,
        Visit(
            facility_id=found.facility_id,
            modality=Modality.VIDEO,
            patient_id=found.patient_id,
            practitioner_id=found.practitioner_id,
            service_id=found.service_id,
            appointment_id=found.appointment_id,
        ),
        now=now,
    )
    encounters.start(session, principal, encounter_id, practitioner_id=found.practitioner_id, now=now)


def _finish(
    session: Session, principal: Principal, encounter_id: UUID, room: RoomView, *, until: datetime
) -> None:
    """Close the visit; the appointment is fulfilled only if it still stands and the family was there."""
    attendance = _attendance(session, room.id, until)
    encounters.note_attendance(session, encounter_id, attendance)
    encounters.finish(session, principal, encounter_id, now=until)
    status = session.scalar(select(Appointment.status).where(Appointment.id == room.appointment_id))
    if status in _OPEN and any(somebody.role != ParticipantRole.PRACTITIONER for somebody in attendance):
        booking.mark_arrived(session, principal, room.appointment_id, until)
        booking.mark_fulfilled(session, principal, room.appointment_id, until)


def _attendance(session: Session, room_id: UUID, until: datetime) -> Sequence[Attendance]:
    return [
        Attendance(presence.participant_id, presence.role, presence.joined_at, presence.left_at or until)
        for presence in presences(session, room_id)
    ]
