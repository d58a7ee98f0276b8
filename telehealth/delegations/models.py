"""Delegations. The row is written once; only its end may be added."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base


class Delegation(Base):
    """`account_id` may do for the patient what `scopes` say, until `valid_to` or until it is revoked.

    A trigger shortens what a parent gave for a child to the day the child comes of age.
    """

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("'see' = ANY (scopes) AND scopes <@ ARRAY['see', 'book', 'join']", name="scopes"),
        CheckConstraint(
            "valid_to > valid_from AND valid_to - valid_from <= interval '367 days'", name="times"
        ),
        CheckConstraint("given_how IN ('code', 'desk')", name="given_how"),
        CheckConstraint("given_how <> 'desk' OR facility_id IS NOT NULL", name="seen"),
        Index(
            "uq_delegation_open",
            "patient_id",
            "account_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_delegation_account_id", "account_id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    delegate_name: Mapped[str]
    relation: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    given_how: Mapped[str]
    given_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    text_version: Mapped[str]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
