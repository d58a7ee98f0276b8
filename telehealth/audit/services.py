"""Writing the trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from telehealth.audit.models import AuditEvent
from telehealth.core.principal import Principal


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing done or read: `action` as in the policy, `entity` the FHIR noun."""

    action: str
    entity: str
    entity_id: UUID | None
    patient_id: UUID | None = None
    facility_id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def row(principal: Principal, entry: Entry, now: datetime) -> dict[str, Any]:
    """Return the columns of an entry, for statements that write several tables at once."""
    return {
        "at": now,
        "actor_kind": principal.kind.value,
        "actor_id": principal.id or principal.device_id,
        "session_id": principal.session_id,
        "action": entry.action,
        "entity": entry.entity,
        "entity_id": entry.entity_id,
        "patient_id": entry.patient_id,
        "facility_id": entry.facility_id,
        "details": dict(entry.details),
    }


def record(session: Session, principal: Principal, *entries: Entry, now: datetime) -> None:
    """Write entries in the caller's transaction, in one statement."""
    rows: Sequence[dict[str, Any]] = [row(principal, entry, now) for entry in entries]
    if rows:
        session.execute(insert(AuditEvent), rows)
