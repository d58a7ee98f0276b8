"""Accounts that deposits go to, who asks for one, what is owed, what the bank told, what was paid back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.payments.codes import PaymentState, TransferState


class BankAccount(Base):
    """Where a facility's deposits go. `secret_sealed` checks the signature of the bank's webhook."""

    __tablename__ = "bank_account"
    __table_args__ = (
        CheckConstraint("bank_bin ~ '^[0-9]{6}$'", name="bank_bin"),
        CheckConstraint("account_no ~ '^[0-9A-Za-z]{3,19}$'", name="account_no"),
    )

    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    bank_bin: Mapped[str]
    account_no: Mapped[str]
    holder: Mapped[str]
    provider: Mapped[str]
    secret_sealed: Mapped[bytes]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class DepositPolicy(Base):
    """The deposit of a service that is booked online, and what of it comes back.

    All of it until `full_refund_minutes` before the start, later `late_refund_percent`.
    """

    __tablename__ = "deposit_policy"
    __table_args__ = (
        CheckConstraint("amount_vnd BETWEEN 1000 AND 50000000", name="amount_vnd"),
        CheckConstraint("pay_within_minutes BETWEEN 10 AND 2880", name="pay_within_minutes"),
        CheckConstraint("full_refund_minutes BETWEEN 0 AND 43200", name="full_refund_minutes"),
        CheckConstraint("late_refund_percent BETWEEN 0 AND 100", name="late_refund_percent"),
    )

    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"), primary_key=True)
    amount_vnd: Mapped[int]
    pay_within_minutes: Mapped[int]
    full_refund_minutes: Mapped[int]
    late_refund_percent: Mapped[int]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class Payment(Base):
    """The deposit of one appointment, with the terms that stood when it was booked.

    A trigger of the appointment makes it and follows every change of status. `reference` is what the
    transfer must say. `full_until`: until when all of it comes back; a patient who moves after it cannot win
    it back. `refund_vnd` is what must go back in all, `refunded_vnd` what has gone.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(one_of("state", PaymentState), name="state"),
        CheckConstraint("amount_vnd > 0", name="amount_vnd"),
        CheckConstraint(
            "received_vnd >= 0 AND refunded_vnd BETWEEN 0 AND refund_vnd AND refund_vnd <= received_vnd",
            name="sums",
        ),
        CheckConstraint("state NOT IN ('paid', 'forfeited') OR received_vnd >= amount_vnd", name="paid"),
        UniqueConstraint("appointment_id"),
        UniqueConstraint("reference"),
        Index("ix_payment_due", "due_at", postgresql_where=text("state = 'due'")),
        Index("ix_payment_untold", "created_at", postgresql_where=text("state = 'due' AND told_at IS NULL")),
        Index("ix_payment_refund", "facility_id", postgresql_where=text("refunded_vnd < refund_vnd")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    reference: Mapped[str]
    state: Mapped[str]
    amount_vnd: Mapped[int]
    received_vnd: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    refund_vnd: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    refunded_vnd: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    full_refund_minutes: Mapped[int]
    late_refund_percent: Mapped[int]
    full_until: Mapped[datetime]
    due_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class BankTransfer(Base):
    """Money that came in, as the bank told it; told twice it is one row."""

    __tablename__ = "bank_transfer"
    __table_args__ = (
        CheckConstraint("amount_vnd > 0", name="amount_vnd"),
        CheckConstraint(one_of("state", TransferState), name="state"),
        UniqueConstraint("facility_id", "provider", "provider_ref", name="uq_bank_transfer_provider_ref"),
        Index("ix_bank_transfer_unmatched", "facility_id", postgresql_where=text("state = 'unmatched'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    provider: Mapped[str]
    provider_ref: Mapped[str]
    amount_vnd: Mapped[int]
    content_sealed: Mapped[bytes]
    booked_at: Mapped[datetime]
    received_at: Mapped[datetime]
    state: Mapped[str]
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment.id"))
    settled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    settled_note: Mapped[str | None]


class Refund(Base):
    """Money that a person paid back, under the bank's number of that transfer."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount_vnd > 0", name="amount_vnd"),
        UniqueConstraint("payment_id", "paid_out_ref"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payment.id"))
    amount_vnd: Mapped[int]
    paid_out_ref: Mapped[str]
    paid_out_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    paid_out_at: Mapped[datetime]
