"""Giving out an address for a calendar, and taking it back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.calendars.models import CalendarFeed
from telehealth.core.crypto import token_hash
from telehealth.core.ids import new_secret
from telehealth.core.principal import Principal


def open_feed(session: Session, principal: Principal, account_id: UUID, *, now: datetime) -> str:
    """Return the token of a new address; the one before, if any, opens nothing from now on."""
    _revoke(session, account_id, now)
    token = new_secret()
    session.execute(
        insert(CalendarFeed).values(token_hash=token_hash(token), account_id=account_id, created_at=now)
    )
    record(session, principal, Entry("calendar.open", "Account", account_id), now=now)
    return token


def close_feed(session: Session, principal: Principal, account_id: UUID, *, now: datetime) -> None:
    """Take the address back; without one nothing is done."""
    if _revoke(session, account_id, now):
        record(session, principal, Entry("calendar.close", "Account", account_id), now=now)


def note_fetched(session: Session, family: Principal, *, now: datetime) -> None:
    """Write that somebody fetched the calendar of these people."""
    entries = [
        Entry("calendar.read", "Appointment", None, patient_id=patient_id)
        for patient_id in sorted(family.patient_ids)
    ]
    record(session, family, *entries, now=now)


def _revoke(session: Session, account_id: UUID, now: datetime) -> bool:
    ended = session.execute(
        update(CalendarFeed)
        .where(CalendarFeed.account_id == account_id, CalendarFeed.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(CalendarFeed.account_id)
    )
    return ended.one_or_none() is not None
