"""Who waits for what, what was offered to them, why they were passed over, and places that became free."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import SmallInteger

from telehealth.booking.codes import CoverageBasis
from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import Channel
from telehealth.waitlist.codes import EntryState, EventKind, PassedOver, PlaceOfferState

_WAITS = "state IN ('waiting', 'offered')"


class WaitlistEntry(Base):
    """Somebody who waits for a service. Without facility: any of the province, or of `area`.

    `weekdays` 0 (Monday) to 6, empty for any; minutes are local minutes of day. `bound`: when the visit must
    begin, by a slip that the desk of its facility has seen. `desk_id`: the facility whose desk put them
    on the list. `channel`: by which door they would book.
    """

    __tablename__ = "waitlist_entry"
    __table_args__ = (
        CheckConstraint(one_of("state", EntryState), name="state"),
        CheckConstraint(one_of("channel", Channel), name="channel"),
        CheckConstraint(one_of("modality", Modality), name="modality"),
        CheckConstraint(one_of("coverage_basis", CoverageBasis), name="coverage_basis"),
        CheckConstraint("first_day <= last_day", name="days"),
        CheckConstraint("0 <= from_minute AND from_minute < to_minute AND to_minute <= 1440", name="minutes"),
        CheckConstraint("(state = 'booked') = (appointment_id IS NOT NULL)", name="booked"),
        CheckConstraint("bound IS NULL OR coalesce(desk_id = facility_id, false)", name="bound"),
        Index(
            "uq_waitlist_entry_waits",
            "patient_id",
            "service_code",
            unique=True,
            postgresql_where=text(_WAITS),
        ),
        Index("ix_waitlist_entry_line", "service_code", "since", postgresql_where=text(_WAITS)),
        Index("ix_waitlist_entry_patient_id", "patient_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    desk_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    service_code: Mapped[str]
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    area: Mapped[str | None]
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    modality: Mapped[str | None]
    first_day: Mapped[date]
    last_day: Mapped[date]
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    from_minute: Mapped[int]
    to_minute: Mapped[int]
    channel: Mapped[str]
    coverage_basis: Mapped[str]
    bound: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)
    state: Mapped[str]
    since: Mapped[datetime]
    changed_at: Mapped[datetime]
    looked_at: Mapped[datetime | None]
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))


class WaitlistOffer(Base):
    """A place offered to one who waits, until `expires_at`. It holds no place; one is open at a time."""

    __tablename__ = "waitlist_offer"
    __table_args__ = (
        CheckConstraint(one_of("state", PlaceOfferState), name="state"),
        Index("uq_waitlist_offer_open", "entry_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_waitlist_offer_entry_id", "entry_id", "created_at"),
        Index("ix_waitlist_offer_slot", "slot_id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("waitlist_entry.id"))
    slot_id: Mapped[str]
    start_at: Mapped[datetime]
    state: Mapped[str]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class WaitlistEvent(Base):
    """What happened to an entry; written once. `start_at` is the place it is about."""

    __tablename__ = "waitlist_event"
    __table_args__ = (
        CheckConstraint(one_of("kind", EventKind), name="kind"),
        CheckConstraint(one_of("reason", PassedOver), name="reason"),
        CheckConstraint("(kind = 'passed-over') = (reason IS NOT NULL)", name="why"),
        Index("ix_waitlist_event_entry_id", "entry_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("waitlist_entry.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    reason: Mapped[str | None]
    start_at: Mapped[datetime | None]


class FreedPlace(Base):
    """A practitioner's time in which places may have become free: triggers write it, the worker takes it.

    `due_at`: when it is to be looked at; what becomes free at night waits for the morning.
    """

    __tablename__ = "freed_place"
    __table_args__ = (
        CheckConstraint("from_at < to_at", name="times"),
        Index("ix_freed_place_due_at", "due_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    practitioner_id: Mapped[UUID]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(server_default=text("'-infinity'"))
