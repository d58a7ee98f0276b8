"""Renew Zalo's access token in good time, so that no message waits for it."""

from datetime import datetime

from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Renew when less than six hours are left; the token row says who may."""
    if work.zalo_tokens is not None:
        work.zalo_tokens.renew_when_due()
