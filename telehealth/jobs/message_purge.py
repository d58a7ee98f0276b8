"""Forgets what was said to whom some weeks after it was said."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from notifications.purge import empty_receipts, forget_contacts, purge_messages, trim_counts
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work

_MOST_STEPS = 200


def run(work: Work, now: datetime) -> None:
    """In small steps, each a transaction of its own; what one run leaves, the next one takes."""
    keep_days = work.notification_settings.keep_days
    for forget in (purge_messages, empty_receipts, forget_contacts):
        _drain(work, partial(forget, keep_days=keep_days, now=now))
    _drain(work, partial(trim_counts, now=now))


def _drain(work: Work, step: Callable[[Session], int]) -> None:
    for _ in range(_MOST_STEPS):
        with system_unit_of_work(work.engine) as session:
            if step(session) == 0:
                return
