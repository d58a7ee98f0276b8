"""Schedules (roster lines), exceptions, and the clinic sessions of days."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import SmallInteger

from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import ExceptionKind, RosterChangeReason, SessionStatus


class Schedule(Base):
    """A roster line. Minutes are local minutes of day; weekdays are 0 (Monday) to 6.

    `capacity` is the number of patients one slot takes: lanes.
    """

    __tablename__ = "schedule"
    __table_args__ = (
        CheckConstraint("start_minute < end_minute AND end_minute <= 1440", name="minutes"),
        CheckConstraint("slot_minutes > 0 AND slot_minutes <= end_minute - start_minute", name="slot"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="valid"),
        CheckConstraint(one_of("modality", Modality), name="modality"),
        Index("ix_schedule_practitioner_id", "practitioner_id"),
        Index("ix_schedule_service_id", "service_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioner.id"))
    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"))
    modality: Mapped[str]
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    start_minute: Mapped[int]
    end_minute: Mapped[int]
    slot_minutes: Mapped[int]
    capacity: Mapped[int]
    room: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    active: Mapped[bool] = mapped_column(default=True)


class ScheduleException(Base):
    """A day that is not as the roster says; without practitioner it is the whole facility's."""

    __tablename__ = "schedule_exception"
    __table_args__ = (
        CheckConstraint(one_of("kind", ExceptionKind), name="kind"),
        CheckConstraint("to_date >= from_date", name="dates"),
        CheckConstraint("(start_minute IS NULL) = (end_minute IS NULL)", name="minutes"),
        Index("ix_schedule_exception_facility_id_from_date", "facility_id", "from_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    kind: Mapped[str]
    from_date: Mapped[date]
    to_date: Mapped[date]
    start_minute: Mapped[int | None]
    end_minute: Mapped[int | None]
    service_id: Mapped[UUID | None] = mapped_column(ForeignKey("healthcare_service.id"))
    modality: Mapped[str | None]
    slot_minutes: Mapped[int | None]
    capacity: Mapped[int | None]
    room: Mapped[str | None]
    like_weekday: Mapped[int | None]
    note: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)


class ClinicSession(Base):
    """One roster line on one day: what slots are cut from and bookings count against.

    `id` is derived from the roster key and the date. `online_booked` counts live bookings and
    holds that came online, against `online_quota`; `booked` counts all live ones.
    """

    __tablename__ = "clinic_session"
    __table_args__ = (
        CheckConstraint("start_at < end_at", name="times"),
        CheckConstraint("booked BETWEEN 0 AND slot_count * capacity", name="booked"),
        CheckConstraint("online_booked BETWEEN 0 AND online_quota", name="online_booked"),
        CheckConstraint(one_of("status", SessionStatus), name="status"),
        Index("ix_clinic_session_service_id_start_at", "service_id", "start_at"),
        Index("ix_clinic_session_practitioner_id_start_at", "practitioner_id", "start_at"),
        Index("ix_clinic_session_facility_id_business_date", "facility_id", "business_date"),
        CheckConstraint("slot_minutes BETWEEN 1 AND 480", name="slot_minutes"),
        Index("ix_clinic_session_service_code_start_at", "service_code", "start_at", "id"),
        Index("ix_clinic_session_start_at", "start_at", "id"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID | None] = mapped_column(ForeignKey("schedule.id"))
    exception_id: Mapped[UUID | None] = mapped_column(ForeignKey("schedule_exception.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioner.id"))
    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"))
    service_code: Mapped[str]
    modality: Mapped[str]
    business_date: Mapped[date]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    start_minute: Mapped[int]
    slot_minutes: Mapped[int]
    slot_count: Mapped[int]
    capacity: Mapped[int]
    room: Mapped[str]
    online_quota: Mapped[int]
    online_booked: Mapped[int] = mapped_column(default=0)
    booked: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(default=SessionStatus.OPEN)
    version: Mapped[int] = mapped_column(default=1)


class RosterState(Base):
    """The number of the current rosters: every change of schedules, exceptions or calendar raises it."""

    __tablename__ = "roster_state"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, default=True)
    version: Mapped[int]


class MaterialisedDay(Base):
    """A day whose clinic sessions exist, and the state of rosters they were made from."""

    __tablename__ = "materialised_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    roster_version: Mapped[int]
    made_at: Mapped[datetime]


class RosterChange(Base):
    """A session that a re-import would have removed or changed though people hold places in it.

    `worked`: when the roster still has that practitioner for that service there, on that day.
    """

    __tablename__ = "roster_change"
    __table_args__ = (
        CheckConstraint(one_of("reason", RosterChangeReason), name="reason"),
        Index("ix_roster_change_facility_id", "facility_id"),
        Index(
            "uq_roster_change_open",
            "clinic_session_id",
            "reason",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    clinic_session_id: Mapped[UUID] = mapped_column(ForeignKey("clinic_session.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    reason: Mapped[str]
    worked: Mapped[Any] = mapped_column(TSTZMULTIRANGE, server_default=text("'{}'"))
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
