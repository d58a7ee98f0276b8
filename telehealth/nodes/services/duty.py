"""Putting a node into use, giving it a facility's day and taking it back. All of it at the centre."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_code, new_id, new_secret
from telehealth.core.principal import SYSTEM, Principal
from telehealth.nodes.errors import NodeNotReady, UnknownNode, WrongNodeCode
from telehealth.nodes.models import EdgeNode, QueueHome
from telehealth.queueing.codes import LeaseholderKind
from telehealth.queueing.models import Queue
from telehealth.queueing.services.leases import Leaseholder, LeaseView, lease_block, return_rest

CODE_LENGTH = 10
CODE_LIFETIME = timedelta(minutes=30)
LATELY = timedelta(minutes=2)
_CODE_INDEX = "edge_node.code"
_ENTER = text("SELECT id, facility_id, name FROM enter_node(:hash, :now)")
_AS_SYSTEM = text("SELECT set_config('app.kind', 'system', true)")


@dataclass(frozen=True, slots=True)
class EnrolledNode:
    """A machine that is a node now. `token` is shown this once."""

    id: UUID
    facility_id: UUID
    facility_code: str
    name: str
    token: str


@dataclass(frozen=True, slots=True)
class NodeAtDoor:
    """Whose token was shown."""

    id: UUID
    facility_id: UUID
    name: str

    @property
    def principal(self) -> Principal:
        """Return the node as an actor in the trail."""
        return Principal(kind=SYSTEM.kind, id=self.id, grants=SYSTEM.grants, display_name=self.name)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a node stands with the centre."""

    on_duty: bool
    epoch: int
    last_batch: int


def announce_node(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    name: str,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> str:
    """Return a code that makes one machine the facility's node, within half an hour, once."""
    node_id, code = new_id(), new_code(CODE_LENGTH)
    session.add(
        EdgeNode(
            id=node_id,
            facility_id=facility_id,
            name=name,
            code_index=cipher.index_text(code, _CODE_INDEX),
            code_expires_at=now + CODE_LIFETIME,
            created_by=principal.id,
            created_at=now,
        )
    )
    session.flush()
    _note(session, principal, "node.announce", node_id, facility_id, {}, now)
    return code


def enrol(
    session: Session, code: str, facility_code: str, *, now: datetime, cipher: FieldCipher
) -> EnrolledNode:
    """Make the machine that shows a code a node. Raises WrongNodeCode, also for another facility's code."""
    session.execute(_AS_SYSTEM)
    token = new_secret()
    found = session.execute(
        text(
            "UPDATE edge_node n SET token_hash = :token, enrolled_at = :now, code_index = NULL"
            " FROM facility f WHERE f.id = n.facility_id AND f.code = :facility AND n.code_index = :code"
            " AND n.code_expires_at > :now AND n.revoked_at IS NULL AND n.token_hash IS NULL"
            " RETURNING n.id, n.facility_id, n.name"
        ),
        {
            "token": token_hash(token),
            "now": now,
            "facility": facility_code,
            "code": cipher.index_text(code.strip().upper(), _CODE_INDEX),
        },
    ).one_or_none()
    if found is None:
        raise WrongNodeCode
    # The row that whoever takes a step shares: it is there long before the first change of hands.
    session.execute(
        upsert(QueueHome)
        .values(facility_id=found.facility_id, node_id=None, epoch=1, since=now)
        .on_conflict_do_nothing(index_elements=[QueueHome.facility_id])
    )
    node = NodeAtDoor(found.id, found.facility_id, found.name)
    _note(session, node.principal, "node.enrol", found.id, found.facility_id, {}, now)
    return EnrolledNode(found.id, found.facility_id, facility_code, found.name, token)


def enter(session: Session, token: str | None, now: datetime) -> NodeAtDoor:
    """Return whose token this is; from here on the transaction reads as the system. Raises UnknownNode."""
    found = session.execute(_ENTER, {"hash": token_hash(token or ""), "now": now}).one_or_none()
    if found is None:
        raise UnknownNode
    return NodeAtDoor(found.id, found.facility_id, found.name)


def hear(session: Session, node: NodeAtDoor, report: Mapping[str, Any], *, now: datetime) -> Standing:
    """Note that the node is there and what it says of itself; return how it stands."""
    session.execute(update(EdgeNode).where(EdgeNode.id == node.id).values(heard_at=now, report=dict(report)))
    session.execute(
        update(QueueHome)
        .where(QueueHome.facility_id == node.facility_id, QueueHome.node_id == node.id)
        .values(heard_at=now)
    )
    return standing(session, node)


def standing(session: Session, node: NodeAtDoor) -> Standing:
    """Return whether the node has the facility's day, since which change of hands, and its last batch."""
    home = session.get(QueueHome, node.facility_id, populate_existing=True)
    mine = home is not None and home.node_id == node.id
    last = session.scalar(select(EdgeNode.last_batch).where(EdgeNode.id == node.id)) or 0
    return Standing(mine, home.epoch if home is not None and mine else 0, last)


def give_duty(session: Session, principal: Principal, node_id: UUID, *, now: datetime) -> int:
    """Let a node run its facility's queues from now on; the centre takes no more steps there.

    Returns the epoch. Raises NotFound, NodeNotReady for one not heard of lately.
    """
    node = _node(session, node_id)
    if node.revoked_at is not None or node.heard_at is None or node.heard_at < now - LATELY:
        raise NodeNotReady
    epoch = _hand_over(session, node.facility_id, node_id, now)
    _note(session, principal, "node.duty", node_id, node.facility_id, {"epoch": epoch}, now)
    return epoch


def take_back(session: Session, principal: Principal, facility_id: UUID, *, now: datetime) -> int:
    """Let the centre run the queues again. What the node did and did not settle goes to the worklist.

    Numbers that were lent to it are never given again. Returns the epoch. Raises NotFound where no node is on
    duty.
    """
    home = session.get(QueueHome, facility_id, populate_existing=True)
    if home is None or home.node_id is None:
        raise NotFound
    node_id = home.node_id
    epoch = _hand_over(session, facility_id, None, now)
    _note(session, principal, "node.take-back", node_id, facility_id, {"epoch": epoch}, now)
    return epoch


def revoke(session: Session, principal: Principal, node_id: UUID, *, now: datetime) -> None:
    """Refuse a node from now on, and take its facility back. Raises NotFound."""
    node = _node(session, node_id)
    session.execute(
        update(EdgeNode)
        .where(EdgeNode.id == node_id)
        .values(revoked_at=func.coalesce(EdgeNode.revoked_at, now), code_index=None)
    )
    home = session.get(QueueHome, node.facility_id, populate_existing=True)
    if home is not None and home.node_id == node_id:
        _hand_over(session, node.facility_id, None, now)
    _note(session, principal, "node.revoke", node_id, node.facility_id, {}, now)


def lend(
    session: Session,
    node: NodeAtDoor,
    queue_id: UUID,
    day: date,
    size: int,
    request_id: str,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> LeaseView:
    """Lend the node on duty numbers. Raises NodeNotReady, NotFound, and what lease_block raises."""
    stands = standing(session, node)
    if not stands.on_duty:
        raise NodeNotReady
    if session.scalar(select(Queue.facility_id).where(Queue.id == queue_id)) != node.facility_id:
        raise NotFound
    holder = Leaseholder(LeaseholderKind.NODE, node.id, stands.epoch)
    return lease_block(
        session,
        node.principal,
        queue_id,
        holder,
        size,
        request_id=f"{stands.epoch}:{request_id}",
        now=now,
        cipher=cipher,
        day=day,
    )


def take_rest(
    session: Session, node: NodeAtDoor, lease_id: UUID, used_to: int, spoilt: list[int], *, now: datetime
) -> None:
    """End a lease of the node: what of it was never given. Raises NotFound, and what return_rest raises."""
    mine = session.scalar(
        text("SELECT true FROM number_lease WHERE id = :lease AND holder_id = :node"),
        {"lease": lease_id, "node": node.id},
    )
    if not mine:
        raise NotFound
    return_rest(session, node.principal, lease_id, used_to=used_to, spoilt=spoilt, now=now)


def first_number(session: Session, queue_id: UUID, day: date) -> int:
    """Return the first number of a queue's day."""
    found = session.scalar(
        text("SELECT first FROM queue_counter WHERE queue_id = :queue AND business_date = :day"),
        {"queue": queue_id, "day": day},
    )
    return int(found or 1)


def _hand_over(session: Session, facility_id: UUID, node_id: UUID | None, now: datetime) -> int:
    """Change hands. Who takes a step now shares the row: they finish before, or are refused after."""
    epoch: int = session.execute(
        upsert(QueueHome)
        .values(facility_id=facility_id, node_id=node_id, epoch=1, since=now, heard_at=now)
        .on_conflict_do_update(
            index_elements=[QueueHome.facility_id],
            set_={
                "node_id": node_id,
                "epoch": QueueHome.epoch + 1,
                "since": now,
                "heard_at": now,
            },
        )
        .returning(QueueHome.epoch)
    ).scalar_one()
    return epoch


def _node(session: Session, node_id: UUID) -> EdgeNode:
    node = session.get(EdgeNode, node_id, populate_existing=True)
    if node is None:
        raise NotFound
    return node


def _note(
    session: Session,
    principal: Principal,
    action: str,
    node_id: UUID,
    facility_id: UUID,
    details: Mapping[str, Any],
    now: datetime,
) -> None:
    record(session, principal, Entry(action, "Device", node_id, None, facility_id, details), now=now)
