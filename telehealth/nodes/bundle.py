"""What a node gets: the facility's slice of today and tomorrow, under a tag that changes with it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.nodes.slice import DEVICES, PARTS, SEALED, Part, Row


@dataclass(frozen=True, slots=True)
class Bundle:
    """The rows of each part, in the order in which they are written."""

    tag: str
    parts: list[dict[str, Any]]


def bundle(session: Session, facility_id: UUID, *, now: datetime, cipher: FieldCipher) -> Bundle:
    """Read the slice, in one statement a part."""
    parts = [{"table": part.table, "rows": _rows(session, part, facility_id, now, cipher)} for part in PARTS]
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return Bundle(hashlib.sha256(canonical).hexdigest()[:32], parts)


def devices(
    session: Session, facility_id: UUID, *, now: datetime, cipher: FieldCipher
) -> list[dict[str, Any]]:
    """Read the devices of the slice: what a node needs at once of one that was enrolled through it."""
    return [
        {"table": part.table, "rows": _rows(session, part, facility_id, now, cipher)}
        for part in PARTS
        if part.table in DEVICES
    ]


def _rows(session: Session, part: Part, facility_id: UUID, now: datetime, cipher: FieldCipher) -> list[Row]:
    order = ", ".join(f"t.{name}" for name in part.key) or "t.id"
    today = business_date(now)
    found = session.execute(
        text(f"SELECT to_jsonb(t) FROM {part.table} t WHERE {part.rows} ORDER BY {order}"),
        {"facility": facility_id, "today": today, "tomorrow": today + timedelta(days=1)},
    ).scalars()
    sealing = SEALED.get(part.table)
    rows = []
    for row in found:
        kept = {name: None if name in part.left_out else value for name, value in row.items()}
        rows.append(sealing.open(kept, cipher) if sealing else kept)
    return rows
