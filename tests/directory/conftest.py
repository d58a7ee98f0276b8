"""The real province, loaded once for each file of tests."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.core.orm import Base
from telehealth.core.uow import system_unit_of_work
from telehealth.provincial_import.services import import_province
from telehealth.settings import Settings
from tests.conftest import empty
from tests.provincial_import.samples import REAL


@pytest.fixture(scope="module")
def province(app: Flask, owner_engine: Engine, settings: Settings, _clock) -> Iterator[None]:
    """Load the real province."""
    with system_unit_of_work(owner_engine) as session:
        import_province(session, REAL, now=_clock(), cipher=settings.cipher)
    yield
    empty(owner_engine, Base.metadata.sorted_tables)


@pytest.fixture
def visitor(app: Flask, province: None) -> FlaskClient:
    """Somebody looking around."""
    return app.test_client()
