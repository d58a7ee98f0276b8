"""The pages of signing in, as a browser without scripts uses them."""

import re

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.accounts import services
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.cast import BA_LAN, PASSWORD, hire, messages, open_facilities
from tests.conftest import MovableClock
from tests.forms import post_form


def last_code(engine: Engine, settings: Settings) -> str:
    return messages(engine, settings.cipher, "otp")[-1]["code"]


def enrolled_computer(client: FlaskClient, engine: Engine, settings: Settings, facility_id, now) -> None:
    with system_unit_of_work(engine) as session:
        code = services.issue_device_code(
            session,
            kind="computer",
            facility_id=facility_id,
            name="Quầy 1",
            created_by=None,
            now=now,
            cipher=settings.cipher,
        )
    answer = post_form(client, "/staff/computer", "/staff/computer", code=code.lower())
    assert answer.status_code == 302


def test_a_patient_signs_in_by_phone_and_goes_on_where_she_was(
    client: FlaskClient, engine: Engine, settings: Settings
):
    sent = post_form(client, "/sign-in?next=/book/confirm", "/sign-in", phone=BA_LAN, next="/book/confirm")
    assert sent.headers["Location"] == "/sign-in/code"
    page = client.get("/sign-in/code").get_data(as_text=True)
    assert "678" in page
    assert "0912345678" not in page
    done = post_form(client, "/sign-in/code", "/sign-in/code", code=last_code(engine, settings))
    assert done.headers["Location"] == "/book/confirm"
    assert client.get("/account/sign-ins").status_code == 200


def test_a_wrong_phone_and_a_wrong_code_are_said_on_the_page(client: FlaskClient):
    wrong_phone = post_form(client, "/sign-in", "/sign-in", phone="12")
    assert wrong_phone.status_code == 422
    assert "0912 345 678" in wrong_phone.get_data(as_text=True)
    post_form(client, "/sign-in", "/sign-in", phone=BA_LAN)
    wrong_code = post_form(client, "/sign-in/code", "/sign-in/code", code="000000x")
    assert wrong_code.status_code == 401
    assert "Mã không đúng" in wrong_code.get_data(as_text=True)


def test_a_code_can_be_sent_again(client: FlaskClient, engine: Engine, settings: Settings):
    post_form(client, "/sign-in", "/sign-in", phone=BA_LAN)
    assert post_form(client, "/sign-in/code", "/sign-in/again").status_code == 302
    assert len(messages(engine, settings.cipher, "otp")) == 2


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/ok\n//x",
        "\\\\evil",
    ],
)
def test_signing_in_never_leads_to_another_site(
    client: FlaskClient, engine: Engine, settings: Settings, target: str
):
    post_form(client, "/sign-in", "/sign-in", phone=BA_LAN, next=target)
    done = post_form(client, "/sign-in/code", "/sign-in/code", code=last_code(engine, settings))
    assert done.headers["Location"] == "/"


def test_the_cookie_changes_with_the_sign_in_and_holds_no_phone(
    client: FlaskClient, engine: Engine, settings: Settings
):
    post_form(client, "/sign-in", "/sign-in", phone=BA_LAN)
    with client.session_transaction() as before:
        token = before["csrf"]
    post_form(client, "/sign-in/code", "/sign-in/code", code=last_code(engine, settings))
    client.get("/account/sign-ins")
    with client.session_transaction() as after:
        assert after.get("csrf") != token
        assert "12345678" not in str(dict(after))


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(
    app: Flask, client: FlaskClient, engine: Engine, settings: Settings
):
    post_form(client, "/sign-in", "/sign-in", phone=BA_LAN)
    post_form(client, "/sign-in/code", "/sign-in/code", code=last_code(engine, settings))
    stolen = client.get_cookie("session").value
    assert post_form(client, "/account/sign-ins", "/sign-out").status_code == 302
    thief = app.test_client()
    thief.set_cookie("session", stolen)
    assert thief.get("/account/sign-ins").status_code == 302, "sent to the sign-in page"


def test_staff_sign_in_by_password_and_authenticator(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    doctor = hire(
        engine, settings.cipher, "bs.minh", Role.PRACTITIONER, open_facilities(engine)["BVT"], now=clock.now
    )
    right = post_form(client, "/staff/sign-in", "/staff/sign-in", login=" BS.Minh ", password=PASSWORD)
    assert right.headers["Location"] == "/staff/sign-in/code"
    assert client.get("/account/sign-ins").status_code == 302, "the password alone opens nothing"
    wrong = post_form(client, "/staff/sign-in/code", "/staff/sign-in/code", code="000000")
    assert wrong.status_code == 401
    done = post_form(client, "/staff/sign-in/code", "/staff/sign-in/code", code=doctor.totp(clock.now))
    assert done.headers["Location"] == "/clinic"


def test_the_first_sign_in_sets_up_the_authenticator(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    place = open_facilities(engine)["BVT"]
    hire(engine, settings.cipher, "bs.moi", Role.DESK, place, now=clock.now, totp_secret=None)
    step = post_form(client, "/staff/sign-in", "/staff/sign-in", login="bs.moi", password=PASSWORD)
    assert step.headers["Location"] == "/staff/sign-in/authenticator"
    page = client.get(step.headers["Location"]).get_data(as_text=True)
    assert "<svg" in page
    secret = re.search(r"((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})", page)[1].replace(" ", "")
    again = client.get(step.headers["Location"]).get_data(as_text=True)
    assert secret[:4] in again, "a reload keeps the secret"
    code = pyotp.TOTP(secret).at(clock.now)
    done = post_form(client, step.headers["Location"], "/staff/sign-in/authenticator", code=code)
    assert done.headers["Location"] == "/desk"


def test_a_step_left_open_too_long_begins_again(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    place = open_facilities(engine)["BVT"]
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, place, now=clock.now)
    post_form(client, "/staff/sign-in", "/staff/sign-in", login=clerk.login, password=PASSWORD)
    clock.forward(minutes=11)
    assert client.get("/staff/sign-in/code").status_code == 410


def test_on_an_enrolled_computer_the_password_suffices_and_a_pin_changes_the_user(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    place = open_facilities(engine)["BVT"]
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, place, now=clock.now)
    enrolled_computer(client, engine, settings, place, clock.now)
    done = post_form(client, "/staff/sign-in", "/staff/sign-in", login=clerk.login, password=PASSWORD)
    assert done.headers["Location"] == "/desk"
    pin = post_form(client, "/account/sign-ins", "/account/pin", pin="2580", password_for_pin=PASSWORD)
    assert pin.status_code == 302
    post_form(client, "/account/sign-ins", "/sign-out")
    changed = post_form(client, "/staff/sign-in", "/staff/sign-in/pin", account=str(clerk.id), pin="2580")
    assert changed.headers["Location"] == "/desk"


def test_an_administrator_needs_both_factors_even_there(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    place = open_facilities(engine)["BVT"]
    admin = hire(engine, settings.cipher, "qt.binh", Role.FACILITY_ADMIN, place, now=clock.now)
    enrolled_computer(client, engine, settings, place, clock.now)
    step = post_form(client, "/staff/sign-in", "/staff/sign-in", login=admin.login, password=PASSWORD)
    assert step.headers["Location"] == "/staff/sign-in/code"


def test_a_computer_of_one_facility_is_no_factor_for_the_staff_of_another(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    places = open_facilities(engine)
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, places["TYT"], now=clock.now)
    enrolled_computer(client, engine, settings, places["BVT"], clock.now)
    step = post_form(client, "/staff/sign-in", "/staff/sign-in", login=clerk.login, password=PASSWORD)
    assert step.headers["Location"] == "/staff/sign-in/code"


def test_a_password_is_changed_with_the_old_one_and_ends_other_sign_ins(
    app: Flask, client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, open_facilities(engine)["BVT"], now=clock.now)
    other = app.test_client()
    for browser in (other, client):
        post_form(browser, "/staff/sign-in", "/staff/sign-in", login=clerk.login, password=PASSWORD)
        post_form(browser, "/staff/sign-in/code", "/staff/sign-in/code", code=clerk.totp(clock.now))
        clock.forward(minutes=1)
    page = "/account/sign-ins"
    fresh = {"password": "trời xanh mây trắng", "again": "trời xanh mây trắng"}
    assert post_form(client, page, "/account/password", old="sai rồi nhé", **fresh).status_code == 401
    assert (
        post_form(client, page, "/account/password", old=PASSWORD, password="ngắn", again="ngắn").status_code
        == 422
    )
    assert (
        post_form(
            client, page, "/account/password", old=PASSWORD, password="khác nhau 1", again="khác nhau 2"
        ).status_code
        == 422
    )
    assert post_form(client, page, "/account/password", old=PASSWORD, **fresh).status_code == 302
    assert client.get(page).status_code == 200
    assert other.get(page).status_code == 302


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-in/code", "/staff/sign-in", "/staff/reset", "/staff/computer", "/sign-out"]
)
def test_a_form_without_the_token_is_refused(client: FlaskClient, path: str):
    assert client.post(path, data={"phone": BA_LAN}).status_code == 403
