"""Brings deferred requests before the next owner when their clock runs out, and notes those that lapsed."""

import logging
from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.referrals.rulebook import slip_rules
from telehealth.referrals.services import escalate_overdue, note_lapsed

_log = logging.getLogger(__name__)


def run(work: Work, now: datetime) -> None:
    """Some requests a transaction, until none is overdue."""
    rules = slip_rules(work.settings.environ.get("REFERRAL_RULES_DIR", ""))
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = bool(escalate_overdue(session, now=now, rules=rules))
    with system_unit_of_work(work.engine) as session:
        lapsed = note_lapsed(session, now=now)
    if lapsed:
        _log.warning("%d requests lapsed with nobody seen; they stay with their owners", lapsed)
