"""Whose calendar an address is, and what is in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.booking.queries import AppointmentView, page_of
from telehealth.calendars.models import CalendarFeed
from telehealth.core.crypto import token_hash
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role

KEPT = timedelta(days=30)
MOST = 100


@dataclass(frozen=True, slots=True)
class FeedView:
    """Since when an account has an address."""

    created_at: datetime


def feed_of(session: Session, account_id: UUID) -> FeedView | None:
    """Return the address that an account has now, if any; which one it is, nobody knows any more."""
    created_at = session.scalar(
        select(CalendarFeed.created_at).where(
            CalendarFeed.account_id == account_id, CalendarFeed.revoked_at.is_(None)
        )
    )
    return None if created_at is None else FeedView(created_at)


def enter(session: Session, token: str, now: datetime) -> Principal | None:
    """Enter the transaction as the family whose address this is; None if it is nobody's."""
    row = (
        session.connection()
        .exec_driver_sql(
            "SELECT account_id, patient_ids FROM enter_by_feed(%s, %s)", (token_hash(token), now)
        )
        .one_or_none()
    )
    if row is None:
        return None
    return Principal(
        kind=PrincipalKind.PATIENT,
        id=row.account_id,
        grants=frozenset({Grant(Role.PATIENT)}),
        patient_ids=frozenset(row.patient_ids),
    )


def appointments(session: Session, family: Principal, now: datetime) -> list[AppointmentView]:
    """Return a family's coming appointments and the last month's, cancelled ones too. One statement."""
    found = page_of(session, family, limit=MOST).items
    return sorted((view for view in found if view.start > now - KEPT), key=lambda view: view.start)
