"""Tells hospital systems what happened. Sending is between two transactions: a receiver may take its time."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.webhooks import dispatch
from telehealth.webhooks.rules import Reach


def fan_out(work: Work, now: datetime) -> None:
    """Number what happened for each who listens. Apart from the sending, so that no receiver holds it up."""
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = dispatch.fan_out(session, now)


def run(work: Work, now: datetime) -> None:
    """Send what is due, and note what became of it as soon as each receiver's turn is over."""
    with system_unit_of_work(work.engine) as session:
        due = dispatch.claim(session, now, work.settings.cipher)
    for outcomes in dispatch.sent(due, Reach(work.settings.webhook_networks), int(now.timestamp())):
        with system_unit_of_work(work.engine) as session:
            dispatch.settle(session, outcomes, now)


def forget(work: Work, now: datetime) -> None:
    """Delete what is old."""
    with system_unit_of_work(work.engine) as session:
        dispatch.forget(session, now)
