"""Joining the line, the draw at the hour, and which services have a waiting room."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.admission import queries
from telehealth.admission.errors import NoWaitingRoom
from telehealth.admission.models import ReleasePolicy
from telehealth.admission.queries import RoomView
from telehealth.audit.services import Entry, record
from telehealth.core.principal import Principal


@dataclass(frozen=True, slots=True)
class Terms:
    """How many a minute are let in; how long before the hour the room opens, and how long after it stays."""

    rate_per_minute: int
    early_minutes: int = 30
    hot_minutes: int = 15
    admission_minutes: int = 10


def enter(session: Session, principal: Principal, service_id: UUID, *, now: datetime) -> RoomView:
    """Take a place in the line; entered twice it is one place. Raises NoWaitingRoom."""
    opens_at = (
        session.connection()
        .exec_driver_sql("SELECT enter_release(%s, %s, %s)", (service_id, principal.id, now))
        .scalar_one()
    )
    found = None if opens_at is None else queries.room(session, service_id, principal.id, now=now)
    if found is None:
        raise NoWaitingRoom
    return found


def leave(session: Session, principal: Principal, service_id: UUID, *, now: datetime) -> None:
    """Give up one's place in the line, if there is one; the others keep theirs. Raises NoWaitingRoom."""
    found = queries.room(session, service_id, principal.id, now=now)
    if found is None:
        raise NoWaitingRoom
    session.connection().exec_driver_sql("SELECT leave_release(%s, %s, %s)", (service_id, principal.id, now))
    entry = Entry("admission.leave", "HealthcareService", service_id, facility_id=found.facility_id)
    record(session, principal, entry, now=now)


def draw_due(session: Session, *, now: datetime) -> int:
    """Draw the lines whose hour has come; returns how many."""
    due = (
        session.connection()
        .exec_driver_sql(
            "SELECT service_id, opens_at FROM release WHERE drawn_at IS NULL AND opens_at <= %s", (now,)
        )
        .all()
    )
    for row in due:
        session.connection().exec_driver_sql(
            "SELECT draw_release(%s, %s, %s)", (row.service_id, row.opens_at, now)
        )
    return len(due)


def arrange(
    session: Session,
    principal: Principal,
    service_id: UUID,
    facility_id: UUID,
    terms: Terms | None,
    *,
    now: datetime,
) -> None:
    """Give a service a waiting room at its release hour, or (None) none."""
    if terms is None:
        session.execute(delete(ReleasePolicy).where(ReleasePolicy.service_id == service_id))
    else:
        values = {
            "rate_per_minute": terms.rate_per_minute,
            "early_minutes": terms.early_minutes,
            "hot_minutes": terms.hot_minutes,
            "admission_minutes": terms.admission_minutes,
        }
        statement = insert(ReleasePolicy).values(service_id=service_id, **values)
        session.execute(statement.on_conflict_do_update(index_elements=["service_id"], set_=values))
    details = {"rate": 0 if terms is None else terms.rate_per_minute}
    entry = Entry(
        "admission.arrange", "HealthcareService", service_id, facility_id=facility_id, details=details
    )
    record(session, principal, entry, now=now)
