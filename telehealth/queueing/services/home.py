"""Where a facility's queues are run: the database refuses every step elsewhere, here that gets its name."""

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError

from telehealth.queueing.errors import NodeNotOnDuty, QueuesAtTheNode

_REFUSALS = {"TH001": NodeNotOnDuty, "TH002": QueuesAtTheNode}
"""What the trigger keep_to_home (migration 0036) says."""


@event.listens_for(Engine, "handle_error")
def _name_refusal(context: ExceptionContext) -> None:
    refusal = _REFUSALS.get(getattr(context.original_exception, "sqlstate", None) or "")
    if refusal is not None:
        raise refusal from context.original_exception


def named(error: DBAPIError) -> Exception:
    """Return the refusal behind an error of a statement that went straight to the driver, else the error."""
    refusal = _REFUSALS.get(getattr(error.orig, "sqlstate", None) or "")
    return error if refusal is None else refusal()
