"""Asks providers that sign nothing whether a message really did not arrive."""

from datetime import datetime

from notifications import claims, receipts
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Ask between two transactions, since a provider may take its time."""
    providers = [carrier.provider for carrier in work.carriers]
    with system_unit_of_work(work.engine) as session:
        claimed = claims.unconfirmed(session, providers, now=now)
    found = claims.asked(claimed, work.carriers)
    if found:
        with system_unit_of_work(work.engine) as session:
            receipts.apply(session, found, now=now)
