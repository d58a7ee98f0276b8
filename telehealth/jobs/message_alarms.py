"""Looks whether the messages need somebody, and calls them."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.messaging.services import watch


def run(work: Work, now: datetime) -> None:
    """Open, close and tell in one transaction."""
    with system_unit_of_work(work.engine) as session:
        watch(session, work.outbox, work.notification_settings, work.settings.public_base_url, now=now)
