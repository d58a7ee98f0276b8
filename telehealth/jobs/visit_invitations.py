"""Tells who was invited to a video visit when it moved or was cancelled, by whatever way."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.invitations.services import Means, tell_changes
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Tell all, some a transaction."""
    means = Means(work.settings.cipher, work.outbox, work.settings.answer_links)
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = bool(tell_changes(session, means, now=now))
