"""Turning messages in a browser on and off, over HTTP."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from notifications.subscriptions import Subscriptions
from telehealth.app import create_app
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from telehealth.web.context import db
from tests.cast import BA_LAN, ONG_HUNG, bearer, patient_token
from tests.conftest import MovableClock
from tests.notifications.push_service import MadeUpBrowser

PATH = "/api/v1/push/subscriptions"


@pytest.fixture
def lan(client: FlaskClient, engine: Engine, settings: Settings) -> str:
    return patient_token(client, engine, settings.cipher, BA_LAN)


@pytest.fixture
def hung(client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock) -> str:
    clock.forward(minutes=2)
    return patient_token(client, engine, settings.cipher, ONG_HUNG)


def turn_on(client: FlaskClient, token: str, browser: MadeUpBrowser, **changes: Any) -> TestResponse:
    body = {"endpoint": browser.endpoint, "keys": browser.keys, **changes}
    return client.post(PATH, json=body, headers=bearer(token))


def endpoints(engine: Engine, settings: Settings, client: FlaskClient, token: str) -> list[str]:
    me = client.get("/api/v1/patients", headers=bearer(token))
    assert me.status_code == 200
    with system_unit_of_work(engine) as session:
        owner = session.connection().exec_driver_sql(
            "SELECT account_id FROM access_session WHERE token_hash = sha256(%s)", (token.encode(),)
        )
        kept = Subscriptions(settings.cipher).of(session, UUID(str(owner.scalar_one())))
        return [each.endpoint for each in kept]


def test_a_browser_is_turned_on_once_and_off_again(
    client: FlaskClient, engine: Engine, settings: Settings, lan: str
) -> None:
    phone = MadeUpBrowser()
    first = turn_on(client, lan, phone)
    assert first.status_code == 201
    assert turn_on(client, lan, phone).json == first.json
    assert endpoints(engine, settings, client, lan) == [phone.endpoint]
    for _ in range(2):
        gone = client.delete(PATH, json={"endpoint": phone.endpoint}, headers=bearer(lan))
        assert gone.status_code == 204
    assert endpoints(engine, settings, client, lan) == []


def test_a_shared_browser_belongs_to_the_last_who_turned_it_on_and_only_they_turn_it_off(
    client: FlaskClient, engine: Engine, settings: Settings, lan: str, hung: str
) -> None:
    phone = MadeUpBrowser()
    turn_on(client, lan, phone)
    turn_on(client, hung, phone)
    assert endpoints(engine, settings, client, lan) == []
    client.delete(PATH, json={"endpoint": phone.endpoint}, headers=bearer(lan))
    assert endpoints(engine, settings, client, hung) == [phone.endpoint]


def test_signing_out_ends_the_messages_of_that_sign_in_and_no_other(
    client: FlaskClient, engine: Engine, settings: Settings, lan: str, clock: MovableClock
) -> None:
    clock.forward(minutes=2)
    tablet_token = patient_token(client, engine, settings.cipher, BA_LAN)
    phone, tablet = MadeUpBrowser(), MadeUpBrowser()
    turn_on(client, lan, phone)
    turn_on(client, tablet_token, tablet)
    assert client.delete("/api/v1/sessions", headers=bearer(lan)).status_code == 204
    assert endpoints(engine, settings, client, tablet_token) == [tablet.endpoint]


def test_a_lost_phone_is_silenced_from_another(
    client: FlaskClient, engine: Engine, settings: Settings, lan: str, clock: MovableClock
) -> None:
    turn_on(client, lan, MadeUpBrowser())
    clock.forward(minutes=2)
    other = patient_token(client, engine, settings.cipher, BA_LAN)
    open_ones = client.get("/api/v1/sessions", headers=bearer(other)).json["items"]
    lost = next(each["id"] for each in open_ones if not each["current"])
    assert client.delete(f"/api/v1/sessions/{lost}", headers=bearer(other)).status_code == 204
    assert endpoints(engine, settings, client, other) == []


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"endpoint": "https://evil.example/push"}, "unknown-push-service", "endpoint"),
        ({"endpoint": "http://fcm.googleapis.com/fcm/send/x"}, "unknown-push-service", "endpoint"),
        ({"endpoint": ""}, "invalid", "endpoint"),
        ({"endpoint": "https://fcm.googleapis.com/" + "x" * 2000}, "invalid", "endpoint"),
        ({"endpoint": 7}, "invalid", "endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "invalid", "keys"),
        ({"keys": {"p256dh": "ă", "auth": "\x00"}}, "invalid", "keys"),
        ({"keys": {}}, "invalid", "keys"),
        ({"keys": None}, "invalid", "keys"),
        ({"owner": "somebody"}, "invalid", "owner"),
    ],
)
def test_what_is_no_subscription_is_refused(
    client: FlaskClient, lan: str, changes: dict[str, Any], code: str, field: str
) -> None:
    refused = turn_on(client, lan, MadeUpBrowser(), **changes)
    assert (refused.status_code, refused.json["code"]) == (422, code)
    assert field in refused.json["fields"]
    assert refused.mimetype == "application/problem+json"


def test_programs_and_strangers_get_no_messages(client: FlaskClient) -> None:
    refused = client.post(PATH, json={}, headers={"Authorization": "Bearer nobody"})
    assert refused.status_code == 401
    assert client.get("/api/v1/push/key").status_code == 401


def test_the_key_is_the_public_one_and_a_program_gets_no_token_of_a_page(
    client: FlaskClient, lan: str, app: Flask
) -> None:
    answer = client.get("/api/v1/push/key", headers=bearer(lan))
    assert answer.json["csrf_token"] is None
    assert len(answer.json["key"]) == 87
    assert answer.json["key"].startswith("B"), "an uncompressed point begins with 0x04"


def test_without_a_key_in_the_settings_there_is_no_push_and_no_offer(
    settings: Settings, clock: MovableClock, lan: str
) -> None:
    bare = create_app(replace(settings, environ={}), clock=clock)
    program = bare.test_client()
    assert program.get("/api/v1/push/key", headers=bearer(lan)).json["code"] == "no-push"
    assert turn_on(program, lan, MadeUpBrowser()).status_code == 503
    assert 'data-island="push"' not in program.get("/account", headers=bearer(lan)).text
    with bare.app_context():
        db.engine.dispose()


def test_the_offer_is_made_to_patients_where_there_is_a_key(client: FlaskClient, lan: str) -> None:
    assert 'data-island="push"' in client.get("/account", headers=bearer(lan)).text
