"""Draws the lines of releases whose hour has come; whoever joins at that moment draws them too."""

from datetime import datetime

from telehealth.admission.services import draw_due
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Draw them; each is drawn once."""
    with system_unit_of_work(work.engine) as session:
        draw_due(session, now=now)
