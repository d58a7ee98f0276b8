"""Arranging the waiting room of a release hour through its page."""

from collections.abc import Callable

from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.admission.schemas import ReleaseRoomListSchema
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import FACILITIES, add_employee, service_id
from tests.schedule_editor.conftest import Pages

SERVICE = service_id("77001", "internal")
PAGE = f"/desk/schedule/waiting-rooms/{SERVICE}"
TERMS = {
    "on": "yes",
    "rate_per_minute": "40",
    "early_minutes": "20",
    "hot_minutes": "10",
    "admission_minutes": "5",
}


def kept(engine: Engine) -> list[tuple[int, ...]]:
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            text(
                "SELECT rate_per_minute, early_minutes, hot_minutes, admission_minutes FROM release_policy"
                " WHERE service_id = :id"
            ),
            {"id": SERVICE},
        )
        return [tuple(row) for row in rows]


def test_a_waiting_room_is_opened_changed_and_closed_from_the_rules(admin: Pages, engine: Engine):
    rules = admin.go("/desk/schedule/rules")
    assert PAGE in rules.text
    assert rules.sees("đang tắt")
    assert admin.go(PAGE).sees("Phòng chờ giờ mở đặt", "Dịch vụ này chưa có giờ mở đặt")
    assert admin.post(PAGE, TERMS).status == 303
    assert kept(engine) == [(40, 20, 10, 5)]
    assert admin.go("/desk/schedule/rules").sees("đang bật, mỗi phút 40 người")
    assert 'value="40"' in admin.go(PAGE).text
    assert admin.post(PAGE, {**TERMS, "rate_per_minute": "90"}).status == 303
    assert kept(engine) == [(90, 20, 10, 5)]
    assert admin.post(PAGE, {"on": "no"}).status == 303
    assert kept(engine) == []
    with system_unit_of_work(engine) as session:
        trail = text("SELECT count(*) FROM audit_event WHERE action = 'admission.arrange'")
        assert session.execute(trail).scalar_one() == 3


def test_the_page_says_when_the_days_open(admin: Pages, engine: Engine):
    form = {"window_days": "14", "release_minute": "08:00", "version": "0"}
    assert admin.do(f"/desk/schedule/rules/services/{SERVICE}", form).status == 303
    assert admin.go(PAGE).sees("Mở đặt lúc 08:00, trước ngày khám 14 ngày.")


def test_what_cannot_be_is_said_beside_its_field(admin: Pages, engine: Engine):
    bad = admin.post(PAGE, {**TERMS, "rate_per_minute": "0", "early_minutes": "many"})
    assert bad.status == 422
    assert bad.sees("Phải từ 1 đến 6000.", "Phải là một số")
    assert admin.post(PAGE, {**TERMS, "hot_minutes": ""}).sees(
        "Giữ phòng chờ sau giờ mở (phút): Chưa có thông tin này."
    )
    assert admin.post(PAGE, {**TERMS, "on": ""}).status == 422
    assert kept(engine) == []


def test_it_is_the_administrator_s_own(as_role: Callable[..., Pages]):
    clerk = as_role(Role.DESK)
    assert clerk.go(PAGE).status == 403
    assert clerk.post(PAGE, TERMS).status == 403
    assert PAGE not in clerk.go("/desk/schedule/rules").text
    other = as_role(Role.FACILITY_ADMIN, "77002")
    assert other.go(PAGE).status == 404
    assert other.post(PAGE, TERMS).status == 404


def test_programs_read_what_the_page_shows(admin: Pages, client: FlaskClient, engine: Engine):
    assert admin.post(PAGE, TERMS).status == 303
    with system_unit_of_work(engine) as session:
        chief = add_employee(session, Role.FACILITY_ADMIN, "77001", 2)
        clerk = add_employee(session, Role.DESK, "77001")
    address = f"/api/v1/waiting-rooms?facility={FACILITIES['77001']}"
    listed = client.get(address, headers=chief.headers)
    assert not ReleaseRoomListSchema().validate(listed.json)
    assert [(each["service_id"], each["rate_per_minute"]) for each in listed.json["items"]] == [
        (str(SERVICE), 40)
    ]
    assert client.get(address, headers=clerk.headers).status_code == 403
