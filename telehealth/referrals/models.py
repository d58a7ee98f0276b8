"""Service requests, what became of each, and the appointment that a slip is spent on."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.referrals.codes import (
    DateDecision,
    EventKind,
    OwnerRole,
    RequestKind,
    RequestOrigin,
    RequestPriority,
    RequestStatus,
)

_OPEN = "status IN ('draft', 'active', 'on-hold')"
_STANDS = "status NOT IN ('revoked', 'entered-in-error')"


class ServiceRequest(Base):
    """A referral or a slip to come again (FHIR ServiceRequest).

    `number_key` and `issuer_key` say which paper it is. `presented_by`: another record of the same person,
    who showed the slip. `performer_id`: where it is booked. `listed`: good for a year, by the list or by
    staff. `appointment_on`: the day on the paper; `decided_on` is another that staff have decided about.
    `clinical_sealed` holds what XML13 and XML14 ask (QĐ 130/2023), as JSON.
    """

    __tablename__ = "service_request"
    __table_args__ = (
        CheckConstraint(one_of("kind", RequestKind), name="kind"),
        CheckConstraint(one_of("origin", RequestOrigin), name="origin"),
        CheckConstraint(one_of("status", RequestStatus), name="status"),
        CheckConstraint(one_of("priority", RequestPriority), name="priority"),
        CheckConstraint(one_of("owner_role", OwnerRole), name="owner_role"),
        CheckConstraint(one_of("decision", DateDecision), name="decision"),
        CheckConstraint("(status = 'on-hold') = (escalate_at IS NOT NULL)", name="clock"),
        Index(
            "uq_service_request_slip",
            "kind",
            "issuer_key",
            "number_key",
            unique=True,
            postgresql_where=text(_STANDS),
        ),
        Index(
            "uq_service_request_encounter",
            "encounter_id",
            unique=True,
            postgresql_where=text(f"kind = 'reexamination' AND {_STANDS}"),
        ),
        Index("ix_service_request_number_key", "number_key"),
        Index("ix_service_request_patient_id", "patient_id"),
        Index(
            "ix_service_request_presented_by",
            "presented_by",
            postgresql_where=text("presented_by IS NOT NULL"),
        ),
        Index("ix_service_request_owner", "owner_facility_id", "owner_role", postgresql_where=text(_OPEN)),
        Index("ix_service_request_escalate_at", "escalate_at", postgresql_where=text("status = 'on-hold'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    origin: Mapped[str]
    status: Mapped[str]
    priority: Mapped[str]
    number: Mapped[str]
    number_key: Mapped[str]
    issuer_key: Mapped[str]
    issuer_name: Mapped[str | None]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    presented_by: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    encounter_id: Mapped[UUID | None] = mapped_column(ForeignKey("encounter.id"))
    requester_facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    requester_practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    entered_facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    target_facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    target_service_code: Mapped[str | None]
    performer_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    icd10_sealed: Mapped[bytes | None]
    clinical_sealed: Mapped[bytes | None]
    transfer_reason: Mapped[str | None]
    appointment_on: Mapped[date | None]
    signed_on: Mapped[date]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    listed: Mapped[bool] = mapped_column(default=False)
    rules_version: Mapped[str]
    owner_role: Mapped[str | None]
    owner_facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    escalation_step: Mapped[int] = mapped_column(default=0)
    escalate_at: Mapped[datetime | None]
    deferred_at: Mapped[datetime | None]
    lapsed_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    decided_on: Mapped[date | None]
    decision: Mapped[str | None]
    decision_reason: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SlipUse(Base):
    """The appointment that a slip is spent on; a cancelled or missed one gives it back."""

    __tablename__ = "slip_use"
    __table_args__ = (
        UniqueConstraint("appointment_id"),
        Index(
            "uq_slip_use_once",
            "service_request_id",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    service_request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    used_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class ServiceRequestEvent(Base):
    """One thing that happened to a request, with who owned it from then on. Written once."""

    __tablename__ = "service_request_event"
    __table_args__ = (
        CheckConstraint(one_of("kind", EventKind), name="kind"),
        Index("ix_service_request_event_service_request_id", "service_request_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    service_request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    owner_role: Mapped[str | None]
    owner_facility_id: Mapped[UUID | None]
    escalation_step: Mapped[int]
    escalate_at: Mapped[datetime | None]
    reason: Mapped[str | None]
