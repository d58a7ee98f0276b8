"""Move traffic away from a provider that suffers, and slowly back."""

from datetime import datetime

from notifications import shares
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Look at the last minutes of every provider."""
    shares.settle(work.engine, work.carriers, clock="app_clock()")
