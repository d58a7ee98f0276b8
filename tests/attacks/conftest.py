"""The town under attack, empty or lived in."""

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from telehealth.settings import Settings
from tests.attacks.town import Town, build, inhabit
from tests.booking.clinic import NOW
from tests.conftest import MovableClock


@pytest.fixture
def town(
    app: Flask,
    engine: Engine,
    owner_engine: Engine,
    clean_database: None,
    clock: MovableClock,
    settings: Settings,
) -> Town:
    """The town on Monday at 08:00, before anybody booked."""
    shift = "UPDATE clock_offset SET seconds = extract(epoch FROM :at - clock_timestamp())"
    with owner_engine.begin() as connection:
        connection.execute(text(shift), {"at": NOW})
    return build(app, engine, owner_engine, settings.cipher)


@pytest.fixture
def lived_in(town: Town) -> Town:
    """The town after its people booked and checked in."""
    inhabit(town)
    return town
