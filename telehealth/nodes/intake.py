"""A node takes the centre's slice in: all of it in one transaction, sealed with its own keys."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.nodes.slice import PARTS, SEALED, Part, Row, columns

_MIRRORING = text("SELECT set_config('app.mirroring', :on, true)")
_TOUCHED = text("SELECT row ->> 'id' FROM node_journal WHERE kind = :table")


class OtherBundle(Exception):
    """The centre sends other tables than this node's version knows."""


def take_in(session: Session, parts: Sequence[Mapping[str, Any]], cipher: FieldCipher) -> None:
    """Write the slice. Rows that are the node's own stay as they are. Raises OtherBundle."""
    if [each["table"] for each in parts] != [part.table for part in PARTS]:
        raise OtherBundle
    session.execute(_MIRRORING, {"on": "1"})
    tickets = _known_tickets(session)
    for part, sent in zip(PARTS, parts, strict=True):
        rows = [_sealed(part, row, cipher) for row in sent["rows"]]
        if part.table == "ticket_event":
            _add_events(session, rows, tickets)
        else:
            _write(session, part, _foreign(session, part, rows))
    for part, sent in reversed(list(zip(PARTS, parts, strict=True))):
        if part.mirrored is not None:
            _forget_others(session, part, sent["rows"])
    session.execute(_MIRRORING, {"on": ""})


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


def _write(session: Session, part: Part, rows: list[Row]) -> None:
    if not rows:
        return
    names = [name for name in columns(part.table) if name in rows[0]]
    listed = ", ".join(names)
    changed = [name for name in names if name not in part.key and name not in part.forgotten]
    change = ", ".join(f"{name} = excluded.{name}" for name in changed)
    conflict = "DO NOTHING"
    if not part.kept and changed:
        conflict = f"({', '.join(part.key)}) DO UPDATE SET {change}"
    session.execute(
        text(
            f"INSERT INTO {part.table} ({listed}) SELECT {listed}"
            f" FROM jsonb_populate_recordset(NULL::{part.table}, cast(:rows AS jsonb)) ON CONFLICT {conflict}"
        ),
        {"rows": json.dumps(rows)},
    )


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
            f" SELECT FROM jsonb_populate_recordset(NULL::{part.table}, cast(:rows AS jsonb)) s WHERE {match})"
        ),
        {"rows": json.dumps(list(rows))},
    )
