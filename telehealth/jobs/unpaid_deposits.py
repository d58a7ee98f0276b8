"""Says what is to be paid, and gives back the places whose deposit never came: one transaction each."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.payments import queries, services
from telehealth.payments.rules import BANK_DELAY

_log = logging.getLogger(__name__)

MOST = 200


def tell(work: Work, now: datetime) -> None:
    """Tell those who have to pay."""
    with system_unit_of_work(work.engine) as session:
        found = queries.untold(session, most=MOST)
    cipher, outbox, base_url = work.settings.cipher, work.outbox, work.settings.public_base_url
    _each(
        work,
        found,
        lambda session, each: services.tell(
            session, each, now=now, cipher=cipher, outbox=outbox, base_url=base_url
        ),
    )


def run(work: Work, now: datetime) -> None:
    """Cancel the appointments that were not paid for and say so; whoever pays meanwhile keeps the place."""
    with system_unit_of_work(work.engine) as session:
        found = queries.overdue(session, now - BANK_DELAY, most=MOST)
    cipher, outbox = work.settings.cipher, work.outbox
    _each(
        work,
        found,
        lambda session, each: services.let_go(session, each, now=now, cipher=cipher, outbox=outbox),
    )


def _each(work: Work, found: Iterable[UUID], do: Callable[[Session, UUID], object]) -> None:
    """Do it for each; one that the database is too busy for waits for the next run."""
    for appointment_id in found:
        try:
            with system_unit_of_work(work.engine) as session:
                do(session, appointment_id)
        except DBAPIError as error:
            _log.warning("deposit of appointment %s: %s", appointment_id, getattr(error.orig, "sqlstate", ""))
