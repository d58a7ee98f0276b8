"""Bring a table to the state that a list of rows describes, and say what that changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, inspect, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.core.orm import Base

Row = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is there with other values; `columns` names those that differ."""

    row: Row
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What stands between a table and the rows that are wanted in it.

    `overruled` are wanted rows that somebody else has in hand: they are left as they are stored.
    """

    table: type[Base]
    added: tuple[Row, ...]
    changed: tuple[Change, ...]
    removed: tuple[Row, ...]
    unchanged: int
    overruled: tuple[Row, ...] = ()

    @property
    def empty(self) -> bool:
        """Tell whether the table is as wanted already."""
        return not (self.added or self.changed or self.removed)


def difference(
    session: Session,
    table: type[Base],
    wanted: Sequence[Row],
    *,
    removable: ColumnElement[bool] | None = None,
    theirs: ColumnElement[bool] | None = None,
) -> Difference:
    """Compare what is stored with what is wanted; every wanted row has the same columns.

    Stored rows that are not wanted count as removed where `removable` holds. In a table with a
    column `active` a removed row stays and turns inactive, because others refer to it. Stored rows where
    `theirs` holds belong to somebody else: they are neither changed nor removed, and count as overruled
    where they stand against a wanted one.
    """
    stored = _stored(session, table)
    foreign = {} if theirs is None else _stored(session, table, theirs)
    added, changed, unchanged, overruled = [], [], 0, []
    for row in wanted:
        old = stored.get(_key(table, row))
        if _key(table, row) in foreign:
            overruled.append(row)
        elif old is None or old.get("active") is False:
            added.append(row)
        elif columns := tuple(name for name, value in row.items() if old[name] != value):
            changed.append(Change(row, columns))
        else:
            unchanged += 1
    kept = {_key(table, row) for row in wanted}
    leaving = stored if removable is None else _stored(session, table, removable)
    removed = [
        row
        for key, row in leaving.items()
        if key not in kept and key not in foreign and row.get("active") is not False
    ]
    return Difference(table, tuple(added), tuple(changed), tuple(removed), unchanged, tuple(overruled))


def apply(session: Session, found: Difference) -> None:
    """Write a difference: removals first, so that a unique value may move to another row."""
    if found.removed:
        _remove(session, found)
    rows = [*found.added, *(change.row for change in found.changed)]
    if not rows:
        return
    statement = insert(found.table)
    primary = _primary(found.table)
    values = {name: statement.excluded[name] for name in rows[0] if name not in primary}
    if _has_active(found.table):
        rows = [{**row, "active": True} for row in rows]
        values["active"] = statement.excluded["active"]
    if values:
        session.execute(statement.on_conflict_do_update(index_elements=primary, set_=values), rows)
    else:
        session.execute(statement.on_conflict_do_nothing(), rows)


def _remove(session: Session, found: Difference) -> None:
    table = found.table
    columns = [getattr(table, name) for name in _primary(table)]
    gone = tuple_(*columns).in_([_key(table, row) for row in found.removed])
    if _has_active(table):
        session.execute(update(table).where(gone).values(active=False))
    else:
        session.execute(delete(table).where(gone))


def _stored(session: Session, table: type[Base], where: ColumnElement[bool] | None = None) -> dict[Key, Row]:
    query = select(*inspect(table).columns)
    if where is not None:
        query = query.where(where)
    rows: list[Row] = [dict(row) for row in session.execute(query).mappings()]
    return {_key(table, row): row for row in rows}


def _primary(table: type[Base]) -> list[str]:
    return [column.name for column in inspect(table).primary_key]


def _key(table: type[Base], row: Row) -> Key:
    return tuple(row[name] for name in _primary(table))


def _has_active(table: type[Base]) -> bool:
    return "active" in inspect(table).columns
