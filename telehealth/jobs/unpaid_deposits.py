"""Gives back the places whose deposit never came, each in a transaction of its own."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.payments.queries import overdue
from telehealth.payments.rules import BANK_DELAY
from telehealth.payments.services import let_go

MOST = 200


def run(work: Work, now: datetime) -> None:
    """Cancel those appointments and say so; whoever pays meanwhile keeps the place."""
    with system_unit_of_work(work.engine) as session:
        found = overdue(session, now - BANK_DELAY, most=MOST)
    for appointment_id in found:
        with system_unit_of_work(work.engine) as session:
            let_go(session, appointment_id, now=now, cipher=work.settings.cipher, outbox=work.outbox)
