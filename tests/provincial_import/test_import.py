"""Whole or nothing, dry runs, the same files twice, and what a change reports."""

import time
from pathlib import Path

from sqlalchemy import func, select, update

from telehealth.core.orm import Base
from telehealth.directory.models import DirectoryImport, Facility, OnCall, Practitioner, ServicePoint
from telehealth.scheduling.models import (
    BookingPolicy,
    PractitionerLimit,
    Resource,
    Schedule,
    ScheduleException,
    ScheduleQuota,
    ScheduleResource,
    ScheduleService,
)
from tests.provincial_import.samples import CARDIOLOGY, REAL, small_province, with_rules, write_csv


def counted(in_system, table: type[Base]) -> int:
    with in_system() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def by_table(report) -> dict[str, tuple[int, int, int, int]]:
    return {item.table: (item.added, item.changed, item.removed, item.unchanged) for item in report.tables}


def test_the_real_province_imports_in_under_ten_seconds_and_twice_changes_nothing(take_over, in_system):
    started = time.perf_counter()
    first = take_over(REAL)
    assert time.perf_counter() - started < 10
    assert not first.refused
    assert by_table(first) == {
        "facilities": (96, 0, 0, 0),
        "services": (241, 0, 0, 0),
        "practitioners": (1000, 0, 0, 0),
        "service_points": (999, 0, 0, 0),
        "rosters": (1603, 0, 0, 0),
        "exceptions": (197, 0, 0, 0),
        "oncall": (2015, 0, 0, 0),
    }
    assert counted(in_system, Schedule) == 1603
    second = take_over(REAL)
    assert all(item[:3] == (0, 0, 0) for item in by_table(second).values())
    assert not any(item.lines for item in second.tables)


def test_a_dry_run_says_what_would_change_and_writes_nothing(take_over, in_system, tmp_path: Path):
    report = take_over(write_csv(tmp_path, small_province()), dry_run=True)
    assert by_table(report)["facilities"] == (2, 0, 0, 0)
    assert not report.written
    for table in (Facility, Schedule, DirectoryImport):
        assert counted(in_system, table) == 0


def test_one_bad_line_keeps_everything_out(take_over, in_system, changed):
    report = take_over(changed(lambda tables: tables["oncall"][0].update(date="someday")))
    assert report.refused
    assert counted(in_system, Facility) == 0


def test_changes_are_told_by_code_and_column(take_over, tmp_path: Path):
    tables = small_province()
    take_over(write_csv(tmp_path, tables))
    tables["facilities"][0]["hotline"] = "19001234"
    tables["rosters"][0]["slot_minutes"] = "30"
    tables["service_points"].pop()
    report = take_over(write_csv(tmp_path, tables))
    lines = [line for item in report.tables for line in item.lines]
    assert lines == [
        "~ facilities 77001: hotline",
        "- service_points 77007 P001",
        "~ rosters 77001 000001/77-CCHN cardiology in-person TU;WE 13:00-16:30: slot_minutes",
    ]


def test_what_left_the_files_turns_inactive_and_comes_back_as_itself(take_over, in_system, tmp_path: Path):
    tables = small_province()
    take_over(write_csv(tmp_path, tables))
    point = tables["service_points"].pop()
    take_over(write_csv(tmp_path, tables))
    with in_system() as session:
        stored = session.scalars(select(ServicePoint).order_by(ServicePoint.facility_id)).all()
        assert sorted(row.active for row in stored) == [False, True]
    tables["service_points"].append(point)
    report = take_over(write_csv(tmp_path, tables))
    assert by_table(report)["service_points"] == (1, 0, 0, 1)
    assert counted(in_system, ServicePoint) == 2


def test_a_new_code_may_take_over_the_national_code_of_one_that_left(take_over, tmp_path: Path):
    tables = small_province()
    take_over(write_csv(tmp_path, tables))
    for rows in tables.values():
        for row in rows:
            if row.get("facility_code") == "77007":
                row["facility_code"] = "77107"
    report = take_over(write_csv(tmp_path, tables))
    assert by_table(report)["facilities"] == (1, 0, 1, 1)


def test_duty_and_exceptions_of_past_days_stay_as_history(take_over, in_system, tmp_path: Path):
    tables = small_province()
    tables["oncall"].append({**tables["oncall"][0], "date": "2026-11-02"})
    tables["exceptions"].append(
        {**tables["exceptions"][0], "from_date": "2026-11-02", "to_date": "2026-11-02"}
    )
    take_over(write_csv(tmp_path, tables))
    tables["oncall"].clear()
    tables["exceptions"].clear()
    report = take_over(write_csv(tmp_path, tables))
    assert by_table(report)["oncall"] == (0, 0, 1, 0)
    assert by_table(report)["exceptions"] == (0, 0, 1, 0)
    assert counted(in_system, OnCall) == 1
    with in_system() as session:
        kept = session.scalars(select(ScheduleException).where(ScheduleException.active)).one()
        assert kept.from_date.isoformat() == "2026-11-02"


def test_a_telephone_number_is_sealed_and_an_unchanged_one_counts_as_unchanged(
    take_over, in_system, tmp_path: Path, settings
):
    source = write_csv(tmp_path, small_province())
    take_over(source)
    with in_system() as session:
        doctor = session.scalars(select(Practitioner).where(Practitioner.phone_sealed.is_not(None))).one()
        assert b"912345678" not in bytes(doctor.phone_sealed or b"")
        context = f"practitioner.phone_sealed:{doctor.id}"
        assert settings.cipher.open_text(doctor.phone_sealed, context) == "+84912345678"
    assert by_table(take_over(source))["practitioners"] == (0, 0, 0, 2)


def test_successive_periods_of_one_roster_line_are_two_lines(take_over, in_system, changed):
    def split(tables):
        line = tables["rosters"][0]
        tables["rosters"] = [
            {**line, "valid_to": "2026-06-30"},
            {**line, "valid_from": "2026-07-01", "slot_minutes": "30"},
        ]

    take_over(changed(split))
    assert counted(in_system, Schedule) == 2


def test_each_import_that_is_carried_out_is_recorded(take_over, in_system, tmp_path: Path):
    source = write_csv(tmp_path, small_province())
    take_over(source)
    with in_system() as session:
        record = session.scalars(select(DirectoryImport)).one()
        assert record.report["facilities"] == {
            "added": 2, "changed": 0, "removed": 0, "unchanged": 0, "overruled": 0,
        }  # fmt: skip


def test_rules_come_with_the_files_and_go_with_them(take_over, in_system, tmp_path: Path):
    tables = with_rules()
    tables["services"].append({**CARDIOLOGY, "service_code": "echo"})
    tables["rosters"][0]["services"] = "echo"
    first = take_over(write_csv(tmp_path, tables))
    assert not first.refused
    with in_system() as session:
        line = session.scalars(select(Schedule)).one()
        assert (line.every_weeks, line.mode, line.lead_minutes, line.tail_minutes) == (2, "session", 5, 10)
        assert line.overbook_most == 0
        assert session.scalars(select(Resource.lanes)).one() == 2
        quotas = session.execute(
            select(ScheduleQuota.door, ScheduleQuota.places, ScheduleQuota.falls_minutes).order_by("door")
        )
        assert [tuple(row) for row in quotas] == [("counter", 1, 90), ("referral-basic", 2, 3 * 1440)]
        policy = session.scalars(select(BookingPolicy)).one()
        assert (policy.min_notice_minutes, policy.window_days, policy.release_minute) == (60, 14, 420)
        assert session.scalars(select(PractitionerLimit.per_day)).one() == 40
    assert counted(in_system, ScheduleService) == counted(in_system, ScheduleResource) == 1
    again = take_over(write_csv(tmp_path, tables))
    assert all(item[:3] == (0, 0, 0) for item in by_table(again).values())
    for name in ("services", "resources", "quotas"):
        tables["rosters"][0][name] = ""
    assert by_table(take_over(write_csv(tmp_path, tables)))["roster_quotas"] == (0, 0, 2, 0)
    assert counted(in_system, ScheduleService) == counted(in_system, ScheduleResource) == 0


def test_what_the_files_leave_out_of_policies_and_limits_stays(take_over, in_system, tmp_path: Path):
    take_over(write_csv(tmp_path, with_rules()))
    for name in ("policies", "limits"):
        (tmp_path / f"{name}.csv").unlink()
    assert not take_over(tmp_path).refused
    assert counted(in_system, BookingPolicy) == counted(in_system, PractitionerLimit) == 1


def test_a_line_that_was_changed_in_the_editor_is_overruled_until_it_is_given_back(
    take_over, in_system, tmp_path: Path
):
    source = write_csv(tmp_path, with_rules())
    take_over(source)
    with in_system() as session:
        session.execute(update(Schedule).values(origin="editor", active=False))
        session.execute(update(ScheduleQuota).values(places=1))
        session.execute(update(ScheduleException).values(origin="editor", note="Dời ngày nghỉ"))
    told = {item.table: item for item in take_over(source).tables}
    assert (told["rosters"].overruled, told["rosters"].added, told["rosters"].changed) == (1, 0, 0)
    assert told["rosters"].lines[0].startswith("! rosters ")
    assert (told["exceptions"].overruled, told["exceptions"].changed) == (1, 0)
    assert "roster_quotas" not in told
    with in_system() as session:
        assert session.scalars(select(Schedule.active)).one() is False
        session.execute(update(Schedule).values(origin="import"))
    assert by_table(take_over(source))["rosters"] == (1, 0, 0, 0)
