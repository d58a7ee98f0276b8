"""Patients sign in with their phone."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.settings import Settings
from tests.cast import BA_LAN, ONG_HUNG, ask_for_code, bearer, messages, patient_token
from tests.conftest import MovableClock


def code_of(engine: Engine, settings: Settings) -> str:
    return messages(engine, settings.cipher, "otp")[-1]["code"]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def sign_in(client: FlaskClient, challenge: str, code: str):
    return client.post("/api/v1/sessions", json={"challenge_id": challenge, "code": code})


def test_a_phone_gets_a_code_of_six_digits_and_signs_in_with_it(
    client: FlaskClient, engine: Engine, settings: Settings
):
    asked = ask_for_code(client, "0912 345 678")
    assert asked.status_code == 202
    sent = messages(engine, settings.cipher, "otp")[-1]
    assert sent["to"] == "+84912345678"
    assert len(sent["code"]) == 6
    opened = sign_in(client, asked.json["challenge_id"], sent["code"])
    assert opened.status_code == 201
    assert opened.json["kind"] == "patient"
    listed = client.get("/api/v1/sessions", headers=bearer(opened.json["token"]))
    assert [row["current"] for row in listed.json["items"]] == [True]


def test_nothing_of_a_code_or_a_phone_is_stored_in_clear(
    client: FlaskClient, engine: Engine, settings: Settings
):
    patient_token(client, engine, settings.cipher)
    code = code_of(engine, settings)
    with engine.connect() as connection:
        for table in ("otp_challenge", "account", "rate_count", "access_session", "login_event"):
            stored = str(connection.execute(text(f"SELECT to_jsonb(t) FROM {table} t")).all())
            assert "912345678" not in stored
            assert f"'{code}'" not in stored


def test_known_and_unknown_phones_get_the_same_answer(
    client: FlaskClient, engine: Engine, settings: Settings
):
    patient_token(client, engine, settings.cipher, BA_LAN)
    known, unknown = ask_for_code(client, BA_LAN), ask_for_code(client, ONG_HUNG)
    assert known.status_code == unknown.status_code == 202
    assert known.json.keys() == unknown.json.keys()


def test_a_code_works_once(client: FlaskClient, engine: Engine, settings: Settings):
    challenge = ask_for_code(client, BA_LAN).json["challenge_id"]
    code = code_of(engine, settings)
    assert sign_in(client, challenge, code).status_code == 201
    again = sign_in(client, challenge, code)
    assert (again.status_code, again.json["code"]) == (401, "wrong-code")


def test_a_code_belongs_to_its_challenge(client: FlaskClient, engine: Engine, settings: Settings):
    first = ask_for_code(client, BA_LAN).json["challenge_id"]
    first_code = code_of(engine, settings)
    second = ask_for_code(client, ONG_HUNG).json["challenge_id"]
    assert sign_in(client, second, first_code).json["code"] == "wrong-code"
    assert sign_in(client, first, first_code).status_code == 201


def test_a_code_ends_after_five_minutes(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    challenge = ask_for_code(client, BA_LAN).json["challenge_id"]
    clock.forward(minutes=5, seconds=1)
    assert sign_in(client, challenge, code_of(engine, settings)).json["code"] == "wrong-code"


def test_five_wrong_tries_burn_the_code(client: FlaskClient, engine: Engine, settings: Settings):
    challenge = ask_for_code(client, BA_LAN).json["challenge_id"]
    code = code_of(engine, settings)
    for _ in range(5):
        assert sign_in(client, challenge, other_than(code)).status_code == 401
    assert sign_in(client, challenge, code).json["code"] == "wrong-code"


def test_tries_at_once_cannot_outnumber_the_limit(
    app: Flask, client: FlaskClient, engine: Engine, settings: Settings
):
    challenge = ask_for_code(client, BA_LAN).json["challenge_id"]
    code = other_than(code_of(engine, settings))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: sign_in(app.test_client(), challenge, code).status_code, range(24)))
    assert set(answers) == {401}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT attempts FROM otp_challenge")).scalar_one() == 5


def test_a_right_code_sent_many_times_at_once_opens_one_sign_in(
    app: Flask, client: FlaskClient, engine: Engine, settings: Settings
):
    challenge = ask_for_code(client, BA_LAN).json["challenge_id"]
    code = code_of(engine, settings)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: sign_in(app.test_client(), challenge, code).status_code, range(5)))
    assert sorted(answers) == [201, 401, 401, 401, 401]


def test_a_phone_gets_three_codes_in_ten_minutes(client: FlaskClient, clock: MovableClock):
    assert [ask_for_code(client, BA_LAN).status_code for _ in range(3)] == [202, 202, 202]
    refused = ask_for_code(client, BA_LAN)
    assert (refused.status_code, refused.json["code"]) == (429, "too-many-codes")
    assert 0 < int(refused.headers["Retry-After"]) <= 601
    clock.forward(minutes=10)
    assert ask_for_code(client, BA_LAN).status_code == 202


def test_a_phone_gets_ten_codes_a_day(client: FlaskClient, clock: MovableClock):
    answers = []
    for _ in range(12):
        answers.append(ask_for_code(client, BA_LAN).status_code)
        clock.forward(minutes=10)
    assert answers == [202] * 10 + [429] * 2


def test_one_address_cannot_ask_for_codes_without_end(client: FlaskClient):
    answers = [ask_for_code(client, f"09123{number:05d}").status_code for number in range(62)]
    assert answers == [202] * 60 + [429] * 2


def test_a_forwarded_address_is_not_believed(client: FlaskClient):
    answers = [
        client.post(
            "/api/v1/otp",
            json={"phone": f"09123{number:05d}"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        ).status_code
        for number in range(61)
    ]
    assert answers[-1] == 429


@pytest.mark.parametrize(
    "phone",
    ["", "12", "abc", "+1 900 555 0100", "+44 870 123 4567", "'; DROP TABLE account; --", "📱" * 9, "0" * 32],
)
def test_what_takes_no_code_is_refused(client: FlaskClient, phone: str):
    refused = ask_for_code(client, phone)
    assert refused.status_code == 422
    assert refused.json["fields"]["phone"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"challenge_id": "x", "code": "1"},
        {"challenge_id": str(uuid4()), "code": "000000", "login": "a"},
        {"code": "123456"},
        {"login": "a", "password": ["b"]},
        {"challenge_id": str(uuid4()), "code": "0" * 99},
        {"challenge_id": str(uuid4()), "code": "000000", "admin": True},
    ],
)
def test_a_mixed_up_sign_in_is_refused(client: FlaskClient, body: dict):
    assert client.post("/api/v1/sessions", json=body).status_code == 422


def test_an_unknown_challenge_is_a_wrong_code(client: FlaskClient):
    assert sign_in(client, str(uuid4()), "000000").json["code"] == "wrong-code"


def test_odd_digits_are_a_wrong_code(client: FlaskClient):
    challenge = ask_for_code(client, BA_LAN).json["challenge_id"]
    for odd in ("😀" * 6, "<b>123", "1' OR 1=1"):
        assert sign_in(client, challenge, odd).status_code == 401


def test_signing_out_closes_the_token_at_once(client: FlaskClient, engine: Engine, settings: Settings):
    headers = bearer(patient_token(client, engine, settings.cipher))
    assert client.delete("/api/v1/sessions", headers=headers).status_code == 204
    assert client.get("/api/v1/patients", headers=headers).status_code == 401


def test_people_see_and_end_their_own_sign_ins_only(client: FlaskClient, engine: Engine, settings: Settings):
    phone_one = bearer(patient_token(client, engine, settings.cipher, BA_LAN))
    phone_two = bearer(patient_token(client, engine, settings.cipher, BA_LAN))
    stranger = bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))
    listed = client.get("/api/v1/sessions", headers=phone_one).json["items"]
    assert len(listed) == 2
    other = next(row["id"] for row in listed if not row["current"])
    assert client.delete(f"/api/v1/sessions/{other}", headers=stranger).status_code == 404
    assert client.delete(f"/api/v1/sessions/{other}", headers=phone_one).status_code == 204
    assert client.get("/api/v1/patients", headers=phone_two).status_code == 401


def test_a_patient_is_signed_out_after_two_idle_weeks(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    headers = bearer(patient_token(client, engine, settings.cipher))
    clock.forward(days=13)
    assert client.get("/api/v1/patients", headers=headers).status_code == 200
    clock.forward(days=13)
    assert client.get("/api/v1/patients", headers=headers).status_code == 200
    clock.forward(days=4, seconds=1)
    assert client.get("/api/v1/patients", headers=headers).status_code == 401, "thirty days at most"


def test_an_unused_sign_in_ends(client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock):
    headers = bearer(patient_token(client, engine, settings.cipher))
    clock.forward(days=14, seconds=1)
    assert client.get("/api/v1/patients", headers=headers).status_code == 401


def test_the_database_away_lets_nobody_ask_for_codes(app: Flask, client: FlaskClient, owner_engine: Engine):
    with owner_engine.begin() as connection:
        connection.execute(text("REVOKE INSERT ON rate_count FROM telehealth_app"))
    try:
        assert ask_for_code(client, BA_LAN).status_code >= 500
        with owner_engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM otp_challenge")).scalar_one() == 0
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("GRANT INSERT ON rate_count TO telehealth_app"))


def test_a_landline_is_told_why_no_code_comes(client: FlaskClient):
    refused = ask_for_code(client, "02543852852")
    assert refused.status_code == 422
    assert "máy bàn" in str(refused.json["fields"]["phone"])
