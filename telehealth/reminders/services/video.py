"""The link into a video room, when the room opens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from notifications import Message, Recipient
from notifications.wording import date_text, time_text
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment, Disruption
from telehealth.booking.rules import VIDEO_OPENS_BEFORE
from telehealth.consultations.models import JoinLink
from telehealth.consultations.queries import Participant, consultation
from telehealth.consultations.services import invite
from telehealth.core.join_ticket import ParticipantRole
from telehealth.directory.codes import Modality
from telehealth.directory.naming import short_name
from telehealth.patients.models import Patient
from telehealth.patients.queries import recipient_of
from telehealth.reminders.services.means import Means


def invite_to_video(session: Session, means: Means, *, now: datetime) -> int:
    """Send the one-tap link of every video appointment whose room has opened; return how many.

    An appointment that has a link since its time was agreed is left alone, so that a tick run twice sends
    once. A person who cannot be reached gets no link: the room opens from their own appointments.
    """
    invited = 0
    for row in _due(session, now):
        to = recipient_of(session, row.patient_id, row.account_id, means.cipher)
        if to is not None:
            guest = _guest(session, row.patient_id, row.account_id)
            message = _message(session, row, to, guest, means, now)
            means.outbox.enqueue(session, [message], now=now)
            invited += 1
    return invited


def _due(session: Session, now: datetime) -> Sequence[Any]:
    return session.execute(
        select(Appointment.id, Appointment.patient_id, Appointment.account_id, Appointment.agreed_at)
        .where(
            Appointment.modality == Modality.VIDEO,
            Appointment.status == AppointmentStatus.BOOKED,
            Appointment.start_at <= now + VIDEO_OPENS_BEFORE,
            Appointment.end_at > now,
            ~exists().where(
                JoinLink.appointment_id == Appointment.id, JoinLink.created_at >= Appointment.agreed_at
            ),
            ~exists().where(
                Disruption.appointment_id == Appointment.id,
                Disruption.start_at == Appointment.start_at,
                Disruption.resolved_at.is_(None),
            ),
        )
        .order_by(Appointment.start_at, Appointment.id)
        .with_for_update(of=Appointment, skip_locked=True)
    ).all()


def _guest(session: Session, patient_id: UUID, account_id: UUID | None) -> Participant:
    """Return as whom the telephone's owner comes: the patient, or who acts for one without a telephone."""
    patient = session.get_one(Patient, patient_id)
    if patient.phone_sealed is not None:
        return Participant(patient.id, ParticipantRole.PATIENT, patient.full_name)
    return Participant(
        patient.guardian_id or account_id or patient.id, ParticipantRole.GUARDIAN, patient.full_name
    )


def _message(
    session: Session, due: Row[Any], to: Recipient, guest: Participant, means: Means, now: datetime
) -> Message:
    found = consultation(session, due.id)
    if found is None:
        msg = "a booked appointment has a patient, a practitioner and a facility"
        raise LookupError(msg)
    return Message(
        kind="video-join",
        recipient=to,
        params={
            "facility": short_name(found.facility_name),
            "time": time_text(found.start_at),
            "date": date_text(found.start_at, to.language),
            "link": f"{means.links.base_url}/j/{invite(session, found, guest, now=now)}",
        },
        dedupe_key=f"video-join:{due.id}:{due.agreed_at.timestamp():.6f}",
        not_before=now,
        expires_at=found.end_at,
        subject=found.appointment_id,
    )
