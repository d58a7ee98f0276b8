"""Receipts over HTTP, as a provider posts them."""

from collections.abc import Iterator
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from twilio.request_validator import RequestValidator

from notifications.channels.esms.account import SANDBOX as SANDBOX_ESMS
from notifications.channels.esms.webhook import CallbackToken
from notifications.channels.twilio.account import SANDBOX as SANDBOX_TWILIO

BASE = "http://127.0.0.1:8000"
PATH = "/webhooks/twilio?key=0190a2b4-7c00-7000-8000-000000000001"
FIELDS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+84912345678"}


@pytest.fixture
def received(owner_engine: Engine) -> Iterator[Engine]:
    yield owner_engine
    with owner_engine.begin() as connection:
        connection.execute(text("TRUNCATE notifications.receipt"))


def signed(fields: dict[str, str], path: str = PATH) -> dict[str, str]:
    validator = RequestValidator(SANDBOX_TWILIO["TWILIO_AUTH_TOKEN"])
    return {
        "X-Twilio-Signature": validator.compute_signature(BASE + path, fields),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def stored(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM notifications.receipt")).scalar_one())


def test_a_signed_receipt_is_kept_once_and_needs_no_sign_in(app: Flask, received: Engine) -> None:
    client = app.test_client()
    for _ in range(2):
        answer = client.post(PATH, data=urlencode(FIELDS), headers=signed(FIELDS))
        assert answer.status_code == 204
    assert stored(received) == 1


def test_the_signature_counts_for_the_public_address_whatever_a_proxy_calls_us(
    app: Flask, received: Engine
) -> None:
    answer = app.test_client().post(
        PATH, data=urlencode(FIELDS), headers=signed(FIELDS) | {"Host": "inner:8080"}
    )
    assert answer.status_code == 204


@pytest.mark.parametrize("path", [PATH, "/webhooks/zalo"])
@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"MessageSid=SM1&MessageStatus=delivered"])
def test_what_is_not_signed_is_refused_and_leaves_nothing(
    app: Flask, received: Engine, path: str, body: bytes
) -> None:
    client: FlaskClient = app.test_client()
    answer = client.post(path, data=body, headers={"X-Twilio-Signature": "x", "Accept": "application/json"})
    assert answer.status_code == 403
    assert stored(received) == 0


ESMS_QUERY = "SMSID=d533&SendFailed=1&SendStatus=5&SendSuccess=0&RequestId=&phonenumber=0912345678"


def test_esms_calls_by_get_and_its_bad_news_is_only_a_claim(app: Flask, received: Engine) -> None:
    token = CallbackToken(SANDBOX_ESMS["ESMS_SECRET_KEY"]).issue(UUID(int=7))
    for _ in range(2):
        assert app.test_client().get(f"/webhooks/esms/{token}?{ESMS_QUERY}").status_code == 204
    with received.begin() as connection:
        (row,) = connection.execute(text("SELECT status, idem_key, raw::text FROM notifications.receipt"))
    assert (row.status, row.idem_key) == ("claimed", UUID(int=7))
    assert "0912345678" not in row.raw


@pytest.mark.parametrize("token", ["", "/", "/x", "/" + CallbackToken("another").issue(UUID(int=7))])
def test_without_its_token_esms_is_not_believed(app: Flask, received: Engine, token: str) -> None:
    answer = app.test_client().get(f"/webhooks/esms{token}?{ESMS_QUERY}")
    assert answer.status_code in {403, 404, 405}
    assert stored(received) == 0


@pytest.mark.parametrize("path", ["/webhooks/pigeon", "/webhooks/pigeon/token"])
def test_a_provider_that_is_not_configured_is_not_listened_to(
    app: Flask, received: Engine, path: str
) -> None:
    assert app.test_client().post(path, data=b"{}").status_code == 404
    assert stored(received) == 0
