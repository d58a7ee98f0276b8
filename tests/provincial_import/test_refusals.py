"""Each reason to refuse, with its place, in both languages; and all of them at once."""

from pathlib import Path

import pytest

from telehealth.provincial_import.cli import finding_lines
from telehealth.web.localization import has_message
from tests.provincial_import.samples import faults, small_province, with_rules, write_csv


def put(table: str, row: int = 0, **cells: str):
    """Change cells of one line."""
    return lambda tables: tables[table][row].update(cells)


def add(table: str, **cells: str):
    """Add a line like the first one but for these cells."""
    return lambda tables: tables[table].append({**tables[table][0], **cells})


EXTRA = {
    "kind": "extra",
    "from_date": "2026-12-06",
    "to_date": "",
    "start": "07:30",
    "end": "11:00",
    "service_code": "cardiology",
    "modality": "in-person",
    "slot_minutes": "15",
    "capacity": "1",
}

REFUSALS = [
    (put("facilities", kind="palace"), "facilities.csv", 2, "kind", "not-one-of"),
    (put("facilities", care_level="best"), "facilities.csv", 2, "care_level", "not-one-of"),
    (put("facilities", hours="MO-SA 7-11"), "facilities.csv", 2, "hours", "bad-hours"),
    (put("facilities", latitude="north"), "facilities.csv", 2, "latitude", "bad-degrees"),
    (put("facilities", name=""), "facilities.csv", 2, "name", "needed"),
    (put("facilities", 1, parent_code="99999"), "facilities.csv", 3, "parent_code", "unknown-facility"),
    (put("facilities", parent_code="77007"), "facilities.csv", 2, "parent_code", "parent-cycle"),
    (put("facilities", parent_code="77001"), "facilities.csv", 2, "parent_code", "parent-cycle"),
    (
        add("facilities", facility_code="77009"),
        "facilities.csv",
        4,
        "national_code",
        "twice",
    ),
    (put("services", price_self_vnd="-5"), "services.csv", 2, "price_self_vnd", "bad-price"),
    (put("services", price_insured_vnd="45.5"), "services.csv", 2, "price_insured_vnd", "bad-price"),
    (put("services", modalities="in-person;smoke"), "services.csv", 2, "modalities", "not-one-of"),
    (put("services", online_booking="maybe"), "services.csv", 2, "online_booking", "not-yes-no"),
    (put("services", online_share_percent="101"), "services.csv", 2, "online_share_percent", "not-whole"),
    (put("services", duration_minutes="0"), "services.csv", 2, "duration_minutes", "not-whole"),
    (add("services"), "services.csv", 4, "service_code", "twice"),
    (add("services", facility_code="1"), "services.csv", 4, "facility_code", "unknown-facility"),
    (put("practitioners", 1, licence_no="000001/77-CCHN"), "practitioners.csv", 3, "licence_no", "twice"),
    (put("practitioners", phone="12"), "practitioners.csv", 2, "phone", "bad-phone"),
    (put("practitioners", email="a@b"), "practitioners.csv", 2, "email", "bad-email"),
    (put("practitioners", licence_no="'; --"), "practitioners.csv", 2, "licence_no", "bad-licence"),
    (put("practitioners", specialty="magic"), "practitioners.csv", 2, "specialty", "unknown-specialty"),
    (put("practitioners", facility_code="1"), "practitioners.csv", 2, "facility_code", "unknown-facility"),
    (put("service_points", kind="garden"), "service_points.csv", 2, "kind", "not-one-of"),
    (add("service_points"), "service_points.csv", 4, "point_code", "twice"),
    (put("rosters", facility_code="1"), "rosters.csv", 2, "facility_code", "unknown-facility"),
    (put("rosters", licence_no="9/77"), "rosters.csv", 2, "licence_no", "unknown-licence"),
    (put("rosters", service_code="magic"), "rosters.csv", 2, "service_code", "unknown-service"),
    (put("rosters", room="P999"), "rosters.csv", 2, "room", "unknown-room"),
    (put("rosters", modality="letter"), "rosters.csv", 2, "modality", "not-one-of"),
    (put("services", modalities="video"), "rosters.csv", 2, "modality", "modality-not-offered"),
    (put("rosters", weekdays="TU;XX"), "rosters.csv", 2, "weekdays", "bad-weekday"),
    (put("rosters", end="12:00"), "rosters.csv", 2, "end", "end-before-start"),
    (put("rosters", end="13:00"), "rosters.csv", 2, "end", "end-before-start"),
    (put("rosters", start="1 o'clock"), "rosters.csv", 2, "start", "bad-time"),
    (put("rosters", slot_minutes="240"), "rosters.csv", 2, "slot_minutes", "slot-too-long"),
    (put("rosters", capacity="0"), "rosters.csv", 2, "capacity", "not-whole"),
    (put("rosters", valid_from="31/02/2026"), "rosters.csv", 2, "valid_from", "bad-date"),
    (put("rosters", valid_to="2025-12-31"), "rosters.csv", 2, "valid_to", "end-before-start"),
    (
        add("rosters", facility_code="77007", weekdays="WE", start="16:00", end="18:00"),
        "rosters.csv",
        3,
        "start",
        "roster-overlap",
    ),
    (
        add("rosters", weekdays="MO;TU", start="12:00", end="13:15"),
        "rosters.csv",
        3,
        "start",
        "roster-overlap",
    ),
    (
        add("exceptions", **{**EXTRA, "from_date": "2026-12-01", "start": "14:00", "end": "15:00"}),
        "exceptions.csv",
        3,
        "start",
        "roster-overlap",
    ),
    (put("exceptions", kind="party"), "exceptions.csv", 2, "kind", "not-one-of"),
    (put("exceptions", licence_no=""), "exceptions.csv", 2, "licence_no", "needed-by-kind"),
    (put("exceptions", to_date="2026-12-01"), "exceptions.csv", 2, "to_date", "end-before-start"),
    (put("exceptions", start="07:00"), "exceptions.csv", 2, "end", "start-and-end"),
    (put("exceptions", like_weekday="MO"), "exceptions.csv", 2, "like_weekday", "not-of-kind"),
    (
        put("exceptions", **{**EXTRA, "slot_minutes": ""}),
        "exceptions.csv",
        2,
        "slot_minutes",
        "needed-by-kind",
    ),
    (
        put("exceptions", **{**EXTRA, "slot_minutes": "300"}),
        "exceptions.csv",
        2,
        "slot_minutes",
        "slot-too-long",
    ),
    (add("exceptions"), "exceptions.csv", 3, "from_date", "twice"),
    (put("oncall", specialty="magic"), "oncall.csv", 2, "specialty", "unknown-specialty"),
    (put("oncall", first_licence_no="9/77"), "oncall.csv", 2, "first_licence_no", "unknown-licence"),
    (
        put("oncall", second_licence_no="000001/77-CCHN"),
        "oncall.csv",
        2,
        "second_licence_no",
        "same-person-twice",
    ),
    (add("oncall"), "oncall.csv", 3, "date", "twice"),
]


@pytest.mark.parametrize(
    ("change", "file", "row", "column", "code"), REFUSALS, ids=lambda value: str(value)[:24]
)
def test_a_fault_is_told_with_its_place_in_both_languages(changed, change, file, row, column, code):
    told = faults(changed(change))
    found = [finding for finding in told if finding.code == code]
    assert [(item.place.file, item.place.row, item.column) for item in found][:1] == [(file, row, column)]
    heading, vietnamese, english = finding_lines(found[0])
    assert heading.startswith(f"{file}, dòng/row {row}, cột/column {column}")
    assert heading.endswith(f"[{code}]")
    assert vietnamese.startswith("    vi: ")
    assert english.startswith("    en: ")
    assert has_message("vi", f"import-{code}")
    assert has_message("en", f"import-{code}")


RULE_REFUSALS = [
    (put("rosters", every_weeks="0"), "rosters.csv", 2, "every_weeks", "not-whole"),
    (put("rosters", mode="queue"), "rosters.csv", 2, "mode", "not-one-of"),
    (put("rosters", lead_minutes="200"), "rosters.csv", 2, "lead_minutes", "not-whole"),
    (put("rosters", tail_minutes="-1"), "rosters.csv", 2, "tail_minutes", "not-whole"),
    (
        put("rosters", lead_minutes="100", tail_minutes="100"),
        "rosters.csv",
        2,
        "slot_minutes",
        "slot-too-long",
    ),
    (put("rosters", overbook_most="21"), "rosters.csv", 2, "overbook_most", "not-whole"),
    (put("rosters", services="magic"), "rosters.csv", 2, "services", "unknown-service"),
    (put("rosters", resources="SA9"), "rosters.csv", 2, "resources", "unknown-resource"),
    (put("rosters", quotas="counter:4"), "rosters.csv", 2, "quotas", "bad-quota"),
    (put("rosters", quotas="window:4:3d"), "rosters.csv", 2, "quotas", "bad-quota"),
    (put("rosters", quotas="counter:4:3d;counter:1:1h"), "rosters.csv", 2, "quotas", "bad-quota"),
    (put("rosters", quotas="counter:8:3d"), "rosters.csv", 2, "quotas", "quota-too-large"),
    (put("resources", kind="chair"), "resources.csv", 2, "kind", "not-one-of"),
    (put("resources", lanes="0"), "resources.csv", 2, "lanes", "not-whole"),
    (put("resources", facility_code="1"), "resources.csv", 2, "facility_code", "unknown-facility"),
    (add("resources"), "resources.csv", 3, "resource_code", "twice"),
    (put("policies", window_days="400"), "policies.csv", 2, "window_days", "not-whole"),
    (put("policies", release="dawn"), "policies.csv", 2, "release", "bad-time"),
    (put("policies", service_code="magic"), "policies.csv", 2, "service_code", "unknown-service"),
    (add("policies"), "policies.csv", 3, "service_code", "twice"),
    (put("limits", patients_per_day="0"), "limits.csv", 2, "patients_per_day", "not-whole"),
    (put("limits", licence_no="9/77"), "limits.csv", 2, "licence_no", "unknown-licence"),
    (add("limits"), "limits.csv", 3, "licence_no", "twice"),
]


@pytest.mark.parametrize(
    ("change", "file", "row", "column", "code"), RULE_REFUSALS, ids=lambda value: str(value)[:24]
)
def test_a_faulty_rule_is_told_as_well(tmp_path: Path, change, file, row, column, code):
    tables = with_rules()
    change(tables)
    told = faults(write_csv(tmp_path, tables))
    assert (file, row, column, code) in [
        (item.place.file, item.place.row, item.column, item.code) for item in told
    ]
    assert has_message("vi", f"import-{code}")
    assert has_message("en", f"import-{code}")


def test_two_lines_that_take_turns_by_weeks_are_not_in_two_places_at_once(changed):
    def take_turns(tables):
        tables["rosters"][0].update(every_weeks="2", valid_from="2026-11-30")
        tables["rosters"].append({**tables["rosters"][0], "room": "", "valid_from": "2026-12-07"})

    assert not faults(changed(take_turns))
    assert [fault.code for fault in faults(changed(lambda tables: (
        take_turns(tables), tables["rosters"][1].update(valid_from="2026-12-14")
    )))] == ["roster-overlap"]  # fmt: skip


def test_every_fault_is_told_at_once(changed):
    def spoil(tables):
        tables["facilities"][0]["kind"] = "palace"
        tables["services"][0]["price_self_vnd"] = "cheap"
        tables["rosters"][0].update(end="12:00", weekdays="XX")
        tables["oncall"][0]["specialty"] = "magic"

    codes = {finding.code for finding in faults(changed(spoil))}
    assert codes == {"not-one-of", "unknown-specialty", "end-before-start", "bad-weekday", "bad-price"}


def test_a_faulty_line_does_not_make_those_that_refer_to_it_faulty(changed):
    told = faults(changed(put("facilities", kind="palace")))
    assert [finding.code for finding in told] == ["not-one-of"]


def test_an_extra_session_in_roster_hours_is_lawful_on_a_day_of_leave(changed):
    def replace_hours(tables):
        tables["exceptions"] = [
            {**tables["exceptions"][0], "from_date": "2026-12-01", "to_date": "2026-12-01"},
            {**tables["exceptions"][0], **EXTRA, "from_date": "2026-12-01", "start": "14:00", "end": "15:00"},
        ]

    assert not faults(changed(replace_hours))


def test_rosters_of_different_seasons_do_not_overlap(changed):
    def seasons(tables):
        tables["rosters"][0]["valid_to"] = "2026-06-30"
        tables["rosters"].append(
            {**tables["rosters"][0], "valid_from": "2026-07-01", "valid_to": "", "room": ""}
        )

    assert not faults(changed(seasons))


def test_a_missing_file_is_named(tmp_path: Path):
    source = write_csv(tmp_path, small_province())
    (source / "oncall.csv").unlink()
    (finding,) = faults(source)
    assert (finding.code, finding.params) == ("file-missing", {"table": "oncall"})


@pytest.mark.parametrize(
    ("heading", "code"),
    [
        ("facility_code,point_code,name", "column-missing"),
        ("facility_code,point_code,name,kind,colour", "column-unknown"),
        ("facility_code,point_code,name,kind,kind", "column-twice"),
    ],
)
def test_a_wrong_heading_is_refused(tmp_path: Path, heading: str, code: str):
    source = write_csv(tmp_path, small_province())
    (source / "service_points.csv").write_text(f"{heading}\n", encoding="utf-8")
    assert code in [finding.code for finding in faults(source)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file-empty"),
        (b"facility_code,point_code,name,kind\n77001,P001,Ph\xf2ng,room\n", "not-utf8"),
        (b"facility_code,point_code,name,kind\n77001,P001,Phong,room,extra\n", "too-many-cells"),
    ],
)
def test_an_odd_file_is_refused(tmp_path: Path, content: bytes, code: str):
    source = write_csv(tmp_path, small_province())
    (source / "service_points.csv").write_bytes(content)
    assert code in [finding.code for finding in faults(source)]


def test_a_workbook_that_is_none_is_refused(tmp_path: Path):
    source = write_csv(tmp_path, small_province())
    (source / "oncall.csv").unlink()
    (source / "oncall.xlsx").write_bytes(b"not a workbook")
    assert "file-unreadable" in [finding.code for finding in faults(source)]
