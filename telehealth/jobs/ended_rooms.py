"""Finishes the Encounters of rooms whose time ran out with nobody there to end them."""

from datetime import datetime

from telehealth.consultations.services import settle_ended_rooms
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Settle what ended since the last time."""
    with system_unit_of_work(work.engine) as session:
        settle_ended_rooms(session, SYSTEM, now=now)
