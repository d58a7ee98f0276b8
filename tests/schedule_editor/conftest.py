"""The clinic of the booking tests, its administrator and its clerk, and people who are booked there."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, Person, add_employee, add_person, known_at, new_key, service_id
from tests.booking.conftest import clinic, set_database_clock
from tests.conftest import MovableClock

__all__ = ["clinic", "set_database_clock"]

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
AN_LINE: dict[str, Any] = {
    "practitioner_id": str(DOCTORS["an"]),
    "service_id": str(service_id("77001", "internal")),
    "modality": "in-person",
    "weekdays": ["0", "1", "2", "3", "4"],
    "start_minute": "13:00",
    "end_minute": "15:00",
    "slot_minutes": "20",
    "capacity": "1",
    "room": "P7",
    "valid_from": "2026-12-02",
    "mode": "slot",
}


@dataclass
class Pages:
    """A browser of somebody who changes schedules: it fills forms and presses their buttons."""

    client: FlaskClient
    text: str = ""
    status: int = 0

    def go(self, address: str) -> "Pages":
        return self._took(self.client.get(address, headers={"Accept": "text/html"}))

    def post(self, address: str, fields: dict[str, Any], step: str = "preview") -> "Pages":
        token = self._token()
        data = {**fields, "csrf_token": token, "step": step}
        return self._took(self.client.post(address, data=data, headers={"Accept": "text/html"}))

    def save(self, address: str) -> "Pages":
        """Press save on a preview."""
        hidden: dict[str, list[str]] = {}
        for name, value in _HIDDEN.findall(self.text.split("th-preview__ask", 1)[1]):
            hidden.setdefault(name, []).append(html.unescape(value))
        return self._took(self.client.post(address, data={**hidden, "step": ["save"]}))

    def do(self, address: str, fields: dict[str, Any]) -> "Pages":
        """Look at what a form does, and do it."""
        seen = self.post(address, fields)
        assert seen.status == 200, seen.plain
        assert "th-preview__ask" in seen.text, seen.plain
        return self.save(address)

    @property
    def plain(self) -> str:
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.text.split("<main", 1)[-1])).split())

    def sees(self, *words: str) -> bool:
        return all(word in self.plain for word in words)

    def _token(self) -> str:
        page = self.client.get("/desk/schedule/lines").get_data(as_text=True)
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        return found[1]

    def _took(self, answer: TestResponse) -> "Pages":
        self.text, self.status = answer.get_data(as_text=True), answer.status_code
        return self


@pytest.fixture
def as_role(app: Flask, engine: Engine, clinic: None, clock: MovableClock) -> Callable[..., Pages]:
    """Open the browser of somebody with a role at a facility."""

    def opened(role: Role, facility: str = "77001") -> Pages:
        with system_unit_of_work(engine) as session:
            employee = add_employee(session, role, facility)
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = employee.token
        return Pages(client)

    return opened


@pytest.fixture
def admin(as_role: Callable[..., Pages]) -> Pages:
    """The administrator of 77001."""
    return as_role(Role.FACILITY_ADMIN)


@pytest.fixture
def clerk(as_role: Callable[..., Pages]) -> Pages:
    """The clerk of 77001."""
    return as_role(Role.DESK)


@pytest.fixture
def booked(
    client: FlaskClient, engine: Engine, clinic: None, settings: Settings
) -> Callable[..., tuple[Person, dict[str, Any]]]:
    """Book somebody at An's on a day at an hour."""

    def book(day: date, hour: str, number: int = 1, name: str = "Nguyễn Văn Thử") -> Any:
        with system_unit_of_work(engine) as session:
            person = add_person(session, settings.cipher, number, name=name)
            known_at(session, person, "77001")
            slot = session.execute(
                text(
                    "SELECT id || '.' || :minute FROM clinic_session WHERE practitioner_id = :an"
                    " AND business_date = :day AND start_minute <= :minute AND status = 'open'"
                    " AND :minute < start_minute + slot_count * slot_minutes"
                ),
                {
                    "an": DOCTORS["an"],
                    "day": day,
                    "minute": int(hour[:2]) * 60 + int(hour[3:]),
                },
            ).scalar_one()
        answer = client.post(
            "/api/v1/appointments",
            json={"slot_id": slot, "patient_id": str(person.patient_id)},
            headers=person.headers | {"Idempotency-Key": new_key()},
        )
        assert answer.status_code == 201, answer.json
        return person, answer.json

    return book
