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
from telehealth.accounts.contacts import Contact, contact_fault, read_contact
from telehealth.accounts.rules import foreign, foreign_otp_limits
from telehealth.accounts.services.limits import spend
from telehealth.audit.services import Entry, record
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.queries import AppointmentView, appointment
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.phone import country_code
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.text import clean
from telehealth.directory.codes import Modality
from telehealth.invitations.errors import BadInvitee, InviteeUnknown, OnlyVideo, TooManyInvitees
from telehealth.invitations.models import Invitee
from telehealth.invitations.queries import InviteeView, ever_invited, invitees_of, told_otherwise, view
from telehealth.invitations.rules import LONGEST_NAME, MOST, RELATIONS, TEXT_VERSION, invite_limits

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

    Who was invited and withdrawn counts as well: each was a message to somebody.
    Raises BadInvitee, OnlyVideo, TooManyInvitees, TooMany.
    """
    faults, contact = faults_of(new), read_contact(new.contact)
    if faults or contact is None:
        raise BadInvitee(faults)
    if booked.modality != Modality.VIDEO or booked.status != AppointmentStatus.BOOKED or booked.start <= now:
        raise OnlyVideo
    invitee_id, cipher = new_id(), means.cipher
    index, earlier = contact.index(cipher), ever_invited(session, booked.id)
    if any(row.withdrawn_at is None and row.contact_index == index for row in earlier):
        return
    if len(earlier) >= MOST:
        raise TooManyInvitees(most=MOST)
    _spend(session, principal, contact, now)
    address = cipher.seal_text(contact.value, f"appointment_invitee.{contact.kind}:{invitee_id}")
    made = session.execute(
        upsert(Invitee)
        .values(
            id=invitee_id,
            appointment_id=booked.id,
            name_sealed=cipher.seal_text(clean(new.name), f"appointment_invitee.name:{invitee_id}"),
            **{f"{contact.kind}_sealed": address},
            contact_index=index,
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
    """Take an invitation back: its link opens nothing any more.

    They are told, unless the invitation itself never left. Raises InviteeUnknown.
    """
    found = next(
        (each for each in invitees_of(session, booked.id, means.cipher) if each.id == invitee_id), None
    )
    if found is None:
        raise InviteeUnknown
    session.execute(update(Invitee).where(Invitee.id == invitee_id).values(withdrawn_at=now))
    told = means.outbox.said(session, [_invitation_key(invitee_id)])
    means.outbox.cancel(session, invitee_id, now=now)
    if told and booked.status == AppointmentStatus.BOOKED:
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
        dedupe_key=_invitation_key(to.id)
        if kind == "visit-invitation"
        else f"{kind}:{to.id}:{int(booked.start.timestamp())}",
        not_before=now,
        expires_at=max(booked.start, now + _SAID_FOR),
        subject=to.id,
    )
    means.outbox.enqueue(session, [message], now=now)


def _spend(session: Session, principal: Principal, contact: Contact, now: datetime) -> None:
    """Count a message to somebody who never asked for one. Raises TooMany."""
    key = f"invite:{principal.id}"
    limits = invite_limits(str(principal.id), staff=principal.kind is PrincipalKind.STAFF)
    if contact.kind == "phone" and foreign(contact.value):
        limits += foreign_otp_limits(country_code(contact.value), key)
    spend(session, limits, now=now)


def _invitation_key(invitee_id: UUID) -> str:
    return f"visit-invitation:{invitee_id}"
