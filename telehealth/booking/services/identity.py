"""What the ledger asks of who takes a place (migrations 0024, 0037): limits, a grade, a turn."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from telehealth.booking import queries
from telehealth.booking.errors import (
    IdentityAtDesk,
    NotAdmitted,
    TooManyByAccount,
    TooManyByIdentity,
    TooManyByPhone,
)
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import EMERGENCY_SERVICE, check_restriction
from telehealth.core.errors import DomainError

_OVER_A_LIMIT = "TL001"
_REFUSALS: Mapping[str, type[DomainError]] = {
    refusal.code: refusal
    for refusal in (TooManyByAccount, TooManyByPhone, TooManyByIdentity, IdentityAtDesk, NotAdmitted)
}


@contextmanager
def identity_limits() -> Iterator[None]:
    """Say as a refusal what a trigger says.

    Raises TooManyByAccount, TooManyByPhone, TooManyByIdentity, IdentityAtDesk, NotAdmitted.
    """
    try:
        yield
    except DBAPIError as error:
        said = getattr(getattr(error.orig, "diag", None), "message_primary", "")
        if getattr(error.orig, "sqlstate", None) != _OVER_A_LIMIT:
            raise
        raise _REFUSALS[said] from error


def check_person(session: Session, held: AppointmentView, patient_id: UUID, *, now: datetime) -> None:
    """Refuse whom the held place could not be booked for online, before they are asked anything more.

    Raises RestrictedToDesk, IdentityAtDesk.
    """
    grade, by_identity = queries.restriction(session, patient_id, now=now)
    check_restriction(grade, held.service.code, held.facility.hotline)
    if by_identity and held.service.code != EMERGENCY_SERVICE:
        raise IdentityAtDesk
