"""Forgets the stored answers of writes a week after they were given."""

from datetime import datetime

from telehealth.booking.idempotency import forget
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work

_MOST_STEPS = 200


def run(work: Work, now: datetime) -> None:
    """In steps, each a transaction of its own; what one run leaves, the next one takes."""
    for _ in range(_MOST_STEPS):
        with system_unit_of_work(work.engine) as session:
            if forget(session, now=now) == 0:
                return
