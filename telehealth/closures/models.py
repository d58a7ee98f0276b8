"""Closures, and the people whose places they take away."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.closures.codes import (
    CallOutcome,
    ClosureKind,
    ClosurePlan,
    ClosureReason,
    ClosureState,
    Equivalence,
    ItemState,
)
from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of


class SessionClosure(Base):
    """Clinic sessions closed by one act: on each day from `start_minute` to `end_minute` (local).

    Without `facility_id` a holiday is the whole province's. `exception_id` or `calendar_day_ids` are what
    keeps the roster from opening them again. `note` is for staff.
    """

    __tablename__ = "session_closure"
    __table_args__ = (
        CheckConstraint(one_of("kind", ClosureKind), name="kind"),
        CheckConstraint(one_of("plan", ClosurePlan), name="plan"),
        CheckConstraint(one_of("reason", ClosureReason), name="reason"),
        CheckConstraint(one_of("state", ClosureState), name="state"),
        CheckConstraint("from_date <= to_date", name="dates"),
        CheckConstraint(
            "0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440", name="minutes"
        ),
        CheckConstraint(
            "(kind = 'practitioner') = (practitioner_id IS NOT NULL)"
            " AND (kind = 'holiday' OR facility_id IS NOT NULL)",
            name="subject",
        ),
        Index("ix_session_closure_facility_id_created_at", "facility_id", "created_at"),
        Index(
            "ix_session_closure_unfinished",
            "created_at",
            postgresql_where=text("state IN ('running', 'undoing')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    from_date: Mapped[date]
    to_date: Mapped[date]
    start_minute: Mapped[int]
    end_minute: Mapped[int]
    plan: Mapped[str]
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default=ClosureState.RUNNING)
    sessions: Mapped[int] = mapped_column(default=0)
    people: Mapped[int] = mapped_column(default=0)
    exception_id: Mapped[UUID | None] = mapped_column(ForeignKey("schedule_exception.id"))
    calendar_day_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    undone_at: Mapped[datetime | None]


class SessionClosureItem(Base):
    """One person of a closure: the place they had, what was done for them, what they said on the telephone.

    `call_from`: from when on somebody telephones who has not answered.
    """

    __tablename__ = "session_closure_item"
    __table_args__ = (
        CheckConstraint(one_of("state", ItemState), name="state"),
        CheckConstraint(one_of("equivalence", Equivalence), name="equivalence"),
        CheckConstraint(one_of("call_outcome", CallOutcome), name="call_outcome"),
        CheckConstraint("(new_session_id IS NULL) = (new_start_at IS NULL)", name="place"),
        CheckConstraint("(call_outcome IS NULL) = (called_at IS NULL)", name="called"),
        UniqueConstraint("closure_id", "appointment_id"),
        Index("ix_session_closure_item_appointment_id", "appointment_id"),
        Index(
            "ix_session_closure_item_waiting",
            "closure_id",
            "start_at",
            postgresql_where=text("state = 'waiting'"),
        ),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    closure_id: Mapped[UUID] = mapped_column(ForeignKey("session_closure.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    clinic_session_id: Mapped[UUID] = mapped_column(ForeignKey("clinic_session.id"))
    start_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=ItemState.WAITING)
    equivalence: Mapped[str | None]
    new_session_id: Mapped[UUID | None] = mapped_column(ForeignKey("clinic_session.id"))
    new_start_at: Mapped[datetime | None]
    offer_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment_offer.id"))
    message_key: Mapped[str | None]
    acted_at: Mapped[datetime | None]
    call_from: Mapped[datetime | None]
    calls: Mapped[int] = mapped_column(default=0)
    call_outcome: Mapped[str | None]
    called_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    called_at: Mapped[datetime | None]
