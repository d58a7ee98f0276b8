"""Taking in what the bank tells, giving back, letting unpaid places go, and setting the terms.

Locks are taken in the order appointment, payment, transfer.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.audit.services import Entry, record
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus, CancelReason
from telehealth.booking.queries import appointment
from telehealth.booking.rules import message_link
from telehealth.booking.services.context import account_of as account_id_of
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, PreconditionFailed
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM, Principal
from telehealth.core.sql import fetch_one
from telehealth.directory.models import HealthcareService
from telehealth.patients.queries import recipient_of
from telehealth.payments import messages, queries
from telehealth.payments.codes import PaymentState, TransferState
from telehealth.payments.errors import NothingToRefund, ReferenceUnknown, TransferSettled
from telehealth.payments.models import BankAccount, BankTransfer, DepositPolicy, Payment, Refund
from telehealth.payments.providers.call import Incoming
from telehealth.payments.queries import DepositTerms
from telehealth.payments.rules import Account, Standing, lapses, references_in, settled

_LOCK = "SELECT lock_appointment(%(id)s)"


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """A facility's account as its admin enters it. An empty secret keeps the stored one."""

    account: Account
    provider: str
    secret: str
    active: bool


def secret_of(account: BankAccount, cipher: FieldCipher) -> str:
    """Return what the facility's webhook is signed with."""
    return cipher.open_text(account.secret_sealed, _secret_context(account.facility_id)) or ""


def receive(
    session: Session,
    facility_id: UUID,
    provider: str,
    incoming: Incoming,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> TransferState | None:
    """Take in one transfer and settle the deposit it names; None when it was told before."""
    identifier = new_id()
    row = fetch_one(
        session,
        """INSERT INTO bank_transfer (id, facility_id, provider, provider_ref, amount_vnd, content_sealed,
                                      booked_at, received_at, state)
           VALUES (%(id)s, %(facility)s, %(provider)s, %(ref)s, %(amount)s, %(content)s, %(booked)s, %(now)s,
                   'unmatched')
           ON CONFLICT DO NOTHING RETURNING id""",
        {
            "id": identifier,
            "facility": facility_id,
            "provider": provider,
            "ref": incoming.ref,
            "amount": incoming.amount_vnd,
            "content": cipher.seal_text(incoming.content, f"bank_transfer.content_sealed:{identifier}"),
            "booked": incoming.booked_at,
            "now": now,
        },
    )
    if row is None:
        return None
    payment_id = queries.payment_for(session, facility_id, references_in(incoming.content))
    if payment_id is None:
        return TransferState.UNMATCHED
    state = _credit(session, payment_id, incoming.amount_vnd, now)
    transfer = session.get_one(BankTransfer, identifier)
    transfer.state, transfer.payment_id = state, payment_id
    return state


def match(
    session: Session, principal: Principal, transfer_id: UUID, said: str, *, facility_id: UUID, now: datetime
) -> TransferState:
    """Let a person say whose transfer it is, by reference or booking code of that facility.

    Raises NotFound, TransferSettled, ReferenceUnknown.
    """
    transfer = _open_transfer(session, transfer_id, facility_id)
    plain = "".join(char for char in said.upper() if char.isalnum())
    payment_id = queries.payment_for(session, transfer.facility_id, [plain])
    if payment_id is None:
        raise ReferenceUnknown({"reference": ["error-reference-unknown"]})
    transfer.state = _credit(session, payment_id, transfer.amount_vnd, now)
    transfer.payment_id, transfer.settled_by = payment_id, account_id_of(principal)
    _note(session, principal, "payments.match", transfer.facility_id, transfer.id, now)
    return TransferState(transfer.state)


def settle(
    session: Session, principal: Principal, transfer_id: UUID, note: str, *, facility_id: UUID, now: datetime
) -> None:
    """Close a transfer that is no deposit, with what was done about it.

    Raises NotFound, TransferSettled.
    """
    transfer = _open_transfer(session, transfer_id, facility_id)
    transfer.state, transfer.settled_note = TransferState.SETTLED, note
    transfer.settled_by = account_id_of(principal)
    _note(session, principal, "payments.settle", transfer.facility_id, transfer.id, now)


def refund(
    session: Session,
    principal: Principal,
    payment_id: UUID,
    paid_out_ref: str,
    *,
    facility_id: UUID,
    version: int,
    now: datetime,
) -> int:
    """Record that what was owed has been paid back, under the bank's number; return how much, in đồng.

    Raises NotFound, PreconditionFailed, NothingToRefund.
    """
    found = session.execute(
        select(Payment).where(Payment.id == payment_id, Payment.facility_id == facility_id).with_for_update()
    ).scalar_one_or_none()
    if found is None:
        raise NotFound
    owed = found.refund_vnd - found.refunded_vnd
    if not owed:
        raise NothingToRefund
    if found.version != version:
        raise PreconditionFailed
    found.refunded_vnd += owed
    found.version += 1
    session.add(
        Refund(
            payment_id=payment_id,
            amount_vnd=owed,
            paid_out_ref=paid_out_ref,
            paid_out_by=account_id_of(principal),
            paid_out_at=now,
        )
    )
    _note(session, principal, "payments.refund", found.facility_id, found.id, now, found.patient_id)
    return owed


def let_go(
    session: Session, appointment_id: UUID, *, now: datetime, cipher: FieldCipher, outbox: Outbox
) -> bool:
    """Cancel an appointment whose deposit never came. False: it came meanwhile, or the visit has begun."""
    fetch_one(session, _LOCK, {"id": appointment_id})
    owed = session.execute(
        select(Payment).where(Payment.appointment_id == appointment_id).with_for_update()
    ).scalar_one_or_none()
    view = appointment(session, appointment_id)
    if owed is None or view is None or owed.state != PaymentState.DUE or not lapses(owed.due_at, now):
        return False
    if view.status != AppointmentStatus.BOOKED or now >= view.start:
        # The visit rules now: it is paid at the counter, and what came too little goes back.
        owed.state, owed.refund_vnd = PaymentState.VOID, owed.received_vnd
        owed.version += 1
        return False
    booking.cancel(
        session,
        SYSTEM,
        appointment_id,
        version=view.version,
        reason_code=CancelReason.DEPOSIT_UNPAID,
        now=now,
        cipher=cipher,
        outbox=outbox,
    )
    return True


def tell(
    session: Session,
    appointment_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    base_url: str,
) -> None:
    """Say once what is to be paid, until when and where; whoever booked, by whatever door."""
    fetch_one(session, _LOCK, {"id": appointment_id})
    owed = session.execute(
        select(Payment).where(Payment.appointment_id == appointment_id).with_for_update()
    ).scalar_one_or_none()
    view = appointment(session, appointment_id)
    if owed is None or view is None or owed.state != PaymentState.DUE or owed.told_at is not None:
        return
    owed.told_at = now
    to = recipient_of(session, owed.patient_id, view.account_id, cipher)
    if to is not None and owed.due_at > now:
        link = message_link(base_url, view.code)
        outbox.enqueue(session, [messages.deposit_due(view, to, owed.due_at, link, now=now)], now=now)


def set_account(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    given: AccountSettings,
    *,
    version: int,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Set where a facility's deposits go; `version` 0 for the first time. Raises PreconditionFailed."""
    stored = session.get(BankAccount, facility_id, with_for_update=True)
    if (0 if stored is None else stored.version) != version:
        raise PreconditionFailed
    account = stored or BankAccount(facility_id=facility_id, version=0, secret_sealed=b"")
    account.bank_bin = given.account.bank_bin
    account.account_no = given.account.account_no
    account.holder = given.account.holder
    account.provider = given.provider
    account.active = given.active
    account.version += 1
    if given.secret or stored is None:
        account.secret_sealed = cipher.seal_text(given.secret, _secret_context(facility_id)) or b""
    session.add(account)
    _note(session, principal, "payments.set_account", facility_id, facility_id, now)


def set_terms(
    session: Session,
    principal: Principal,
    service: HealthcareService,
    terms: DepositTerms | None,
    *,
    version: int,
    now: datetime,
) -> None:
    """Set or (None) lift a service's deposit; those who have booked keep their terms.

    Raises PreconditionFailed.
    """
    stored = session.get(DepositPolicy, service.id, with_for_update=True)
    if (0 if stored is None else stored.version) != version:
        raise PreconditionFailed
    if terms is None:
        if stored is not None:
            session.delete(stored)
    else:
        policy = stored or DepositPolicy(service_id=service.id, version=0)
        policy.amount_vnd = terms.amount_vnd
        policy.pay_within_minutes = terms.pay_within_minutes
        policy.full_refund_minutes = terms.full_refund_minutes
        policy.late_refund_percent = terms.late_refund_percent
        policy.version += 1
        session.add(policy)
    _note(session, principal, "payments.set_terms", service.facility_id, service.id, now)


def set_preparation(
    session: Session, principal: Principal, service: HealthcareService, vi: str, en: str, *, now: datetime
) -> None:
    """Set how people prepare for a service, a line for each thing; empty: as is usual for it."""
    service.preparation_vi, service.preparation_en = vi, en
    _note(session, principal, "payments.set_preparation", service.facility_id, service.id, now)


def _credit(session: Session, payment_id: UUID, amount: int, now: datetime) -> TransferState:
    found = session.execute(select(Payment).where(Payment.id == payment_id).with_for_update()).scalar_one()
    before = Standing(found.state, found.amount_vnd, found.received_vnd, found.refund_vnd)
    outcome = settled(before, amount)
    found.state = outcome.payment.state
    found.received_vnd = outcome.payment.received
    found.refund_vnd = outcome.payment.refund
    if before.state == PaymentState.DUE and found.state == PaymentState.PAID:
        found.paid_at = now
    found.version += 1
    session.flush()
    return outcome.transfer


def _open_transfer(session: Session, transfer_id: UUID, facility_id: UUID) -> BankTransfer:
    transfer = session.execute(
        select(BankTransfer)
        .where(BankTransfer.id == transfer_id, BankTransfer.facility_id == facility_id)
        .with_for_update()
    ).scalar_one_or_none()
    if transfer is None:
        raise NotFound
    if transfer.state != TransferState.UNMATCHED:
        raise TransferSettled
    return transfer


def _secret_context(facility_id: UUID) -> str:
    return f"bank_account.secret_sealed:{facility_id}"


def _note(
    session: Session,
    principal: Principal,
    action: str,
    facility_id: UUID,
    entity_id: UUID,
    now: datetime,
    patient_id: UUID | None = None,
) -> None:
    entry = Entry(action, "Payment", entity_id, patient_id=patient_id, facility_id=facility_id, details={})
    record(session, principal, entry, now=now)
