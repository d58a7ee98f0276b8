"""Reading the trail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from telehealth.audit.models import AuditEvent

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the trail."""

    at: datetime
    actor_kind: str
    actor_id: UUID | None
    action: str
    entity: str
    entity_id: UUID | None
    patient_id: UUID | None
    facility_id: UUID | None
    details: dict[str, Any]


def events_of_patient(session: Session, patient_id: UUID, *, limit: int = MOST_ROWS) -> list[Event]:
    """Return who looked at or changed a person's data, the newest first."""
    return _events(session, AuditEvent.patient_id == patient_id, limit)


def events_of_actor(
    session: Session, patient_id: UUID, actor_id: UUID, *, since: datetime, limit: int = MOST_ROWS
) -> list[Event]:
    """Return what one actor did with a person's data since then, the newest first."""
    condition = and_(
        AuditEvent.patient_id == patient_id, AuditEvent.actor_id == actor_id, AuditEvent.at >= since
    )
    return _events(session, condition, limit)


def events_of_facility(session: Session, facility_id: UUID, *, limit: int = MOST_ROWS) -> list[Event]:
    """Return what was done at a facility, the newest first."""
    return _events(session, AuditEvent.facility_id == facility_id, limit)


def _events(session: Session, condition: ColumnElement[bool], limit: int) -> list[Event]:
    rows = session.execute(
        select(AuditEvent).where(condition).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)
    )
    return [
        Event(
            at=row.at,
            actor_kind=row.actor_kind,
            actor_id=row.actor_id,
            action=row.action,
            entity=row.entity,
            entity_id=row.entity_id,
            patient_id=row.patient_id,
            facility_id=row.facility_id,
            details=row.details,
        )
        for row in rows.scalars()
    ]
