"""Who may subscribe a hospital's system, to what, and to which address."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from telehealth.webhooks.rules import Reach, Target
from tests.booking.clinic import FACILITIES, NOW, Employee
from tests.fhir.conftest import add_system
from tests.forms import post_form
from tests.webhooks.conftest import LOOPBACK

API = "/api/v1/webhooks"
OUTSIDE = "https://93.184.215.14/hook"
WANTED = {"facility": "77001", "name": "HIS", "url": OUTSIDE, "events": ["appointment.booked"]}


@pytest.mark.parametrize(
    ("url", "addresses", "allowed"),
    [
        ("https://his.example.vn/hook", ["93.184.215.14"], True),
        ("http://his.example.vn/hook", ["93.184.215.14"], False),
        ("https://his.example.vn", ["10.0.0.5"], False),
        ("https://his.example.vn", ["93.184.215.14", "10.0.0.5"], False),
        ("https://his.example.vn", ["169.254.169.254"], False),
        ("https://his.example.vn", ["::1"], False),
        ("https://his.example.vn", ["::ffff:10.0.0.5"], False),
        ("https://his.example.vn", ["fd00::1"], False),
        ("https://his.example.vn", ["0.0.0.0"], False),
        ("https://his.example.vn", ["224.0.0.1"], False),
        ("https://his.example.vn", [], False),
        ("http://127.0.0.1:8080/hook", ["127.0.0.1"], False),
    ],
)
def test_only_the_open_internet_is_called_by_https(url: str, addresses: list[str], allowed: bool):
    assert (Reach().allowed(Target.parse(url), addresses) is not None) is allowed


def test_a_network_that_the_operator_allows_may_be_called_plainly():
    target = Target.parse("http://127.0.0.1:8080/hook")
    assert Reach(LOOPBACK).allowed(target, ["127.0.0.1"]) == "127.0.0.1"
    assert Reach(LOOPBACK).allowed(target, ["127.0.0.1", "10.0.0.1"]) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://his.example.vn/",
        "//his.example.vn",
        "https://user:pass@his.example.vn/",
        "https://his.example.vn:port/",
        "https://his.example.vn/a b",
        "https://his.example.vn/\r\nX: y",
        "https:///path",
        "https://his.example.vn/#part",
        "https://his.example.vn/" + "a" * 500,
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address_is_none(url: str):
    assert Target.parse(url) is None


def test_an_administrator_subscribes_changes_rotates_tries_and_ends(web: FlaskClient, admin: Employee):
    made = web.post(API, json=WANTED, headers=admin.headers)
    assert made.status_code == 201, made.json
    assert made.json["secret"].startswith("whsec_")
    path = f"{API}/{made.json['id']}"
    shown = web.get(path, headers=admin.headers)
    assert "secret" not in shown.json
    change = {"events": ["session.closed"], "state": "paused"}
    assert web.patch(path, json=change, headers=admin.headers).status_code == 428
    versioned = admin.headers | {"If-Match": shown.headers["ETag"]}
    changed = web.patch(path, json=change, headers=versioned)
    assert (changed.json["events"], changed.json["state"]) == (["session.closed"], "paused")
    assert web.patch(path, json=change, headers=versioned).status_code == 412
    rotated = web.post(f"{path}/secret", headers=admin.headers)
    assert rotated.json["secret"] != made.json["secret"]
    assert web.post(f"{path}/test", headers=admin.headers).status_code == 202
    listed = web.get(f"{path}/deliveries", headers=admin.headers).json["items"]
    assert [item["event"] for item in listed] == ["webhook.test"]
    again = web.post(f"{path}/deliveries/{listed[0]['id']}/replay", headers=admin.headers)
    assert (again.status_code, again.json) == (202, {"count": 1})
    versioned = admin.headers | {"If-Match": rotated.headers["ETag"]}
    assert web.delete(path, headers=versioned).status_code == 204
    assert web.get(f"{API}?facility=77001", headers=admin.headers).json["items"] == []
    assert web.post(f"{path}/test", headers=admin.headers).json["code"] == "webhook-ended"


def test_an_address_inside_is_refused_with_its_field(web: FlaskClient, admin: Employee):
    refused = web.post(API, json=WANTED | {"url": "https://127.0.0.1/"}, headers=admin.headers)
    assert (refused.status_code, refused.json["code"]) == (422, "webhook-target-refused")
    assert list(refused.json["fields"]) == ["url"]


def test_another_house_and_the_desk_stay_outside(web: FlaskClient, admin: Employee, desk: Employee):
    made = web.post(API, json=WANTED, headers=admin.headers).json["id"]
    assert web.get(f"{API}/{made}", headers=desk.headers).status_code == 403
    assert web.get(f"{API}?facility=77002", headers=admin.headers).status_code == 403
    assert web.post(API, json=WANTED | {"facility": "77002"}, headers=admin.headers).status_code == 403


def test_the_page_adds_a_connection_and_shows_its_secret_once(web: FlaskClient, admin: Employee):
    with web.session_transaction() as cookie:
        cookie["_user_id"] = admin.token
    home = f"/admin/facilities/{FACILITIES['77001']}/webhooks"
    wrong = post_form(web, home, home, name="HIS", url="https://10.0.0.1/", events="appointment.booked")
    assert wrong.status_code == 422
    assert "Cần địa chỉ https" in wrong.get_data(as_text=True)
    nothing = post_form(web, home, home, name="", url=OUTSIDE)
    assert "Vui lòng đặt tên" in nothing.get_data(as_text=True)
    made = post_form(web, home, home, name="HIS", url=OUTSIDE, events="appointment.booked").get_data(
        as_text=True
    )
    assert "whsec_" in made
    listed = web.get(home).get_data(as_text=True)
    place = listed.partition(f'href="{home}/')[2].partition('"')[0]
    page = f"{home}/{UUID(place)}"
    assert "whsec_" not in web.get(page).get_data(as_text=True)
    assert post_form(web, page, f"{page}/test").status_code == 302
    assert "Gửi thử" in web.get(page).get_data(as_text=True)
    assert post_form(web, page, f"{page}/paused", version="1").status_code == 302
    assert "Tạm dừng" in web.get(page).get_data(as_text=True)


def test_what_a_system_asked_for_pauses_when_it_is_admitted_no_more(
    web: FlaskClient, engine: Engine, admin: Employee
):
    with system_unit_of_work(engine) as session:
        token = add_system(session, "77001", ("webhook.change", "webhook.read"))
    by_system = web.post(API, json=WANTED, headers={"Authorization": f"Bearer {token}"})
    assert by_system.status_code == 201, by_system.json
    by_admin = web.post(API, json=WANTED, headers=admin.headers)
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE integrator_client SET revoked_at = :now"), {"now": NOW})
    shown = [
        web.get(f"{API}/{made.json['id']}", headers=admin.headers).json for made in (by_system, by_admin)
    ]
    assert [item["state"] for item in shown] == ["paused", "active"]
