"""The province's directory."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import CareLevel, FacilityKind, ServicePointKind


class Facility(Base):
    """An Organization with its place (FHIR Organization and Location).

    `hours` and `after_hours` are lists of `{"weekday": 0-6, "start": minute, "end": minute}`.
    """

    __tablename__ = "facility"
    __table_args__ = (
        CheckConstraint(one_of("kind", FacilityKind), name="kind"),
        CheckConstraint(one_of("care_level", CareLevel), name="care_level"),
        CheckConstraint("parent_id <> id", name="not_own_parent"),
        UniqueConstraint("code"),
        ExcludeConstraint(
            ("national_code", "="),
            using="btree",
            where=text("active"),
            deferrable=True,
            initially="DEFERRED",
            name="ex_facility_national_code",
        ),
        Index(
            "ix_facility_name_search_trgm",
            "name_search",
            postgresql_using="gin",
            postgresql_ops={"name_search": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    national_code: Mapped[str]
    name: Mapped[str]
    name_search: Mapped[str]
    name_sort: Mapped[str]
    kind: Mapped[str]
    care_level: Mapped[str]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    address: Mapped[str]
    area: Mapped[str]
    province: Mapped[str]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    hotline: Mapped[str]
    hours: Mapped[list[Any]]
    after_hours: Mapped[list[Any]]
    active: Mapped[bool] = mapped_column(default=True)


class HealthcareService(Base):
    """What a facility offers, with its price classes in đồng.

    `preparation_*`: how people prepare, a line for each thing; empty: as is usual for such a service
    (directory/preparation.yaml).
    """

    __tablename__ = "healthcare_service"
    __table_args__ = (
        UniqueConstraint("facility_id", "code"),
        CheckConstraint("duration_minutes > 0", name="duration_minutes"),
        CheckConstraint("online_share_percent BETWEEN 0 AND 100", name="online_share_percent"),
        Index("ix_healthcare_service_code", "code"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    code: Mapped[str]
    name_vi: Mapped[str]
    name_en: Mapped[str]
    name_search: Mapped[str]
    duration_minutes: Mapped[int]
    price_insured_vnd: Mapped[int | None]
    price_self_vnd: Mapped[int | None]
    price_on_request_vnd: Mapped[int | None]
    price_after_hours_vnd: Mapped[int | None]
    modalities: Mapped[list[str]] = mapped_column(ARRAY(Text))
    online_booking: Mapped[bool]
    online_share_percent: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    preparation_vi: Mapped[str] = mapped_column(default="", server_default=text("''"))
    preparation_en: Mapped[str] = mapped_column(default="", server_default=text("''"))


class Practitioner(Base):
    """A doctor, by licence."""

    __tablename__ = "practitioner"
    __table_args__ = (
        UniqueConstraint("licence_no"),
        Index("ix_practitioner_facility_id", "facility_id"),
        Index(
            "ix_practitioner_name_search_trgm",
            "name_search",
            postgresql_using="gin",
            postgresql_ops={"name_search": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    licence_no: Mapped[str]
    name: Mapped[str]
    name_search: Mapped[str]
    name_sort: Mapped[str]
    title: Mapped[str]
    specialty: Mapped[str]
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    phone_sealed: Mapped[bytes | None]
    email: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True)


class ServicePoint(Base):
    """A desk, a room, a counter: where a number is called to."""

    __tablename__ = "service_point"
    __table_args__ = (
        CheckConstraint(one_of("kind", ServicePointKind), name="kind"),
        UniqueConstraint("facility_id", "code"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    code: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class OnCall(Base):
    """Who is on call for a specialty on a day."""

    __tablename__ = "on_call"

    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    specialty: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    first_practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioner.id"))
    second_practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))


class CalendarDay(Base):
    """An override of the national calendar, for the province or (facility_id) one facility."""

    __tablename__ = "calendar_day"
    __table_args__ = (
        CheckConstraint("kind IN ('holiday', 'working', 'works-like')", name="kind"),
        CheckConstraint("(kind = 'works-like') = (like_weekday IS NOT NULL)", name="like_weekday"),
        UniqueConstraint("day", "facility_id", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date]
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    kind: Mapped[str]
    like_weekday: Mapped[int | None]
    note: Mapped[str] = mapped_column(default="")


class DirectoryImport(Base):
    """An import that was carried out: when, by whom, what it changed."""

    __tablename__ = "directory_import"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    digest: Mapped[str]
    report: Mapped[dict[str, Any]]
