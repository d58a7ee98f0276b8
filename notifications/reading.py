"""Rows of one statement, as the figures read them."""

from typing import Any

from sqlalchemy.orm import Session


def rows(session: Session, sql: str, **values: Any) -> list[dict[str, Any]]:
    """`sql` is in psycopg's form: %(name)s."""
    return [dict(row) for row in session.connection().exec_driver_sql(sql, values).mappings()]
