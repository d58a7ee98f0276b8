"""A unit of work, again when the database could not serialise it."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from telehealth.web.context import enter_again

ATTEMPTS = 3
_AGAIN = frozenset({"40P01", "40001"})  # deadlock detected, serialization failure

Done = TypeVar("Done")


def attempt(unit: Callable[[], Done]) -> Done:
    """Run a whole unit of work, at most three times. Every other error passes."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return unit()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _AGAIN or not left:
                raise
            enter_again()
    raise AssertionError
