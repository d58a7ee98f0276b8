"""Lets what waits for a person follow to their new telephone, or into their language."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.reminders.services import follow_contact_changes


def run(work: Work, now: datetime) -> None:
    """Follow all changes, some a transaction."""
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = bool(follow_contact_changes(session, work.means, now=now))
