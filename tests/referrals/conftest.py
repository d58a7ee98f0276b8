"""The clinic of the booking tests, with a doctor who refers and the people of both hospitals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, update
from werkzeug.test import TestResponse

from telehealth.accounts.models import Account
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.services import materialise
from tests.booking.clinic import DOCTORS, NOW, Employee, Person, add_employee, add_schedule, known_at
from tests.booking.conftest import clinic, lan, minh, set_database_clock, web

__all__ = ["clinic", "lan", "minh", "set_database_clock", "web"]


@dataclass(frozen=True)
class Caller:
    """Somebody who speaks to the API."""

    client: FlaskClient
    headers: dict[str, str]

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers, query_string=query)

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/api/v1{path}", json=body or {}, headers={**self.headers, **named})

    def change(self, request: dict[str, Any], verb: str, body: dict[str, Any] | None = None) -> TestResponse:
        """Act on a request as it was last seen."""
        root = "slips" if verb == "decide" else "referrals"
        now = self.get(f"/referrals/{request['id']}").json
        return self.post(f"/{root}/{request['id']}/{verb}", body, If_Match=f'"{now["version"]}"')


@pytest.fixture(autouse=True)
def morning_at_77002(engine: Engine, clinic: None) -> None:
    """Chi also sees people in person, in the morning."""
    with system_unit_of_work(engine) as session:
        add_schedule(session, "chi", "77002", start=540, end=600)
        session.flush()
        materialise(session, [NOW.date() + timedelta(days=offset) for offset in range(4)], NOW)


@pytest.fixture
def call(web: FlaskClient) -> Callable[[Person | Employee], Caller]:
    return lambda somebody: Caller(web, somebody.headers)


@pytest.fixture
def staff(engine: Engine, clinic: None, lan: Person) -> Callable[..., Employee]:
    """Hire somebody; the doctor An works at 77001, which knows Lan."""

    def hired(role: Role, facility: str = "77001", doctor: str | None = None) -> Employee:
        with system_unit_of_work(engine) as session:
            known_at(session, lan, "77001")
            employee = add_employee(session, role, facility)
            if doctor:
                session.execute(
                    update(Account)
                    .where(Account.id == employee.account_id)
                    .values(practitioner_id=DOCTORS[doctor], display_name=f"BS. {doctor}")
                )
        return employee

    return hired


@pytest.fixture
def doctor(staff: Callable[..., Employee], call: Callable[[Any], Caller]) -> Caller:
    return call(staff(Role.PRACTITIONER, "77001", "an"))


@pytest.fixture
def desk(staff: Callable[..., Employee], call: Callable[[Any], Caller]) -> Caller:
    return call(staff(Role.DESK, "77001"))


@pytest.fixture
def receiving_desk(staff: Callable[..., Employee], call: Callable[[Any], Caller]) -> Caller:
    return call(staff(Role.DESK, "77002"))


@pytest.fixture
def patient(lan: Person, call: Callable[[Any], Caller]) -> Caller:
    return call(lan)


def referral(patient_id: UUID, **changes: Any) -> dict[str, Any]:
    """A referral from 77001 to 77002, for internal medicine."""
    return {
        "kind": "referral",
        "facility": "77001",
        "patient_id": str(patient_id),
        "target_facility": "77002",
        "target_service": "internal",
        "icd10": "I20.9",
        "clinical": {"summary": "Đau ngực khi gắng sức", "diagnosis": "Cơn đau thắt ngực"},
    } | changes


def paper(patient_id: UUID, **changes: Any) -> dict[str, Any]:
    """A paper slip to come again to 77001, of a hospital elsewhere."""
    return {
        "kind": "reexamination",
        "patient_id": str(patient_id),
        "number": "0123/HK",
        "signed_on": "2026-11-20",
        "issuer": "Bệnh viện Chợ Rẫy",
        "target_facility": "77001",
        "target_service": "internal",
        "appointment_on": date(2026, 12, 1).isoformat(),
    } | changes
