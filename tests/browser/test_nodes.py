"""The pages of a node in a real browser: its own, its administrator's, and the worklist of the desk."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from tests.browser.chromium import no_faults
from tests.conftest import MovableClock
from tests.nodes.conftest import (  # noqa: F401  the hospital, its node and their cable
    begin,
    cable,
    centre_port,
    hospital,
    machine,
    node_databases,
)
from tests.nodes.machine import Machine, served
from tests.queueing.hospital import Hospital

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("nodes"), pytest.mark.timeout(300)]

SIZES = ((1366, 900), (390, 844))


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[[str, dict[str, str] | None], Page]]:
    context = chromium.new_context(locale="vi-VN")

    def open_page(address: str, cookie: dict[str, str] | None = None) -> Page:
        if cookie:
            context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    context.close()


def signed_in(app: Flask, token: str, address: str) -> dict[str, str]:
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return {
        "name": app.config["SESSION_COOKIE_NAME"],
        "value": signer.dumps({"_user_id": token}),
        "url": address,
    }


def at_every_size(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        no_faults(page)


def test_the_nodes_page_follows_the_line(
    machine: Machine,  # noqa: F811
    opened: Callable[..., Page],
    clock: MovableClock,
) -> None:
    node = machine.on_duty()
    with served(node.app) as port:
        page = opened(f"http://127.0.0.1:{port}/node")
        expect(page.get_by_text("đang thông")).to_be_visible()
        at_every_size(page)
        node.cable.cut()
        node.number()
        clock.forward(minutes=1)
        assert not node.round()
        expect(page.get_by_text("Mất đường truyền về trung tâm từ 08:01")).to_be_visible(timeout=20_000)
        expect(page.get_by_text("Đã gửi hết")).to_have_count(0)
        at_every_size(page)


def test_an_administrator_connects_a_node_and_the_desk_decides_on_what_did_not_fit(
    machine: Machine,  # noqa: F811
    hospital: Hospital,  # noqa: F811
    opened: Callable[..., Page],
    clock: MovableClock,
) -> None:
    hospital.appointment(clock(), code="ABCD2345")
    node = machine.on_duty()
    node.cable.cut()
    assert node.kiosk.post("/api/v1/check-ins", {"code": "ABCD2345"}).status_code == 201
    with hospital.begin() as session:
        session.execute(text("UPDATE appointment SET status = 'cancelled', version = 2"))
    node.cable.mend()
    node.rounds()
    with served(node.centre_app) as port:
        address = f"http://127.0.0.1:{port}"
        page = opened(
            f"{address}/admin/facilities/{hospital.id}/node",
            signed_in(node.centre_app, hospital.admin_token, address),
        )
        page.get_by_label("Tên nút").fill("Nút sảnh B")
        page.get_by_role("button", name="Lấy mã kết nối").click()
        expect(page.get_by_text("--node 77001")).to_be_visible()
        at_every_size(page)
        page.get_by_text("Nút hỏng hoặc thất lạc?").click()
        expect(page.get_by_role("button", name="Trung tâm điều hành lại")).to_be_visible()
        at_every_size(page)

        page.goto(f"{address}/desk/node-exceptions")
        expect(page.get_by_text("ABCD2345")).to_be_visible()
        at_every_size(page)
        page.locator("summary", has_text="Bỏ qua").click()
        page.get_by_label("Lý do").fill("Đã hẹn lại")
        page.get_by_role("button", name="Bỏ qua").click()
        expect(page.get_by_text("đều đã khớp")).to_be_visible()
        at_every_size(page)
