"""Makes the clinic sessions of the days ahead, so that a search never waits for them."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.scheduling.services import materialise_horizon


def run(work: Work, now: datetime) -> None:
    """Make what is missing or made from an older roster."""
    with system_unit_of_work(work.engine) as session:
        materialise_horizon(session, now)
