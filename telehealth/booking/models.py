"""Appointments, the claims that guard them, and stored answers."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.booking.codes import (
    AppointmentStatus,
    CancelReason,
    CoverageBasis,
    OfferState,
    PriceClass,
    RestrictionGrade,
)
from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import Channel, Door

__all__ = [
    "Appointment",
    "AppointmentCondition",
    "AppointmentOffer",
    "AppointmentSeries",
    "AppointmentStatus",
    "BookingRestriction",
    "Claim",
    "Disruption",
    "Idempotency",
]


class Appointment(Base):
    """A slot held for, or given to, a patient. A hold is the same row with status `held`.

    `agreed_at`: since when its time stands. A trigger sets it when the slot is booked or moved.
    `door`: what its place was taken through (null: the channel's). `bound`: when it must lie, by a referral
    or slip. `overbooked`: a lane beyond the session's capacity, given deliberately and for a reason.
    """

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint(one_of("status", AppointmentStatus), name="status"),
        CheckConstraint(one_of("channel", Channel), name="channel"),
        CheckConstraint(one_of("modality", Modality), name="modality"),
        CheckConstraint(one_of("coverage_basis", CoverageBasis), name="coverage_basis"),
        CheckConstraint("start_at < end_at", name="times"),
        CheckConstraint("(status IN ('held', 'expired')) OR patient_id IS NOT NULL", name="patient"),
        CheckConstraint("status <> 'held' OR hold_until IS NOT NULL", name="hold_until"),
        UniqueConstraint("code"),
        Index("ix_appointment_patient_id_start_at", "patient_id", "start_at"),
        Index("ix_appointment_practitioner_id_start_at", "practitioner_id", "start_at"),
        Index("ix_appointment_facility_id_start_at", "facility_id", "start_at"),
        Index("ix_appointment_clinic_session_id", "clinic_session_id"),
        Index("ix_appointment_account_id", "account_id"),
        Index("ix_appointment_series_id", "series_id", postgresql_where=text("series_id IS NOT NULL")),
        CheckConstraint(one_of("price_class", PriceClass), name="price_class"),
        CheckConstraint(one_of("door", Door), name="door"),
        CheckConstraint(
            "bound IS NULL OR status NOT IN ('held', 'booked') OR start_at <@ bound", name="bound"
        ),
        CheckConstraint(
            "cancel_reason IS NULL OR " + one_of("cancel_reason", CancelReason), name="cancel_reason"
        ),
        Index("ix_appointment_hold_until", "hold_until", postgresql_where=text("status = 'held'")),
        Index("ix_appointment_held", "practitioner_id", postgresql_where=text("status = 'held'")),
        Index("ix_appointment_held_by", "held_by", postgresql_where=text("status = 'held'")),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str]
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    clinic_session_id: Mapped[UUID] = mapped_column(ForeignKey("clinic_session.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioner.id"))
    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"))
    modality: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    lane: Mapped[int]
    channel: Mapped[str]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    hold_until: Mapped[datetime | None]
    price_class: Mapped[str] = mapped_column(default="self")
    coverage_basis: Mapped[str] = mapped_column(default=CoverageBasis.NONE)
    coverage_checked_at: Mapped[datetime | None]
    coverage_checked_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    companion: Mapped[bool] = mapped_column(default=False)
    reason_sealed: Mapped[bytes | None]
    cancel_reason: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]
    on_the_way_at: Mapped[datetime | None]
    moved_from: Mapped[datetime | None]
    agreed_at: Mapped[datetime | None]
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    door: Mapped[str | None]
    overbooked: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    overbook_reason_sealed: Mapped[bytes | None]
    bound: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)
    held_by: Mapped[str | None]
    series_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment_series.id"))


class AppointmentSeries(Base):
    """Appointments of one treatment: who, for what, where, and the rule they were made by.

    Every n days, or on `weekdays` (0 Monday) of every n-th week; `visits` times, or `until` a day.
    """

    __tablename__ = "appointment_series"
    __table_args__ = (
        CheckConstraint("minute BETWEEN 0 AND 1439", name="minute"),
        CheckConstraint("on_holiday IN ('move', 'skip')", name="on_holiday"),
        CheckConstraint(
            "num_nonnulls(every_days, every_weeks) = 1 AND coalesce(every_days, 1) BETWEEN 1 AND 90"
            " AND coalesce(every_weeks, 1) BETWEEN 1 AND 26 AND (every_weeks IS NULL) = (weekdays = '{}')"
            " AND weekdays <@ '{0,1,2,3,4,5,6}'",
            name="step",
        ),
        CheckConstraint(
            "num_nonnulls(visits, until) = 1 AND coalesce(visits, 1) BETWEEN 1 AND 60 AND until >= first_day",
            name="end",
        ),
        Index("ix_appointment_series_patient_id", "patient_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    service_id: Mapped[UUID] = mapped_column(ForeignKey("healthcare_service.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    first_day: Mapped[date]
    minute: Mapped[int]
    every_days: Mapped[int | None]
    every_weeks: Mapped[int | None]
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    visits: Mapped[int | None]
    until: Mapped[date | None]
    on_holiday: Mapped[str]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class BookingRestriction(Base):
    """What missed appointments have led to, until when; only online booking asks it."""

    __tablename__ = "booking_restriction"
    __table_args__ = (
        CheckConstraint(one_of("grade", RestrictionGrade), name="grade"),
        CheckConstraint("since < until", name="times"),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    grade: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]


class AppointmentOffer(Base):
    """Another slot that the hospital offers for an appointment; one is open at a time.

    `hold_id`: the hold that keeps the place until `expires_at`; a trigger lets it go when the offer is no
    longer open. Without it the offer holds no place.
    """

    __tablename__ = "appointment_offer"
    __table_args__ = (
        CheckConstraint(one_of("state", OfferState), name="state"),
        CheckConstraint("(state IN ('accepted', 'declined')) = (answered_at IS NOT NULL)", name="answered"),
        Index("ix_appointment_offer_appointment_id", "appointment_id", "created_at"),
        Index(
            "uq_appointment_offer_open",
            "appointment_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    slot_id: Mapped[str]
    state: Mapped[str] = mapped_column(default=OfferState.OPEN)
    expires_at: Mapped[datetime]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    hold_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))


class Disruption(Base):
    """A time that cannot be kept: the doctor is away, or the place is closed. One is open at a time.

    It is over when the time can be kept again, or when another one was chosen.
    """

    __tablename__ = "appointment_disruption"
    __table_args__ = (
        CheckConstraint("resolved_at >= found_at", name="times"),
        Index(
            "uq_appointment_disruption_open",
            "appointment_id",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    start_at: Mapped[datetime]
    found_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class AppointmentCondition(Base):
    """What a video appointment is about: a listed condition, or advice without treatment."""

    __tablename__ = "appointment_condition"
    __table_args__ = (CheckConstraint("consultation_only OR code_sealed IS NOT NULL", name="known"),)

    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"), primary_key=True)
    code_sealed: Mapped[bytes | None]
    consultation_only: Mapped[bool]
    list_version: Mapped[str]
    stated_at: Mapped[datetime]


class Claim(Base):
    """The right to a resource (practitioner, patient, room, device) for a time, on one lane.

    Written only by INSERT ... ON CONFLICT DO NOTHING in (resource_id, lane) order: a bare insert
    into an exclusion constraint deadlocks (booking.md 0.3). `hold_until` and `online` (taken by that
    door) repeat the appointment's, so that a search may pass over a hold whose time is over, and give
    its place back to the quota, without seeing the appointment.
    """

    __tablename__ = "claim"
    __table_args__ = (
        ExcludeConstraint(
            ("resource_id", "="),
            ("lane", "="),
            ("during", "&&"),
            where=text("active"),
            using="gist",
            name="ex_claim_overlap",
        ),
        CheckConstraint(
            "resource_kind IN ('practitioner', 'patient', 'room', 'device')", name="resource_kind"
        ),
        CheckConstraint("lane > 0", name="lane"),
        CheckConstraint("NOT isempty(during)", name="during"),
        Index("ix_claim_appointment_id", "appointment_id"),
        Index(
            "ix_claim_resource_id_start",
            "resource_id",
            text("lower(during)"),
            postgresql_include=["during", "lane", "hold_until", "online"],
            postgresql_where=text("active"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    resource_kind: Mapped[str]
    resource_id: Mapped[UUID]
    lane: Mapped[int]
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    active: Mapped[bool] = mapped_column(default=True)
    hold_until: Mapped[datetime | None]
    online: Mapped[bool] = mapped_column(default=False, server_default=text("false"))


class Idempotency(Base):
    """The stored answer of a write: the same key gives the same answer (IETF idempotency-key draft)."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    principal: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int | None]
    response_sealed: Mapped[bytes | None]
    created_at: Mapped[datetime]
