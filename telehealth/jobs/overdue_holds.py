"""Tidies holds whose time is over; whoever wants such a slot takes it without waiting for this."""

from datetime import datetime

from telehealth.booking.services import expire_overdue_holds
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Expire them; the database's clock decides which."""
    with system_unit_of_work(work.engine) as session:
        expire_overdue_holds(session)
