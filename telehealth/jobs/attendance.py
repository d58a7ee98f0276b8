"""Settles what follows from missed appointments; asks who must confirm, and releases what they do not."""

from datetime import datetime

from telehealth.attendance.services import Sender, ask_to_confirm, grade_pending, release_unconfirmed
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Grade, ask, release: each a transaction of its own."""
    sender = Sender(work.settings.cipher, work.outbox, work.settings.answer_links)
    for step in (grade_pending, ask_to_confirm, release_unconfirmed):
        with system_unit_of_work(work.engine) as session:
            step(session, sender, now=now)
