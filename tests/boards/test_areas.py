"""Areas: made, changed and taken away by the facility's administrator; their boards show what is theirs."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from telehealth.core.principal import Principal
from telehealth.core.uow import system_unit_of_work
from telehealth.queueing import services as queueing
from tests.boards.conftest import administrator
from tests.conftest import MONDAY_8AM
from tests.forms import post_form
from tests.queueing.hospital import Caller, Hospital

API = "/api/v1/facilities/77001"


def made(admin: Caller, queues: list[UUID], **more: object) -> dict:
    body = {"code": "sanh-a", "name": "Sảnh A", "queues": [str(each) for each in queues], **more}
    answer = admin.post(f"{API}/board-areas", body)
    assert answer.status_code == 201, answer.json
    return answer.json


def board(client: FlaskClient, area: str = "") -> dict:
    return client.get(f"{API}/board" + (f"?area={area}" if area else "")).json


def test_an_area_shows_its_own_queues_and_nothing_else(
    admin: Caller, hospital: Hospital, room: UUID, client: FlaskClient
):
    made(admin, [room])
    for code in ("P001", "P002", "P001"):
        hospital.number(code)
        hospital.call(code)
    assert [call["number"] for call in board(client, "sanh-a")["calls"]] == ["1-002", "1-001"]
    assert [call["number"] for call in board(client)["calls"]] == ["1-002", "2-001", "1-001"]
    page = client.get("/board/77001/sanh-a").get_data(as_text=True)
    assert "Sảnh A" in page
    assert "1-002" in page
    assert "2-001" not in page


def test_an_area_of_one_desk_shows_only_what_that_desk_calls(
    admin: Caller, hospital: Hospital, client: FlaskClient, begin: Callable
):
    with begin() as session:
        desks = dict(
            session.execute(text("SELECT code, id FROM service_point WHERE kind = 'registration'")).all()
        )
    made(admin, [], rooms=[str(desks["Q02"])])
    queue = hospital.queue("registration")
    for desk in ("Q01", "Q02"):
        hospital.number("registration")
        with begin() as session:
            queueing.call_next(
                session, hospital.doctor, queue, now=MONDAY_8AM, cipher=hospital.cipher, outbox=None,
                service_point_id=desks[desk],
            )  # fmt: skip
    assert [(call["number"], call["room"]) for call in board(client, "sanh-a")["calls"]] == [
        ("A002", "Quầy đăng ký 2")
    ]


def test_a_change_takes_a_version_and_reaches_the_screens(admin: Caller, room: UUID, engine: Engine):
    area = made(admin, [room])
    path = f"/api/v1/board-areas/{area['id']}"
    body = {"name": "Sảnh A tầng 1", "queues": [str(room)], "volume": 30, "languages": "vi", "muted": True}
    headers = {"Authorization": f"Bearer {admin.token}"}
    assert admin.client.put(path, json=body, headers=headers).status_code == 428
    changed = admin.client.put(path, json=body, headers=headers | {"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.json["volume"], changed.json["muted"], changed.json["version"]) == (30, True, 2)
    assert admin.client.put(path, json=body, headers=headers | {"If-Match": '"1"'}).status_code == 412
    with system_unit_of_work(engine) as session:
        told = session.execute(text("SELECT kind, body FROM board_event ORDER BY seq")).all()
    assert [tuple(each) for each in told] == [("area", {"area": "sanh-a"})] * 2


def test_an_area_that_is_taken_away_is_gone(admin: Caller, room: UUID, client: FlaskClient):
    area = made(admin, [room])
    answer = admin.client.delete(
        f"/api/v1/board-areas/{area['id']}", headers={"Authorization": f"Bearer {admin.token}"}
    )
    assert answer.status_code == 204
    gone = client.get(f"{API}/board?area=sanh-a")
    assert (gone.status_code, gone.json["code"]) == (404, "board-area-unknown")
    assert client.get("/board/77001/sanh-a").status_code == 404
    assert client.get(f"{API}/board-areas").json == {"items": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "Sảnh A"}, {"code": "-a"}, {"code": ""}, {"name": ""}, {"name": "x" * 81},
        {"least_seconds": 3}, {"volume": 101}, {"languages": "fr"}, {"dialect": "west"}, {"queues": []},
        {"queues": ["x"]}, {"extra": 1},
    ],
)  # fmt: skip
def test_what_makes_no_area_is_refused(admin: Caller, room: UUID, wrong: dict):
    body = {"code": "sanh-a", "name": "Sảnh A", "queues": [str(room)], **wrong}
    assert admin.post(f"{API}/board-areas", body).status_code == 422


def test_an_address_is_given_once(admin: Caller, room: UUID):
    made(admin, [room])
    again = admin.post(f"{API}/board-areas", {"code": "sanh-a", "name": "Khác", "queues": [str(room)]})
    assert (again.status_code, again.json["code"]) == (409, "board-area-taken")


def test_nobody_else_arranges_a_board(
    admin: Caller,
    other_admin: Caller,
    doctor: Caller,
    room: UUID,
    other_hospital: Hospital,
    client: FlaskClient,
):
    area = made(admin, [room])
    body = {"code": "x", "name": "x", "queues": [str(room)]}
    for stranger in (other_admin, doctor):
        assert stranger.post(f"{API}/board-areas", body).status_code == 403
        headers = {"Authorization": f"Bearer {stranger.token}", "If-Match": '"1"'}
        path = f"/api/v1/board-areas/{area['id']}"
        assert stranger.client.put(path, json={"name": "x"}, headers=headers).status_code == 403
        assert stranger.client.delete(path, headers=headers).status_code == 403
    assert client.post(f"{API}/board-areas", json=body).status_code == 401
    foreign = admin.post(f"{API}/board-areas", {**body, "queues": [str(other_hospital.queue("P001"))]})
    assert (foreign.status_code, list(foreign.json["fields"])) == (422, ["queues"])


def test_the_database_keeps_a_strangers_hands_off_a_board(
    admin: Caller, room: UUID, other_hospital: Hospital, app: Flask, begin: Callable, engine: Engine
):
    made(admin, [room])
    stranger: Principal = administrator(other_hospital)[0]
    with begin() as session:
        facilities = "{" + str(other_hospital.id) + "}"
        session.execute(
            text("SELECT set_config('app.kind', 'staff', true), set_config('app.facilities', :f, true),"
                 " set_config('app.account', :a, true)"),
            {"f": facilities, "a": str(stranger.id)},
        )  # fmt: skip
        assert session.execute(text("UPDATE board_area SET muted = true")).rowcount == 0
        assert session.execute(text("DELETE FROM board_area_queue")).rowcount == 0
        with pytest.raises(DBAPIError):
            session.execute(
                text("INSERT INTO board_area_queue SELECT id, :queue FROM board_area"),
                {"queue": other_hospital.queue("P001")},
            )


def test_who_missed_the_call_is_shown_until_they_are_back(
    admin: Caller, doctor: Caller, hospital: Hospital, client: FlaskClient
):
    for _ in range(5):
        hospital.number()
    called = doctor.post(f"/api/v1/queues/{hospital.queue('P001')}/call-next").json
    shown = board(client)
    assert shown["following"][0]["numbers"] == ["1-002", "1-003", "1-004"]
    assert shown["following"][0]["room"] == "Phòng khám 1"
    assert shown["missed"] == []
    doctor.post(f"/api/v1/tickets/{called['id']}/skip", If_Match='"2"')
    assert board(client)["missed"] == ["1-001"]
    page = client.get("/board/77001?part=side").get_data(as_text=True)
    assert "<li>1-001</li>" in page
    doctor.post(f"/api/v1/tickets/{called['id']}/return", If_Match='"3"')
    assert board(client)["missed"] == []


def test_a_board_never_names_a_specialty(hospital: Hospital, begin: Callable, client: FlaskClient):
    with begin() as session:
        session.execute(text("UPDATE service_point SET name = 'Phòng khám Tâm thần 1' WHERE code = 'P001'"))
        session.execute(text("UPDATE queue SET name = 'Phòng khám Tâm thần 1' WHERE code = 'P001'"))
    for _ in range(3):
        hospital.number()
    hospital.call()
    for path in (f"{API}/board", "/board/77001", "/board/77001?part=side"):
        read = client.get(path).get_data(as_text=True)
        assert "Tâm thần" not in read
        assert "Phòng khám 1" in read


def test_the_form_makes_changes_and_closes_an_area(
    app: Flask, admin: Caller, room: UUID, signed_in: FlaskClient, hospital: Hospital
):
    path = f"/admin/facilities/{hospital.id}/boards"
    form = {"name": "Sảnh A", "code": "sanh-a", "queues": str(room), "least_seconds": "8",
            "languages": "vi-en", "dialect": "north", "volume": "70"}  # fmt: skip
    wrong = post_form(signed_in, f"{path}/new", f"{path}/new", **(form | {"code": "Sảnh", "volume": "x"}))
    assert wrong.status_code == 422
    page = wrong.get_data(as_text=True)
    assert "Địa chỉ chỉ gồm chữ thường" in page
    assert "Nhập âm lượng" in page
    nothing = post_form(signed_in, f"{path}/new", f"{path}/new", **({**form, "queues": ""}))
    assert nothing.status_code == 422
    assert post_form(signed_in, f"{path}/new", f"{path}/new", **form).status_code == 303
    listed = signed_in.get(path).get_data(as_text=True)
    assert "/board/77001/sanh-a" in listed
    area = admin.get(f"{API}/board-areas").json["items"][0]
    assert (area["least_seconds"], area["dialect"], area["volume"]) == (8, "north", 70)
    here = f"/admin/boards/{area['id']}"
    edited = post_form(signed_in, here, here, **(form | {"name": "Sảnh B", "muted": "yes"}))
    assert edited.status_code == 303
    assert admin.get(f"/api/v1/board-areas/{area['id']}").json["name"] == "Sảnh B"
    assert post_form(signed_in, here, f"{here}/close").status_code == 303
    assert admin.get(f"{API}/board-areas").json["items"] == []
