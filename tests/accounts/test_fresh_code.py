"""What opens the account, and where its messages go, changes only just after a sign-in or a code."""

import re
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.accounts.rules import FRESH
from telehealth.core.ids import new_id
from telehealth.settings import Settings
from tests.cast import BA_LAN, ONG_HUNG, ask_for_code, bearer, code_for, messages, patient_token
from tests.conftest import MovableClock
from tests.forms import post_form

LAN = {"full_name": "Nguyễn Thị Lan", "birth_date": "1952-09-05", "sex": "female", "phone": BA_LAN}
NEW = "+84905551234"


@pytest.fixture
def lan(client: FlaskClient, engine: Engine, settings: Settings) -> dict[str, str]:
    return bearer(patient_token(client, engine, settings.cipher))


@pytest.fixture
def record(client: FlaskClient, lan: dict[str, str]) -> str:
    return client.post("/api/v1/patients", json=LAN, headers=lan).json["id"]


def grow_old(clock: MovableClock) -> None:
    """Let the sign-in be just older than fresh."""
    clock.forward(seconds=FRESH.total_seconds() + 1)


def prove(
    client: FlaskClient, engine: Engine, settings: Settings, who: dict[str, str], code: str | None = None
):
    challenge = client.post("/api/v1/sessions/proof/code", headers=who).json["challenge_id"]
    body = {"challenge_id": challenge, "code": code or code_for(engine, settings.cipher, challenge)}
    return client.post("/api/v1/sessions/proof", json=body, headers=who)


def own_passkey(engine: Engine) -> UUID:
    """A passkey of the only account there is."""
    passkey = new_id()
    with engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO passkey
                       (id, account_id, credential_id, public_key, sign_count, name, created_at)
                   SELECT :id, id, 'key', 'public', 0, 'Điện thoại', now() FROM account"""
            ),
            {"id": passkey},
        )
    return passkey


def new_phone(client: FlaskClient, who: dict[str, str], record: str, **changes: str):
    version = client.get(f"/api/v1/patients/{record}", headers=who).headers["ETag"]
    return client.patch(
        f"/api/v1/patients/{record}", json=changes or {"phone": NEW}, headers={**who, "If-Match": version}
    )


def test_a_sign_in_of_this_minute_asks_for_nothing_more(
    client: FlaskClient, lan: dict[str, str], record: str, engine: Engine
):
    assert client.post("/api/v1/passkeys/options", headers=lan).status_code == 200
    assert new_phone(client, lan, record).json["phone"] == NEW
    assert client.delete(f"/api/v1/passkeys/{own_passkey(engine)}", headers=lan).status_code == 204


def test_an_older_sign_in_neither_adds_nor_removes_a_passkey_nor_moves_messages(
    client: FlaskClient, lan: dict[str, str], record: str, engine: Engine, clock: MovableClock
):
    passkey = own_passkey(engine)
    grow_old(clock)
    refused = [
        client.post("/api/v1/passkeys/options", headers=lan),
        client.post("/api/v1/passkeys", json={"challenge_id": str(new_id()), "credential": {}}, headers=lan),
        client.delete(f"/api/v1/passkeys/{passkey}", headers=lan),
        new_phone(client, lan, record),
        new_phone(client, lan, record, email="ke.gian@example.com"),
    ]
    assert [(answer.status_code, answer.json["code"]) for answer in refused] == [
        (403, "fresh-code-needed")
    ] * 5
    assert "mã mới" in refused[0].json["detail"]
    assert new_phone(client, lan, record, address="12 Trần Phú").status_code == 200
    assert len(client.get("/api/v1/passkeys", headers=lan).json["items"]) == 1


def test_a_code_to_the_accounts_own_address_makes_it_fresh_for_a_while(
    client: FlaskClient,
    lan: dict[str, str],
    record: str,
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
):
    grow_old(clock)
    assert prove(client, engine, settings, lan).status_code == 204
    assert messages(engine, settings.cipher, "otp")[-1]["to"] == "+84912345678"
    assert new_phone(client, lan, record).status_code == 200
    grow_old(clock)
    assert new_phone(client, lan, record).json["code"] == "fresh-code-needed"


def test_it_makes_only_that_sign_in_fresh(
    client: FlaskClient,
    lan: dict[str, str],
    record: str,
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
):
    stolen = lan
    grow_old(clock)
    own = bearer(patient_token(client, engine, settings.cipher))
    grow_old(clock)
    assert prove(client, engine, settings, own).status_code == 204
    assert new_phone(client, stolen, record).json["code"] == "fresh-code-needed"


def test_a_wrong_code_or_one_of_somebody_else_or_one_for_signing_in_does_not(
    client: FlaskClient,
    lan: dict[str, str],
    record: str,
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
):
    hung = bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))
    grow_old(clock)
    assert prove(client, engine, settings, lan, "abcdef").json["code"] == "wrong-code"
    of_hung = client.post("/api/v1/sessions/proof/code", headers=hung).json["challenge_id"]
    to_sign_in = ask_for_code(client, BA_LAN).json["challenge_id"]
    for challenge in (of_hung, to_sign_in):
        body = {"challenge_id": challenge, "code": code_for(engine, settings.cipher, challenge)}
        assert client.post("/api/v1/sessions/proof", json=body, headers=lan).json["code"] == "wrong-code"
    assert new_phone(client, lan, record).json["code"] == "fresh-code-needed"


def sign_in_here(
    browser: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, phone: str
) -> None:
    clock.forward(seconds=1)  # so that the last code is this one
    post_form(browser, "/sign-in", "/sign-in", phone=phone)
    code = messages(engine, settings.cipher, "otp")[-1]["code"]
    post_form(browser, "/sign-in/code", "/sign-in/code", code=code)


def test_the_pages_ask_for_the_code_and_come_back(
    client: FlaskClient, record: str, engine: Engine, settings: Settings, clock: MovableClock
):
    sign_in_here(client, engine, settings, clock, BA_LAN)
    place = f"/account/people/{record}/contact"
    passkey = own_passkey(engine)
    assert "Nơi nhận tin nhắn" in client.get(place).text
    grow_old(clock)

    proof = f"/account/proof?next={place}"
    asked = client.get(place)
    assert (asked.status_code, asked.location) == (303, proof)
    asked = post_form(client, "/account", place, phone=NEW, version="1")
    assert (asked.status_code, asked.location) == (303, proof)
    asked = post_form(client, "/account", f"/account/passkeys/{passkey}/remove")
    assert (asked.status_code, asked.location) == (303, "/account/proof?next=/account/passkeys")
    assert "Xác nhận để thay đổi" in client.get("/account/passkeys").text

    assert post_form(client, proof, "/account/proof/code", next=place).status_code == 303
    assert "678" in client.get(proof).text
    wrong = post_form(client, proof, "/account/proof", next=place, code="abcdef")
    assert (wrong.status_code, "Mã không đúng" in wrong.text) == (401, True)
    code = messages(engine, settings.cipher, "otp")[-1]["code"]
    right = post_form(client, proof, "/account/proof", next=place, code=code)
    assert (right.status_code, right.location) == (303, place)

    version = re.search(r'name="version" value="(\d+)"', client.get(place).text)
    assert version
    odd = post_form(client, place, place, version=version[1], phone="12")
    assert (odd.status_code, 'value="12"' in odd.text) == (422, True)
    landline = post_form(client, place, place, version=version[1], phone="0254 3812 345")
    assert (landline.status_code, "số máy bàn" in landline.text) == (422, True)
    assert post_form(client, place, place, version=version[1], phone="0905 551 234").status_code == 303
    assert "0905 551 234" in client.get("/account").text


def test_the_page_of_a_stranger_is_nobodys(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, record: str
):
    sign_in_here(client, engine, settings, clock, ONG_HUNG)
    assert client.get(f"/account/people/{record}/contact").status_code == 404
