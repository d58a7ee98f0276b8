"""The desk of facility 77001 in the clinic of the booking tests, with queues and a kiosk's worth of rooms."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.core.ids import new_id
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import ServicePoint
from telehealth.queueing.services import ensure_queues
from telehealth.settings import Settings
from tests.anomalies.conftest import limits
from tests.booking.clinic import FACILITIES, add_employee
from tests.booking.conftest import clinic, lan, set_database_clock
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

__all__ = ["clinic", "lan", "limits", "set_database_clock"]


@pytest.fixture
def at_desk(
    app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock
) -> Callable[[str], Browser]:
    """Open the browser of a clerk of a facility, signed in."""
    with system_unit_of_work(engine) as session:
        for code, kind in (("TD", "registration"), ("P1", "clinic")):
            session.add(
                ServicePoint(
                    id=new_id(), facility_id=FACILITIES["77001"], code=code, name=f"Phòng {code}", kind=kind
                )
            )
        session.flush()
        ensure_queues(session, FACILITIES["77001"])

    def opened(facility: str) -> Browser:
        with system_unit_of_work(engine) as session:
            clerk = add_employee(session, Role.DESK, facility)
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = clerk.token
        return Browser(client, engine, settings.cipher, clock)

    return opened


@pytest.fixture
def desk(at_desk: Callable[[str], Browser]) -> Browser:
    """The clerk of 77001 at the first page."""
    return at_desk("77001").go("/desk")


@pytest.fixture
def web_api(app: Flask, clinic: None) -> FlaskClient:
    """A program that speaks to the API."""
    return app.test_client()
