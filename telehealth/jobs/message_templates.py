"""Keeps the texts as they were released, and what providers say of them and of their quotas."""

from datetime import datetime

from notifications import upkeep
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.messaging.services import keep_texts


def run(work: Work, now: datetime) -> None:
    """Ask the providers outside any transaction."""
    with system_unit_of_work(work.engine) as session:
        keep_texts(session, work.notification_settings, now=now)
    told = upkeep.ask(work.carriers)
    with system_unit_of_work(work.engine) as session:
        upkeep.keep(session, told, now=now)
