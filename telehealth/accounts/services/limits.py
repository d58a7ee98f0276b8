"""Limits as rows: counted for all processes alike, and counted before the thing is done.

A try is spent in a transaction of its own, so that neither a refusal, nor a crash, nor many tries
at once leave it uncounted; with the database away nothing is allowed.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.accounts.rules import Limit
from telehealth.core.errors import TooMany
from telehealth.core.uow import beside

_COUNT = text(
    """
    INSERT INTO rate_count AS r (name, window_start, count) VALUES (:name, :window_start, 1)
    ON CONFLICT (name, window_start) DO UPDATE SET count = r.count + 1
    RETURNING count
    """
)
_FORGET = text("DELETE FROM rate_count WHERE name = ANY(:names)")


def spend(
    session: Session, limits: Sequence[Limit], *, now: datetime, refusal: type[TooMany] = TooMany
) -> None:
    """Count one try under each limit, in the order given: from the narrowest to those shared by many.

    The first that is used up ends it, so that who is refused anyway uses up nothing that others share. Every
    caller gives kinds of limits in one order, which is the order of the locks. Raises the refusal.
    """
    with beside(session) as work:
        over = next((limit for limit in limits if _over(work, limit, now)), None)
    if over is not None:
        raise refusal(over.retry_after(now))


def forget(session: Session, names: Sequence[str]) -> None:
    """Give back what was counted under these names, after a try that was right.

    Beside the caller's transaction too: a counter locked until its end would stop the next try.
    """
    with beside(session) as work:
        work.execute(_FORGET, {"names": list(names)})


def _over(session: Session, limit: Limit, now: datetime) -> bool:
    count = session.execute(
        _COUNT, {"name": limit.name, "window_start": limit.window_start(now)}
    ).scalar_one()
    return bool(count > limit.most)
