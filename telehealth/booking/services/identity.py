"""What triggers of the ledger ask of who takes a place (migration 0024): limits of an identity, a turn."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from telehealth.booking.errors import NotAdmitted, TooManyByAccount, TooManyByIdentity, TooManyByPhone
from telehealth.core.errors import DomainError

_OVER_A_LIMIT = "TL001"
_REFUSALS: Mapping[str, type[DomainError]] = {
    refusal.code: refusal for refusal in (TooManyByAccount, TooManyByPhone, TooManyByIdentity, NotAdmitted)
}


@contextmanager
def identity_limits() -> Iterator[None]:
    """Say as a refusal what a trigger says.

    Raises TooManyByAccount, TooManyByPhone, TooManyByIdentity, NotAdmitted.
    """
    try:
        yield
    except DBAPIError as error:
        said = getattr(getattr(error.orig, "diag", None), "message_primary", "")
        if getattr(error.orig, "sqlstate", None) != _OVER_A_LIMIT:
            raise
        raise _REFUSALS[said] from error
