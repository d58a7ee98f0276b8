"""Schedules (roster lines), exceptions, and the clinic sessions of days."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import SmallInteger, Text

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import (
    Door,
    ExceptionKind,
    ResourceKind,
    RosterChangeReason,
    ScheduleOrigin,
    SessionMode,
    SessionStatus,
)


class Schedule(Base):
    """A roster line. Minutes are local minutes of day; weekdays are 0 (Monday) to 6.

    `capacity` is the number of patients one slot takes: lanes. It holds in every `every_weeks`-th week,
    counted from the week of `valid_from`. `slot_minutes` is the patient's time, to which the doctor's
    `lead_minutes` before and `tail_minutes` after are added. `overbook_most`: extra lanes per slot for
    deliberate overbooking.
    """

    __tablename__ = "schedule"
    __table_args__ = (
        CheckConstraint("start_minute < end_minute AND end_minute <= 1440", name="minutes"),
        CheckConstraint("slot_minutes > 0 AND slot_minutes <= end_minute - start_minute", name="slot"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="valid"),
        CheckConstraint(one_of("modality", Modality), name="modality"),
        CheckConstraint("every_weeks BETWEEN 1 AND 52", name="every_weeks"),
        CheckConstraint(one_of("mode", SessionMode), name="mode"),
        CheckConstraint("lead_minutes BETWEEN 0 AND 120 AND tail_minutes BETWEEN 0 AND 120", name="buffers"),
        CheckConstraint("overbook_most BETWEEN 0 AND 20", name="overbook_most"),
        CheckConstraint(one_of("origin", ScheduleOrigin), name="origin"),
        Index("ix_schedule_practitioner_id", "practitioner_id"),
        Index("ix_schedule_service_id", "service_id"),
        Index("ix_schedule_facility_id", "facility_id"),
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
    every_weeks: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    mode: Mapped[str] = mapped_column(default=SessionMode.SLOT, server_default=text("'slot'"))
    lead_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    tail_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    overbook_most: Mapped[int] = mapped_column(default=2, server_default=text("2"))
    origin: Mapped[str] = mapped_column(default=ScheduleOrigin.IMPORT, server_default=text("'import'"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class Resource(Base):
    """A room or a device that slots may need; `lanes` equal ones of it can be used at once."""

    __tablename__ = "resource"
    __table_args__ = (
        CheckConstraint(one_of("kind", ResourceKind), name="kind"),
        CheckConstraint("lanes BETWEEN 1 AND 100", name="lanes"),
        UniqueConstraint("facility_id", "code"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    kind: Mapped[str]
    code: Mapped[str]
    name: Mapped[str]
    lanes: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class ScheduleService(Base):
    """A further service that a roster line offers, beside its own: another session over the same time."""

    __tablename__ = "schedule_service"

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedule.id"), primary_key=True)
    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"), primary_key=True)


class ScheduleResource(Base):
    """A resource that every slot of a roster line needs."""

    __tablename__ = "schedule_resource"

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedule.id"), primary_key=True)
    resource_id: Mapped[UUID] = mapped_column(ForeignKey("resource.id"), primary_key=True)


class ScheduleQuota(Base):
    """Places that a roster line keeps for a door until `falls_minutes` before the session's start."""

    __tablename__ = "schedule_quota"
    __table_args__ = (
        CheckConstraint(one_of("door", Door), name="door"),
        CheckConstraint("places > 0", name="places"),
        CheckConstraint("falls_minutes >= 0", name="falls_minutes"),
    )

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedule.id"), primary_key=True)
    door: Mapped[str] = mapped_column(primary_key=True)
    places: Mapped[int]
    falls_minutes: Mapped[int]


class Blocking(Base):
    """A time when nobody is booked: a practitioner's, a resource's, or the whole facility's.

    Who has one of `override_roles` there, or is named, may book all the same, with a reason.
    """

    __tablename__ = "blocking"
    __table_args__ = (
        CheckConstraint("from_at < to_at", name="times"),
        CheckConstraint("num_nonnulls(practitioner_id, resource_id) <= 1", name="subject"),
        Index(
            "ix_blocking_facility_id_from_at",
            "facility_id",
            "from_at",
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resource.id"))
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    reason: Mapped[str]
    override_roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    override_account_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class BookingPolicy(Base):
    """When and how a service is booked online; null is the province's default (scheduling/rules.py).

    `release_minute`: the local minute of day at which the day `window_days` ahead opens.
    `cancel_notice_minutes`: until how long before its start a patient may cancel or move.
    """

    __tablename__ = "booking_policy"
    __table_args__ = (
        CheckConstraint(
            "min_notice_minutes BETWEEN 0 AND 43200 AND window_days BETWEEN 0 AND 366"
            " AND release_minute BETWEEN 0 AND 1439 AND cancel_notice_minutes BETWEEN 0 AND 43200"
            " AND hold_seconds BETWEEN 60 AND 1800",
            name="bounds",
        ),
    )

    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"), primary_key=True)
    min_notice_minutes: Mapped[int | None]
    window_days: Mapped[int | None]
    release_minute: Mapped[int | None]
    cancel_notice_minutes: Mapped[int | None]
    hold_seconds: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class PractitionerLimit(Base):
    """How many patients a practitioner sees on one day, by whatever door and service."""

    __tablename__ = "practitioner_limit"
    __table_args__ = (CheckConstraint("per_day BETWEEN 1 AND 1000", name="per_day"),)

    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioner.id"), primary_key=True)
    per_day: Mapped[int]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class PractitionerDay(Base):
    """How many people hold a place with a practitioner on a day: what the daily limit is held against.

    Counts every live booking and hold, by whatever session and door, deliberately overbooked ones too.
    """

    __tablename__ = "practitioner_day"
    __table_args__ = (
        CheckConstraint("booked >= 0", name="booked"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioner.id"), primary_key=True)
    business_date: Mapped[date] = mapped_column(primary_key=True)
    booked: Mapped[int]


class ScheduleException(Base):
    """A day that is not as the roster says; without practitioner it is the whole facility's.

    A leave with `schedule_id` is about the sessions of that line alone. An extra session's `slot_minutes` are
    the patient's, and its further terms are as a line's: `kept` lists [door, places, minutes before].
    """

    __tablename__ = "schedule_exception"
    __table_args__ = (
        CheckConstraint(one_of("kind", ExceptionKind), name="kind"),
        CheckConstraint("to_date >= from_date", name="dates"),
        CheckConstraint("(start_minute IS NULL) = (end_minute IS NULL)", name="minutes"),
        CheckConstraint(one_of("origin", ScheduleOrigin), name="origin"),
        CheckConstraint(one_of("mode", SessionMode), name="mode"),
        CheckConstraint("lead_minutes BETWEEN 0 AND 120 AND tail_minutes BETWEEN 0 AND 120", name="buffers"),
        CheckConstraint("overbook_most BETWEEN 0 AND 20", name="overbook_most"),
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
    origin: Mapped[str] = mapped_column(default=ScheduleOrigin.IMPORT, server_default=text("'import'"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    schedule_id: Mapped[UUID | None] = mapped_column(ForeignKey("schedule.id"))
    mode: Mapped[str] = mapped_column(default=SessionMode.SLOT, server_default=text("'slot'"))
    lead_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    tail_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    overbook_most: Mapped[int] = mapped_column(default=2, server_default=text("2"))
    resource_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list, server_default=text("'{}'"))
    kept: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))


class ClinicSession(Base):
    """One roster line on one day: what slots are cut from and bookings count against.

    `id` is derived from the roster key and the date. `online_booked` counts live bookings and
    holds that came online, against `online_quota`; `booked` counts all live ones but those that were
    overbooked, which `overbooked` counts. `slot_minutes` is the step from slot to slot and holds the buffers:
    slot i is the patient's from start_at + lead + i x slot_minutes on, the doctor's from lead before that.
    `opens_at`: from when on it is booked online (null: the default window); `notice_minutes`: until how
    long before a slot. `resource_ids` are what every slot needs, in order. `bookable`: open with a place
    left, of whatever door; `bookable_online`: and one of the online quota. The database keeps both.
    """

    __tablename__ = "clinic_session"
    __table_args__ = (
        CheckConstraint("start_at < end_at", name="times"),
        CheckConstraint("booked BETWEEN 0 AND slot_count * capacity", name="booked"),
        CheckConstraint("online_booked BETWEEN 0 AND online_quota", name="online_booked"),
        CheckConstraint(one_of("status", SessionStatus), name="status"),
        Index("ix_clinic_session_service_id_start_at", "service_id", "start_at"),
        Index(
            "ix_clinic_session_service_id_opens_at",
            "service_id",
            "opens_at",
            postgresql_where=text("opens_at IS NOT NULL"),
        ),
        Index("ix_clinic_session_practitioner_id_start_at", "practitioner_id", "start_at"),
        Index("ix_clinic_session_facility_id_business_date", "facility_id", "business_date"),
        CheckConstraint("slot_minutes BETWEEN 1 AND 480", name="slot_minutes"),
        CheckConstraint(one_of("mode", SessionMode), name="mode"),
        CheckConstraint(
            "lead_minutes >= 0 AND tail_minutes >= 0 AND lead_minutes + tail_minutes < slot_minutes",
            name="buffers",
        ),
        CheckConstraint("overbooked BETWEEN 0 AND slot_count * overbook_most", name="overbooked"),
        Index(
            "ix_clinic_session_bookable",
            "service_code",
            "start_at",
            "id",
            postgresql_where=text("bookable"),
        ),
        Index(
            "ix_clinic_session_online_code",
            "service_code",
            "start_at",
            "id",
            postgresql_where=text("bookable_online"),
        ),
        Index(
            "ix_clinic_session_online_service",
            "service_id",
            "start_at",
            "id",
            postgresql_where=text("bookable_online"),
        ),
        Index(
            "ix_clinic_session_online_facility",
            "facility_id",
            "start_at",
            "id",
            postgresql_where=text("bookable_online"),
        ),
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
    mode: Mapped[str] = mapped_column(default=SessionMode.SLOT, server_default=text("'slot'"))
    lead_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    tail_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    resource_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    opens_at: Mapped[datetime | None]
    notice_minutes: Mapped[int | None]
    overbook_most: Mapped[int] = mapped_column(default=2, server_default=text("2"))
    overbooked: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    bookable: Mapped[bool | None] = mapped_column(
        Computed("status = 'open' AND booked < slot_count * capacity", persisted=True)
    )
    bookable_online: Mapped[bool | None] = mapped_column(
        Computed(
            "status = 'open' AND booked < slot_count * capacity AND online_booked < online_quota",
            persisted=True,
        )
    )


class SessionQuota(Base):
    """Places of one session kept for a door; unused ones are everybody's from `falls_at` on.

    `booked` counts the live bookings and holds by that door. No row: nothing is kept for the door.
    """

    __tablename__ = "session_quota"
    __table_args__ = (
        CheckConstraint(one_of("door", Door), name="door"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("booked >= 0", name="booked"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    clinic_session_id: Mapped[UUID] = mapped_column(ForeignKey("clinic_session.id"), primary_key=True)
    door: Mapped[str] = mapped_column(primary_key=True)
    reserved: Mapped[int]
    booked: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    falls_at: Mapped[datetime]


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
