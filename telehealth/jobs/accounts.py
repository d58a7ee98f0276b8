"""Keeps accounts as the law asks: idle staff are shut out after 45 days, spent codes are forgotten."""

from datetime import datetime

from telehealth.accounts.services import disable_idle_staff
from telehealth.accounts.services.sweep import sweep
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Both in one transaction."""
    with system_unit_of_work(work.engine) as session:
        disable_idle_staff(session, now=now)
        sweep(session, now=now)
