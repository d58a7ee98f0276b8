"""Tidies numbers from the web whose holders did not come; they are over without it."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.queueing.services import tidy_web_numbers


def run(work: Work, now: datetime) -> None:
    """Cancel them."""
    with system_unit_of_work(work.engine) as session:
        tidy_web_numbers(session, now=now)
