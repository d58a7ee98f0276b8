"""The clinic of the booking tests, seen by those who oversee it."""

import pytest
from sqlalchemy import Engine

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import Employee, add_employee
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]


@pytest.fixture
def chief(engine: Engine, clinic: None) -> Employee:
    """The administrator of 77001."""
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")


@pytest.fixture
def officer(engine: Engine, clinic: None) -> Employee:
    """The province's officer."""
    with system_unit_of_work(engine) as session:
        made = add_employee(session, Role.PROVINCE_OFFICER, "77001")
        session.connection().exec_driver_sql(
            "UPDATE membership SET facility_id = NULL WHERE account_id = %s", (made.account_id,)
        )
    return made
