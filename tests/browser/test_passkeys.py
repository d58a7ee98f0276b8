"""A son abroad signs in by e-mail, adds a passkey, and from then on needs no code."""

import re
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine
from werkzeug.serving import make_server

from telehealth.app import create_app
from telehealth.settings import Settings
from telehealth.web.context import db
from tests.cast import messages
from tests.conftest import MovableClock

SON = "con.trai@example.com"


@pytest.fixture
def abroad(app: Flask, settings: Settings, clock: MovableClock, clean_database: None) -> Iterator[str]:
    """The application at http://localhost, where browsers allow passkeys."""
    placeholder = make_server("localhost", 0, app)
    port = placeholder.port
    placeholder.server_close()
    base = f"http://localhost:{port}"
    application = create_app(replace(settings, public_base_url=base), clock=clock)
    server = make_server("localhost", port, application, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield base
    server.shutdown()
    thread.join()
    server.server_close()
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A phone in Berlin with a fingerprint reader."""
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, locale="vi", timezone_id="Europe/Berlin"
    )
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield page
    context.close()


def sign_in_by_code(page: Page, base: str, engine: Engine, settings: Settings) -> None:
    page.goto(f"{base}/sign-in")
    page.get_by_label("Số điện thoại hoặc email").fill(SON)
    page.get_by_role("button", name="Nhận mã").click()
    expect(page.get_by_text("c••••@example.com")).to_be_visible()
    page.get_by_label("Mã").first.fill(messages(engine, settings.cipher, "otp")[-1]["code"])
    expect(page).to_have_url(f"{base}/")


def forget(page: Page) -> None:
    """Sign out by losing the cookies; what is still being answered would bring them back."""
    page.wait_for_load_state("networkidle")
    page.goto("about:blank")
    page.context.clear_cookies()


def test_a_passkey_is_added_signs_in_and_opens_nothing_once_removed(
    page: Page, abroad: str, engine: Engine, settings: Settings
):
    sign_in_by_code(page, abroad, engine, settings)
    page.goto(f"{abroad}/account/passkeys")
    page.get_by_label("Tên để dễ nhớ").fill("Điện thoại ở Berlin")
    page.get_by_role("button", name="Thêm khóa truy cập").click()
    expect(page.get_by_text("Đã thêm khóa truy cập")).to_be_visible()
    expect(page.get_by_role("heading", name="Điện thoại ở Berlin")).to_be_visible()
    assert len(messages(engine, settings.cipher, "otp")) == 1

    forget(page)
    page.goto(f"{abroad}/sign-in?next=/account/passkeys")
    page.get_by_role("button", name="Đăng nhập bằng khóa truy cập").click()
    expect(page).to_have_url(f"{abroad}/account/passkeys")
    expect(page.get_by_text(re.compile("Dùng lần cuối"))).to_be_visible()
    assert len(messages(engine, settings.cipher, "otp")) == 1, "no code was needed"

    page.get_by_role("button", name="Xóa khóa này").click()
    expect(page.get_by_text("Đã xóa khóa truy cập")).to_be_visible()
    forget(page)
    page.goto(f"{abroad}/sign-in")
    page.get_by_role("button", name="Đăng nhập bằng khóa truy cập").click()
    expect(page.get_by_text("Không đăng nhập được bằng khóa truy cập này")).to_be_visible()
