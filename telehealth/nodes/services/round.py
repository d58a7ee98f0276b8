"""On a node: one round with the centre. First what was done here, then what is new there, then numbers."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from telehealth.core.clock import Clock, business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.uow import system_unit_of_work
from telehealth.nodes import intake, journal
from telehealth.nodes.models import HeldBlock, ThisNode

_log = logging.getLogger(__name__)

LOW = 100
BLOCK = 200
FRESH = timedelta(seconds=30)
"""So old may the slice become; between, rounds only settle."""
MOST_BATCHES = 50
"""Of one round, so that reports and numbers are not kept waiting behind a long cut's journal."""

_LEFT = text(
    """
    SELECT q.id, d.day, q.daily_limit, q.web_limit, q.last_number,
           coalesce(sum(greatest(b.last - greatest(b.first - 1, coalesce(c.last, 0)), 0)), 0) AS left_over,
           coalesce(sum(b.last - b.first + 1), 0) AS lent, count(b.lease_id) AS blocks
      FROM queue q
     CROSS JOIN unnest(cast(:days AS date[])) AS d (day)
      JOIN this_node n ON n.facility_id = q.facility_id
      LEFT JOIN held_block b ON b.queue_id = q.id AND b.business_date = d.day AND b.epoch = n.epoch
      LEFT JOIN queue_counter c ON c.queue_id = q.id AND c.business_date = d.day
     WHERE q.active
     GROUP BY q.id, q.code, d.day ORDER BY d.day, q.code
    """
)
_ENDED = text(
    """
    SELECT b.lease_id, b.first,
           coalesce((SELECT max(t.number) FROM ticket t
                      WHERE t.queue_id = b.queue_id AND t.business_date = b.business_date
                        AND t.number BETWEEN b.first AND b.last), b.first - 1) AS used_to,
           b.queue_id, b.business_date
      FROM held_block b, this_node n
     WHERE (b.business_date < :today OR b.epoch < n.epoch) AND NOT EXISTS (
         SELECT FROM number_lease l
          WHERE l.queue_id = b.queue_id AND l.business_date = b.business_date AND l.ended_at IS NULL
            AND l.first BETWEEN b.first AND b.last)
    """
)
_NOT_GIVEN = text(
    """
    SELECT g.number FROM generate_series(cast(:first AS integer), cast(:used_to AS integer)) AS g (number)
     WHERE NOT EXISTS (SELECT FROM ticket t WHERE t.queue_id = :queue AND t.business_date = :day
                          AND t.number = g.number)
    """
)


class LineDown(Exception):
    """The centre does not answer."""


class Refused(Exception):
    """The centre answers with a refusal."""

    def __init__(self, status: int, code: str, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.body = status, code, body


class OlderCopy(Exception):
    """The centre has taken in more than this database knows of: it was put back from an older copy."""


class Line(Protocol):
    """The way to the centre. Each raises LineDown, Refused."""

    def report(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say how this node is; hear how it stands and what time it is there."""

    def settle(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hand in a batch."""

    def bundle(self, tag: str | None) -> Mapping[str, Any] | None:
        """Fetch the slice; None where it is still the one of that tag."""

    def lend(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask for a block of numbers."""

    def give_back(self, rest: Mapping[str, Any]) -> None:
        """Say what of a block was never given."""


@dataclass(frozen=True, slots=True)
class Node:
    """What a round works with."""

    engine: Engine
    cipher: FieldCipher
    line: Line
    clock: Clock
    version: str
    address: str = ""
    fresh: timedelta = FRESH


def run_round(node: Node) -> bool:
    """Do one round; tells whether the centre answered. What was done before a cut stays done."""
    try:
        _settle_all(node)
        _refresh(node)
        _top_up(node)
        _give_back(node)
        _report(node)
    except LineDown:
        _note_down(node)
        return False
    except Refused as refusal:
        _log.warning("the centre refused: %s", refusal)
        if refusal.status == 401:
            _leave_duty(node)
        return False
    except intake.OtherBundle:
        _log.error("the centre is of another version: this node cannot come on duty")
        return False
    except OlderCopy:
        _log.error("this node's database is older than what the centre has of it: enrol the node anew")
        return False
    return True


def _report(node: Node) -> Mapping[str, Any]:
    with system_unit_of_work(node.engine) as session:
        report = _state(session, node)
    asked = node.clock()
    answer = node.line.report(report)
    answered = node.clock()
    there = datetime.fromisoformat(answer["now"])
    ahead = round((asked + (answered - asked) / 2 - there).total_seconds() * 1000)
    with system_unit_of_work(node.engine) as session:
        session.execute(update(ThisNode).values(heard_at=answered, down_since=None, clock_ahead_ms=ahead))
    return answer


def _settle_all(node: Node) -> None:
    """Hand in what was done here, then leave duty or come on duty where the centre says so."""
    answer = _report(node)
    own = _standing(node)
    if answer["last_batch"] > own.last_batch:
        _leave_duty(node)
        raise OlderCopy
    stays = answer["on_duty"] and own.on_duty and answer["epoch"] == own.epoch
    if not stays:
        _leave_duty(node)
    if _hand_in(node) and answer["on_duty"] and not stays:
        _take_in(node, whole=True)
        with system_unit_of_work(node.engine) as session:
            session.execute(update(ThisNode).values(on_duty=True, epoch=answer["epoch"]))


@dataclass(frozen=True, slots=True)
class _Own:
    on_duty: bool
    epoch: int
    last_batch: int


def _standing(node: Node) -> _Own:
    with system_unit_of_work(node.engine) as session:
        here = session.scalars(select(ThisNode)).one()
        last = session.scalar(text("SELECT coalesce(max(batch), 0) FROM node_journal"))
        return _Own(here.on_duty, here.epoch, int(last or 0))


def _hand_in(node: Node) -> bool:
    """Settle batch by batch; tells whether nothing is left."""
    for _ in range(MOST_BATCHES):
        with system_unit_of_work(node.engine) as session:
            batch = journal.next_batch(session, node.cipher)
            here = session.scalars(select(ThisNode)).one()
        if batch is None:
            return True
        body = {
            "number": batch.number,
            "epoch": here.epoch,
            "clock_ahead_ms": here.clock_ahead_ms,
            "entries": batch.entries,
        }
        node.line.settle(body)
        with system_unit_of_work(node.engine) as session:
            journal.settled(session, batch.number, node.clock())
    return False


def _leave_duty(node: Node) -> None:
    with system_unit_of_work(node.engine) as session:
        session.execute(update(ThisNode).where(ThisNode.on_duty).values(on_duty=False))


def _refresh(node: Node) -> None:
    """Fetch what is new; from a centre of another version this node goes on with what it has."""
    try:
        _take_in(node)
    except intake.OtherBundle:
        _log.error("the centre is of another version: bring this node up to date")


def _take_in(node: Node, *, whole: bool = False) -> None:
    with system_unit_of_work(node.engine) as session:
        here = session.scalars(select(ThisNode)).one()
        tag, at = here.bundle_tag, here.bundle_at
    if not whole and at is not None and node.clock() - at < node.fresh:
        return
    found = node.line.bundle(None if whole else tag)
    with system_unit_of_work(node.engine) as session:
        if found is not None:
            intake.take_in(session, found["parts"], node.cipher, whole=whole)
            session.execute(update(ThisNode).values(bundle_tag=found["tag"]))
        session.execute(update(ThisNode).values(bundle_at=node.clock()))


def _top_up(node: Node) -> None:
    """Ask for numbers where less than LOW are left: for today, and for the next morning."""
    today = business_date(node.clock())
    with system_unit_of_work(node.engine) as session:
        here = session.scalars(select(ThisNode)).one()
        low = session.execute(_LEFT, {"days": [today, today + timedelta(days=1)]}).all()
    if not here.on_duty:
        return
    for row in low:
        size = _wanted(row)
        if size > 0:
            _ask(node, row.id, row.day, size, int(row.blocks))


def _wanted(row: Any) -> int:
    """Return how many more numbers to ask for; places of a contingent are left to the web."""
    if row.left_over >= LOW:
        return 0
    if row.daily_limit is None:
        return BLOCK
    return min(BLOCK, int(row.daily_limit) - int(row.web_limit) - int(row.lent))


def _ask(node: Node, queue_id: UUID, day: date, size: int, blocks: int) -> None:
    wish = {
        "queue_id": str(queue_id),
        "business_date": day.isoformat(),
        "size": size,
        "request_id": f"{day}:{queue_id}:{blocks}",
    }
    try:
        lent = node.line.lend(wish)
    except Refused as refusal:
        if refusal.status != 409:
            raise
        return
    with system_unit_of_work(node.engine) as session:
        epoch = session.scalars(select(ThisNode.epoch)).one()
        if session.get(HeldBlock, UUID(lent["id"])) is None:
            session.add(
                HeldBlock(
                    lease_id=UUID(lent["id"]),
                    queue_id=UUID(lent["queue_id"]),
                    business_date=day,
                    epoch=epoch,
                    first=lent["first"],
                    last=lent["last"],
                    counter_first=lent["counter_first"],
                )
            )


def _give_back(node: Node) -> None:
    """Say of blocks whose day or epoch is over what was never given of them, once all else is settled."""
    with system_unit_of_work(node.engine) as session:
        if journal.unsettled(session):
            return
        ended = session.execute(_ENDED, {"today": business_date(node.clock())}).all()
        rests = [(row, _rest(session, row)) for row in ended]
    for row, rest in rests:
        try:
            node.line.give_back(rest)
        except Refused as refusal:
            _log.warning("a block could not be given back: %s", refusal)
            continue
        with system_unit_of_work(node.engine) as session:
            session.execute(text("DELETE FROM held_block WHERE lease_id = :lease"), {"lease": row.lease_id})


def _rest(session: Session, row: Any) -> dict[str, Any]:
    asked = {"first": row.first, "used_to": row.used_to, "queue": row.queue_id, "day": row.business_date}
    return {
        "lease_id": str(row.lease_id),
        "used_to": row.used_to,
        "spoilt": list(session.scalars(_NOT_GIVEN, asked)),
    }


def _state(session: Session, node: Node) -> dict[str, Any]:
    today = business_date(node.clock())
    left = session.execute(_LEFT, {"days": [today]}).all()
    here = session.scalars(select(ThisNode)).one()
    return {
        "version": node.version,
        "address": node.address,
        "epoch": here.epoch,
        "on_duty": here.on_duty,
        "unsettled": journal.unsettled(session),
        "bundle_at": None if here.bundle_at is None else here.bundle_at.isoformat(),
        "clock_ahead_ms": here.clock_ahead_ms,
        "fewest_left": min((int(row.left_over) for row in left), default=0),
    }


def _note_down(node: Node) -> None:
    with system_unit_of_work(node.engine) as session:
        session.execute(update(ThisNode).where(ThisNode.down_since.is_(None)).values(down_since=node.clock()))
