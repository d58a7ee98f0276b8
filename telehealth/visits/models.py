"""Visits, their orders, the events that move them on, and each facility's path."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.visits.codes import Category, EndReason, EventKind, EventState, ResultsAt, TestsFirst


class Visit(Base):
    """One person's day at a facility. `code` is said aloud and stands on each slip.

    `room_id` is the queue of the room that has the person; `sent_by_hand_id` the ticket that staff gave
    against the path. The database makes visits, with the first number.
    """

    __tablename__ = "visit"
    __table_args__ = (
        CheckConstraint(one_of("end_reason", EndReason), name="end_reason"),
        CheckConstraint("code ~ '^[1-9][0-9]{3,5}$'", name="code"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end"),
        UniqueConstraint(
            "facility_id", "business_date", "code", name="uq_visit_facility_id_business_date_code"
        ),
        Index("ix_visit_open", "facility_id", "business_date", postgresql_where=text("ended_at IS NULL")),
        Index("ix_visit_patient_id", "patient_id", postgresql_where=text("patient_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    business_date: Mapped[date]
    code: Mapped[str]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    room_id: Mapped[UUID | None] = mapped_column(ForeignKey("queue.id"))
    insured: Mapped[bool] = mapped_column(default=False)
    opened_at: Mapped[datetime]
    registered_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    prescribed_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    dispensed_at: Mapped[datetime | None]
    discharged_at: Mapped[datetime | None]
    sent_by_hand_id: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)


class VisitOrder(Base):
    """One test: by which identifier the hospital's system knows it, who asked, how far it is."""

    __tablename__ = "visit_order"
    __table_args__ = (
        CheckConstraint(one_of("category", Category), name="category"),
        CheckConstraint(
            "(ready_at IS NULL OR performed_at IS NOT NULL) AND (read_at IS NULL OR ready_at IS NOT NULL)"
            " AND (revoked_at IS NULL OR performed_at IS NULL)",
            name="sequence",
        ),
        UniqueConstraint(
            "facility_id",
            "identifier_system",
            "identifier_value",
            name="uq_visit_order_facility_id_identifier_system_identifier_value",
        ),
        Index("ix_visit_order_visit_id", "visit_id"),
        Index(
            "ix_visit_order_room_id",
            "room_id",
            postgresql_where=text("read_at IS NULL AND revoked_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visit.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    identifier_system: Mapped[str]
    identifier_value: Mapped[str]
    category: Mapped[str]
    room_id: Mapped[UUID | None] = mapped_column(ForeignKey("queue.id"))
    ordered_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    performed_at: Mapped[datetime | None]
    ready_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class VisitEvent(Base):
    """What was said of a visit, once per sender, source and event id; kept whatever became of it.

    `first_state` and `first_why` are what its sender was answered, and is answered again.
    """

    __tablename__ = "visit_event"
    __table_args__ = (
        CheckConstraint(one_of("kind", EventKind), name="kind"),
        CheckConstraint(one_of("state", EventState), name="state"),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("(state = 'dismissed') = (reason IS NOT NULL)", name="dismissed"),
        UniqueConstraint(
            "facility_id",
            "sender_id",
            "source",
            "event_id",
            name="uq_visit_event_facility_id_sender_id_source_event_id",
        ),
        Index(
            "ix_visit_event_pending",
            "facility_id",
            "received_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_visit_event_visit_id", "visit_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    sender_id: Mapped[UUID]
    source: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    digest: Mapped[bytes]
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"))
    state: Mapped[str] = mapped_column(default=EventState.PENDING)
    why: Mapped[str | None]
    first_state: Mapped[str | None]
    first_why: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0)
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[UUID | None]
    reason: Mapped[str | None]


class VisitPath(Base):
    """A facility's rule; one without a row goes by rules.Path as it stands."""

    __tablename__ = "visit_path"
    __table_args__ = (
        CheckConstraint(one_of("tests", TestsFirst), name="tests"),
        CheckConstraint(one_of("results", ResultsAt), name="results"),
        CheckConstraint("places_ahead BETWEEN 0 AND 20", name="places_ahead"),
    )

    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    pays_before_tests: Mapped[list[str]] = mapped_column(ARRAY(Text))
    settles_at_end: Mapped[list[str]] = mapped_column(ARRAY(Text))
    tests: Mapped[str]
    results: Mapped[str]
    places_ahead: Mapped[int]
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]
