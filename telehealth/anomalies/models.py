"""Limits on who books, and what of the report has been looked at."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base


class IdentityLimit(Base):
    """How often one identity may book online; the ledger's trigger reads it."""

    __tablename__ = "identity_limit"
    __table_args__ = (
        CheckConstraint("name IN ('account-day', 'phone-active', 'identity-active')", name="name"),
        CheckConstraint("most > 0", name="most"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    most: Mapped[int]


class AnomalyCheck(Base):
    """Somebody has looked at a line of the report. It comes back when there is newer evidence."""

    __tablename__ = "anomaly_check"
    __table_args__ = (Index("ix_anomaly_check_subject", "kind", "subject", "checked_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    subject: Mapped[str]
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    checked_at: Mapped[datetime]
    checked_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
