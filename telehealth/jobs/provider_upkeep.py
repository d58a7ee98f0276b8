"""Let every adapter look after what runs out, such as Zalo's access token."""

from datetime import datetime

from notifications.channels.provider import Upkept
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Give each its turn."""
    for carrier in work.carriers:
        if isinstance(carrier.adapter, Upkept):
            carrier.adapter.upkeep()
