"""The booking clinic, with an account for deposits at 77001 and a deposit for internal medicine."""

import pytest
from sqlalchemy import Engine

from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import HealthcareService
from telehealth.payments.queries import DepositTerms
from telehealth.payments.rules import Account
from telehealth.payments.services import AccountSettings, set_account, set_terms
from telehealth.settings import Settings
from tests.booking.clinic import FACILITIES, NOW, Employee, add_employee, service_id
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]

SECRET = "a-secret-of-the-bank"
ACCOUNT = "1903512345678"


@pytest.fixture
def deposits(engine: Engine, clinic: None, settings: Settings) -> None:
    """50,000 đồng within an hour; all of it comes back until a day before, then half."""
    with system_unit_of_work(engine) as session:
        account = AccountSettings(Account("970436", ACCOUNT, "BENH VIEN THU"), "sepay", SECRET, active=True)
        set_account(session, SYSTEM, FACILITIES["77001"], account, version=0, now=NOW, cipher=settings.cipher)
        service = session.get_one(HealthcareService, service_id("77001", "internal"))
        set_terms(session, SYSTEM, service, DepositTerms(50_000, 60, 1440, 50), version=0, now=NOW)


@pytest.fixture
def admin(engine: Engine, clinic: None) -> Employee:
    """The admin of 77001."""
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")
