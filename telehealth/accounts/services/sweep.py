"""Throwing away what is over: counters, codes and sign-ins of the past."""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from telehealth.accounts.models import AccessSession, DeviceEnrolment, OtpChallenge, RateCount

_COUNTERS = timedelta(days=2)
_CODES = timedelta(days=7)
_SESSIONS = timedelta(days=90)


def sweep(session: Session, *, now: datetime) -> int:
    """Delete old counters, codes and ended sign-ins; return how many rows. Login events stay."""
    statements = (
        delete(RateCount).where(RateCount.window_start < now - _COUNTERS),
        delete(OtpChallenge).where(OtpChallenge.expires_at < now - _CODES),
        delete(DeviceEnrolment).where(DeviceEnrolment.expires_at < now - _CODES),
        delete(AccessSession).where(
            or_(AccessSession.expires_at < now - _SESSIONS, AccessSession.revoked_at < now - _SESSIONS)
        ),
    )
    return sum(
        session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
        for statement in statements
    )
