"""Patients: some have no phone, no card, only a birth year, or not even a name."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of


class Sex(StrEnum):
    """FHIR AdministrativeGender."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class IdentifierSystem(StrEnum):
    """What number it is."""

    NATIONAL_ID = "national-id"
    INSURANCE = "insurance"
    PASSPORT = "passport"
    OLD_NATIONAL_ID = "old-national-id"


class Relation(StrEnum):
    """What an account is to a patient it acts for."""

    SELF = "self"
    PARENT = "parent"
    CHILD = "child"
    SPOUSE = "spouse"
    GUARDIAN = "guardian"
    RELATIVE = "relative"
    OTHER = "other"


ENDS_AT_MAJORITY = frozenset(Relation) - {Relation.SELF, Relation.SPOUSE, Relation.CHILD}
"""What ends when a child comes of age (ends_at_majority of migration 0022)."""


class AskedBy(StrEnum):
    """Who asked the hospital to act for a person."""

    PATIENT = "patient"
    FAMILY = "family"
    HEALTH_WORKER = "health-worker"


class AskedHow(StrEnum):
    """How they asked."""

    IN_PERSON = "in-person"
    PHONE = "phone"


class Patient(Base):
    """A person who is looked after.

    `birth_date` is a FHIR date: YYYY, YYYY-MM or YYYY-MM-DD. An unidentified person (emergency)
    has a placeholder name and no birth date.
    """

    __tablename__ = "patient"
    __table_args__ = (
        CheckConstraint(one_of("sex", Sex), name="sex"),
        CheckConstraint(
            r"birth_date ~ '^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$'", name="birth_date"
        ),
        CheckConstraint("unidentified OR birth_date IS NOT NULL", name="identified"),
        CheckConstraint("merged_into <> id", name="merged_into"),
        Index("ix_patient_phone_index", "phone_index"),
        Index(
            "ix_patient_name_search_trgm",
            "name_search",
            postgresql_using="gin",
            postgresql_ops={"name_search": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    full_name: Mapped[str]
    name_search: Mapped[str]
    name_sort: Mapped[str]
    birth_date: Mapped[str | None]
    sex: Mapped[str]
    nationality: Mapped[str] = mapped_column(default="VN")
    language: Mapped[str] = mapped_column(default="vi")
    phone_sealed: Mapped[bytes | None]
    phone_index: Mapped[bytes | None]
    email_sealed: Mapped[bytes | None]
    address_sealed: Mapped[bytes | None]
    notes_sealed: Mapped[bytes | None]
    unidentified: Mapped[bool] = mapped_column(default=False)
    guardian_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    guardian_since: Mapped[datetime | None]
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PatientIdentifier(Base):
    """A number of a person, sealed; found again only by its exact value.

    Two accounts may each have registered the same person: only the desk merges, so the index is
    not unique over patients.
    """

    __tablename__ = "patient_identifier"
    __table_args__ = (
        CheckConstraint(one_of("system", IdentifierSystem), name="system"),
        Index("ix_patient_identifier_system_value_index", "system", "value_index"),
        Index(
            "uq_patient_identifier_active",
            "patient_id",
            "system",
            unique=True,
            postgresql_where="active",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    system: Mapped[str]
    value_sealed: Mapped[bytes]
    value_index: Mapped[bytes]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class AccountPatient(Base):
    """An account may act for a patient while the relation is valid.

    A trigger ends what is in ENDS_AT_MAJORITY when the child comes of age (migration 0022).
    """

    __tablename__ = "account_patient"
    __table_args__ = (
        CheckConstraint(one_of("relation", Relation), name="relation"),
        Index("ix_account_patient_patient_id", "patient_id"),
        Index("ix_account_patient_valid_to", "valid_to", postgresql_where=text("valid_to IS NOT NULL")),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    relation: Mapped[str]
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class PatientFacility(Base):
    """A facility that knows the patient, with its own record number (MA_BN)."""

    __tablename__ = "patient_facility"
    __table_args__ = (
        UniqueConstraint("facility_id", "record_no"),
        Index("ix_patient_facility_facility_id", "facility_id"),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    record_no: Mapped[str | None]
    created_at: Mapped[datetime]


class Consent(Base):
    """What a person agreed to, in which words, when and how (Law 91/2025, article 9).

    `asked_by`, `asked_how`: where staff acted for the person, who asked them to.
    """

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint(one_of("asked_by", AskedBy), name="asked_by"),
        CheckConstraint(one_of("asked_how", AskedHow), name="asked_how"),
        CheckConstraint("(asked_by IS NULL) = (asked_how IS NULL)", name="asked"),
        Index("ix_consent_patient_id", "patient_id"),
        Index(
            "ix_consent_appointment_id",
            "appointment_id",
            postgresql_where=text("appointment_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    purpose: Mapped[str]
    text_version: Mapped[str]
    channel: Mapped[str]
    given_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    asked_by: Mapped[str | None]
    asked_how: Mapped[str | None]
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))


class ContactChange(Base):
    """A person whose telephone, language or guardian changed: a worker lets their messages follow.

    `changed_at` lies ahead where the right of somebody who is told ends on a known day.
    """

    __tablename__ = "contact_change"
    __table_args__ = (Index("ix_contact_change_changed_at", "changed_at", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    changed_at: Mapped[datetime]
