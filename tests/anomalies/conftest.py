"""The clinic of the booking tests, seen by those who oversee it."""

import pytest
from sqlalchemy import Engine, text

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


@pytest.fixture
def limits(owner_engine: Engine):
    """Set limits for a test, and have the shipped ones back."""

    def set_to(**most: int) -> None:
        with owner_engine.begin() as connection:
            for name, number in most.items():
                connection.execute(
                    text("UPDATE identity_limit SET most = :most WHERE name = :name"),
                    {"most": number, "name": name.replace("_", "-")},
                )

    with owner_engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO identity_limit VALUES
                     ('account-day', 12), ('phone-active', 15), ('identity-active', 6)
                   ON CONFLICT DO NOTHING"""
            )
        )
    yield set_to
    set_to(account_day=12, phone_active=15, identity_active=6)
