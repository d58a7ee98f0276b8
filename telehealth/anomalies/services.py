"""Marking a line of the report as looked at, and setting the limits against touts."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from telehealth.anomalies.codes import AnomalyKind, LimitName
from telehealth.anomalies.errors import BadLimits
from telehealth.anomalies.models import AnomalyCheck, IdentityLimit
from telehealth.anomalies.queries import identity_limits
from telehealth.anomalies.rules import limit_faults, limits_version
from telehealth.audit.services import Entry, record
from telehealth.core.errors import PreconditionFailed
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


def set_limits(
    session: Session,
    principal: Principal,
    limits: Mapping[LimitName, int | None],
    *,
    version: str,
    now: datetime,
) -> None:
    """Set how often one identity may book online, from the next booking on.

    `version`: of the limits that were seen (`limits_version`). Raises BadLimits, PreconditionFailed.
    """
    faults = limit_faults(limits)
    if faults:
        raise BadLimits(faults)
    before = identity_limits(session, locked=True)
    if limits_version(before) != version:
        raise PreconditionFailed
    for name in LimitName:
        session.execute(update(IdentityLimit).where(IdentityLimit.name == name).values(most=limits[name]))
    details = {"before": dict(before), "after": dict(limits)}
    record(session, principal, Entry("identity-limits.change", "Limit", None, details=details), now=now)
