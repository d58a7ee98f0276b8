"""A node takes the centre's slice in: all of it in one transaction, sealed with its own keys."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.nodes.slice import DEVICES, PARTS, SEALED, Part, Row, columns

_MIRRORING = text("SELECT set_config('app.mirroring', :on, true)")
# A number of an earlier duty that the centre does not have is nobody's; the others come anew in this bundle.
_FORGET_DAY = text(
    "UPDATE ticket SET status = 'cancelled'"
    " WHERE status IN ('waiting', 'called', 'serving', 'parked', 'missed')"
)
# How the day goes; its numbers come with the blocks, which begin beyond what the centre has counted.
_OPEN_DAY = text(
    """
    INSERT INTO queue_counter (queue_id, business_date, first, last, web, ceiling, closed, merged_into,
                               paused_at, paused_until, paused_reason)
    SELECT queue_id, business_date, first, last, 0, last, closed, merged_into,
           paused_at, paused_until, paused_reason
      FROM jsonb_populate_recordset(NULL::queue_counter, cast(:rows AS jsonb))
    ON CONFLICT (queue_id, business_date) DO UPDATE
       SET first = excluded.first, last = excluded.last, ceiling = excluded.last, closed = excluded.closed,
           merged_into = excluded.merged_into, paused_at = excluded.paused_at,
           paused_until = excluded.paused_until, paused_reason = excluded.paused_reason
    """
)
# Boards here have shown more than the centre knows of where it took the day back in between.
_BOARDS_GO_ON = text(
    """
    UPDATE board b SET last_seq = greatest(
        b.last_seq, (SELECT max(e.seq) FROM board_event e WHERE e.facility_id = b.facility_id))
    """
)
_TOUCHED = text("SELECT row ->> 'id' FROM node_journal WHERE kind = :table")


class OtherBundle(Exception):
    """The centre sends other tables than this node's version knows."""


def take_in(
    session: Session, parts: Sequence[Mapping[str, Any]], cipher: FieldCipher, *, whole: bool = False
) -> None:
    """Write the slice. Rows that are the node's own stay as they are. Raises OtherBundle.

    `whole`: the node is coming on duty with nothing unsettled, and the day is what the centre says.
    """
    if [each["table"] for each in parts] != [part.table for part in PARTS]:
        raise OtherBundle
    session.execute(_MIRRORING, {"on": "1"})
    tickets = _known_tickets(session)
    if whole:
        session.execute(_FORGET_DAY)
    for part, sent in zip(PARTS, parts, strict=True):
        rows = [_sealed(part, row, cipher) for row in sent["rows"]]
        if part.table == "ticket_event":
            _add_events(session, rows, tickets)
        elif part.table == "queue_counter":
            _open_day(session, rows if whole else [])
        else:
            _write(session, part, rows if whole else _foreign(session, part, rows), whole=whole)
    if whole:
        session.execute(_BOARDS_GO_ON)
    for part, sent in reversed(list(zip(PARTS, parts, strict=True))):
        if part.mirrored is not None:
            _forget_others(session, part, sent["rows"])
    session.execute(_MIRRORING, {"on": ""})


def take_devices(session: Session, parts: Sequence[Mapping[str, Any]]) -> None:
    """Write the devices of the slice alone. Raises OtherBundle."""
    known = [part for part in PARTS if part.table in DEVICES]
    if [each["table"] for each in parts] != [part.table for part in known]:
        raise OtherBundle
    for part, sent in zip(known, parts, strict=True):
        _write(session, part, sent["rows"])


def _sealed(part: Part, row: Row, cipher: FieldCipher) -> Row:
    sealing = SEALED.get(part.table)
    sealed = sealing.seal(row, cipher) if sealing else row
    if part.table == "patient":
        # The kiosk finds by the index; the number itself is of no use here.
        sealed = sealed | {"phone_sealed": None}
    return sealed


def _foreign(session: Session, part: Part, rows: list[Row]) -> list[Row]:
    """Return the rows that the node has not worked on itself."""
    if part.table not in ("appointment", "patient"):
        return rows
    own = set(session.scalars(_TOUCHED, {"table": part.table}))
    return [row for row in rows if row["id"] not in own]


def _write(session: Session, part: Part, rows: list[Row], *, whole: bool = False) -> None:
    if not rows:
        return
    names = [name for name in columns(part.table) if name in rows[0]]
    listed = ", ".join(names)
    changed = [name for name in names if name not in part.key and name not in part.forgotten]
    change = ", ".join(f"{name} = excluded.{name}" for name in changed)
    conflict = "DO NOTHING"
    if changed and part.key and (whole or not part.kept):
        conflict = f"({', '.join(part.key)}) DO UPDATE SET {change}"
    session.execute(
        text(
            f"INSERT INTO {part.table} ({listed}) SELECT {listed}"
            f" FROM jsonb_populate_recordset(NULL::{part.table}, cast(:rows AS jsonb)) ON CONFLICT {conflict}"
        ),
        {"rows": json.dumps(rows)},
    )


def _open_day(session: Session, rows: list[Row]) -> None:
    if rows:
        session.execute(_OPEN_DAY, {"rows": json.dumps(rows)})


def _known_tickets(session: Session) -> set[str]:
    return {str(each) for each in session.scalars(text("SELECT id FROM ticket"))}


def _add_events(session: Session, rows: list[Row], known: set[str]) -> None:
    """Write the history of tickets that are new here; of its own the node writes the history."""
    new = [row for row in rows if row["ticket_id"] not in known]
    _write(session, next(part for part in PARTS if part.table == "ticket_event"), new)


def _forget_others(session: Session, part: Part, rows: Sequence[Row]) -> None:
    match = " AND ".join(f"t.{name} IS NOT DISTINCT FROM s.{name}" for name in part.key)
    session.execute(
        text(
            f"DELETE FROM {part.table} t WHERE {part.mirrored} AND NOT EXISTS ("
            f" SELECT FROM jsonb_populate_recordset(NULL::{part.table}, cast(:rows AS jsonb)) s"
            f" WHERE {match})"
        ),
        {"rows": json.dumps(list(rows))},
    )
