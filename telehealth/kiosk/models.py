"""What people say at a kiosk."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.kiosk.codes import FeedbackKind


class Feedback(Base):
    """An opinion, or a complaint that wants an answer by telephone. `rating` is 1 to 5."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint(one_of("kind", FeedbackKind), name="kind"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
        CheckConstraint("(kind = 'complaint') = (phone_sealed IS NOT NULL)", name="answerable"),
        Index("ix_feedback_open", "facility_id", "given_at", postgresql_where=text("handled_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"))
    kind: Mapped[str]
    rating: Mapped[int]
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    phone_sealed: Mapped[bytes | None]
    given_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    handled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
