"""Lists to take along: the right rows, nothing a spreadsheet would run, and a line in the trail."""

import csv
import io

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import Engine, text

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.exports import queries
from telehealth.exports.rules import COLUMNS, Subject, harmless
from tests.booking.clinic import DOCTORS, Employee, Person, add_employee
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.fhir.conftest import add_system

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]

API = "/api/v1/exports"
ALL_DAYS = {"facility": "77001", "from": "2026-11-30", "to": "2026-12-03"}


@pytest.fixture
def admin(engine: Engine, clinic: None) -> Employee:
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")


@pytest.fixture
def booked(web: FlaskClient, lan: Person, minh: Person) -> list[dict]:
    asked = {"practitioner": str(DOCTORS["an"]), "from": "2026-12-01T00:00:00+07:00"}
    slots = web.get("/api/v1/slots", query_string=asked).json["items"]
    made = []
    for who, slot in zip((lan, minh), slots, strict=False):
        wanted = {"slot_id": slot["id"], "patient_id": str(who.patient_id), "reason": "Đau ngực"}
        made.append(web.post("/api/v1/appointments", json=wanted, headers=who.headers).json)
    return made


def rows(raw: bytes) -> list[dict[str, str]]:
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def get(web: FlaskClient, who: Employee, subject: str, **query: str) -> bytes:
    answer = web.get(f"{API}/{subject}", query_string=query, headers=who.headers)
    assert answer.status_code == 200, answer.json
    return answer.data


def test_a_day_of_appointments_as_csv(web: FlaskClient, desk: Employee, booked: list[dict]):
    found = rows(get(web, desk, "appointments", **ALL_DAYS))
    assert [row["code"] for row in found] == [item["code"] for item in booked]
    assert found[0] | {} == {
        "code": booked[0]["code"],
        "date": "2026-12-01",
        "start": "08:00",
        "end": "08:10",
        "patient": "Trần Thị Lan",
        "service": "Khám nội",
        "practitioner": "BS Bác sĩ an",
        "room": "P1",
        "modality": "in-person",
        "status": "booked",
        "coverage": "none",
        "coverage_checked": "no",
    }
    assert rows(get(web, desk, "appointments", facility="77001")) == []


def test_the_same_as_excel(web: FlaskClient, desk: Employee, booked: list[dict]):
    raw = get(web, desk, "appointments", format="xlsx", **ALL_DAYS)
    sheet = load_workbook(io.BytesIO(raw)).worksheets[0]
    lines = list(sheet.iter_rows(values_only=True))
    assert lines[0] == COLUMNS[Subject.APPOINTMENTS]
    assert [line[0] for line in lines[1:]] == [item["code"] for item in booked]


def test_sessions_hold_figures_and_nobody(web: FlaskClient, desk: Employee, booked: list[dict]):
    raw = get(web, desk, "sessions", **ALL_DAYS)
    assert "Lan" not in raw.decode()
    tuesday = [row for row in rows(raw) if row["date"] == "2026-12-01" and row["licence_no"] == "an/77-CCHN"]
    assert [(row["places"], row["booked"], row["booked_online"]) for row in tuesday] == [
        ("12", "2", "2"),
        ("6", "0", "0"),
    ]


@pytest.mark.parametrize("name", ['=cmd|" /C calc"!A0', "+1", "-1", "@SUM(1)", "\t=1", "＝1"])
def test_no_name_is_a_formula(web: FlaskClient, desk: Employee, booked: list, engine: Engine, name: str):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE patient SET full_name = :name"), {"name": name})
    assert {row["patient"] for row in rows(get(web, desk, "appointments", **ALL_DAYS))} == {"'" + name}
    raw = get(web, desk, "appointments", format="xlsx", **ALL_DAYS)
    cell = load_workbook(io.BytesIO(raw)).worksheets[0]["E2"]
    assert (cell.data_type, cell.value) == ("s", name)


def test_a_plain_cell_stays(web: FlaskClient):
    assert [harmless(cell) for cell in ("Lan", "", None, -3, "a=b")] == ["Lan", "", None, -3, "a=b"]


def test_each_export_is_in_the_trail(web: FlaskClient, desk: Employee, booked: list, engine: Engine):
    get(web, desk, "appointments", **ALL_DAYS)
    with system_unit_of_work(engine) as session:
        found = session.execute(
            text("SELECT actor_id, details FROM audit_event WHERE action = 'export.appointments'")
        ).all()
    assert [(row.actor_id, row.details["from"]) for row in found] == [(desk.account_id, "2026-11-30")]


def test_others_take_nothing(web: FlaskClient, desk: Employee, other_desk: Employee, lan: Person):
    for who, status in ((other_desk, 403), (lan, 403)):
        answer = web.get(f"{API}/appointments", query_string=ALL_DAYS, headers=who.headers)
        assert answer.status_code == status
    assert web.get(f"{API}/rosters?facility=77001", headers=desk.headers).status_code == 403
    assert web.get(f"{API}/appointments", query_string=ALL_DAYS).status_code == 401


@pytest.mark.parametrize("days", [("2026-12-02", "2026-12-01"), ("2026-01-01", "2026-12-31")])
def test_days_in_the_wrong_order_or_too_many_are_refused(web: FlaskClient, desk: Employee, days):
    asked = {"facility": "77001", "from": days[0], "to": days[1]}
    answer = web.get(f"{API}/sessions", query_string=asked, headers=desk.headers)
    assert (answer.status_code, answer.json["code"]) == (422, "export-bad-span")


def test_a_long_list_is_read_in_pages(
    engine: Engine, web: FlaskClient, desk: Employee, booked: list, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "PAGE", 1)
    assert len(rows(get(web, desk, "appointments", **ALL_DAYS))) == 2


def test_the_page_gives_the_file(web: FlaskClient, desk: Employee, booked: list):
    with web.session_transaction() as cookie:
        cookie["_user_id"] = desk.token
    page = web.get("/exports").get_data(as_text=True)
    assert "Tải danh sách" in page
    assert "Lịch làm việc" not in page
    chosen = {"subject": "appointments", "format": "csv", **ALL_DAYS}
    answer = web.get("/exports/file", query_string=chosen)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert len(rows(answer.data)) == 2
    for wrong in ({"subject": "all"}, {"to": "2027-12-01"}, {"from": "never"}, {"format": "pdf"}):
        assert web.get("/exports/file", query_string=chosen | wrong).status_code == 422


@pytest.mark.parametrize("subject", ["appointments", "sessions", "rosters", "queues"])
def test_another_system_takes_what_its_scopes_name_of_its_own_facility(
    engine: Engine, web: FlaskClient, booked: list[dict], subject: str
):
    def status(facility: str, *scopes: str) -> int:
        with system_unit_of_work(engine) as session:
            headers = {"Authorization": f"Bearer {add_system(session, '77001', scopes)}"}
        asked = ALL_DAYS | {"facility": facility}
        answer = web.get(f"{API}/{subject}", query_string=asked, headers=headers)
        if answer.status_code == 200 and subject == "appointments":
            assert [row["code"] for row in rows(answer.data)] == [item["code"] for item in booked]
        return answer.status_code

    every = [f"export.{each}" for each in ("appointments", "sessions", "rosters", "queues")]
    others = [each for each in every if each != f"export.{subject}"]
    assert status("77001", *others) == 403
    assert status("77001", f"export.{subject}") == 200
    assert status("77002", f"export.{subject}", "booking.day") == 403
