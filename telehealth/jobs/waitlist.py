"""Offers places that have become free to those who wait, and ends what was not answered in time."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.waitlist.services import Sender, close_overdue, look_over, offer_places


def run(work: Work, now: datetime) -> None:
    """Close, look over, then offer one span of time after another: each a transaction of its own."""
    sender = Sender(work.settings.cipher, work.outbox, work.settings.answer_links)
    with system_unit_of_work(work.engine) as session:
        close_overdue(session, now=now)
    with system_unit_of_work(work.engine) as session:
        look_over(session, now=now)
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = offer_places(session, sender, now=now)
