"""The centre takes in what a node has done: each batch once; what does not fit becomes a worklist."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import AppointmentOver, TooEarlyForNoShow
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import DomainError, NotFound
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM, Principal
from telehealth.nodes.codes import Reason
from telehealth.nodes.errors import BatchChanged, BatchOutOfOrder
from telehealth.nodes.models import EdgeNode, NodeBatch, NodeException, QueueHome
from telehealth.nodes.slice import SEALED, Row, columns
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing

Entry = Mapping[str, Any]

_SETTLING = text("SELECT set_config('app.settling', :node, true)")
_LENT = text(
    "SELECT id FROM number_lease WHERE queue_id = :queue AND business_date = :day AND holder_id = :node"
    " AND :number BETWEEN first AND last"
)
_TRY_AGAIN = ("55P03", "57014", "40001", "40P01")
"""A lock not had, a statement cut off, a conflict or a deadlock of transactions."""
_STILL_WORTH_TELLING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose work is taken in. `late`: its epoch is over, somebody else has the queues."""

    node_id: UUID
    facility_id: UUID
    late: bool = False


class Misfit(Exception):
    """Something cannot be taken in as it is."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def settle(
    session: Session,
    node_id: UUID,
    number: int,
    epoch: int,
    entries: Sequence[Entry],
    *,
    clock_ahead_ms: int | None,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> int:
    """Take in a batch and return the number of the last one taken in; one taken in before changes nothing.

    Raises BatchOutOfOrder, BatchChanged. Of a node whose epoch is over the batch is kept for the worklist.
    """
    node = session.scalars(select(EdgeNode).where(EdgeNode.id == node_id).with_for_update()).one()
    digest = _digest(epoch, entries)
    if number <= node.last_batch:
        _refuse_changed(session, node_id, number, digest)
        return node.last_batch
    if number != node.last_batch + 1:
        raise BatchOutOfOrder(extra={"next": node.last_batch + 1})
    sender = Sender(node_id, node.facility_id, late=not _has_the_day(session, node, epoch))
    if sender.late:
        body = {"epoch": epoch, "entries": list(entries)}
        keep(session, sender, number, "batch", str(number), Reason.TAKEN_BACK, body, now=now, cipher=cipher)
    else:
        taken = apply(session, sender, number, entries, now=now, cipher=cipher)
        _tell_those_near(session, sender, taken, now=now, cipher=cipher, outbox=outbox)
    session.add(
        NodeBatch(
            node_id=node_id,
            number=number,
            digest=digest,
            epoch=epoch,
            entries=len(entries),
            late=sender.late,
            clock_ahead_ms=clock_ahead_ms,
            received_at=now,
        )
    )
    session.execute(update(EdgeNode).where(EdgeNode.id == node_id).values(last_batch=number))
    session.flush()
    return number


def apply(
    session: Session,
    sender: Sender,
    number: int,
    entries: Sequence[Entry],
    *,
    now: datetime,
    cipher: FieldCipher,
) -> list[Entry]:
    """Take in entries in their order, each by itself: what does not fit is kept, and the next goes on.

    Returns those that were taken in.
    """
    taken = []
    session.execute(_SETTLING, {"node": str(sender.node_id)})
    for entry in entries:
        reason = misfit(session, sender, entry, cipher)
        if reason is None:
            taken.append(entry)
            continue
        keep(session, sender, number, entry["kind"], _row_id(entry), reason, entry, now=now, cipher=cipher)
    session.execute(_SETTLING, {"node": ""})
    return taken


def misfit(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> Reason | None:
    """Take one entry in, or tell why it does not fit."""
    take = _TAKE.get(entry["kind"])
    if take is None:
        return Reason.DOES_NOT_FIT
    try:
        with session.begin_nested():
            take(session, sender, entry, cipher)
    except Misfit as found:
        return found.reason
    except (IntegrityError, DomainError, KeyError, TypeError, ValueError):
        return Reason.DOES_NOT_FIT  # also a row that is none: the next entries are not held up by it
    except OperationalError:
        raise  # the database is busy or away: the node tries again
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _TRY_AGAIN:
            raise
        return Reason.DOES_NOT_FIT
    return None


def keep(
    session: Session,
    sender: Sender,
    number: int,
    kind: str,
    row_id: str,
    reason: Reason,
    body: Mapping[str, Any],
    *,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Put something on the worklist, sealed; a row stands there once for a reason, as it was last."""
    entries = body.get("entries")
    happened = datetime.fromisoformat(entries[0]["at"] if entries else body.get("at", now.isoformat()))
    exception_id: UUID = (
        session.scalar(
            select(NodeException.id).where(
                NodeException.node_id == sender.node_id,
                NodeException.kind == kind,
                NodeException.row_id == row_id,
                NodeException.reason == reason,
                NodeException.settled_at.is_(None),
            )
        )
        or new_id()
    )
    sealed = cipher.seal_text(json.dumps(body), exception_context(exception_id)) or b""
    known = session.get(NodeException, exception_id)
    if known is not None:
        known.body_sealed, known.batch = sealed, number
    else:
        session.add(
            NodeException(
                id=exception_id,
                node_id=sender.node_id,
                facility_id=sender.facility_id,
                batch=number,
                kind=kind,
                row_id=row_id,
                reason=reason.value,
                entries=len(entries) if entries else 1,
                body_sealed=sealed,
                happened_at=happened,
                received_at=now,
            )
        )
    session.flush()
    return exception_id


def exception_context(exception_id: UUID) -> str:
    """Return what a kept body is sealed for."""
    return f"node_exception.body:{exception_id}"


def _has_the_day(session: Session, node: EdgeNode, epoch: int) -> bool:
    home = session.scalars(
        select(QueueHome).where(QueueHome.facility_id == node.facility_id).with_for_update(read=True)
    ).one_or_none()
    return home is not None and home.node_id == node.id and home.epoch == epoch


def _refuse_changed(session: Session, node_id: UUID, number: int, digest: bytes) -> None:
    taken = session.scalar(
        select(NodeBatch.digest).where(NodeBatch.node_id == node_id, NodeBatch.number == number)
    )
    if taken != digest:
        raise BatchChanged


def _digest(epoch: int, entries: Sequence[Entry]) -> bytes:
    canonical = json.dumps([epoch, list(entries)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


def _row_id(entry: Entry) -> str:
    row = entry["row"]
    return str(row.get("id") or row.get("ticket_id") or row.get("queue_id") or row.get("seq") or "")


def _tell_those_near(
    session: Session,
    sender: Sender,
    entries: Sequence[Entry],
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> None:
    """Write to the phones of those who are near after these calls: the node has no way to them."""
    called = {
        UUID(entry["row"]["queue_id"])
        for entry in entries
        if entry["kind"] == "ticket"
        and entry["row"]["status"] == "called"
        and (now - datetime.fromisoformat(entry["at"])).total_seconds() < _STILL_WORTH_TELLING_SECONDS
    }
    for queue_id in sorted(called):
        queue = queues.queue_by_id(session, queue_id)
        if queue is not None and queue.facility_id == sender.facility_id:
            state = queues.line(session, queue, business_date(now), now)
            queueing.tell_those_near(session, state, now=now, cipher=cipher, outbox=outbox)


# One kind of row each.


def _own(sender: Sender, row: Row) -> Row:
    if row.get("facility_id") != str(sender.facility_id):
        raise Misfit(Reason.NOT_THIS_FACILITY)
    return row


def _insert(session: Session, table: str, row: Row, conflict: str) -> int:
    names = [name for name in columns(table) if name in row]
    listed = ", ".join(names)
    done = session.execute(
        text(
            f"INSERT INTO {table} AS t ({listed}) SELECT {listed}"
            f" FROM jsonb_populate_record(NULL::{table}, cast(:row AS jsonb)) {conflict}"
        ),
        {"row": json.dumps(row)},
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def _put(
    session: Session,
    sender: Sender,
    table: str,
    row: Row,
    key: str = "id",
    spared: frozenset[str] = frozenset(),
) -> None:
    """Write a row of the facility as the node has it; an older version does not overwrite."""
    _own(sender, row)
    names = [name for name in columns(table) if name in row and name not in {key, "facility_id"} | spared]
    change = ", ".join(f"{name} = excluded.{name}" for name in names)
    newer = " AND t.version <= excluded.version" if "version" in row else ""
    conflict = f"ON CONFLICT ({key}) DO UPDATE SET {change} WHERE t.facility_id = excluded.facility_id{newer}"
    if not _insert(session, table, row, conflict):
        raise Misfit(Reason.NEWER_HERE if "version" in row else Reason.NOT_THIS_FACILITY)


def _of(table: str) -> Callable[[Session, Sender, Entry, FieldCipher], None]:
    def take(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
        sealing = SEALED.get(table)
        row = sealing.seal(entry["row"], cipher) if sealing else entry["row"]
        _put(session, sender, table, row)

    return take


_TOLD_BY_THE_CENTRE = frozenset({"near_notified_at", "leave_notified_at"})


def _ticket(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    row = _own(sender, entry["row"])
    asked = {
        "queue": UUID(row["queue_id"]),
        "day": row["business_date"],
        "node": sender.node_id,
        "number": row["number"],
    }
    lease = session.scalar(_LENT, asked)
    known = session.scalar(text("SELECT true FROM ticket WHERE id = :id"), {"id": UUID(row["id"])})
    if lease is None and not known:
        raise Misfit(Reason.NUMBER_NOT_LENT)
    _put(
        session,
        sender,
        "ticket",
        row | {"lease_id": None if lease is None else str(lease)},
        spared=_TOLD_BY_THE_CENTRE | {"lease_id", "number", "queue_id", "business_date"},
    )
    if lease is not None:
        session.execute(
            text("UPDATE number_lease SET used_to = :number WHERE id = :lease AND used_to < :number"),
            {"number": row["number"], "lease": lease},
        )


def _event(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    row = {name: value for name, value in entry["row"].items() if name != "id"}
    held = session.scalar(
        text("SELECT facility_id FROM ticket WHERE id = :id"), {"id": UUID(row["ticket_id"])}
    )
    if held != sender.facility_id:
        raise Misfit(Reason.NOT_THIS_FACILITY)
    _insert(session, "ticket_event", row, "")


def _trail(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    row = {name: value for name, value in entry["row"].items() if name != "id"}
    if row.get("facility_id") not in (None, str(sender.facility_id)):
        raise Misfit(Reason.NOT_THIS_FACILITY)
    row["details"] = {**row["details"], "node": str(sender.node_id)}
    _insert(session, "audit_event", row, "")


def _person(table: str, key: str) -> Callable[[Session, Sender, Entry, FieldCipher], None]:
    """Somebody whom the node registered. Whom the centre knows it knows better."""

    def take(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
        if entry["op"] == "insert":
            sealing = SEALED.get(table)
            row = sealing.seal(entry["row"], cipher) if sealing else _own(sender, entry["row"])
            _insert(session, table, row, f"ON CONFLICT ({key}) DO NOTHING")

    return take


_MARKS = {
    AppointmentStatus.ARRIVED: booking.mark_arrived,
    AppointmentStatus.NOSHOW: booking.mark_no_show,
    AppointmentStatus.FULFILLED: booking.mark_fulfilled,
}


def _appointment(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    """Let the ledger do what the node saw, with all that follows there; it may have moved on meanwhile."""
    row = _own(sender, entry["row"])
    mark = _MARKS.get(AppointmentStatus(row["status"]))
    if mark is None:
        return
    ours = session.scalars(
        select(Appointment)
        .where(Appointment.id == UUID(row["id"]), Appointment.facility_id == sender.facility_id)
        .with_for_update()
    ).one_or_none()
    if ours is None:
        raise Misfit(Reason.APPOINTMENT_UNKNOWN)
    if ours.start_at != datetime.fromisoformat(row["start_at"]):
        raise Misfit(Reason.APPOINTMENT_MOVED)
    try:
        mark(session, _by(sender), ours.id, now=datetime.fromisoformat(row["updated_at"]))
    except (AppointmentOver, TooEarlyForNoShow) as error:
        raise Misfit(Reason.APPOINTMENT_OVER) from error
    except NotFound as error:
        raise Misfit(Reason.APPOINTMENT_UNKNOWN) from error


def _by(sender: Sender) -> Principal:
    return Principal(kind=SYSTEM.kind, id=sender.node_id, grants=SYSTEM.grants, display_name="node")


_DAY = ("closed", "merged_into", "paused_at", "paused_until", "paused_reason")


def _counter(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    """How the day of a queue goes. Its numbers are counted here, by what was lent."""
    row = entry["row"]
    change = ", ".join(f"{name} = s.{name}" for name in _DAY)
    session.execute(
        text(
            f"UPDATE queue_counter c SET {change}"
            " FROM jsonb_populate_record(NULL::queue_counter, cast(:row AS jsonb)) s, queue q"
            " WHERE c.queue_id = s.queue_id AND c.business_date = s.business_date AND q.id = c.queue_id"
            "   AND q.facility_id = :facility"
        ),
        {"row": json.dumps(row), "facility": sender.facility_id},
    )


def _point(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    """Which desks and rooms call from a queue on one day."""
    row = entry["row"]
    mine = session.scalar(text("SELECT facility_id FROM queue WHERE id = :id"), {"id": UUID(row["queue_id"])})
    if mine != sender.facility_id or row["business_date"] is None:
        raise Misfit(Reason.NOT_THIS_FACILITY)
    if entry["op"] == "delete":
        session.execute(
            text(
                "DELETE FROM queue_point WHERE queue_id = :queue_id AND service_point_id = :service_point_id"
                " AND business_date = :business_date"
            ),
            {
                "queue_id": UUID(row["queue_id"]),
                "service_point_id": UUID(row["service_point_id"]),
                "business_date": row["business_date"],
            },
        )
        return
    key = "queue_id, service_point_id, business_date"
    _insert(session, "queue_point", row, f"ON CONFLICT ({key}) DO UPDATE SET open = excluded.open")


def _shown(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    row = _own(sender, entry["row"])
    _insert(session, "board_event", row, "ON CONFLICT (facility_id, seq) DO NOTHING")
    session.execute(
        text(
            "INSERT INTO board AS b (facility_id, last_seq) VALUES (:facility, :seq)"
            " ON CONFLICT (facility_id) DO UPDATE SET last_seq = greatest(b.last_seq, excluded.last_seq)"
        ),
        {"facility": sender.facility_id, "seq": row["seq"]},
    )


def _said(session: Session, sender: Sender, entry: Entry, cipher: FieldCipher) -> None:
    """What somebody said at a kiosk; it is never changed, only dealt with."""
    row = SEALED["feedback"].seal(_own(sender, entry["row"]), cipher)
    handled = "handled_at = excluded.handled_at, handled_by = excluded.handled_by"
    _insert(session, "feedback", row, f"ON CONFLICT (id) DO UPDATE SET {handled}")


_TAKE: Mapping[str, Callable[[Session, Sender, Entry, FieldCipher], None]] = {
    "patient": _person("patient", "id"),
    "patient_identifier": _person("patient_identifier", "id"),
    "patient_facility": _person("patient_facility", "patient_id, facility_id"),
    "appointment": _appointment,
    "encounter": _of("encounter"),
    "visit": _of("visit"),
    "visit_order": _of("visit_order"),
    "visit_event": _of("visit_event"),
    "staff_call": _of("staff_call"),
    "feedback": _said,
    "ticket": _ticket,
    "ticket_event": _event,
    "audit_event": _trail,
    "queue_counter": _counter,
    "queue_point": _point,
    "board_event": _shown,
}
