"""Missed appointments, and the words asked for beforehand."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.attendance.codes import Excuse
from telehealth.core.orm import Base, one_of


class NoShow(Base):
    """An appointment that was missed. A trigger writes it, whoever records it and by whichever door.

    `returned_at`: the person came after all. `graded_at`: null until what follows from it has been settled.
    """

    __tablename__ = "no_show"
    __table_args__ = (
        CheckConstraint(one_of("excuse", Excuse), name="excuse"),
        CheckConstraint("(excuse IS NULL) = (excused_at IS NULL)", name="excused"),
        Index("ix_no_show_patient_id", "patient_id", "start_at"),
        Index("ix_no_show_account_id", "account_id", "start_at"),
        Index("ix_no_show_ungraded", "patient_id", postgresql_where=text("graded_at IS NULL")),
    )

    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"), primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    start_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    returned_at: Mapped[datetime | None]
    excuse: Mapped[str | None]
    excused_at: Mapped[datetime | None]
    excused_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    graded_at: Mapped[datetime | None]


class ConfirmationRequest(Base):
    """A word asked for on the day before: without it the place goes to the waitlist at `due_at`.

    `closed_at`: it was given, the appointment changed, or the place was released (`released`).
    """

    __tablename__ = "confirmation_request"
    __table_args__ = (
        CheckConstraint("closed_at IS NOT NULL OR NOT released", name="released"),
        Index("ix_confirmation_request_due_at", "due_at", postgresql_where=text("closed_at IS NULL")),
    )

    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"), primary_key=True)
    start_at: Mapped[datetime] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    asked_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    released: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
