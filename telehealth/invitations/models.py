"""Who was invited to an appointment."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base


class Invitee(Base):
    """A person invited to a video visit by the patient's wish.

    `told_start`: the start that they were last told of; none once they know that it is off.
    """

    __tablename__ = "appointment_invitee"
    __table_args__ = (
        CheckConstraint("(phone_sealed IS NULL) <> (email_sealed IS NULL)", name="contact"),
        Index(
            "uq_appointment_invitee_contact",
            "appointment_id",
            "contact_index",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        Index(
            "ix_appointment_invitee_told",
            "appointment_id",
            postgresql_where=text("withdrawn_at IS NULL AND told_start IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    name_sealed: Mapped[bytes]
    phone_sealed: Mapped[bytes | None]
    email_sealed: Mapped[bytes | None]
    contact_index: Mapped[bytes]
    relation: Mapped[str]
    language: Mapped[str]
    text_version: Mapped[str]
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    told_start: Mapped[datetime | None]
