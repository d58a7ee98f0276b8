"""What is exported of rosters can be imported again, and changes nothing."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import Engine

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.keys import facility_key
from tests.booking import clinic
from tests.provincial_import.conftest import Import, changed, in_system, take_over
from tests.provincial_import.samples import ROSTER, Change, Tables, with_rules, write_csv

__all__ = ["changed", "in_system", "take_over"]


def varied(tables: Tables) -> None:
    later = {**ROSTER, "weekdays": "FR", "modality": "video", "valid_to": "2026-12-31"}
    tables.update(with_rules())
    tables["rosters"].append(later)


def exported(web: FlaskClient, engine: Engine, monkeypatch: pytest.MonkeyPatch, kind: str) -> bytes:
    monkeypatch.setitem(clinic.FACILITIES, "77001", facility_key("77001"))
    with system_unit_of_work(engine) as session:
        admin = clinic.add_employee(session, Role.FACILITY_ADMIN, "77001")
    path = f"/api/v1/exports/rosters?facility=77001&format={kind}"
    answer = web.get(path, headers=admin.headers)
    assert answer.status_code == 200, answer.json
    return answer.data


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_exported_roster_changes_nothing_when_it_is_imported(
    client: FlaskClient,
    engine: Engine,
    take_over: Import,
    changed: Callable[[Change], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
):
    assert not take_over(changed(varied)).refused
    raw = exported(client, engine, monkeypatch, kind)
    tables = with_rules()
    tables["rosters"] = lines(raw) if kind == "csv" else sheet(raw)
    assert len(tables["rosters"]) == 2
    again = tmp_path / "again"
    again.mkdir()
    report = take_over(write_csv(again, tables), dry_run=True)
    assert report.findings == ()
    counts = {table.table: table.counts() for table in report.tables}
    assert (counts["rosters"].pop("unchanged"), set(counts["rosters"].values())) == (2, {0})


def lines(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def sheet(raw: bytes) -> list[dict[str, str]]:
    header, *rows = load_workbook(io.BytesIO(raw)).worksheets[0].iter_rows(values_only=True)
    return [
        dict(zip(header, ["" if cell is None else str(cell) for cell in row], strict=True)) for row in rows
    ]
