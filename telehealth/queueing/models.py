"""Queues, counters, tickets and what boards show."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing.codes import (
    HandedInReason,
    LeaseEnd,
    LeaseholderKind,
    PauseReason,
    PrintStatus,
    PriorityBasis,
    PriorityClass,
    Purpose,
    StaffCallKind,
    TicketStatus,
)


class Queue(Base):
    """People waiting for one kind of point; a clinic's queue is named for its room, or for its doctor.

    How it is run is the facility's to set (rules.QueueSettings); `version` counts those changes.
    """

    __tablename__ = "queue"
    __table_args__ = (
        CheckConstraint(one_of("kind", ServicePointKind), name="kind"),
        CheckConstraint(
            "first_number BETWEEN 1 AND 9999 AND coalesce(last_number BETWEEN first_number AND 9999, true)",
            name="band",
        ),
        CheckConstraint(
            "coalesce(daily_limit >= 0, true) AND web_limit >= 0 AND coalesce(web_limit <= daily_limit, true)"
            " AND web_until_minute BETWEEN 0 AND 1439",
            name="contingent",
        ),
        CheckConstraint(
            "priority_run BETWEEN 1 AND 20 AND appointment_run BETWEEN 1 AND 20"
            " AND early_minutes BETWEEN 0 AND 240 AND late_minutes BETWEEN 0 AND 240",
            name="order",
        ),
        CheckConstraint(
            "calls_before_missed BETWEEN 1 AND 10 AND max_passed BETWEEN 0 AND 100"
            " AND return_places BETWEEN 0 AND 20 AND near BETWEEN 0 AND 20"
            " AND travel_minutes BETWEEN 0 AND 240",
            name="calling",
        ),
        UniqueConstraint("facility_id", "code"),
        Index(
            "uq_queue_practitioner",
            "facility_id",
            "practitioner_id",
            unique=True,
            postgresql_where=text("practitioner_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    code: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    service_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("service_point.id"))
    prefix: Mapped[str] = mapped_column(default="")
    minutes_per_visit: Mapped[int] = mapped_column(default=8)
    daily_limit: Mapped[int | None]
    active: Mapped[bool] = mapped_column(default=True)
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    version: Mapped[int] = mapped_column(default=1)
    first_number: Mapped[int] = mapped_column(default=1)
    last_number: Mapped[int | None]
    web_limit: Mapped[int] = mapped_column(default=0)
    web_until_minute: Mapped[int] = mapped_column(default=600)
    priority_run: Mapped[int] = mapped_column(default=2)
    appointment_run: Mapped[int] = mapped_column(default=2)
    early_minutes: Mapped[int] = mapped_column(default=30)
    late_minutes: Mapped[int] = mapped_column(default=15)
    calls_before_missed: Mapped[int] = mapped_column(default=3)
    skips_by_itself: Mapped[bool] = mapped_column(default=False)
    max_passed: Mapped[int] = mapped_column(default=10)
    return_places: Mapped[int] = mapped_column(default=3)
    near: Mapped[int] = mapped_column(default=3)
    travel_minutes: Mapped[int] = mapped_column(default=30)


class QueueCounter(Base):
    """A queue's business date (Asia/Ho_Chi_Minh): its numbers, and whether it is merged, paused or closed.

    `web` of the numbers were taken from the web. Whoever gives a number locks the row. On a node `ceiling` is
    the end of the leased block that numbers are given from.
    """

    __tablename__ = "queue_counter"
    __table_args__ = (
        CheckConstraint("last >= 0", name="last"),
        CheckConstraint("last >= first - 1 AND web BETWEEN 0 AND last - first + 1", name="band"),
        CheckConstraint("merged_into <> queue_id", name="merged"),
        CheckConstraint(
            "(paused_at IS NULL) = (paused_reason IS NULL)"
            " AND (paused_until IS NULL OR paused_until > paused_at)",
            name="paused",
        ),
        CheckConstraint(one_of("paused_reason", PauseReason), name="paused_reason"),
        CheckConstraint("last <= ceiling", name="ceiling"),
        Index(
            "ix_queue_counter_merged_into",
            "merged_into",
            "business_date",
            postgresql_where=text("merged_into IS NOT NULL"),
        ),
    )

    queue_id: Mapped[UUID] = mapped_column(ForeignKey("queue.id"), primary_key=True)
    business_date: Mapped[date] = mapped_column(primary_key=True)
    last: Mapped[int]
    first: Mapped[int] = mapped_column(default=1)
    web: Mapped[int] = mapped_column(default=0)
    closed: Mapped[bool] = mapped_column(default=False)
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("queue.id"))
    paused_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    paused_reason: Mapped[str | None]
    ceiling: Mapped[int | None]


queue_point = Table(
    "queue_point",
    Base.metadata,
    Column("queue_id", ForeignKey("queue.id"), nullable=False),
    Column("service_point_id", ForeignKey("service_point.id"), nullable=False),
    Column("business_date", Date()),
    Column("open", Boolean(), nullable=False),
    UniqueConstraint("queue_id", "service_point_id", "business_date", postgresql_nulls_not_distinct=True),
    Index("ix_queue_point_service_point_id", "service_point_id"),
)
"""A point calls from a queue, or no longer does: always (no date), or on one day, which goes before."""


class Ticket(Base):
    """A number in a queue. The public token opens its status page and is stored hashed.

    `waiting_since` is when the person joined this line or the one they were transferred from.
    `resume_after` holds the place of somebody who came back: how many people the queue shall have
    called before them. `called_lane` is the lane (rules.Lane) of the last call. A number from the web holds
    until `web_until` unless its holder came: `here_at`. `priority_basis` is why the class was set. `visit_id`
    is given by the database: each number belongs to a visit.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint(one_of("status", TicketStatus), name="status"),
        CheckConstraint(one_of("priority_class", PriorityClass), name="priority_class"),
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint(one_of("print_status", PrintStatus), name="print_status"),
        CheckConstraint(one_of("priority_basis", PriorityBasis), name="priority_basis"),
        CheckConstraint("web_until IS NULL OR patient_id IS NOT NULL", name="web"),
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("queue_id", "business_date", "number"),
        UniqueConstraint("public_token_hash"),
        UniqueConstraint("issued_by", "press_key"),
        Index(
            "ix_ticket_waiting",
            "queue_id",
            "business_date",
            postgresql_where=text("status IN ('waiting', 'called', 'serving', 'parked')"),
        ),
        Index(
            "ix_ticket_called",
            "queue_id",
            "business_date",
            "called_at",
            postgresql_where=text("called_at IS NOT NULL"),
        ),
        Index("ix_ticket_appointment_id", "appointment_id"),
        Index("ix_ticket_encounter_id", "encounter_id"),
        Index(
            "uq_ticket_web",
            "patient_id",
            "facility_id",
            "business_date",
            unique=True,
            postgresql_where=text("web_until IS NOT NULL"),
        ),
        Index(
            "ix_ticket_transferred_from_id",
            "transferred_from_id",
            postgresql_where=text("transferred_from_id IS NOT NULL"),
        ),
        Index(
            "ix_ticket_web_absent",
            "web_until",
            postgresql_where=text("web_until IS NOT NULL AND here_at IS NULL AND status = 'waiting'"),
        ),
        Index("ix_ticket_visit_id", "visit_id"),
        Index("ix_ticket_lease_id", "lease_id", postgresql_where=text("lease_id IS NOT NULL")),
        Index(
            "uq_ticket_visit_id",
            "visit_id",
            unique=True,
            postgresql_where=text("status IN ('called', 'serving')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    queue_id: Mapped[UUID] = mapped_column(ForeignKey("queue.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    business_date: Mapped[date]
    number: Mapped[int]
    public_token_hash: Mapped[bytes]
    status: Mapped[str] = mapped_column(default=TicketStatus.WAITING)
    version: Mapped[int] = mapped_column(default=1)
    priority_class: Mapped[str] = mapped_column(default=PriorityClass.NONE)
    priority_set_by: Mapped[str | None]
    priority_basis: Mapped[str | None]
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))
    encounter_id: Mapped[UUID | None] = mapped_column(ForeignKey("encounter.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    appointment_start: Mapped[datetime | None]
    purpose: Mapped[str] = mapped_column(default=Purpose.OTHER)
    transferred_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("ticket.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"))
    issued_by: Mapped[UUID | None]
    press_key: Mapped[str | None]
    print_status: Mapped[str] = mapped_column(default="unprinted")
    issued_at: Mapped[datetime]
    waiting_since: Mapped[datetime]
    resume_after: Mapped[int | None]
    called_at: Mapped[datetime | None]
    called_lane: Mapped[str | None]
    call_count: Mapped[int] = mapped_column(default=0)
    service_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("service_point.id"))
    served_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    near_notified_at: Mapped[datetime | None]
    leave_notified_at: Mapped[datetime | None]
    web_until: Mapped[datetime | None]
    here_at: Mapped[datetime | None]
    lease_id: Mapped[UUID | None] = mapped_column(ForeignKey("number_lease.id"))


class NumberLease(Base):
    """Consecutive numbers of a queue's day that one holder gives out while nobody can ask the counter.

    `epoch` counts the holder's beginnings: one that lost what it stored begins the next, and an older copy is
    refused. `used_to` is the last number known to be given out (`first` - 1: none); `spoilt` are numbers
    before it that nobody has. A lease that ended says of every number what became of it; no number is ever
    lent again.
    """

    __tablename__ = "number_lease"
    __table_args__ = (
        CheckConstraint(one_of("holder_kind", LeaseholderKind), name="holder_kind"),
        CheckConstraint("epoch > 0", name="epoch"),
        CheckConstraint(one_of("end_reason", LeaseEnd), name="end_reason"),
        CheckConstraint("first > 0 AND last >= first AND asked > last - first", name="block"),
        CheckConstraint("used_to BETWEEN first - 1 AND last", name="used_to"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended"),
        UniqueConstraint("holder_id", "request_id"),
        ExcludeConstraint(
            (sa.column("queue_id"), "="),
            (sa.column("business_date"), "="),
            (text("int4range(first, last, '[]')"), "&&"),
            name="ex_number_lease_numbers",
            using="gist",
        ),
        Index("ix_number_lease_queue_id_business_date_first", "queue_id", "business_date", "first"),
        Index(
            "ix_number_lease_open", "facility_id", "business_date", postgresql_where=text("ended_at IS NULL")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    queue_id: Mapped[UUID] = mapped_column(ForeignKey("queue.id"))
    business_date: Mapped[date]
    holder_kind: Mapped[str]
    holder_id: Mapped[UUID]
    epoch: Mapped[int]
    request_id: Mapped[str]
    key_hash: Mapped[bytes]
    asked: Mapped[int]
    first: Mapped[int]
    last: Mapped[int]
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_to: Mapped[int]
    spoilt: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class HandedInNumber(Base):
    """A number that was given out of a lease and could not become a ticket by itself: the desk decides."""

    __tablename__ = "handed_in_number"
    __table_args__ = (
        CheckConstraint("number > 0", name="number"),
        CheckConstraint(one_of("why", HandedInReason), name="why"),
        CheckConstraint(
            "CASE WHEN settled_at IS NULL THEN ticket_id IS NULL AND reason IS NULL"
            " ELSE (ticket_id IS NULL) <> (reason IS NULL) END",
            name="settled",
        ),
        UniqueConstraint("lease_id", "press_key"),
        Index(
            "ix_handed_in_number_pending",
            "facility_id",
            "received_at",
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    lease_id: Mapped[UUID] = mapped_column(ForeignKey("number_lease.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    number: Mapped[int]
    press_key: Mapped[str]
    issued_at: Mapped[datetime]
    priority_class: Mapped[str]
    purpose: Mapped[str]
    print_status: Mapped[str]
    why: Mapped[str]
    received_at: Mapped[datetime]
    given_sealed: Mapped[bytes | None]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    ticket_id: Mapped[UUID | None] = mapped_column(ForeignKey("ticket.id"))
    reason: Mapped[str | None]


class TicketEvent(Base):
    """Each step of a ticket: what, when, by whom."""

    __tablename__ = "ticket_event"
    __table_args__ = (Index("ix_ticket_event_ticket_id", "ticket_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[str]
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    service_point_id: Mapped[UUID | None]


class Board(Base):
    """The counter that numbers a facility's board events; locked until commit, so none is skipped."""

    __tablename__ = "board"

    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)


class BoardEvent(Base):
    """What a board shows next: number, room; never a name."""

    __tablename__ = "board_event"

    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str]
    body: Mapped[dict[str, Any]]
    queue_id: Mapped[UUID | None] = mapped_column(ForeignKey("queue.id"))
    service_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("service_point.id"))
    business_date: Mapped[date]
    created_at: Mapped[datetime]


class StaffCall(Base):
    """Somebody at a kiosk needs a person: an emergency, or help with the screen.

    Until somebody answers, a further press of that kind there counts on this row. `told_at`: when it reached
    us from a machine that was cut off at `at`.
    """

    __tablename__ = "staff_call"
    __table_args__ = (
        CheckConstraint(one_of("kind", StaffCallKind), name="kind"),
        CheckConstraint(
            "presses >= 1 AND (presses > 1) = (pressed_again_at IS NOT NULL)"
            " AND coalesce(pressed_again_at >= at, true)",
            name="presses",
        ),
        Index("ix_staff_call_open", "facility_id", postgresql_where=text("answered_at IS NULL")),
        Index(
            "uq_staff_call_open",
            "device_id",
            "kind",
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    kind: Mapped[str]
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"))
    place: Mapped[str]
    at: Mapped[datetime]
    presses: Mapped[int] = mapped_column(server_default="1", default=1)
    pressed_again_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
