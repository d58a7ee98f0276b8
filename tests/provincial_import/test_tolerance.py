"""What hospitals send: marks at the front, other line ends, other letters, Excel."""

import unicodedata
from datetime import date, datetime, time
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from telehealth.directory.models import Facility, OnCall
from telehealth.provincial_import.layout import COLUMNS, OPTIONAL_COLUMNS, TABLES
from telehealth.scheduling.models import Schedule, ScheduleException
from tests.provincial_import.samples import small_province, with_rules, write_csv


def rewrite(folder: Path, change) -> None:
    for path in folder.glob("*.csv"):
        path.write_bytes(change(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\r\n", "\n").encode(),
        lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n").encode(),
        lambda text: unicodedata.normalize("NFD", text).encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("Bệnh viện", "  Bệnh \u00a0 viện ").encode(),
        lambda text: (text + "\r\n,,,\r\n\r\n").encode(),
    ],
    ids=["byte order mark", "LF", "CRLF", "NFD", "UTF-16", "stray spaces", "empty lines"],
)
def test_the_same_province_in_another_dress_changes_nothing(take_over, tmp_path: Path, change):
    source = write_csv(tmp_path, small_province())
    take_over(source)
    rewrite(source, change)
    report = take_over(source)
    assert not report.refused, report.findings
    assert [line for item in report.tables for line in item.lines] == []


def test_semicolons_part_the_cells_of_a_vietnamese_excel(take_over, tmp_path: Path):
    source = write_csv(tmp_path, small_province())
    (source / "service_points.csv").write_text(
        "facility_code;point_code;name;kind\n77001;P001;Phòng khám 1;room\n77007;P001;Phòng khám 1;room\n",
        encoding="utf-8",
    )
    assert not take_over(source).refused


def test_dates_may_be_written_day_first(take_over, in_system, changed):
    def day_first(tables):
        tables["oncall"][0]["date"] = "03/12/2026"
        tables["exceptions"][0].update(from_date="10/12/2026", to_date="11/12/2026")

    assert not take_over(changed(day_first)).refused
    with in_system() as session:
        assert session.scalars(select(OnCall.day)).one() == date(2026, 12, 3)
        assert session.scalars(select(ScheduleException.to_date)).one() == date(2026, 12, 11)


def test_groups_of_three_may_be_marked_in_prices(take_over, changed):
    def grouped(tables):
        tables["services"][0].update(price_insured_vnd="60.000", price_self_vnd="1,060,000")

    assert not take_over(changed(grouped)).refused


def as_excel(table: str, column: str, text: str):
    """Return the cell as Excel itself would hold it."""
    if not text:
        return None
    if column in ("date", "from_date", "to_date", "valid_from", "valid_to"):
        return datetime.fromisoformat(text)
    if column in ("start", "end", "release"):
        return time.fromisoformat(text)
    if text.isdigit():
        return float(text) if column == "national_code" else int(text)
    return text


def workbook(tables) -> Workbook:
    book = Workbook()
    book.remove(book.worksheets[0])
    for table in tables:
        columns = (*TABLES[table], *OPTIONAL_COLUMNS.get(table, ()))
        sheet = book.create_sheet(table)
        sheet.append([column.replace("_", " ").title() for column in columns])
        for row in tables[table]:
            sheet.append([as_excel(table, column, row.get(column, "")) for column in columns])
    return book


def test_a_workbook_with_true_dates_times_and_numbers_gives_the_same_province(
    take_over, in_system, tmp_path: Path
):
    folder = tmp_path / "csv"
    folder.mkdir()
    take_over(write_csv(folder, small_province()))
    workbook(small_province()).save(tmp_path / "province.xlsx")
    report = take_over(tmp_path / "province.xlsx")
    assert not report.refused, report.findings
    assert [line for item in report.tables for line in item.lines] == []
    with in_system() as session:
        assert session.scalars(select(Schedule.start_minute)).one() == 780
        assert session.scalars(select(Facility.code).order_by(Facility.code)).all() == ["77001", "77007"]


def test_rules_come_by_workbook_as_well(take_over, tmp_path: Path):
    folder = tmp_path / "csv"
    folder.mkdir()
    take_over(write_csv(folder, with_rules()))
    workbook(with_rules()).save(tmp_path / "province.xlsx")
    report = take_over(tmp_path / "province.xlsx")
    assert not report.refused, report.findings
    assert [line for item in report.tables for line in item.lines] == []


def test_one_table_may_come_as_excel_among_csv_files(take_over, tmp_path: Path):
    source = write_csv(tmp_path, small_province())
    (source / "oncall.csv").unlink()
    book = workbook(small_province())
    for name in COLUMNS:
        if name != "oncall":
            book.remove(book[name])
    book["oncall"].title = "Sheet1"
    book.save(source / "oncall.xlsx")
    report = take_over(source)
    assert not report.refused, report.findings


def test_a_table_that_comes_twice_is_refused(take_over, tmp_path: Path):
    source = write_csv(tmp_path, small_province())
    workbook(small_province()).save(source / "all.xlsx")
    assert {finding.code for finding in take_over(source).findings} == {"table-twice"}
