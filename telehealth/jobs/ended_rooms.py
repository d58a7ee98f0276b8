"""Ends the rooms of cancelled appointments, and finishes the Encounters of rooms that nobody finished."""

from datetime import datetime

from telehealth.consultations.services import close_cancelled_rooms, settle_an_ended_room
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Settle what ended since the last time, each in its own transaction."""
    with system_unit_of_work(work.engine) as session:
        close_cancelled_rooms(session, now=now)
    while _settle_one(work, now):
        pass


def _settle_one(work: Work, now: datetime) -> bool:
    with system_unit_of_work(work.engine) as session:
        return settle_an_ended_room(session, SYSTEM, now=now)
