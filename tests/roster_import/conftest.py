"""The clinic of the editor's tests; its doctors have numbers as the files want them."""

import csv
import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from openpyxl import Workbook
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import Employee, add_clinic, add_employee
from tests.booking.conftest import set_database_clock
from tests.conftest import MovableClock
from tests.schedule_editor.conftest import Pages, as_role, booked

__all__ = ["as_role", "booked", "set_database_clock"]

Row = dict[str, str]
ADDRESS = "/desk/schedule/import"


@pytest.fixture
def clinic(
    engine: Engine,
    owner_engine: Engine,
    clean_database: None,
    clock: MovableClock,
    set_database_clock: Callable[..., None],
) -> None:
    """The clinic of the booking tests; An and Bình have numbers that a file can name."""
    set_database_clock(clock())
    with system_unit_of_work(engine) as session:
        add_clinic(session)
    with owner_engine.begin() as connection:
        for name, number in (("an", "000001/77-CCHN"), ("binh", "000002/77-CCHN")):
            connection.execute(
                text("UPDATE practitioner SET licence_no = :number WHERE licence_no = :old"),
                {"number": number, "old": f"{name}/77-CCHN"},
            )


@pytest.fixture
def admin(engine: Engine, clinic: None) -> Employee:
    """The administrator of 77001, by a program."""
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001", 9)


@dataclass
class Exchange:
    """An administrator's program: takes the roster out, and sends files in."""

    client: FlaskClient
    admin: Employee

    def roster(self) -> list[Row]:
        raw = self.exported("csv").decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(raw, newline="")))

    def exported(self, kind: str) -> bytes:
        path = f"/api/v1/exports/rosters?facility=77001&format={kind}"
        answer = self.client.get(path, headers=self.admin.headers)
        assert answer.status_code == 200
        return answer.data

    def send(self, raw: bytes, name: str = "rosters.csv", **query: str) -> TestResponse:
        return self.client.post(
            "/api/v1/schedules/import",
            query_string={"facility": "77001", **query},
            data={"file": (io.BytesIO(raw), name)},
            headers=self.admin.headers,
        )

    def look(self, raw: bytes, name: str = "rosters.csv", **query: str) -> TestResponse:
        return self.send(raw, name, dry_run="true", **query)

    def do(self, raw: bytes, **query: str) -> TestResponse:
        seen = self.look(raw, **query)
        assert seen.status_code == 200, seen.json
        return self.send(raw, preview=seen.json["fingerprint"], **query)

    def findings(self, raw: bytes, **query: str) -> list[tuple[int, str, str]]:
        refused = self.look(raw, **query)
        assert (refused.status_code, refused.json["code"]) == (422, "roster-refused"), refused.json
        assert all(each["vi"] and each["en"] != each["vi"] for each in refused.json["findings"])
        return [(each["row"], each["column"], each["code"]) for each in refused.json["findings"]]


@pytest.fixture
def exchange(client: FlaskClient, admin: Employee) -> Exchange:
    """The program of the administrator of 77001."""
    return Exchange(client, admin)


def written(rows: list[Row]) -> bytes:
    """Return rows as CSV."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def workbook(rows: list[list[object]]) -> bytes:
    """Return rows as a workbook."""
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def upload(pages: Pages, raw: bytes, name: str = "rosters.csv", **more: str) -> Pages:
    """Send a file by the form of the page."""
    page = pages.go(ADDRESS)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    fields = {"csrf_token": token[1], "step": "preview", "file": (io.BytesIO(raw), name), **more}
    answer = pages.client.post(ADDRESS, data=fields, headers={"Accept": "text/html"})
    pages.text, pages.status = html.unescape(answer.get_data(as_text=True)), answer.status_code
    return pages
