"""A unit of work, again when the database could not serialise it."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError

from telehealth.web.context import enter_again, inside_unit_of_work

ATTEMPTS = 3
_AGAIN = frozenset({"40P01", "40001"})  # deadlock detected, serialization failure

Given = ParamSpec("Given")
Done = TypeVar("Done")


def attempt(unit: Callable[[], Done]) -> Done:
    """Run a whole unit of work, at most three times. Every other error passes.

    Part of a larger unit is tried once: only the whole can be begun again.
    """
    for left in reversed(range(1 if inside_unit_of_work() else ATTEMPTS)):
        try:
            return unit()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _AGAIN or not left:
                raise
            enter_again()
    raise AssertionError


def attempted(view: Callable[Given, Done]) -> Callable[Given, Done]:
    """Make a view that is one unit of work such an attempt. Put it next to the view."""

    @wraps(view)
    def again(*args: Given.args, **kwargs: Given.kwargs) -> Done:
        return attempt(lambda: view(*args, **kwargs))

    return again
