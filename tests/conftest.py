"""Fixtures every test may use: a database per worker, the application, a clock that tests move."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Playwright, sync_playwright
from psycopg import sql
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, Table, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from telehealth.app import create_app
from telehealth.core.crypto import FieldCipher
from telehealth.core.uow import system_unit_of_work
from telehealth.migrate import upgrade
from telehealth.settings import Settings, random_base64
from telehealth.tables import METADATAS

MONDAY_8AM = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)  # 08:00 in the province
TEMPLATE_LOCK = 7_702_602
KEPT = {"clock_offset", "alembic_version"}


@dataclass
class MovableClock:
    """A clock that stands still until a test moves it."""

    now: datetime = MONDAY_8AM

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@dataclass(frozen=True)
class Databases:
    """One worker's database, as the owner and as the application."""

    owner_url: str
    app_url: str


def admin_url() -> str:
    """Return the address of the test server's superuser, given by `run.py test`."""
    return os.environ["TEST_DATABASE_ADMIN_URL"].replace("postgresql+psycopg://", "postgresql://")


def _with_database(url: str, name: str, user: str | None = None) -> str:
    info = psycopg.conninfo.conninfo_to_dict(url)
    host, port = str(info.get("host", "")), str(info.get("port", "5432"))
    who = user or str(info["user"])
    password = f":{APP_PASSWORD}" if user else (f":{info['password']}" if info.get("password") else "")
    return f"postgresql+psycopg://{who}{password}@/{name}?host={host}&port={port}"


APP_PASSWORD = "application"


@pytest.fixture(scope="session")
def template_database() -> str:
    """Migrate one template database, once for all workers."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    name = f"template_{run}"
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        exists = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if not exists:
            _make_role(admin)
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            upgrade(_with_database(admin_url(), name))
        admin.execute("SELECT pg_advisory_unlock(%s)", (TEMPLATE_LOCK,))
    return name


def _make_role(admin: psycopg.Connection) -> None:
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'telehealth_app'").fetchone() is None:
        admin.execute("CREATE ROLE telehealth_app")
    admin.execute(
        sql.SQL("ALTER ROLE telehealth_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
            sql.Literal(APP_PASSWORD)
        )
    )


@contextmanager
def cloned(template: str, name: str) -> Iterator[Databases]:
    """Have a database like the template for a while."""
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        admin.execute("SELECT pg_advisory_unlock(%s)", (TEMPLATE_LOCK,))
    try:
        yield Databases(
            owner_url=_with_database(admin_url(), name),
            app_url=_with_database(admin_url(), name, user="telehealth_app"),
        )
    finally:
        with psycopg.connect(admin_url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def databases(template_database: str, worker_id: str) -> Iterator[Databases]:
    """Clone this worker's database from the template."""
    with cloned(template_database, f"{template_database}_{worker_id}") as made:
        yield made


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives browsers; a process can have it once only."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def owner_engine(databases: Databases) -> Iterator[Engine]:
    """An engine that may do anything; only fixtures and controls use it."""
    engine = create_engine(databases.owner_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def settings(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the tests: the application's own role, never a superuser."""
    return Settings(
        database_url=databases.app_url,
        database_owner_url=databases.owner_url,
        database_direct_url=databases.app_url,
        secret_key="a secret of the tests that is long enough",
        cipher=FieldCipher.parse(f"1:{random_base64(bytes(range(32)))}", random_base64(bytes(32))),
        public_base_url="http://localhost",
        port=8000,
        var_dir=Path(tmp_path_factory.mktemp("var")),
        demo=True,
        metrics_token="metrics",
        sandbox_url="http://127.0.0.1:8001",
        environ={"VAPID_PRIVATE_KEY": random_base64(bytes(range(1, 33))).rstrip("=")},
    )


@pytest.fixture(scope="session")
def _clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def clock(_clock: MovableClock) -> MovableClock:
    """The application's clock, back at Monday 30 November 2026, 08:00 local."""
    _clock.now = MONDAY_8AM
    return _clock


@pytest.fixture(scope="session")
def app(settings: Settings, _clock: MovableClock) -> Iterator[Flask]:
    """The application on this worker's database."""
    application = create_app(settings, clock=_clock)
    application.config["TESTING"] = False
    yield application
    with application.app_context():
        from telehealth.web.context import db

        db.engine.dispose()


@pytest.fixture
def engine(app: Flask) -> Engine:
    """The application's engine."""
    with app.app_context():
        from telehealth.web.context import db

        return db.engine


def empty(engine: Engine, tables: Iterable[Table], *, tries: int = 10) -> None:
    """Empty tables and put the clock back, also while a browser that was closed is still being answered.

    Such a request holds locks that emptying wants and wants those that it holds; when the database ends
    that deadlock by refusing the emptying, the request is over soon and the next try finds its rows too.
    """
    names = [f'"{table.schema or "public"}"."{table.name}"' for table in tables if table.name not in KEPT]
    used = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
    try:
        with engine.begin() as connection:
            # Truncating a table rewrites its files: leave the many empty ones alone.
            filled = connection.exec_driver_sql(used).scalars().all()
            if filled:
                connection.exec_driver_sql(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY CASCADE")
            connection.exec_driver_sql("UPDATE clock_offset SET seconds = 0")
    except OperationalError as error:
        if not isinstance(error.orig, DeadlockDetected) or tries == 1:
            raise
        empty(engine, tables, tries=tries - 1)


def every_table() -> list[Table]:
    """Return the tables of all parts of the product."""
    return [table for metadata in METADATAS for table in metadata.sorted_tables]


@pytest.fixture
def clean_database(owner_engine: Engine) -> Iterator[None]:
    """Empty every table after the test."""
    yield
    empty(owner_engine, every_table())


@pytest.fixture
def client(app: Flask, clean_database: None, clock: MovableClock) -> FlaskClient:
    """A browser without cookies, or a program without a token."""
    return app.test_client()


@pytest.fixture
def as_system(engine: Engine, clean_database: None) -> Iterator[Session]:
    """A transaction of the system; commits at the end of the test unless the test did."""
    with system_unit_of_work(engine) as session:
        yield session
