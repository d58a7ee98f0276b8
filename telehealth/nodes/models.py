"""Nodes, whose home a facility's queues have, what was settled; and on a node its journal and its blocks."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.nodes.codes import Outcome


class EdgeNode(Base):
    """A node of a facility, at the centre. It is announced with a code, enrolled by it, and revocable."""

    __tablename__ = "edge_node"
    __table_args__ = (
        CheckConstraint("(token_hash IS NULL) = (enrolled_at IS NULL)", name="enrolled"),
        CheckConstraint("last_batch >= 0", name="last_batch"),
        UniqueConstraint("code_index"),
        UniqueConstraint("token_hash"),
        Index("ix_edge_node_facility_id", "facility_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    name: Mapped[str]
    code_index: Mapped[bytes | None]
    code_expires_at: Mapped[datetime | None]
    token_hash: Mapped[bytes | None]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    enrolled_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_batch: Mapped[int] = mapped_column(BigInteger, default=0)
    heard_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)


class QueueHome(Base):
    """Where the queues of a facility are run: at a node, or (None) at the centre. The epoch never falls."""

    __tablename__ = "queue_home"
    __table_args__ = (CheckConstraint("epoch > 0", name="epoch"),)

    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    node_id: Mapped[UUID | None] = mapped_column(ForeignKey("edge_node.id"))
    epoch: Mapped[int]
    since: Mapped[datetime]
    heard_at: Mapped[datetime | None]


class NodeBatch(Base):
    """A batch that was taken in: the same number never brings other content."""

    __tablename__ = "node_batch"
    __table_args__ = (CheckConstraint("number > 0", name="number"),)

    node_id: Mapped[UUID] = mapped_column(ForeignKey("edge_node.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes]
    epoch: Mapped[int]
    entries: Mapped[int]
    late: Mapped[bool]
    clock_ahead_ms: Mapped[int | None]
    received_at: Mapped[datetime]


class NodeException(Base):
    """What a node handed in and the centre could not take as it is. The body is sealed."""

    __tablename__ = "node_exception"
    __table_args__ = (
        CheckConstraint(one_of("outcome", Outcome), name="outcome"),
        CheckConstraint("(settled_at IS NULL) = (outcome IS NULL)", name="settled"),
        Index(
            "ix_node_exception_open",
            "facility_id",
            "received_at",
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    node_id: Mapped[UUID] = mapped_column(ForeignKey("edge_node.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    batch: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    row_id: Mapped[str]
    reason: Mapped[str]
    entries: Mapped[int] = mapped_column(default=1)
    body_sealed: Mapped[bytes]
    happened_at: Mapped[datetime]
    received_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    outcome: Mapped[str | None]
    note: Mapped[str | None]


class ThisNode(Base):
    """On a node: which it is and how it stands with the centre. At the centre: no row."""

    __tablename__ = "this_node"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, default=True)
    node_id: Mapped[UUID]
    facility_id: Mapped[UUID]
    name: Mapped[str]
    centre_url: Mapped[str]
    token_sealed: Mapped[bytes]
    epoch: Mapped[int] = mapped_column(default=0)
    on_duty: Mapped[bool] = mapped_column(default=False)
    bundle_tag: Mapped[str | None]
    bundle_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    down_since: Mapped[datetime | None]
    clock_ahead_ms: Mapped[int | None]


class JournalEntry(Base):
    """On a node: a row as a change left it. A batch, once cut, stays as it is."""

    __tablename__ = "node_journal"
    __table_args__ = (
        CheckConstraint("op IN ('insert', 'update', 'delete')", name="op"),
        Index("ix_node_journal_uncut", "seq", postgresql_where=text("batch IS NULL")),
        Index("ix_node_journal_unsettled", "batch", "seq", postgresql_where=text("settled_at IS NULL")),
        Index("ix_node_journal_row", "kind", text("(row ->> 'id')")),
        Index("ix_node_journal_settled_at", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
    )

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    op: Mapped[str]
    row: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    batch: Mapped[int | None] = mapped_column(BigInteger)
    settled_at: Mapped[datetime | None]


class HeldBlock(Base):
    """On a node: numbers that the centre lent to it. `counter_first` is the day's first number."""

    __tablename__ = "held_block"
    __table_args__ = (
        CheckConstraint("first > 0 AND last >= first", name="block"),
        ExcludeConstraint(
            ("queue_id", "="),
            ("business_date", "="),
            (text("int4range(first, last, '[]')"), "&&"),
            using="gist",
            name="ex_held_block_numbers",
        ),
    )

    lease_id: Mapped[UUID] = mapped_column(primary_key=True)
    queue_id: Mapped[UUID] = mapped_column(ForeignKey("queue.id"))
    business_date: Mapped[date]
    epoch: Mapped[int]
    first: Mapped[int]
    last: Mapped[int]
    counter_first: Mapped[int]
