"""On a node: cutting its journal into batches that never change, and noting what the centre has taken in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.nodes.slice import SEALED

LARGEST_BATCH = 400
KEPT = timedelta(days=3)
"""How long settled entries stay: the node's own appointments are recognised by them."""

# What is visible together is closed: whoever sees a row sees what it depends on, and that has a smaller
# sequence number. An entry that becomes visible later, with a smaller number, comes with the next batch.
_CUT = text(
    """
    WITH cut AS (
        SELECT seq FROM node_journal WHERE batch IS NULL ORDER BY seq LIMIT :most
    )
    UPDATE node_journal j SET batch = (SELECT coalesce(max(batch), 0) + 1 FROM node_journal) FROM cut
     WHERE j.seq = cut.seq AND NOT EXISTS (
         SELECT FROM node_journal WHERE batch IS NOT NULL AND settled_at IS NULL)
    """
)
_OLDEST = text(
    """
    SELECT batch, seq, kind, op, row, at FROM node_journal
     WHERE batch = (SELECT min(batch) FROM node_journal WHERE batch IS NOT NULL AND settled_at IS NULL)
     ORDER BY seq
    """
)
_LOCK = text("SELECT pg_advisory_xact_lock(7702636)")


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries in the order of the node's changes; `number` counts from 1 without a gap."""

    number: int
    entries: list[dict[str, Any]]


def next_batch(session: Session, cipher: FieldCipher) -> Batch | None:
    """Return the batch that is to be settled next, cut anew if none is under way."""
    session.execute(_LOCK)
    session.execute(_CUT, {"most": LARGEST_BATCH})
    rows = session.execute(_OLDEST).all()
    if not rows:
        return None
    return Batch(rows[0].batch, [_entry(row, cipher) for row in rows])


def settled(session: Session, number: int, now: datetime) -> None:
    """Note that the centre has taken a batch in, and forget what is long settled."""
    session.execute(
        text("UPDATE node_journal SET settled_at = :now WHERE batch <= :number AND settled_at IS NULL"),
        {"now": now, "number": number},
    )
    session.execute(
        text(
            "DELETE FROM node_journal WHERE settled_at < :before"
            " AND batch < (SELECT max(batch) FROM node_journal)"
        ),
        {"before": now - KEPT},
    )


def unsettled(session: Session) -> int:
    """Return how many changes the centre does not have."""
    return int(session.scalar(text("SELECT unsettled_changes()")) or 0)


def _entry(row: Any, cipher: FieldCipher) -> dict[str, Any]:
    sealing = SEALED.get(row.kind)
    body = sealing.open(row.row, cipher) if sealing else row.row
    return {"seq": row.seq, "kind": row.kind, "op": row.op, "row": body, "at": row.at.isoformat()}
