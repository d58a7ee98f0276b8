"""A roster taken out as a file comes back unchanged; what was changed in it is shown first, then done."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import TUESDAY, add_employee
from tests.fhir.conftest import add_system
from tests.roster_import.conftest import ADDRESS, Exchange, upload, workbook, written
from tests.schedule_editor.conftest import Pages

NOTHING = {"added": 0, "changed": 0, "ended": 0, "left": 0, "past": 0}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("complete", ["true", "false"])
def test_an_exported_file_changes_nothing(exchange: Exchange, kind: str, complete: str):
    raw = exchange.exported(kind)
    seen = exchange.look(raw, f"rosters.{kind}", complete=complete)
    assert seen.status_code == 200, seen.json
    assert seen.json["lines"] == {**NOTHING, "unchanged": 3}
    assert seen.json["days"] == []


def test_a_changed_file_is_shown_done_and_then_changes_nothing_more(
    exchange: Exchange, booked: Callable[..., Any], engine: Engine
):
    booked(TUESDAY, "08:10")
    rows = exchange.roster()
    an = next(row for row in rows if row["licence_no"] == "000001/77-CCHN" and row["start"] == "08:00")
    an["start"] = "08:30"
    rows.append({**an, "weekdays": "SA", "start": "11:00", "end": "12:00", "valid_from": "2026-12-05"})
    seen = exchange.look(written(rows), complete="true")
    assert seen.json["lines"] == {**NOTHING, "unchanged": 2, "added": 2, "ended": 1}
    assert len(seen.json["outside"]) == 1
    done = exchange.send(written(rows), preview=seen.json["fingerprint"], complete="true")
    assert (done.status_code, done.json["lines"]["added"]) == (200, 2)
    again = exchange.look(exchange.exported("csv"), complete="true")
    assert (again.json["lines"]["added"], again.json["lines"]["ended"]) == (0, 0)
    assert exchange.look(written(rows), complete="true").json["lines"]["added"] == 0
    with system_unit_of_work(engine) as session:
        noted = session.execute(
            text("SELECT count(*) FROM audit_event WHERE action = 'schedule.import'")
        ).scalar_one()
    assert noted == 1


def test_lines_that_the_file_does_not_name_stay_unless_it_is_the_whole_roster(exchange: Exchange):
    rows = exchange.roster()[:1]
    assert exchange.look(written(rows)).json["lines"] == {**NOTHING, "unchanged": 1, "left": 2}
    assert exchange.look(written(rows), complete="true").json["lines"] == {
        **NOTHING,
        "unchanged": 1,
        "ended": 2,
    }


def test_a_running_line_is_split_today_and_the_same_file_again_changes_nothing(exchange: Exchange):
    rows = exchange.roster()
    rows[0]["slot_minutes"] = "20"
    assert exchange.do(written(rows)).json["lines"]["changed"] == 1
    assert exchange.look(written(rows)).json["lines"] == {**NOTHING, "unchanged": 3}
    assert exchange.look(exchange.exported("xlsx")).json["lines"] == {**NOTHING, "unchanged": 3, "past": 1}


def test_a_preview_that_is_over_is_refused(exchange: Exchange):
    rows = exchange.roster()
    rows[0]["slot_minutes"] = "20"
    raw = written(rows)
    assert exchange.send(raw).json["code"] == "preview-required"
    seen = exchange.look(raw).json["fingerprint"]
    rows[1]["capacity"] = "3"
    other = exchange.send(written(rows), preview=seen)
    assert (other.status_code, other.json["code"]) == (409, "preview-stale")


def test_each_fault_is_named_with_its_line_in_both_languages(exchange: Exchange):
    good = exchange.roster()[0]
    rows = [
        {**good, "facility_code": "77002"},
        {**good, "licence_no": "999999/77-CCHN"},
        {**good, "service_code": "nothing"},
        {**good, "room": "P99"},
        {**good, "start": "half past"},
        {**good, "modality": "letter"},
        {**good, "end": "07:00"},
        {**good, "valid_to": "2020-01-01", "valid_from": "2026-12-01"},
        {**good, "resources": "MRI"},
    ]
    assert set(exchange.findings(written(rows))) >= {
        (2, "facility_code", "other-facility"),
        (3, "licence_no", "unknown-licence"),
        (4, "service_code", "unknown-service"),
        (5, "room", "unknown-room"),
        (6, "start", "bad-time"),
        (7, "modality", "not-one-of"),
        (8, "end", "end-before-start"),
        (9, "valid_to", "end-before-start"),
        (10, "resources", "unknown-resource"),
    }


def test_a_doctor_in_two_places_at_once_is_refused_but_what_stands_is_not(exchange: Exchange):
    rows = exchange.roster()
    an = next(row for row in rows if row["licence_no"] == "000001/77-CCHN" and row["start"] == "08:00")
    twice = [*rows, {**an, "start": "08:30"}]
    assert [code for _row, _column, code in exchange.findings(written(twice))] == ["roster-overlap"]
    assert exchange.findings(written([*rows, an]))[0][2] == "twice"


def test_what_only_the_editor_can_know_is_told_at_the_line_too(exchange: Exchange):
    rows = exchange.roster()
    rows[0]["room"] = ""
    rows[0]["modality"] = "in-person"
    told = exchange.findings(written(rows))
    assert [(row, column) for row, column, _code in told] == [(2, "room")]


def test_no_bytes_make_the_server_stumble(exchange: Exchange):
    header = exchange.exported("csv").split(b"\r\n")[0]
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (40 << 20))
    book = exchange.exported("xlsx")
    files = {
        "empty": b"",
        "zeros": b"\0" * 100,
        "old Excel": b"\xd0\xcf\x11\xe0" + b"\1" * 200,
        "half a workbook": book[: len(book) // 2],
        "an archive of nothing": zipped({}),
        "a workbook of rubbish": zipped({"[Content_Types].xml": "<", "xl/workbook.xml": "<a"}),
        "a bomb": bomb.getvalue(),
        "only a heading": header,
        "utf-16 cut short": b"\xff\xfea",
        "wrong columns": b"a,b\n1,2\n",
        "too many cells": header + b"\n" + b"x," * 60,
        "too many lines": header + b"\n" + b"x\n" * 2_001,
        "odd cells": workbook([["facility_code", 3.5, None], [True, "=1+1", "\N{PILE OF POO}"]]),
        "too large": b"x" * (256 * 1024 + 1),
    }
    for name, raw in files.items():
        answer = exchange.look(raw, f"{name}.xlsx")
        assert answer.status_code in (413, 422), (name, answer.status_code, answer.json)
        assert answer.json["code"] in (
            "roster-refused",
            "roster-no-file",
            "roster-file-too-large",
            "too-large",
        ), name


def zipped(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, inside in files.items():
            archive.writestr(name, inside)
    return file.getvalue()


def test_only_the_facility_s_administrator_takes_files_in(
    exchange: Exchange, client: FlaskClient, engine: Engine, as_role: Callable[..., Pages]
):
    raw = exchange.exported("csv")
    with system_unit_of_work(engine) as session:
        clerk = add_employee(session, Role.DESK, "77001", 8)
        other = add_employee(session, Role.FACILITY_ADMIN, "77002", 8)
    for who in (clerk, other):
        exchange.admin = who
        assert exchange.look(raw).status_code == 403
    assert client.post("/api/v1/schedules/import?facility=77001").status_code in (401, 403)
    assert as_role(Role.DESK).go(ADDRESS).status == 403


def test_another_system_takes_files_in_by_its_scope_and_sees_names_by_another(
    exchange: Exchange, booked: Callable[..., Any], engine: Engine
):
    booked(TUESDAY, "08:10")
    raw = exchange.exported("csv")

    def ask(what: bytes, *scopes: str, **query: str) -> TestResponse:
        with system_unit_of_work(engine) as session:
            headers = {"Authorization": f"Bearer {add_system(session, '77001', scopes)}"}
        asked = {"facility": "77001", "complete": "true", **query}
        data = {"file": (io.BytesIO(what), "rosters.csv")}
        return exchange.client.post(
            "/api/v1/schedules/import", query_string=asked, data=data, headers=headers
        )

    assert ask(raw, "export.rosters", "booking.day", "booking.list", dry_run="true").status_code == 403
    assert ask(raw, "schedule.import", "patient.read", dry_run="true", facility="77002").status_code == 403
    rows = exchange.roster()
    an = next(row for row in rows if row["licence_no"] == "000001/77-CCHN" and row["start"] == "08:00")
    an["start"] = "08:30"
    changed = written(rows)
    blind = ask(changed, "schedule.import", dry_run="true").json
    seeing = ask(changed, "schedule.import", "booking.day", dry_run="true").json
    assert [each["patient_name"] for each in blind["outside"]] == [None]
    assert [each["patient_name"] for each in seeing["outside"]] != [None]
    done = ask(changed, "schedule.import", "export.rosters", preview=blind["fingerprint"])
    assert (done.status_code, done.json["lines"]["ended"]) == (200, 1)


def test_the_page_shows_what_a_file_does_and_then_does_it(exchange: Exchange, as_role: Callable[..., Pages]):
    pages = as_role(Role.FACILITY_ADMIN)
    assert "Nhập từ tệp" in pages.go("/desk/schedule/lines").text
    rows = exchange.roster()
    rows[0]["slot_minutes"] = "20"
    upload(pages, written(rows))
    assert pages.status == 200, pages.plain
    assert pages.sees("Đổi 1 ca khám", "Giữ nguyên 2 ca khám như trong tệp")
    pages.save(ADDRESS)
    assert pages.status == 303
    assert exchange.look(written(rows)).json["lines"]["unchanged"] == 3


def test_the_page_names_faults_and_asks_for_a_file(exchange: Exchange, as_role: Callable[..., Pages]):
    pages = as_role(Role.FACILITY_ADMIN)
    upload(pages, written([{**exchange.roster()[0], "room": "P99"}]))
    assert pages.status == 422
    assert pages.sees("Những chỗ cần sửa trong tệp", "P99", "Cơ sở này không có phòng mang mã đó.")
    upload(pages, b"")
    assert (pages.status, pages.sees("Vui lòng chọn tệp.")) == (422, True)
    assert upload(pages, b"", "", kept="not what we wrote").status == 422
