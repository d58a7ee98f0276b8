"""Tells those whose doctor is away or whose place is closed, and those for whom it opens again."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.reminders.services import follow_rosters


def run(work: Work, now: datetime) -> None:
    """Follow the roster worklist, some appointments a transaction."""
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = bool(follow_rosters(session, work.means, now=now))
