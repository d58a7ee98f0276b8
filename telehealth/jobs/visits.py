"""Ends the visits of yesterday, and tries again what was said of a visit before it could be understood."""

from datetime import datetime

from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.visits import queries, services
from telehealth.visits.errors import EventSettled

_MOST_STEPS = 200


def retry(work: Work, now: datetime) -> None:
    """Try each waiting event of today again, each in its own transaction."""
    with system_unit_of_work(work.engine) as session:
        waiting = queries.pending_of_today(session, now)
    for event_id in waiting:
        try:
            with system_unit_of_work(work.engine) as session:
                services.retry(session, SYSTEM, event_id, now=now, cipher=work.settings.cipher)
        except EventSettled:
            continue


def end_day(work: Work, now: datetime) -> None:
    """End what is left open of days that are over, some in each transaction."""
    for _ in range(_MOST_STEPS):
        with system_unit_of_work(work.engine) as session:
            if not services.end_day(session, SYSTEM, now=now):
                return
