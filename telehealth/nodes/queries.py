"""What pages and programs see of nodes: at the centre, and on a node itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.directory.models import Facility
from telehealth.nodes import journal
from telehealth.nodes.codes import Reason
from telehealth.nodes.models import EdgeNode, NodeException, QueueHome, ThisNode
from telehealth.nodes.services.settling import exception_context

MOST_SHOWN = 200

_LEFT = text(
    """
    SELECT q.name,
           coalesce(sum(greatest(b.last - greatest(b.first - 1, coalesce(c.last, 0)), 0)), 0) AS left_over
      FROM queue q JOIN this_node n ON n.facility_id = q.facility_id
      LEFT JOIN held_block b ON b.queue_id = q.id AND b.business_date = :today AND b.epoch = n.epoch
      LEFT JOIN queue_counter c ON c.queue_id = q.id AND c.business_date = :today
     WHERE q.active GROUP BY q.id, q.name, q.code ORDER BY left_over, q.code
    """
)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as the centre knows it: what it last said, and when."""

    id: UUID
    facility_id: UUID
    name: str
    enrolled_at: datetime | None
    revoked_at: datetime | None
    heard_at: datetime | None
    on_duty: bool
    last_batch: int
    version: str
    address: str
    unsettled: int
    clock_ahead_ms: int | None
    fewest_left: int


@dataclass(frozen=True, slots=True)
class HomeView:
    """Where a facility's queues are run; `heard_at`: when its node was last heard of."""

    at_node: bool
    epoch: int
    since: datetime | None
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExceptionView:
    """Something that did not fit; `about` is what the desk can recognise it by: a booking code, a number."""

    id: UUID
    node_name: str
    batch: int
    kind: str
    row_id: str
    reason: Reason
    entries: int
    about: str | None
    happened_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """Numbers that a queue has left at this node."""

    name: str
    left: int


@dataclass(frozen=True, slots=True)
class HereView:
    """How this node is."""

    name: str
    facility: str
    on_duty: bool
    epoch: int
    centre_url: str
    heard_at: datetime | None
    down_since: datetime | None
    bundle_at: datetime | None
    unsettled: int
    clock_ahead_ms: int | None
    queues: Sequence[QueueLeft]

    @property
    def line_up(self) -> bool:
        """Tell whether the centre answered the last time."""
        return self.down_since is None and self.heard_at is not None


def home_of(session: Session, facility_id: UUID) -> HomeView:
    """Return where a facility's queues are run."""
    home = session.get(QueueHome, facility_id, populate_existing=True)
    if home is None:
        return HomeView(False, 0, None, None)
    return HomeView(home.node_id is not None, home.epoch, home.since, home.heard_at)


def nodes_of(session: Session, facility_id: UUID) -> list[NodeView]:
    """Return the nodes of a facility, those in use first."""
    home = session.get(QueueHome, facility_id, populate_existing=True)
    on_duty = None if home is None else home.node_id
    rows = session.scalars(
        select(EdgeNode)
        .where(EdgeNode.facility_id == facility_id)
        .order_by(EdgeNode.revoked_at.is_not(None), EdgeNode.created_at.desc())
        .limit(MOST_SHOWN)
    )
    return [_node(row, on_duty) for row in rows]


def facility_of_node(session: Session, node_id: UUID) -> UUID:
    """Return whose node it is. Raises NotFound."""
    found = session.scalar(select(EdgeNode.facility_id).where(EdgeNode.id == node_id))
    if found is None:
        raise NotFound
    return found


def open_exceptions(session: Session, facility_id: UUID, cipher: FieldCipher) -> list[ExceptionView]:
    """Return what waits for the desk, the oldest first."""
    rows = session.execute(
        select(NodeException, EdgeNode.name)
        .join(EdgeNode, EdgeNode.id == NodeException.node_id)
        .where(NodeException.facility_id == facility_id, NodeException.settled_at.is_(None))
        .order_by(NodeException.received_at, NodeException.id)
        .limit(MOST_SHOWN)
    )
    return [_exception(row, cipher) for row in rows]


def facility_of_exception(session: Session, exception_id: UUID) -> UUID:
    """Return where something waits, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(select(NodeException.facility_id).where(NodeException.id == exception_id))
    if found is None:
        raise NotFound
    return found


def here(session: Session, now: datetime) -> HereView:
    """Return how this node is. Raises NotFound at the centre."""
    found = session.execute(
        select(ThisNode, Facility.name).outerjoin(Facility, Facility.id == ThisNode.facility_id)
    ).one_or_none()
    if found is None:
        raise NotFound
    node, facility = found
    left = session.execute(_LEFT, {"today": business_date(now)})
    return HereView(
        name=node.name,
        facility=facility or "",
        on_duty=node.on_duty,
        epoch=node.epoch,
        centre_url=node.centre_url,
        heard_at=node.heard_at,
        down_since=node.down_since,
        bundle_at=node.bundle_at,
        unsettled=journal.unsettled(session),
        clock_ahead_ms=node.clock_ahead_ms,
        queues=[QueueLeft(row.name, int(row.left_over)) for row in left],
    )


def _node(row: EdgeNode, on_duty: UUID | None) -> NodeView:
    said = row.report
    return NodeView(
        id=row.id,
        facility_id=row.facility_id,
        name=row.name,
        enrolled_at=row.enrolled_at,
        revoked_at=row.revoked_at,
        heard_at=row.heard_at,
        on_duty=row.id == on_duty,
        last_batch=row.last_batch,
        version=str(said.get("version", "")),
        address=str(said.get("address", "")),
        unsettled=int(said.get("unsettled") or 0),
        clock_ahead_ms=said.get("clock_ahead_ms"),
        fewest_left=int(said.get("fewest_left") or 0),
    )


def _exception(row: Row[NodeException, str], cipher: FieldCipher) -> ExceptionView:
    found, node_name = row
    body: dict[str, Any] = json.loads(
        cipher.open_text(found.body_sealed, exception_context(found.id)) or "{}"
    )
    return ExceptionView(
        id=found.id,
        node_name=node_name,
        batch=found.batch,
        kind=found.kind,
        row_id=found.row_id,
        reason=Reason(found.reason),
        entries=found.entries,
        about=_about(body.get("row", {})),
        happened_at=found.happened_at,
        received_at=found.received_at,
    )


def _about(row: dict[str, Any]) -> str | None:
    found = row.get("code") or row.get("number")
    return None if found is None else str(found)
