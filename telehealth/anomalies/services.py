"""Marking a line of the report as looked at."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from telehealth.anomalies.codes import AnomalyKind
from telehealth.anomalies.models import AnomalyCheck
from telehealth.audit.services import Entry, record
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal


def check(
    session: Session,
    principal: Principal,
    kind: AnomalyKind,
    subject: str,
    *,
    facility_id: UUID | None,
    now: datetime,
) -> None:
    """Record that somebody has looked at a pattern; newer evidence brings it back."""
    session.execute(
        insert(AnomalyCheck).values(
            id=new_id(),
            kind=kind.value,
            subject=subject,
            facility_id=facility_id,
            checked_at=now,
            checked_by=principal.id,
        )
    )
    details = {"kind": kind.value, "subject": subject}
    entry = Entry("anomalies.check", "Anomaly", None, facility_id=facility_id, details=details)
    record(session, principal, entry, now=now)
