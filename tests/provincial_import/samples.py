"""A small made-up province in files that tests change, and the real one."""

import csv
from collections.abc import Callable
from pathlib import Path

from telehealth.provincial_import.findings import Finding
from telehealth.provincial_import.layout import OPTIONAL_COLUMNS, TABLES
from telehealth.provincial_import.province import read_province
from telehealth.provincial_import.reading import read_tables

REAL = Path(__file__).parents[2] / "telehealth" / "demo" / "province"

HOSPITAL = {
    "facility_code": "77001",
    "national_code": "8930000077001",
    "name": "Bệnh viện Bà Rịa",
    "kind": "hospital",
    "care_level": "specialised",
    "address": "130 đường số 21",
    "area": "Bà Rịa",
    "province": "Bà Rịa - Vũng Tàu",
    "latitude": "10.46573",
    "longitude": "107.13731",
    "hotline": "19009095",
    "hours": "MO-SA 07:00-11:30,13:00-16:30",
    "after_hours": "SU 07:30-11:00",
}
CENTRE = {
    **HOSPITAL,
    "facility_code": "77007",
    "national_code": "8930000077007",
    "name": "Trung tâm Y tế Vũng Tàu",
    "kind": "centre",
    "care_level": "basic",
    "parent_code": "77001",
    "area": "Vũng Tàu",
}
CARDIOLOGY = {
    "facility_code": "77001",
    "service_code": "cardiology",
    "name_vi": "Khám tim mạch",
    "name_en": "Cardiology",
    "duration_minutes": "15",
    "price_insured_vnd": "60000",
    "price_self_vnd": "60000",
    "price_on_request_vnd": "180000",
    "price_after_hours_vnd": "",
    "modalities": "in-person;video",
    "online_booking": "yes",
    "online_share_percent": "70",
}
DOCTOR = {
    "licence_no": "000001/77-CCHN",
    "name": "Hồ Kim Hùng",
    "title": "BSCKII",
    "specialty": "cardiology",
    "facility_code": "77001",
    "phone": "0912345678",
    "email": "ho.kim.hung@example.org",
}
ROOM = {"facility_code": "77001", "point_code": "P001", "name": "Phòng khám 1", "kind": "room"}
ROSTER = {
    "facility_code": "77001",
    "licence_no": "000001/77-CCHN",
    "service_code": "cardiology",
    "modality": "in-person",
    "weekdays": "TU;WE",
    "start": "13:00",
    "end": "16:30",
    "slot_minutes": "15",
    "capacity": "1",
    "room": "P001",
    "valid_from": "2026-01-01",
}
LEAVE = {
    "licence_no": "000001/77-CCHN",
    "facility_code": "77001",
    "kind": "leave",
    "from_date": "2026-12-10",
    "to_date": "2026-12-11",
    "note": "Nghỉ phép",
}
RESOURCE = {
    "facility_code": "77001",
    "resource_code": "SA1",
    "name": "Máy siêu âm tim",
    "kind": "device",
    "lanes": "2",
}
POLICY = {
    "facility_code": "77001",
    "service_code": "cardiology",
    "min_notice_minutes": "60",
    "window_days": "14",
    "release": "07:00",
    "hold_seconds": "600",
}
LIMIT = {"licence_no": "000001/77-CCHN", "patients_per_day": "40"}
RULES = {
    "every_weeks": "2",
    "mode": "session",
    "lead_minutes": "5",
    "tail_minutes": "10",
    "overbook_most": "0",
    "services": "cardiology",
    "resources": "SA1",
    "quotas": "counter:1:90m;referral-basic:2:3d",
}
DUTY = {
    "facility_code": "77001",
    "specialty": "cardiology",
    "date": "2026-12-01",
    "first_licence_no": "000001/77-CCHN",
    "second_licence_no": "000002/77-CCHN",
}

Tables = dict[str, list[dict[str, str]]]
Change = Callable[[Tables], None]


def small_province() -> Tables:
    """Return the tables; a cell that is not named is empty."""
    return {
        "facilities": [dict(HOSPITAL), dict(CENTRE)],
        "services": [dict(CARDIOLOGY), {**CARDIOLOGY, "facility_code": "77007"}],
        "practitioners": [
            dict(DOCTOR),
            {**DOCTOR, "licence_no": "000002/77-CCHN", "name": "Đào Thị Ân", "phone": ""},
        ],
        "service_points": [dict(ROOM), {**ROOM, "facility_code": "77007"}],
        "rosters": [dict(ROSTER)],
        "exceptions": [dict(LEAVE)],
        "oncall": [dict(DUTY)],
    }


def with_rules() -> Tables:
    """Return the same with every rule that the files may leave out."""
    tables = small_province()
    tables["rosters"][0].update(RULES)
    return {**tables, "resources": [dict(RESOURCE)], "policies": [dict(POLICY)], "limits": [dict(LIMIT)]}


def write_csv(folder: Path, tables: Tables) -> Path:
    """Write the tables as CSV files."""
    for table, rows in tables.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            more = {name for row in rows for name in row} & {*OPTIONAL_COLUMNS.get(table, ())}
            writer = csv.DictWriter(file, (*TABLES[table], *sorted(more)), restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def faults(source: Path) -> list[Finding]:
    """Return what the importer finds wrong, without a database."""
    tables, findings = read_tables(source)
    read_province(tables, findings)
    return findings
