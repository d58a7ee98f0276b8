"""Show that the worker's clock ticks and can write."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.models import WorkerHeartbeat
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Write the time down."""
    beat = insert(WorkerHeartbeat).values(name="clock", beat_at=now)
    latest = beat.on_conflict_do_update(
        index_elements=[WorkerHeartbeat.name], set_={"beat_at": beat.excluded.beat_at}
    )
    with system_unit_of_work(work.engine) as session:
        session.execute(latest)
