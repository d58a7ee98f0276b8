"""Programs change the schedule as pages do: a dry run first, then exactly that, by version."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import DOCTORS, TUESDAY, Employee, add_employee, service_id

LINE: dict[str, Any] = {
    "facility": "77001",
    "practitioner_id": str(DOCTORS["an"]),
    "service_id": str(service_id("77001", "internal")),
    "modality": "in-person",
    "weekdays": [0, 1, 2, 3, 4],
    "start": "13:00",
    "end": "15:00",
    "slot_minutes": 20,
    "room": "P7",
    "valid_from": "2026-12-02",
    "quotas": [{"door": "counter", "places": 2, "falls_minutes": 60}],
}


@pytest.fixture
def admin(client: FlaskClient, clinic: None, engine: Engine) -> Employee:
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")


def ask(client: FlaskClient, who: Employee, method: str, path: str, **options: Any) -> Any:
    version = options.pop("version", None)
    headers = {**who.headers, **({} if version is None else {"If-Match": f'"{version}"'})}
    return client.open(f"/api/v1{path}", method=method, headers=headers, **options)


def do(client: FlaskClient, who: Employee, method: str, path: str, **options: Any) -> Any:
    """Look at it, then do it."""
    query = options.pop("query_string", {})
    dry = ask(client, who, method, path, query_string={**query, "dry_run": "true"}, **options)
    assert dry.status_code == 200, dry.json
    seen = {**query, "preview": dry.json["fingerprint"]}
    return ask(client, who, method, path, query_string=seen, **options)


def test_a_line_lives_through_the_api(client: FlaskClient, admin: Employee, engine: Engine):
    made = do(client, admin, "POST", "/schedules", json=LINE)
    assert made.status_code == 201, made.json
    assert (made.json["start"], made.json["quotas"]) == ("13:00", LINE["quotas"])
    path = f"/schedules/{made.json['id']}"
    assert ask(client, admin, "GET", path).headers["ETag"] == '"1"'
    listed = ask(client, admin, "GET", "/schedules", query_string={"facility": "77001", "limit": 2}).json
    assert len(listed["items"]) == 2
    assert listed["next"]
    longer = do(client, admin, "PATCH", path, json={"end": "16:00", "valid_from": "2026-12-03"}, version=1)
    assert longer.status_code == 200, longer.json
    assert (longer.json["valid_from"], longer.json["end"], longer.json["quotas"]) == (
        "2026-12-03",
        "16:00",
        LINE["quotas"],
    )
    ended = do(client, admin, "DELETE", f"/schedules/{longer.json['id']}", version=1)
    assert ended.status_code == 204
    with system_unit_of_work(engine) as session:
        left = session.execute(
            text(
                "SELECT business_date, status FROM clinic_session WHERE room = 'P7'"
                " AND business_date < '2026-12-04' ORDER BY business_date"
            )
        ).all()
    assert [(str(day), status) for day, status in left] == [
        ("2026-12-02", "open"),
        ("2026-12-03", "cancelled"),
    ]


def test_nothing_is_done_unseen(client: FlaskClient, admin: Employee):
    unseen = ask(client, admin, "POST", "/schedules", json=LINE)
    assert (unseen.status_code, unseen.json["code"]) == (428, "preview-required")
    stale = ask(client, admin, "POST", "/schedules", json=LINE, query_string={"preview": "0" * 32})
    assert (stale.status_code, stale.json["code"]) == (409, "preview-stale")
    assert len(stale.json["preview"]) == 32


def test_a_preview_of_another_change_is_no_preview_of_this(client: FlaskClient, admin: Employee):
    dry = ask(client, admin, "POST", "/schedules", json=LINE, query_string={"dry_run": "true"})
    quietly = {**LINE, "overbook_most": 9}
    answer = ask(
        client, admin, "POST", "/schedules", json=quietly, query_string={"preview": dry.json["fingerprint"]}
    )
    assert answer.json["code"] == "preview-stale"


def test_versions_are_asked_and_old_ones_refused(client: FlaskClient, admin: Employee):
    made = do(client, admin, "POST", "/schedules", json=LINE).json
    path = f"/schedules/{made['id']}"
    assert ask(client, admin, "PATCH", path, json={"room": "P8"}).status_code == 428
    dry = {"dry_run": "true"}
    assert (
        ask(client, admin, "PATCH", path, json={"room": "P8"}, version=9, query_string=dry).status_code == 412
    )
    assert ask(client, admin, "DELETE", path).status_code == 428


def test_faults_are_named_as_the_api_spells_them(client: FlaskClient, admin: Employee):
    wrong = ask(
        client, admin, "POST", "/schedules", json={**LINE, "end": "12:00"}, query_string={"dry_run": "true"}
    )
    assert wrong.status_code == 422
    assert wrong.json["fields"] == {"end": ["Giờ kết thúc phải sau giờ bắt đầu."]}
    unread = ask(client, admin, "POST", "/schedules", json={**LINE, "end": "later"})
    assert unread.json["fields"] == {"end": ["Ghi giờ như 07:30."]}


def test_exceptions_and_blockings_live_through_the_api(client: FlaskClient, admin: Employee):
    leave = {
        "facility": "77001",
        "kind": "leave",
        "practitioner_id": str(DOCTORS["an"]),
        "from": TUESDAY.isoformat(),
        "to": TUESDAY.isoformat(),
    }
    made = do(client, admin, "POST", "/schedule-exceptions", json=leave)
    assert made.status_code == 201, made.json
    path = f"/schedule-exceptions/{made.json['id']}"
    longer = do(client, admin, "PATCH", path, json={"to": "2026-12-02"}, version=1)
    assert (longer.status_code, longer.json["to"], longer.json["version"]) == (200, "2026-12-02", 2)
    assert do(client, admin, "DELETE", path, version=2).status_code == 204
    block = {
        "facility": "77001",
        "practitioner_id": str(DOCTORS["an"]),
        "from": "2026-12-01T08:00:00+07:00",
        "to": "2026-12-01T09:00:00+07:00",
        "reason": "Họp khoa",
        "override_roles": ["facility-admin"],
    }
    made = do(client, admin, "POST", "/blockings", json=block)
    assert made.status_code == 201, made.json
    path = f"/blockings/{made.json['id']}"
    assert ask(client, admin, "GET", path).json["from"] == "2026-12-01T08:00:00+07:00"
    assert do(client, admin, "PATCH", path, json={"reason": "Họp"}, version=1).json["reason"] == "Họp"
    assert do(client, admin, "DELETE", path, version=2).status_code == 204
    listed = ask(client, admin, "GET", "/blockings", query_string={"facility": "77001"})
    assert listed.json == {"items": [], "next": None}


def test_resources_policies_and_limits_live_through_the_api(client: FlaskClient, admin: Employee):
    room = {"facility": "77001", "kind": "device", "code": "SA1", "name": "Máy siêu âm", "lanes": 2}
    made = do(client, admin, "POST", "/resources", json=room)
    path = f"/resources/{made.json['id']}"
    assert do(client, admin, "PATCH", path, json={"lanes": 3}, version=1).json["lanes"] == 3
    assert do(client, admin, "DELETE", path, version=2).status_code == 204
    assert ask(client, admin, "GET", path).json["active"] is False
    service = str(service_id("77001", "internal"))
    policy = {"service_id": service, "min_notice_minutes": 120, "release": "07:00"}
    assert do(client, admin, "POST", "/booking-policies", json=policy).status_code == 201
    path = f"/booking-policies/{service}"
    changed = do(client, admin, "PATCH", path, json={"window_days": 14}, version=1).json
    assert (changed["window_days"], changed["release"], changed["version"]) == (14, "07:00", 2)
    assert do(client, admin, "DELETE", path, version=2).status_code == 204
    assert ask(client, admin, "GET", path).status_code == 404
    limit = {"practitioner_id": str(DOCTORS["an"]), "per_day": 30}
    assert do(client, admin, "POST", "/practitioner-limits", json=limit).status_code == 201
    path = f"/practitioner-limits/{DOCTORS['an']}"
    assert do(client, admin, "PATCH", path, json={"per_day": 40}, version=1).json["version"] == 2
    assert do(client, admin, "DELETE", path, version=2).status_code == 204


def test_another_facilitys_things_are_refused(client: FlaskClient, admin: Employee, engine: Engine):
    with system_unit_of_work(engine) as session:
        other = add_employee(session, Role.FACILITY_ADMIN, "77002")
    made = do(client, admin, "POST", "/schedules", json=LINE).json
    path = f"/schedules/{made['id']}"
    assert ask(client, other, "GET", path).status_code == 403
    assert ask(client, other, "PATCH", path, json={}, version=1).status_code == 403
    assert ask(client, other, "POST", "/schedules", json=LINE).status_code == 403


@pytest.mark.parametrize(
    ("away", "warned"),
    [({}, True), ({"start": "13:00", "end": "14:00"}, True), ({"start": "08:00", "end": "11:00"}, False)],
    ids=["all day", "a part of it", "at other hours"],
)
def test_an_extra_session_that_leave_cuts_is_warned_of_before_it_is_saved(
    client: FlaskClient, admin: Employee, away: dict[str, str], warned: bool
):
    day = {"from": TUESDAY.isoformat(), "to": TUESDAY.isoformat()}
    about = {"facility": "77001", "practitioner_id": str(DOCTORS["an"]), **day}
    left = do(client, admin, "POST", "/schedule-exceptions", json={**about, "kind": "leave", **away})
    assert left.status_code == 201, left.json
    wanted = {name: LINE[name] for name in ("service_id", "modality", "slot_minutes", "room", "start", "end")}
    extra = {**about, **wanted, "kind": "extra", "capacity": 1}
    seen = ask(client, admin, "POST", "/schedule-exceptions", query_string={"dry_run": "true"}, json=extra)
    assert seen.status_code == 200, seen.json
    told = [item for item in seen.json["warnings"] if item["code"] == "extra-cut"]
    assert [item["day"] for item in told] == ([TUESDAY.isoformat()] if warned else [])
    assert all("ca thêm không mở hết" in item["detail"] for item in told)
