"""Makes the clinic sessions of the days ahead, so that a search never waits for them."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.scheduling.services import horizon, materialise


def run(work: Work, now: datetime) -> None:
    """Make what is missing or made from an older roster, each day for itself: editors wait for none long."""
    for day in horizon(now):
        with system_unit_of_work(work.engine) as session:
            materialise(session, [day], now)
