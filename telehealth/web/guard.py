"""Every route says who may come in: guarded by an action, or listed as public.

The decorator refuses those whose roles never allow the action; the view then asks `permit()` about
the thing itself. tests/architecture walks the URL map and fails on a route with neither mark.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from telehealth.core.errors import Forbidden, Unauthenticated
from telehealth.web.context import principal, services

View = TypeVar("View", bound=Callable[..., Any])

GUARD = "__guard__"
SCOPES = "__scopes__"
PUBLIC = "public"


def public(view: View) -> View:
    """Mark a view as open to everybody."""
    setattr(view, GUARD, PUBLIC)
    return view


def guarded(action: str, *besides: str) -> Callable[[View], View]:
    """Let in only those whose roles may ever do the action.

    `besides`: what the view asks `permit()` for as well, so that the API's document names every scope.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            actor = principal()
            if not services().policy.may_ever(actor, action):
                raise Forbidden if actor.signed_in else Unauthenticated
            return view(*args, **kwargs)

        setattr(checked, GUARD, action)
        setattr(checked, SCOPES, (action, *besides))
        return cast("View", checked)

    return decorate
