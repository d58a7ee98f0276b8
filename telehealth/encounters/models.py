"""Encounters. The visit of the queue is the Encounter."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.directory.codes import Modality


class EncounterStatus(StrEnum):
    """FHIR EncounterStatus, the part we use."""

    ARRIVED = "arrived"
    IN_PROGRESS = "in-progress"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Encounter(Base):
    """A visit or a video consult. Walk-ins have no appointment; emergencies may have no patient yet."""

    __tablename__ = "encounter"
    __table_args__ = (
        CheckConstraint(one_of("status", EncounterStatus), name="status"),
        CheckConstraint(one_of("modality", Modality), name="modality"),
        CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="period"),
        Index(
            "uq_encounter_appointment_id",
            "appointment_id",
            unique=True,
            postgresql_where=text("status <> 'cancelled'"),
        ),
        Index("ix_encounter_patient_id", "patient_id"),
        Index("ix_encounter_practitioner_id_business_date", "practitioner_id", "business_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    service_id: Mapped[UUID | None] = mapped_column(ForeignKey("healthcare_service.id"))
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))
    modality: Mapped[str]
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    business_date: Mapped[date]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    note_sealed: Mapped[bytes | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class EncounterParticipant(Base):
    """Who was there, from when to when."""

    __tablename__ = "encounter_participant"
    __table_args__ = (Index("ix_encounter_participant_encounter_id", "encounter_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    encounter_id: Mapped[UUID] = mapped_column(ForeignKey("encounter.id"))
    participant_id: Mapped[UUID]
    role: Mapped[str]
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
