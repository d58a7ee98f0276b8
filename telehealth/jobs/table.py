"""All jobs, and how often each runs. Add a file with `run(work, now)` and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from telehealth.jobs import ended_rooms, heartbeat, zalo_token
from telehealth.jobs.work import Work


@dataclass(frozen=True)
class Job:
    """Runs at the clock's start and then every `seconds`; late runs are merged into one."""

    name: str
    seconds: int
    run: Callable[[Work, datetime], None]


JOBS: tuple[Job, ...] = (
    Job("heartbeat", 10, heartbeat.run),
    Job("ended-rooms", 60, ended_rooms.run),
    Job("zalo-token", 600, zalo_token.run),
)
