"""Sends the link into the room when a video appointment's room opens."""

from datetime import datetime

from telehealth.consultations.services import move_windows
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.reminders.services import invite_to_video


def run(work: Work, now: datetime) -> None:
    """Invite those whose time has come, into rooms that keep the time of their appointments."""
    with system_unit_of_work(work.engine) as session:
        move_windows(session)
        invite_to_video(session, work.means, now=now)
