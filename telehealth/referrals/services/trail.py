"""What happened to a request, for those who see to it (events) and for the trail (audit)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.principal import Principal
from telehealth.referrals.codes import EventKind

_EVENT = """INSERT INTO service_request_event (service_request_id, at, kind, actor_kind, actor_id, owner_role,
                                   owner_facility_id, escalation_step, escalate_at, reason)
SELECT r.id, %(now)s, %(kind)s, %(actor_kind)s, %(actor)s, r.owner_role, r.owner_facility_id,
       r.escalation_step, r.escalate_at, %(reason)s FROM service_request r WHERE r.id = %(id)s"""


def happened(
    session: Session,
    principal: Principal,
    kind: EventKind,
    request_id: UUID,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    """Write an event with the owner and the clock that the request has from now on."""
    session.connection().exec_driver_sql(
        _EVENT,
        {
            "id": request_id,
            "now": now,
            "kind": kind.value,
            "actor_kind": principal.kind.value,
            "actor": principal.id or principal.device_id,
            "reason": reason,
        },
    )


def note(
    session: Session,
    principal: Principal,
    action: str,
    request_id: UUID,
    patient_id: UUID | None,
    facility_id: UUID | None,
    now: datetime,
) -> None:
    """Leave the audit row of an act or of a look."""
    entry = Entry(action, "ServiceRequest", request_id, patient_id, facility_id)
    record(session, principal, entry, now=now)
