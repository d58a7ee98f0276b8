"""Releases that have a waiting room, and who waits in it; the database's functions write the lines."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.orm import Base


class ReleasePolicy(Base):
    """A service whose release hour has a waiting room; a service without one has none."""

    __tablename__ = "release_policy"
    __table_args__ = (
        CheckConstraint(
            "rate_per_minute BETWEEN 1 AND 6000 AND early_minutes BETWEEN 5 AND 240"
            " AND hot_minutes BETWEEN 1 AND 240 AND admission_minutes BETWEEN 2 AND 120",
            name="bounds",
        ),
    )

    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"), primary_key=True)
    rate_per_minute: Mapped[int]
    early_minutes: Mapped[int]
    hot_minutes: Mapped[int]
    admission_minutes: Mapped[int]


class Release(Base):
    """One release hour. `next_at`: when the next to join would be let in."""

    __tablename__ = "release"
    __table_args__ = (Index("ix_release_undrawn", "opens_at", postgresql_where=text("drawn_at IS NULL")),)

    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"), primary_key=True)
    opens_at: Mapped[datetime] = mapped_column(primary_key=True)
    drawn_at: Mapped[datetime | None]
    last_place: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    next_at: Mapped[datetime]


class ReleaseTicket(Base):
    """One account's place: let in from `admit_at` until `lapses_at`; none of it before the draw."""

    __tablename__ = "release_ticket"
    __table_args__ = (
        ForeignKeyConstraint(
            ["service_id", "opens_at"],
            ["release.service_id", "release.opens_at"],
            name="fk_release_ticket_release",
        ),
        UniqueConstraint("service_id", "opens_at", "place", name="uq_release_ticket_place"),
        CheckConstraint("num_nulls(place, admit_at, lapses_at) IN (0, 3)", name="drawn"),
    )

    service_id: Mapped[UUID] = mapped_column(primary_key=True)
    opens_at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), primary_key=True)
    joined_at: Mapped[datetime]
    place: Mapped[int | None]
    admit_at: Mapped[datetime | None]
    lapses_at: Mapped[datetime | None]
