"""Sends the link into the room when a video appointment's room opens."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.reminders.services import Means, invite_to_video


def run(work: Work, now: datetime) -> None:
    """Invite those whose time has come."""
    means = Means(work.settings.cipher, work.outbox, work.settings.public_base_url)
    with system_unit_of_work(work.engine) as session:
        invite_to_video(session, means, now=now)
