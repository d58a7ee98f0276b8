"""Realtime's own cast, and two servers side by side on the worker's database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from telehealth.core.join_ticket import ParticipantRole
from telehealth.settings import psycopg_url
from tests.conftest import Databases
from tests.realtime.harness import ORIGIN, Rooms, Server, Somebody, environ_of, running


@pytest.fixture(scope="session")
def environ(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a realtime process is started with: the application's role, never a superuser."""
    return environ_of(databases.app_url, ORIGIN, Path(tmp_path_factory.mktemp("realtime")))


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
def database(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection: what web and queueing write is written here by hand."""
    with psycopg.connect(psycopg_url(databases.owner_url), autocommit=True) as connection:
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
