"""Statements straight through the driver, for the few paths where every tenth of a millisecond counts.

The session's transaction, without the machinery that describes results. Errors are SQLAlchemy's, as
everywhere else.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Row = tuple[Any, ...]


def fetch_one(session: Session, sql: str, parameters: Mapping[str, Any]) -> Row | None:
    """Run one statement and return its first row, if any: one round trip."""
    connection = session.connection().connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        msg = "not a psycopg connection"
        raise TypeError(msg)
    try:
        found: Row | None = connection.execute(sql, parameters).fetchone()
    except psycopg.Error as error:
        raise DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True) from error
    return found
