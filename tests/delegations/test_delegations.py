"""A mother lets her son abroad act for her: as far as she said, as long as she said, and no further."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from telehealth.core.crypto import token_hash
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import NOW, Employee, Person, add_person
from tests.booking.test_booking_over_http import book, slots
from tests.cast import code_for, messages
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

MINHS_PHONE = "+84912000002"


def code_of(web: FlaskClient, engine: Engine, settings: Settings, who: Person) -> dict[str, str]:
    sent = web.post("/api/v1/delegations/code", headers=who.headers)
    assert sent.status_code == 202, sent.json
    challenge = sent.json["challenge_id"]
    return {"challenge_id": challenge, "code": code_for(engine, settings.cipher, challenge)}


def wanted(who: Person, *scopes: str, **changes: object) -> dict:
    return {
        "patient_id": str(who.patient_id),
        "name": "Lê Văn Minh",
        "contact": MINHS_PHONE,
        "relation": "child",
        "scopes": list(scopes) or ["see", "book"],
        "until": "2027-05-30",
    } | changes


@pytest.fixture
def give(web: FlaskClient, engine: Engine, settings: Settings, lan: Person) -> Callable[..., dict]:
    """Let Minh act for Lan."""

    def given(*scopes: str, **changes: object) -> dict:
        body = wanted(lan, *scopes, **changes) | code_of(web, engine, settings, lan)
        answer = web.post("/api/v1/delegations", json=body, headers=lan.headers)
        assert answer.status_code == 201, answer.json
        return answer.json

    return given


def mine(web: FlaskClient, who: Person) -> list[dict]:
    answer = web.get("/api/v1/appointments", headers=who.headers)
    assert answer.status_code == 200, answer.json
    return answer.json["items"]


def test_a_son_books_sees_moves_and_cancels_for_his_mother_and_she_sees_what_he_did(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    assert give("book")["scopes"] == ["see", "book"]
    first, second = slots(web)[:2]
    booked = book(web, minh, slot_id=first["id"], patient_id=str(lan.patient_id))
    assert booked.status_code == 201, booked.json
    assert [item["id"] for item in mine(web, minh)] == [booked.json["id"]]
    assert [item["id"] for item in mine(web, lan)] == [booked.json["id"]]
    moved = web.post(
        f"/api/v1/appointments/{booked.json['id']}/reschedule",
        json={"slot_id": second["id"]},
        headers=minh.headers | {"If-Match": f'"{booked.json["version"]}"'},
    )
    assert moved.status_code == 200, moved.json
    cancelled = web.post(
        f"/api/v1/appointments/{booked.json['id']}/cancel",
        json={},
        headers=minh.headers | {"If-Match": moved.headers["ETag"]},
    )
    assert cancelled.status_code == 200, cancelled.json
    trail = web.get(f"/api/v1/patients/{lan.patient_id}/trail", headers=lan.headers).json["items"]
    assert {"booking.book", "booking.cancel", "delegation.give"} <= {row["action"] for row in trail}


def test_a_hold_is_confirmed_for_her_too(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    give("book")
    held = web.post("/api/v1/holds", json={"slot_id": slots(web)[0]["id"]}, headers=minh.headers)
    booked = book(web, minh, hold_id=held.json["id"], patient_id=str(lan.patient_id))
    assert booked.status_code == 201, booked.json


def test_who_may_only_see_does_no_more(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    give("see")
    slot = slots(web)[0]
    assert book(web, minh, slot_id=slot["id"], patient_id=str(lan.patient_id)).status_code == 403
    own = book(web, lan, slot_id=slot["id"])
    path = f"/api/v1/appointments/{own.json['id']}"
    seen = web.get(path, headers=minh.headers)
    assert seen.status_code == 200
    assert not {"cancel", "reschedule", "join"} & set(seen.json["actions"])
    for action, body in (("cancel", {}), ("reschedule", {"slot_id": slot["id"]})):
        refused = web.post(
            f"{path}/{action}", json=body, headers=minh.headers | {"If-Match": f'"{own.json["version"]}"'}
        )
        assert refused.status_code == 403


def test_a_delegate_never_sees_the_record(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    give("see", "book", "join")
    for method, path in (
        ("GET", f"/api/v1/patients/{lan.patient_id}"),
        ("GET", f"/api/v1/patients/{lan.patient_id}/trail"),
        ("DELETE", f"/api/v1/patients/{lan.patient_id}"),
    ):
        assert web.open(path, method=method, headers=minh.headers).status_code == 404
    people = web.get("/api/v1/patients", headers=minh.headers).json["items"]
    assert [person["id"] for person in people] == [str(minh.patient_id)]


@pytest.mark.parametrize("scopes", [("see",), ("see", "join")])
def test_the_database_itself_refuses_what_goes_beyond_the_scope(
    web: FlaskClient, engine: Engine, lan: Person, minh: Person, give: Callable[..., dict], scopes: tuple
):
    give(*scopes)
    own = book(web, lan, slot_id=slots(web)[0]["id"])
    with Session(engine) as session:
        enter = text("SELECT * FROM app_enter(:t, :now)")
        session.execute(enter, {"t": token_hash(minh.token), "now": NOW})
        assert session.execute(text("SELECT count(*) FROM appointment")).scalar_one() == 1
        assert session.execute(text("SELECT count(*) FROM patient_identifier")).scalar_one() == 0
        assert session.execute(text("UPDATE patient SET full_name = 'x'")).rowcount == 1, "his own only"
        with pytest.raises(Exception, match="row-level security"):
            session.execute(
                text(
                    """INSERT INTO appointment (id, code, status, version, clinic_session_id, facility_id,
                          practitioner_id, service_id, modality, start_at, end_at, lane, channel, patient_id,
                          account_id, price_class, coverage_basis, companion, created_at, updated_at)
                       SELECT gen_random_uuid(), 'ATTACK11', 'booked', 1, clinic_session_id, facility_id,
                          practitioner_id, service_id, modality, start_at, end_at, 1, 'online', patient_id,
                          app_account(), 'self', 'none', false, now(), now() FROM appointment"""
                )
            )
    assert own.status_code == 201


def test_when_it_is_revoked_nothing_works_any_more_at_once(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    given = give("book")
    booked = book(web, minh, slot_id=slots(web)[0]["id"], patient_id=str(lan.patient_id))
    assert web.delete(f"/api/v1/delegations/{given['id']}", headers=lan.headers).status_code == 204
    assert mine(web, minh) == []
    path = f"/api/v1/appointments/{booked.json['id']}"
    assert web.get(path, headers=minh.headers).status_code == 404
    cancel = web.post(
        f"{path}/cancel", json={}, headers=minh.headers | {"If-Match": f'"{booked.json["version"]}"'}
    )
    assert cancel.status_code == 404
    again = book(web, minh, slot_id=slots(web)[1]["id"], patient_id=str(lan.patient_id))
    assert again.status_code == 404
    assert len(mine(web, lan)) == 1, "her appointment stays"


def test_when_its_time_is_over_nothing_works_any_more(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    give: Callable[..., dict],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    give("book", until="2026-11-30")
    booked = book(web, minh, slot_id=slots(web)[0]["id"], patient_id=str(lan.patient_id))
    assert booked.status_code == 201
    set_database_clock(clock.forward(hours=16))
    assert mine(web, minh) == []
    again = book(web, minh, slot_id=slots(web)[1]["id"], patient_id=str(lan.patient_id))
    assert again.status_code == 404


def test_nobody_gives_or_takes_back_for_others(
    web: FlaskClient,
    engine: Engine,
    settings: Settings,
    lan: Person,
    minh: Person,
    give: Callable[..., dict],
    other_desk: Employee,
):
    given = give("see")
    with system_unit_of_work(engine) as session:
        stranger = add_person(session, settings.cipher, 3)
    for who in (stranger, other_desk):
        path = f"/api/v1/delegations/{given['id']}"
        assert web.delete(path, headers=who.headers).status_code == 404
    body = wanted(lan) | code_of(web, engine, settings, minh)
    assert web.post("/api/v1/delegations", json=body, headers=minh.headers).status_code == 404
    assert web.get("/api/v1/delegations", headers=stranger.headers).json == {"given": [], "held": []}


def test_another_persons_code_and_a_used_one_confirm_nothing(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, minh: Person
):
    stolen = wanted(lan) | code_of(web, engine, settings, minh)
    assert web.post("/api/v1/delegations", json=stolen, headers=lan.headers).status_code == 401
    own = wanted(lan) | code_of(web, engine, settings, lan)
    assert web.post("/api/v1/delegations", json=own, headers=lan.headers).status_code == 201
    assert web.post("/api/v1/delegations", json=own, headers=lan.headers).status_code == 401
    sign_in = web.post("/api/v1/otp", json={"phone": "+84912000001"}).json["challenge_id"]
    wrong_purpose = {"challenge_id": sign_in, "code": code_for(engine, settings.cipher, sign_in)}
    refused = web.post("/api/v1/delegations", json=wanted(lan) | wrong_purpose, headers=lan.headers)
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "2026-11-29"},
        {"until": "2028-01-01"},
        {"contact": "12"},
        {"contact": "+84912000001"},
        {"name": "  "},
        {"scopes": ["everything"]},
    ],
)
def test_what_cannot_be_right_is_refused(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, wrong: dict
):
    body = wanted(lan, **wrong) | code_of(web, engine, settings, lan)
    assert web.post("/api/v1/delegations", json=body, headers=lan.headers).status_code == 422


def test_given_again_it_is_renewed_and_the_delegate_may_give_it_up(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    give("see")
    renewed = give("see", "book", until="2027-11-30")
    listed = web.get("/api/v1/delegations", headers=minh.headers).json["held"]
    assert [row["id"] for row in listed] == [renewed["id"]]
    assert web.delete(f"/api/v1/delegations/{renewed['id']}", headers=minh.headers).status_code == 204
    assert web.get("/api/v1/delegations", headers=minh.headers).json["held"] == []


def test_who_is_not_known_yet_is_named_by_e_mail_and_finds_it_after_signing_in(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, give: Callable[..., dict]
):
    give("see", contact=" Son@Example.COM ")
    sent = web.post("/api/v1/otp", json={"email": "son@example.com"})
    code = code_for(engine, settings.cipher, sent.json["challenge_id"])
    opened = web.post("/api/v1/sessions", json={"challenge_id": sent.json["challenge_id"], "code": code})
    headers = {"Authorization": f"Bearer {opened.json['token']}"}
    held = web.get("/api/v1/delegations", headers=headers).json["held"]
    assert [row["patient_name"] for row in held] == ["Trần Thị Lan"]


def test_the_desk_gives_with_papers_seen_and_she_is_told(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, minh: Person, desk: Employee
):
    with system_unit_of_work(engine) as session:
        phone = "+84912000001"
        session.execute(
            text("UPDATE patient SET phone_sealed = :s WHERE id = :id"),
            {
                "s": settings.cipher.seal_text(phone, f"patient.phone:{lan.patient_id}"),
                "id": lan.patient_id,
            },
        )
    refused = web.post("/api/v1/delegations", json=wanted(lan), headers=desk.headers)
    assert refused.status_code == 422
    given = web.post("/api/v1/delegations", json=wanted(lan) | {"identity_seen": True}, headers=desk.headers)
    assert given.status_code == 201, given.json
    told = messages(engine, settings.cipher, "delegation-given")
    assert [message["to"] for message in told] == [phone]
    unknown = web.post(
        "/api/v1/delegations", json=wanted(minh) | {"identity_seen": True}, headers=desk.headers
    )
    assert unknown.status_code == 404, "she is not known here"


def test_a_delegation_for_a_child_ends_at_eighteen(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, minh: Person, clock: MovableClock
):
    child = web.post(
        "/api/v1/patients",
        json={"full_name": "Trần Gia Bảo", "birth_date": "2009-03-01", "relation": "parent"},
        headers=lan.headers,
    ).json["id"]
    body = wanted(lan, patient_id=child, until="2027-11-29") | code_of(web, engine, settings, lan)
    given = web.post("/api/v1/delegations", json=body, headers=lan.headers)
    assert given.status_code == 201, given.json
    ends = datetime.fromisoformat(given.json["valid_to"])
    assert ends == datetime.fromisoformat("2027-03-01T00:00:00+07:00")
    assert ends - clock.now < timedelta(days=120)


def test_what_was_given_ends_with_the_right_of_who_gave_it(
    web: FlaskClient, engine: Engine, lan: Person, minh: Person, give: Callable[..., dict]
):
    give("see", "book")
    slot = slots(web)[0]
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE account_patient SET valid_to = valid_from WHERE patient_id = :id"),
            {"id": lan.patient_id},
        )
    assert book(web, minh, slot_id=slot["id"], patient_id=str(lan.patient_id)).status_code == 404
    with Session(engine) as session:
        session.execute(text("SELECT app_enter(:t, :now)"), {"t": token_hash(minh.token), "now": NOW})
        assert not session.scalar(text("SELECT app_delegated(:id, 'booking.read')"), {"id": lan.patient_id})


def test_what_was_given_for_a_child_ends_no_later_than_the_right_over_the_child(
    web: FlaskClient, engine: Engine, lan: Person, give: Callable[..., dict]
):
    delegation_id = give()["id"]
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE patient SET birth_date = '2009-01-15' WHERE id = :id"), {"id": lan.patient_id}
        )
        ends = session.scalar(text("SELECT valid_to FROM delegation WHERE id = :id"), {"id": delegation_id})
    assert ends == datetime.fromisoformat("2027-01-15T00:00:00+07:00")


def test_a_name_seen_by_delegation_is_nobodys_guardian(
    web: FlaskClient, lan: Person, minh: Person, give: Callable[..., dict]
):
    give("see")
    child = {"full_name": "Lê Gia Hân", "birth_year": 2020, "relation": "parent"}
    refused = web.post(
        "/api/v1/patients", json=child | {"guardian_id": str(lan.patient_id)}, headers=minh.headers
    )
    assert refused.status_code == 422


def test_who_has_nobody_to_give_for_is_told_so(web: FlaskClient, engine: Engine, lan: Person):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE account_patient SET valid_to = valid_from"))
    headers = lan.headers | {"Accept": "text/html"}
    assert "Chưa có ai để ủy quyền" in web.get("/account/delegates/new", headers=headers).get_data(
        as_text=True
    )
    assert web.post("/account/delegates/new", data={}, headers=headers).status_code == 422


def test_a_code_that_got_lost_is_sent_again_and_what_was_said_is_kept(
    app: Flask, engine: Engine, settings: Settings, clock: MovableClock, lan: Person
):
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    browser = Browser(client, engine, settings.cipher, clock)
    said = {
        "patient": str(lan.patient_id),
        "name": "Trần Văn Nam",
        "relation": "child",
        "contact": "+49 151 23456789",
        "until": "2027-05-23",
        "agree": "yes",
    }
    browser.go("/account/delegates/new").send("", **said)
    assert browser.sees("Xác nhận bằng mã", "Gửi lại mã")
    assert browser.go("/account/delegates/new").sees('value="Trần Văn Nam"')
    browser.go("/account/delegates/confirm").send("/confirm", code="000000")
    assert browser.status == 401
    browser.clock.forward(seconds=61)
    browser.send("/confirm/again")
    assert browser.sees("Đã gửi lại mã")
    browser.send("/confirm", code=browser.code())
    assert browser.sees("được làm thay từ bây giờ", "đăng nhập trang này")
