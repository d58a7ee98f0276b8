"""Cares for the people of closures, one transaction each, and takes undone closures back."""

import logging
from collections import Counter
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from telehealth.closures import queries, services
from telehealth.closures.codes import ClosureState
from telehealth.closures.queries import ClosureView
from telehealth.closures.services import Means, Step
from telehealth.core.errors import DomainError
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work

_log = logging.getLogger(__name__)

AT_ONCE = 200  # people a run; the next one goes on
_MOST_REFUSALS = 3  # places tried for one person before they are left to choose themselves
_PASSING = frozenset({"40P01", "40001", "55P03"})  # deadlock, serialization failure, lock timeout


def run(work: Work, now: datetime) -> None:
    """Go on with every closure that is not done, first whose people come soonest."""
    with system_unit_of_work(work.engine) as session:
        unfinished = queries.unfinished(session)
    left = AT_ONCE
    for closure in unfinished:
        if closure.state == ClosureState.UNDOING:
            left -= _undo(work, closure, now)
        else:
            left -= _carry_out(work, closure, now, left)
        if left <= 0:
            return


def _carry_out(work: Work, closure: ClosureView, now: datetime, most: int) -> int:
    """Act for up to `most` people of a closure; return for how many it was tried."""
    refused: set[tuple[UUID, str]] = set()
    tried = 0
    while tried < most:
        with system_unit_of_work(work.engine) as session:
            steps = services.plan(session, closure, refused=refused, now=now)
        if not steps:
            with system_unit_of_work(work.engine) as session:
                services.finish(session, closure.id, now=now)
            return tried
        refusals = Counter(person for person, _slot in refused)
        for step in steps[: most - tried]:
            tried += 1
            last = refusals[step.person.id] >= _MOST_REFUSALS
            if not _acted(work, Step(step.item_id, step.person, None) if last else step, refused, now):
                return tried
    return tried


def _acted(work: Work, step: Step, refused: set[tuple[UUID, str]], now: datetime) -> bool:
    """Act for one person; False when the database was too busy, and the next run goes on."""
    try:
        with system_unit_of_work(work.engine) as session:
            services.act(session, step, _means(work), now=now)
    except DomainError as refusal:
        if step.place is None:
            _log.warning("closure item %s: %s", step.item_id, refusal.code)
            return False
        refused.add((step.person.id, step.place.slot_id))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _PASSING:
            raise
        return False
    return True


def _undo(work: Work, closure: ClosureView, now: datetime) -> int:
    """Open the sessions again and let everybody still in them keep their time; return how many there are."""
    with system_unit_of_work(work.engine) as session:
        services.reopen(session, closure, now=now)
        items = queries.standing_again(session, closure.id)
    for item_id in items:
        with system_unit_of_work(work.engine) as session:
            services.stand_again(session, item_id, _means(work), now=now)
    with system_unit_of_work(work.engine) as session:
        services.finish_undoing(session, closure.id)
    return len(items)


def _means(work: Work) -> Means:
    return Means(work.settings.cipher, work.outbox, work.settings.answer_links)
