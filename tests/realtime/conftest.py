"""Realtime's own cast and servers."""

import importlib
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

from telehealth.core.join_ticket import ParticipantRole

from .harness import ORIGIN, SECRET_KEY, Rooms, Server, Somebody, running

DEV = os.environ.get("REALTIME_TEST_DSN", "postgresql://dev@127.0.0.1:55432/postgres")


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    name = f"realtime_{os.getpid()}"
    with psycopg.connect(DEV, autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")
        if not c.execute("SELECT 1 FROM pg_roles WHERE rolname='telehealth_app'").fetchone():
            c.execute("CREATE ROLE telehealth_app LOGIN")
    url = DEV.rsplit("/", 1)[0] + "/" + name
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as c:
        c.exec_driver_sql(
            "CREATE FUNCTION app_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'"
        )
        c.exec_driver_sql("CREATE TABLE facility (id uuid primary key, code text unique)")
        c.exec_driver_sql(
            "CREATE TABLE board_event (facility_id uuid, seq bigint, kind text, body jsonb, created_at timestamptz, primary key (facility_id, seq))"
        )
        c.exec_driver_sql(
            "CREATE TABLE ticket (id uuid primary key, queue_id uuid, status text, public_token_hash bytea)"
        )
        c.exec_driver_sql("GRANT SELECT ON facility, board_event, ticket TO telehealth_app")
        with Operations.context(MigrationContext.configure(c)):
            import sys

            sys.path.insert(0, "migrations/versions")
            importlib.import_module("0008_rooms").upgrade()
    engine.dispose()
    yield url
    with psycopg.connect(DEV, autocommit=True) as c:
        c.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def environ(dsn: str) -> dict[str, str]:
    app = dsn.replace("//dev@", "//telehealth_app@")
    return {
        "DATABASE_URL": app,
        "DATABASE_DIRECT_URL": app,
        "SECRET_KEY": SECRET_KEY,
        "FIELD_KEYS": "1:" + "A" * 43 + "=",
        "INDEX_KEY": "A" * 43 + "=",
        "PUBLIC_BASE_URL": ORIGIN,
        "DEMO": "0",
    }


@pytest.fixture(scope="session")
def servers(environ: dict[str, str]) -> Iterator[tuple[Server, Server]]:
    """Two processes, so that peers who meet have met over the bus; one by each server we support."""
    one, two = Server("gunicorn", environ), Server("uvicorn", environ)
    with running(one, two):
        yield one, two


@pytest.fixture
def one(servers: tuple[Server, Server]) -> Server:
    return servers[0]


@pytest.fixture
def two(servers: tuple[Server, Server]) -> Server:
    return servers[1]


@pytest.fixture
def database(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def rooms(database: psycopg.Connection[Any]) -> Rooms:
    return Rooms(database)


@pytest.fixture
def doctor() -> Somebody:
    return Somebody(ParticipantRole.PRACTITIONER, "BS. CKI Lê Minh Tâm")


@pytest.fixture
def patient() -> Somebody:
    return Somebody(ParticipantRole.PATIENT, "Nguyễn Thị Hoa")
