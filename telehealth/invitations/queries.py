"""Reading invitations; who sees the appointment sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from telehealth.accounts.contacts import Contact, opened_contact
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment
from telehealth.booking.queries import AppointmentView, appointment
from telehealth.core.answer_link import AnswerLink, AnswerLinks, Purpose
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import PrincipalKind
from telehealth.invitations.errors import InviteeUnknown
from telehealth.invitations.models import Invitee

_SUBJECT = text("SELECT appointment_id, created_at FROM invitee_subject(:id)")
_ENTER = text("SELECT set_config('app.kind', :kind, true), set_config('app.appointment', :appointment, true)")


@dataclass(frozen=True, slots=True)
class InviteeView:
    """Somebody invited; `contact` is shown in part only."""

    id: UUID
    name: str
    relation: str
    contact: Contact
    language: str
    created_at: datetime

    @property
    def contact_ending(self) -> str:
        """Return what the address is known by."""
        return self.contact.ending


def invitees_of(session: Session, appointment_id: UUID, cipher: FieldCipher) -> list[InviteeView]:
    """Return who is invited to an appointment, in the order of inviting."""
    rows = session.scalars(
        select(Invitee)
        .where(Invitee.appointment_id == appointment_id, Invitee.withdrawn_at.is_(None))
        .order_by(Invitee.created_at, Invitee.id)
    )
    return [view(row, cipher) for row in rows]


def ever_invited(session: Session, appointment_id: UUID) -> list[Invitee]:
    """Return everybody who was ever invited to an appointment, withdrawn or not."""
    return list(session.scalars(select(Invitee).where(Invitee.appointment_id == appointment_id)))


def view(row: Invitee, cipher: FieldCipher) -> InviteeView:
    """Open a row. Raises LookupError for one without an address, which the table refuses."""
    contact = opened_contact(row.phone_sealed, row.email_sealed, "appointment_invitee", row.id, cipher)
    if contact is None:
        msg = "an invitee has an address"
        raise LookupError(msg)
    name = cipher.open_text(row.name_sealed, f"appointment_invitee.name:{row.id}") or ""
    return InviteeView(row.id, name, row.relation, contact, row.language, row.created_at)


def opened(session: Session, link: AnswerLink, links: AnswerLinks) -> AppointmentView:
    """Check an invitation's link, enter as its holder and return the appointment. Raises InviteeUnknown."""
    row = session.execute(_SUBJECT, {"id": link.subject}).one_or_none()
    if row is None or link.purpose is not Purpose.VISIT or not links.signed(link, row.created_at):
        raise InviteeUnknown
    session.execute(_ENTER, {"kind": PrincipalKind.LINK.value, "appointment": str(row.appointment_id)})
    found = appointment(session, row.appointment_id)
    if found is None:
        raise InviteeUnknown
    return found


def told_otherwise(session: Session, *, most: int) -> Sequence[Any]:
    """Return (invitee, status, start) of those who were told of a time that no longer stands."""
    return session.execute(
        select(Invitee, Appointment.status, Appointment.start_at)
        .join(Appointment, Appointment.id == Invitee.appointment_id)
        .where(
            Invitee.withdrawn_at.is_(None),
            Invitee.told_start.is_not(None),
            or_(
                Appointment.status == AppointmentStatus.CANCELLED,
                (Appointment.status == AppointmentStatus.BOOKED)
                & (Appointment.start_at != Invitee.told_start),
            ),
        )
        .order_by(Invitee.id)
        .limit(most)
        .with_for_update(of=Invitee, skip_locked=True)
    ).all()
