"""Reading deposits: their terms, one of an appointment, what waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from telehealth.booking.policies import AppointmentScope
from telehealth.core.crypto import FieldCipher
from telehealth.directory.models import HealthcareService
from telehealth.payments.codes import PaymentState
from telehealth.payments.models import BankAccount, DepositPolicy
from telehealth.payments.rules import Account, Standing, returned_on_cancelling

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class DepositTerms:
    """What a service asks for when it is booked online."""

    amount_vnd: int
    pay_within_minutes: int
    full_refund_minutes: int
    late_refund_percent: int


@dataclass(frozen=True, slots=True)
class PaymentView:
    """The deposit of an appointment. `refund_due_vnd` is what must still go back.

    `full_until`: until when who cancels gets all of it back.
    """

    id: UUID
    appointment_id: UUID
    facility_id: UUID
    patient_id: UUID
    reference: str
    state: str
    amount_vnd: int
    received_vnd: int
    refund_vnd: int
    refunded_vnd: int
    due_at: datetime
    full_until: datetime
    paid_at: datetime | None
    version: int
    terms: DepositTerms
    account: Account | None = None

    @property
    def missing_vnd(self) -> int:
        """Return what is still to be paid."""
        return max(0, self.amount_vnd - self.received_vnd)

    @property
    def refund_due_vnd(self) -> int:
        """Return what must still go back."""
        return self.refund_vnd - self.refunded_vnd

    def returned_on_cancelling(self, now: datetime, *, disrupted: bool) -> int | None:
        """Return what its patient gets back by cancelling now; None: nothing was paid.

        `disrupted`: the hospital cannot keep the time.
        """
        if self.state != PaymentState.PAID:
            return None
        standing = Standing(self.state, self.amount_vnd, self.received_vnd, self.refund_vnd)
        in_time = disrupted or now <= self.full_until
        return returned_on_cancelling(standing, self.terms.late_refund_percent, in_time=in_time)

    @property
    def scope(self) -> AppointmentScope:
        """Return what the policy asks about it."""
        return AppointmentScope(self.facility_id, self.patient_id)


@dataclass(frozen=True, slots=True)
class RefundDue:
    """Money that must go back, and to whose booking."""

    payment: PaymentView
    booking_code: str
    patient_name: str
    start: datetime


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer that nobody could be found for. `content` is what the payer wrote."""

    id: UUID
    facility_id: UUID
    amount_vnd: int
    content: str
    booked_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """A service with its deposit and its preparation, as the facility's admin sets them."""

    id: UUID
    code: str
    name_vi: str
    name_en: str
    preparation_vi: str
    preparation_en: str
    terms: DepositTerms | None
    version: int


_PAYMENT = """SELECT p.id, p.appointment_id, p.facility_id, p.patient_id, p.reference, p.state, p.amount_vnd,
       p.received_vnd, p.refund_vnd, p.refunded_vnd, p.due_at, p.full_until, p.paid_at, p.version,
       p.full_refund_minutes, p.late_refund_percent,
       b.bank_bin, b.account_no, b.holder
  FROM payment p LEFT JOIN bank_account b ON b.facility_id = p.facility_id"""


def deposit_terms(session: Session, service_id: UUID) -> DepositTerms | None:
    """Return what the service asks for, or None: no deposit, or no account to pay it to."""
    row = session.execute(
        select(DepositPolicy)
        .join(HealthcareService, HealthcareService.id == DepositPolicy.service_id)
        .join(BankAccount, BankAccount.facility_id == HealthcareService.facility_id)
        .where(DepositPolicy.service_id == service_id, BankAccount.active)
    ).scalar_one_or_none()
    return None if row is None else _terms(row)


def payment_of(session: Session, appointment_id: UUID) -> PaymentView | None:
    """Return an appointment's deposit that the entered principal may see, or None."""
    return _one(session, "p.appointment_id = %(id)s", {"id": appointment_id})


def payment(session: Session, payment_id: UUID) -> PaymentView | None:
    """Return a deposit, or None."""
    return _one(session, "p.id = %(id)s", {"id": payment_id})


def payment_for(session: Session, facility_id: UUID, said: Sequence[str]) -> UUID | None:
    """Return the facility's deposit with one of these references or booking codes, or None."""
    found = session.connection().exec_driver_sql(
        """SELECT p.id FROM payment p JOIN appointment a ON a.id = p.appointment_id
            WHERE p.facility_id = %(facility)s
              AND (p.reference = ANY(%(said)s::text[]) OR a.code = ANY(%(said)s::text[]))
            ORDER BY p.created_at LIMIT 1""",
        {"facility": facility_id, "said": list(said)},
    )
    return found.scalar_one_or_none()


def overdue(session: Session, before: datetime, *, most: int) -> list[UUID]:
    """Return the appointments whose deposit should have come before an instant."""
    found = session.connection().exec_driver_sql(
        """SELECT appointment_id FROM payment WHERE state = 'due' AND due_at < %(before)s
            ORDER BY due_at LIMIT %(most)s""",
        {"before": before, "most": most},
    )
    return [row[0] for row in found]


def untold(session: Session, *, most: int) -> list[UUID]:
    """Return the appointments whose deposit is due and nobody was told of yet, oldest first."""
    found = session.connection().exec_driver_sql(
        """SELECT appointment_id FROM payment WHERE state = 'due' AND told_at IS NULL
            ORDER BY created_at LIMIT %(most)s""",
        {"most": most},
    )
    return [row[0] for row in found]


def refunds_due(session: Session, facility_id: UUID) -> list[RefundDue]:
    """Return what the facility owes, oldest first, at most 100. One statement."""
    rows = session.connection().exec_driver_sql(
        f"""SELECT found.*, a.code, t.full_name, a.start_at FROM ({_PAYMENT}
             WHERE p.facility_id = %(facility)s AND p.refunded_vnd < p.refund_vnd
             ORDER BY p.created_at LIMIT {MOST_SHOWN}) found
              JOIN appointment a ON a.id = found.appointment_id JOIN patient t ON t.id = found.patient_id
             ORDER BY a.start_at""",
        {"facility": facility_id},
    )
    return [RefundDue(_payment(row), row.code, row.full_name, row.start_at) for row in rows]


def unmatched(session: Session, facility_id: UUID, cipher: FieldCipher) -> list[TransferView]:
    """Return the transfers that wait for a person, oldest first, at most 100. One statement."""
    rows = session.connection().exec_driver_sql(
        f"""SELECT id, facility_id, amount_vnd, content_sealed, booked_at, state FROM bank_transfer
             WHERE facility_id = %(facility)s AND state = 'unmatched'
             ORDER BY booked_at, id LIMIT {MOST_SHOWN}""",
        {"facility": facility_id},
    )
    return [
        TransferView(
            row.id,
            row.facility_id,
            row.amount_vnd,
            cipher.open_text(row.content_sealed, f"bank_transfer.content_sealed:{row.id}") or "",
            row.booked_at,
            row.state,
        )
        for row in rows
    ]


def account_of(session: Session, facility_id: UUID) -> BankAccount | None:
    """Return where a facility's deposits go, or None."""
    return session.get(BankAccount, facility_id)


def services_of(session: Session, facility_id: UUID) -> list[ServiceSettings]:
    """Return a facility's services with deposits and preparation, by name. One statement."""
    rows = session.execute(
        select(HealthcareService, DepositPolicy)
        .outerjoin(DepositPolicy, DepositPolicy.service_id == HealthcareService.id)
        .where(HealthcareService.facility_id == facility_id, HealthcareService.active)
        .order_by(HealthcareService.name_vi)
    )
    return [
        ServiceSettings(
            service.id,
            service.code,
            service.name_vi,
            service.name_en,
            service.preparation_vi,
            service.preparation_en,
            None if policy is None else _terms(policy),
            0 if policy is None else policy.version,
        )
        for service, policy in rows
    ]


def _terms(row: DepositPolicy) -> DepositTerms:
    return DepositTerms(
        row.amount_vnd, row.pay_within_minutes, row.full_refund_minutes, row.late_refund_percent
    )


def _one(session: Session, where: str, parameters: dict[str, Any]) -> PaymentView | None:
    row = session.connection().exec_driver_sql(f"{_PAYMENT} WHERE {where}", parameters).one_or_none()
    return None if row is None else _payment(row)


def _payment(row: Row[Any]) -> PaymentView:
    return PaymentView(
        id=row.id,
        appointment_id=row.appointment_id,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        reference=row.reference,
        state=row.state,
        amount_vnd=row.amount_vnd,
        received_vnd=row.received_vnd,
        refund_vnd=row.refund_vnd,
        refunded_vnd=row.refunded_vnd,
        due_at=row.due_at,
        full_until=row.full_until,
        paid_at=row.paid_at,
        version=row.version,
        terms=DepositTerms(row.amount_vnd, 0, row.full_refund_minutes, row.late_refund_percent),
        account=None if row.bank_bin is None else Account(row.bank_bin, row.account_no, row.holder),
    )
