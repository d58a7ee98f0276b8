"""Inviting, and telling the invited what becomes of the visit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from notifications.kinds import KINDS
from notifications.wording import date_text, time_text
from telehealth.accounts.contacts import contact_fault, read_contact
from telehealth.audit.services import Entry, record
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.queries import AppointmentView, appointment
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.core.text import clean
from telehealth.directory.codes import Modality
from telehealth.invitations.errors import BadInvitee, InviteeUnknown, OnlyVideo, TooManyInvitees
from telehealth.invitations.models import Invitee
from telehealth.invitations.queries import InviteeView, invitees_of, told_otherwise, view
from telehealth.invitations.rules import LONGEST_NAME, MOST, RELATIONS, TEXT_VERSION

_SAID_FOR = timedelta(days=1)
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Means:
    """What telling somebody takes."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


@dataclass(frozen=True, slots=True)
class NewInvitee:
    """Whom to invite, by a telephone number or e-mail address, in their language."""

    name: str
    contact: str
    relation: str
    language: str = "vi"


def faults_of(new: NewInvitee) -> dict[str, list[str]]:
    """Return message keys of what cannot be right, by field."""
    faults: dict[str, list[str]] = {}
    if not 0 < len(clean(new.name)) <= LONGEST_NAME:
        faults["name"] = ["invitations-name-missing"]
    if fault := contact_fault(new.contact) if new.contact else "invitations-contact-missing":
        faults["contact"] = [fault]
    if new.relation not in RELATIONS:
        faults["relation"] = ["patients-relation-wrong"]
    return faults


def invite(
    session: Session,
    principal: Principal,
    booked: AppointmentView,
    new: NewInvitee,
    means: Means,
    *,
    now: datetime,
) -> None:
    """Invite somebody and tell them; invited already, they are told nothing twice.

    Raises BadInvitee, OnlyVideo, TooManyInvitees.
    """
    faults, contact = faults_of(new), read_contact(new.contact)
    if faults or contact is None:
        raise BadInvitee(faults)
    if booked.modality != Modality.VIDEO or booked.status != AppointmentStatus.BOOKED or booked.start <= now:
        raise OnlyVideo
    if len(invitees_of(session, booked.id, means.cipher)) >= MOST:
        raise TooManyInvitees(most=MOST)
    invitee_id, cipher = new_id(), means.cipher
    address = cipher.seal_text(contact.value, f"appointment_invitee.{contact.kind}:{invitee_id}")
    made = session.execute(
        upsert(Invitee)
        .values(
            id=invitee_id,
            appointment_id=booked.id,
            name_sealed=cipher.seal_text(clean(new.name), f"appointment_invitee.name:{invitee_id}"),
            **{f"{contact.kind}_sealed": address},
            contact_index=contact.index(cipher),
            relation=new.relation,
            language=new.language,
            text_version=TEXT_VERSION,
            invited_by=principal.id,
            created_at=now,
            told_start=booked.start,
        )
        .on_conflict_do_nothing()
        .returning(Invitee)
    ).scalar_one_or_none()
    if made is None:
        return
    _tell(session, view(made, cipher), booked, "visit-invitation", means, now=now)
    entry = Entry("invitation.invite", "Appointment", booked.id, booked.patient_id, booked.facility.id)
    record(session, principal, entry, now=now)


def withdraw(
    session: Session,
    principal: Principal,
    booked: AppointmentView,
    invitee_id: UUID,
    means: Means,
    *,
    now: datetime,
) -> None:
    """Take an invitation back; its link opens nothing any more, and they are told. Raises InviteeUnknown."""
    found = next(
        (each for each in invitees_of(session, booked.id, means.cipher) if each.id == invitee_id), None
    )
    if found is None:
        raise InviteeUnknown
    session.execute(update(Invitee).where(Invitee.id == invitee_id).values(withdrawn_at=now))
    if booked.status == AppointmentStatus.BOOKED:
        _tell(session, found, booked, "visit-invitation-cancelled", means, now=now)
    entry = Entry("invitation.withdraw", "Appointment", booked.id, booked.patient_id, booked.facility.id)
    record(session, principal, entry, now=now)


def tell_changes(session: Session, means: Means, *, now: datetime) -> int:
    """Tell the invited of visits that moved or were cancelled, by whatever way; return how many."""
    found = told_otherwise(session, most=_AT_ONCE)
    for invitee, status, start in found:
        cancelled = status == AppointmentStatus.CANCELLED
        booked = appointment(session, invitee.appointment_id)
        if booked is not None and booked.start > now:
            kind = "visit-invitation-cancelled" if cancelled else "visit-invitation-moved"
            _tell(session, view(invitee, means.cipher), booked, kind, means, now=now)
        session.execute(
            update(Invitee).where(Invitee.id == invitee.id).values(told_start=None if cancelled else start)
        )
    return len(found)


def _tell(
    session: Session, to: InviteeView, booked: AppointmentView, kind: str, means: Means, *, now: datetime
) -> None:
    phone, email = (to.contact.value, None) if to.contact.kind == "phone" else (None, to.contact.value)
    words = {
        "facility": booked.facility.short_name,
        "time": time_text(booked.start),
        "date": date_text(booked.start, to.language),
        "link": means.links.address(Purpose.VISIT, to.id, to.created_at),
    }
    message = Message(
        kind=kind,
        recipient=Recipient(phone=phone, email=email, language=to.language),
        params={name: words[name] for name in KINDS[kind].params},
        dedupe_key=f"{kind}:{to.id}:{int(booked.start.timestamp())}",
        not_before=now,
        expires_at=max(booked.start, now + _SAID_FOR),
        subject=to.id,
    )
    means.outbox.enqueue(session, [message], now=now)
