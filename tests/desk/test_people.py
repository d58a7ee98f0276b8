"""Who people are, at the desk: doubles, merged records, one's own record at 18, who asked for a booking."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import FACILITIES, Employee, add_employee
from tests.booking.test_booking_over_http import slots
from tests.cast import code_for
from tests.patient_portal.browser import Browser

PERSON = re.compile(r"/desk/people/([0-9a-f-]{36})")


def register(desk: Browser, **fields: str) -> Browser:
    values = {"full_name": "Trần Thị Sáu", "birth": "12/03/1952", "sex": "female", **fields}
    return desk.go("/desk/people/new").send("/desk/people", **values)


def patient_of(browser: Browser) -> str:
    found = PERSON.search(browser.address)
    assert found, browser.text
    return found[1]


@pytest.fixture
def clerk(engine: Engine, clinic: None) -> Employee:
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.DESK, "77001", number=7)


def system(engine: Engine, query: str, **values: object) -> list:
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        return list(connection.execute(text(query), values).all())


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"birth": "1952"},
        {"full_name": "Trần Thị Bảy", "phone": "0912345678"},
        {"full_name": "Bà Sáu", "birth": "1950", "insurance_no": "GD4797712345678"},
    ],
)
def test_a_likely_double_is_shown_before_a_new_record_is_made(desk: Browser, again: dict[str, str]):
    first = patient_of(register(desk, phone="0912 345 678", insurance_no="GD4797712345678"))
    asked = register(desk, **again)
    assert asked.sees("Có thể đã có hồ sơ")
    assert asked.links(first)
    made = asked.send("/desk/people")
    assert patient_of(made) != first, "the clerk said that it is somebody else"


def test_of_a_number_known_elsewhere_only_that_is_said(desk: Browser, at_desk):
    register(desk, insurance_no="GD4797712345678")
    other = at_desk("77002").go("/desk")
    asked = register(other, full_name="Lê Thị Khác", birth="1980", insurance_no="GD4797712345678")
    assert asked.sees("Một hồ sơ khác trong tỉnh có số giấy tờ này")
    assert not asked.sees("Trần Thị Sáu")
    assert not PERSON.search(asked.text)
    namesake = register(other)
    assert patient_of(namesake), "of a name known elsewhere nothing at all is said"


def test_two_records_become_one_and_the_other_takes_no_bookings_any_more(
    desk: Browser, engine: Engine, web_api: FlaskClient, clerk: Employee
):
    kept = patient_of(register(desk))
    gone = patient_of(register(desk, national_id="077152001234").send("/desk/people"))
    first, second = [slot for slot in slots(web_api) if slot["facility"]["code"] == "77001"][:2]
    booked = {}
    for patient, slot in ((kept, first), (gone, second)):
        body = {"slot_id": slot["id"], "patient_id": patient}
        booked[patient] = web_api.post("/api/v1/appointments", json=body, headers=clerk.headers).json["id"]
    page = desk.go(f"/desk/people/{kept}/merge")
    assert page.links(gone), page.text
    page.go(f"/desk/people/{kept}/merge?other={gone}")
    assert page.send("/merge").status == 422, "papers not seen"
    same_time = first["start"] == second["start"]
    chosen = {"keep-1": booked[kept]} if same_time else {}
    done = page.send("/merge", same="yes", **chosen)
    assert done.sees("Đã gộp hai hồ sơ", "1234"), done.text
    assert system(engine, "SELECT merged_into FROM patient WHERE id = :id", id=gone) == [(_uuid(kept),)]
    assert system(engine, "SELECT count(*) FROM appointment WHERE patient_id = :id", id=gone) == [(0,)]
    body = {"slot_id": slots(web_api)[4]["id"], "patient_id": gone}
    assert web_api.post("/api/v1/appointments", json=body, headers=clerk.headers).status_code == 404
    with pytest.raises(Exception, match="merged"), system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE appointment SET patient_id = :gone WHERE patient_id = :kept"),
            {"gone": gone, "kept": kept},
        )
    with pytest.raises(Exception, match="merged"), system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE patient SET merged_into = :other WHERE id = :kept"),
            {"other": FACILITIES["77001"], "kept": kept},
        )


def test_of_two_appointments_at_one_time_the_chosen_one_stays(
    desk: Browser, engine: Engine, web_api: FlaskClient, clerk: Employee
):
    kept = patient_of(register(desk))
    gone = patient_of(register(desk).send("/desk/people"))
    found = [slot for slot in slots(web_api, limit=20) if slot["facility"]["code"] == "77001"]
    one, two = next((a, b) for a in found for b in found if a["start"] == b["start"] and a["id"] < b["id"])
    ids = []
    for patient, slot in ((kept, one), (gone, two)):
        body = {"slot_id": slot["id"], "patient_id": patient}
        ids.append(web_api.post("/api/v1/appointments", json=body, headers=clerk.headers).json["id"])
    asked = {"merged_id": gone, "same_person": True}
    path = f"/api/v1/patients/{kept}/merge"
    undecided = web_api.post(path, json=asked, headers=clerk.headers)
    assert (undecided.status_code, undecided.json["code"]) == (409, "merge-needs-choice")
    decided = web_api.post(path, json=asked | {"keep": [ids[1]]}, headers=clerk.headers)
    assert decided.status_code == 200, decided.json
    states = dict(system(engine, "SELECT id, status FROM appointment"))
    assert states == {_uuid(ids[0]): "cancelled", _uuid(ids[1]): "booked"}
    claims = system(engine, "SELECT resource_id FROM claim WHERE active AND resource_kind = 'patient'")
    assert claims == [(_uuid(kept),)]


def test_a_desk_merges_only_whom_it_knows(
    desk: Browser, web_api: FlaskClient, engine: Engine, at_desk, clerk: Employee
):
    here = patient_of(register(desk))
    there = patient_of(register(at_desk("77002").go("/desk")))
    body = {"merged_id": there, "same_person": True}
    for kept, merged in ((here, there), (there, here)):
        asked = web_api.post(
            f"/api/v1/patients/{kept}/merge", json=body | {"merged_id": merged}, headers=clerk.headers
        )
        assert asked.status_code == 404


def test_who_asked_and_how_stand_on_the_appointment(desk: Browser, engine: Engine):
    desk.go(f"/desk/people/{patient_of(register(desk))}?service=internal")
    slot = re.search(r'name="slot_id" value="([^"]+)"', desk.text)[1]
    slip = desk.send("/book", slot_id=slot, asked="health-worker-phone", coverage="none")
    assert slip.sees("Trần Thị Sáu")
    assert "<svg" in slip.text, "a slip with a QR code"
    assert system(engine, "SELECT asked_by, asked_how FROM consent") == [("health-worker", "phone")]
    shown = desk.go(slip.address.replace("/slip", ""))
    assert shown.sees("Đặt thay theo yêu cầu của y tế thôn, cộng tác viên (qua điện thoại)", "desk-2026-11")


def test_the_desk_writes_down_who_acts_for_somebody_and_ends_it(desk: Browser):
    person = patient_of(register(desk))
    page = desk.go(f"/desk/people/{person}/relatives")
    wanted = {
        "name": "Lê Văn Con",
        "contact": "+49 151 23456789",
        "relation": "child",
        "scopes": "book",
        "until": "2027-05-30",
    }
    assert page.send("/relatives", **wanted).status == 422
    assert page.send("/relatives", **wanted, seen="yes").sees(
        "Lê Văn Con", "Con", "Đặt, đổi và hủy lịch khám"
    )
    assert page.send("/revoke").sees("Chưa có ai được làm thay")


def test_a_grown_person_gets_their_record_at_the_desk(
    desk: Browser, web_api: FlaskClient, engine: Engine, settings: Settings
):
    person = patient_of(register(desk, full_name="Trần Gia Bảo", birth="01/11/2008"))
    page = desk.go(f"/desk/people/{person}/relatives")
    assert page.send("/own", own="0987654321", own_seen="yes").sees("Đã giao hồ sơ")
    sent = web_api.post("/api/v1/otp", json={"phone": "0987654321"}).json["challenge_id"]
    code = code_for(engine, settings.cipher, sent)
    token = web_api.post("/api/v1/sessions", json={"challenge_id": sent, "code": code}).json["token"]
    mine = web_api.get("/api/v1/patients", headers={"Authorization": f"Bearer {token}"}).json["items"]
    assert [(each["id"], each["relation"]) for each in mine] == [(person, "self")]


def _uuid(value: str):
    from uuid import UUID

    return UUID(value)
