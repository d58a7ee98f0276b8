"""How long people waited and who left, from the rows of tickets alone.

What each figure means is written in docs/queueing.md; this is its only source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

MOST_DAYS = 92


class By(StrEnum):
    """What the figures are told apart by."""

    HOUR = "hour"
    DAY = "day"
    QUEUE = "queue"
    ROOM = "room"


_COLUMNS = {By.HOUR: "hour", By.DAY: "business_date", By.QUEUE: "queue_name", By.ROOM: "room_name"}

# An hour is that in which a person joined the line. Whoever was sent here from another queue joined when
# this number was given; whoever took it at home, when they came.
_TICKETS = """
    SELECT t.business_date, q.name AS queue_name, q.kind, p.name AS room_name, t.status,
           extract(hour FROM greatest(t.issued_at, t.waiting_since)
                             AT TIME ZONE 'Asia/Ho_Chi_Minh')::int AS hour,
           t.called_at IS NOT NULL AS called,
           extract(epoch FROM t.called_at - greatest(t.issued_at, t.waiting_since)) / 60 AS waited,
           t.business_date < :today AS over
      FROM ticket t
      JOIN queue q ON q.id = t.queue_id
      LEFT JOIN service_point p ON p.id = t.service_point_id
     WHERE t.queue_id IN (SELECT id FROM queue WHERE facility_id = :facility)
       AND t.business_date BETWEEN :first AND :last
"""
_FIGURES = """
    count(*) AS issued,
    count(*) FILTER (WHERE called) AS called,
    count(*) FILTER (WHERE called AND status IN ('serving', 'done')) AS served,
    count(*) FILTER (WHERE status = 'missed') AS missed,
    count(*) FILTER (WHERE status = 'cancelled'
                        OR (over AND status IN ('waiting', 'called', 'parked'))) AS abandoned,
    count(*) FILTER (WHERE NOT called AND status = 'done') AS moved,
    count(*) FILTER (WHERE NOT over AND status IN ('waiting', 'called', 'parked')) AS open,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) AS median,
    percentile_cont(0.85) WITHIN GROUP (ORDER BY waited) AS p85
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """People of one hour, day, queue or room; `key` None where no room called them. Waits in minutes."""

    key: str | None
    issued: int
    called: int
    served: int
    missed: int
    abandoned: int
    moved: int
    open: int
    median: int | None
    p85: int | None

    @property
    def no_show_percent(self) -> int | None:
        """Return how many of a hundred called people did not come."""
        return round(100 * self.missed / self.called) if self.called else None

    @property
    def abandoned_percent(self) -> int | None:
        """Return how many of a hundred people with a number left before they were called in."""
        return round(100 * self.abandoned / self.issued) if self.issued else None


def figures(
    session: Session, facility_id: UUID, first: date, last: date, by: By, *, today: date
) -> list[Figures]:
    """Return a facility's figures of some days, both included, for its staff."""
    column = _COLUMNS[by]
    rows = session.execute(
        text(
            f"SELECT {column} AS key, {_FIGURES} FROM ({_TICKETS}) t"
            f" GROUP BY {column} ORDER BY {column} NULLS LAST"
        ),
        _asked(facility_id, first, last, today),
    )
    return [_figures(row, _key(by, row.key)) for row in rows]


def total(session: Session, facility_id: UUID, first: date, last: date, *, today: date) -> Figures:
    """Return the same of all together."""
    row = session.execute(
        text(f"SELECT {_FIGURES} FROM ({_TICKETS}) t"), _asked(facility_id, first, last, today)
    ).one()
    return _figures(row, None)


def finest(
    session: Session, facility_id: UUID, first: date, last: date, *, today: date
) -> Iterator[tuple[date, int, str, Figures]]:
    """Yield figures of each day, hour, queue and room: `(day, hour, queue, figures)`, the room as key."""
    keys = "business_date, hour, queue_name, room_name"
    rows = session.execute(
        text(f"SELECT {keys}, {_FIGURES} FROM ({_TICKETS}) t GROUP BY {keys} ORDER BY {keys}"),
        _asked(facility_id, first, last, today),
    )
    for row in rows:
        yield row.business_date, row.hour, row.queue_name, _figures(row, row.room_name)


def _asked(facility_id: UUID, first: date, last: date, today: date) -> Mapping[str, Any]:
    return {"facility": facility_id, "first": first, "last": last, "today": today}


def _key(by: By, key: Any) -> str | None:
    if key is None:
        return None
    return f"{key:02d}:00" if by is By.HOUR else str(key)


def _figures(row: Row[Any], key: str | None) -> Figures:
    return Figures(
        key=key,
        issued=row.issued,
        called=row.called,
        served=row.served,
        missed=row.missed,
        abandoned=row.abandoned,
        moved=row.moved,
        open=row.open,
        median=None if row.median is None else round(row.median),
        p85=None if row.p85 is None else round(row.p85),
    )
