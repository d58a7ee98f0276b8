"""What comes in is checked, what goes out is marked."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.app import create_app
from telehealth.settings import Settings
from tests.cast import BA_LAN, bearer, messages, patient_token
from tests.forms import post_form

PAGES = (
    "/",
    "/sign-in",
    "/staff/sign-in",
    "/healthz",
    "/khong-co",
    "/api/v1/patients",
    "/api/v1/openapi.json",
)


@pytest.fixture
def signed_in(client: FlaskClient, engine: Engine, settings: Settings) -> FlaskClient:
    post_form(client, "/sign-in", "/sign-in", phone=BA_LAN)
    code = messages(engine, settings.cipher, "otp")[-1]["code"]
    post_form(client, "/sign-in/code", "/sign-in/code", code=code)
    return client


def csrf(client: FlaskClient) -> str:
    client.get("/account/sign-ins")
    with client.session_transaction() as cookie:
        return cookie["csrf"]


LAN = {"full_name": "Nguyễn Thị Lan", "birth_year": 1952}


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(client: FlaskClient, path: str):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"]


def test_pages_allow_only_their_own_scripts(client: FlaskClient):
    policy = client.get("/sign-in").headers["Content-Security-Policy"]
    for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert part in policy
    assert "unsafe" not in policy


def test_a_change_with_the_cookie_needs_the_token(signed_in: FlaskClient):
    refused = signed_in.post("/api/v1/patients", json=LAN)
    assert (refused.status_code, refused.json["code"]) == (403, "wrong-csrf-token")
    wrong = signed_in.post("/api/v1/patients", json=LAN, headers={"X-CSRF-Token": "x" * 32})
    assert wrong.status_code == 403
    made = signed_in.post("/api/v1/patients", json=LAN, headers={"X-CSRF-Token": csrf(signed_in)})
    assert made.status_code == 201


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1"]
)
def test_a_change_from_another_site_is_refused_even_with_the_token(signed_in: FlaskClient, origin: str):
    headers = {"X-CSRF-Token": csrf(signed_in), "Origin": origin}
    assert signed_in.post("/api/v1/patients", json=LAN, headers=headers).status_code == 403


def test_our_own_origin_may_change(signed_in: FlaskClient):
    headers = {"X-CSRF-Token": csrf(signed_in), "Origin": "http://localhost"}
    assert signed_in.post("/api/v1/patients", json=LAN, headers=headers).status_code == 201


def test_the_token_of_one_session_is_nothing_in_another(app: Flask, signed_in: FlaskClient):
    stranger = app.test_client()
    stranger.get("/sign-in")
    headers = {"X-CSRF-Token": csrf(signed_in)}
    assert stranger.post("/sign-in", data={"phone": BA_LAN}, headers=headers).status_code == 403


def test_with_an_authorization_header_the_cookie_is_ignored(signed_in: FlaskClient):
    for header in ("Bearer made-up", "Bearer ", "Basic abc", "x"):
        refused = signed_in.get("/api/v1/patients", headers={"Authorization": header})
        assert refused.status_code == 401, header


def test_a_bearer_token_needs_no_csrf_token(client: FlaskClient, engine: Engine, settings: Settings):
    headers = bearer(patient_token(client, engine, settings.cipher))
    assert client.post("/api/v1/patients", json=LAN, headers=headers).status_code == 201


def test_a_program_without_cookies_signs_in_without_a_csrf_token_and_gets_no_cookie(client: FlaskClient):
    answer = client.post("/api/v1/otp", json={"phone": BA_LAN})
    assert answer.status_code == 202
    assert "Set-Cookie" not in answer.headers


def test_a_foreign_page_cannot_make_a_browser_ask_for_codes(client: FlaskClient):
    foreign = {"Origin": "https://evil.example"}
    assert client.post("/api/v1/otp", json={"phone": BA_LAN}, headers=foreign).status_code == 403
    as_text = client.post("/api/v1/otp", data='{"phone": "0912345678"}', content_type="text/plain")
    assert as_text.status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'"x"', "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        (b'{"phone": ' + b"[" * 2000 + b"]" * 2000 + b"}", "application/json", 400),
        (b"{" + b" " * (10 * 1024 * 1024) + b"}", "application/json", 413),
    ],
)
def test_bad_bodies_are_refused_clearly(client: FlaskClient, body: bytes, kind: str, status: int):
    answer = client.post("/api/v1/otp", data=body, content_type=kind)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"


def test_on_https_cookies_are_host_bound_and_the_browser_is_told_to_stay(settings: Settings):
    from dataclasses import replace

    secure = create_app(replace(settings, public_base_url="https://yte.example"))
    answer = secure.test_client().get("/sign-in", base_url="https://yte.example")
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Domain=" not in cookie


def test_a_token_of_other_letters_is_a_wrong_token(signed_in: FlaskClient):
    answer = signed_in.post("/sign-out", data={"csrf_token": "mã giả ²"})
    assert answer.status_code == 403
    answer = signed_in.post("/api/v1/patients", json=LAN, headers={"X-CSRF-Token": "²"})
    assert (answer.status_code, answer.json["code"]) == (403, "wrong-csrf-token")
