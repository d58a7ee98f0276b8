"""Tells parents a month before that their child comes of age."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.reminders.services.of_age import tell_of_age


def run(work: Work, now: datetime) -> None:
    """All at once: a province has some hundred such days a month."""
    with system_unit_of_work(work.engine) as session:
        tell_of_age(session, work.means, now=now)
