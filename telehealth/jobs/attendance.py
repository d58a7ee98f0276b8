"""Settles what follows from missed appointments; asks who must confirm, and releases what they do not."""

import logging
from datetime import datetime

from telehealth.attendance.queries import unanswered
from telehealth.attendance.services import Sender, ask_to_confirm, grade_pending, release_unconfirmed
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work

MOST = 200
_log = logging.getLogger(__name__)


def run(work: Work, now: datetime) -> None:
    """Grade, ask, release: each a transaction of its own."""
    sender = Sender(work.settings.cipher, work.outbox, work.settings.answer_links)
    for step in (grade_pending, ask_to_confirm):
        with system_unit_of_work(work.engine) as session:
            step(session, sender, now=now)
    release(work, sender, now)


def release(work: Work, sender: Sender, now: datetime) -> None:
    """Release one after another; one that fails is tried again with the next run, and keeps no other."""
    with system_unit_of_work(work.engine) as session:
        due = unanswered(session, now, most=MOST)
    for appointment_id, start in due:
        try:
            with system_unit_of_work(work.engine) as session:
                release_unconfirmed(session, sender, appointment_id, start, now=now)
        except Exception as error:  # noqa: BLE001 whatever it is, it is one row's
            _log.warning("appointment %s was not released: %s", appointment_id, type(error).__name__)
