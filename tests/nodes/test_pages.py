"""The pages: a node's own, its administrator's, the desk's worklist; and what a phone reads meanwhile."""

import re

from sqlalchemy import text

from tests.conftest import MovableClock
from tests.nodes.machine import Machine, rows
from tests.nodes.test_settlement import waiting
from tests.queueing.browser import Browser
from tests.queueing.hospital import Hospital


def signed_in(machine: Machine, hospital: Hospital) -> Browser:
    """The administrator's browser, at the centre."""
    client = machine.centre_app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.admin_token
    return Browser(client)


def test_a_node_says_how_it_is(machine: Machine, clock: MovableClock):
    browser = machine.app.test_client()
    assert "Nút chưa trực" in browser.get("/node").text
    machine.on_duty()
    assert "đang thông" in browser.get("/node").text
    machine.cable.cut()
    machine.number()
    clock.forward(minutes=1)
    machine.round()
    page = browser.get("/node?part=state").text
    assert "Mất đường truyền về trung tâm từ 08:01" in page
    assert "199" in page
    assert "Đã gửi hết" not in page


def test_a_node_sends_people_on_for_what_is_the_centres(node: Machine):
    browser = node.app.test_client()
    assert browser.get("/").headers["Location"] == "/node"
    assert browser.get("/book?x=1").headers["Location"] == "https://kham.example.vn/book?x=1"
    assert browser.get("/api/v1/slots").status_code == 404
    assert browser.get("/kiosk").headers["Location"].startswith("/kiosk/")
    assert browser.get("/board/77001").status_code == 200


def test_what_pages_are_drawn_with_is_at_the_node(node: Machine):
    browser = node.app.test_client()
    for page in ("/node", "/kiosk/activate", "/board/77001"):
        drawn = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', browser.get(page).text))
        assert drawn
        for each in drawn:
            with browser.get(each) as answer:
                assert answer.status_code == 200, each


def test_a_slip_of_the_node_leads_to_the_centre(node: Machine):
    browser = Browser(node.app.test_client())
    browser.open("/kiosk")
    browser.send("/kiosk/activate", code=node.hospital.kiosk_token)
    ticket = node.number()
    page = node.app.test_client().get(f"/t/{ticket['public_token']}")
    assert page.status_code == 200
    assert node.settings.slip_base_url == "https://kham.example.vn"


def test_a_phone_reads_since_when_the_hospital_was_not_heard_of(
    node: Machine, hospital: Hospital, clock: MovableClock
):
    ticket = node.number()
    node.rounds()
    phone = node.centre_app.test_client()
    assert "chưa nhận được tin" not in phone.get(f"/t/{ticket['public_token']}").text
    node.cable.cut()
    clock.forward(minutes=10)
    assert "Từ 08:00 chưa nhận được tin từ bệnh viện" in phone.get(f"/t/{ticket['public_token']}").text


def test_an_administrator_puts_a_node_into_use_and_takes_the_day_back(machine: Machine, hospital: Hospital):
    machine.rounds()
    admin = signed_in(machine, hospital)
    page = f"/admin/facilities/{hospital.id}/node"
    assert "Sẵn sàng" in admin.open(page)
    assert "--node 77001" in admin.send(page, name="Nút sảnh B")
    admin.send(f"/admin/nodes/{machine.id}/duty")
    assert "Hàng chờ đang do nút điều hành" in admin.open(page)
    admin.send(f"{page}/take-back")
    assert "Hàng chờ đang do trung tâm điều hành" in admin.open(page)
    admin.send(f"/admin/nodes/{machine.id}/revoke")
    assert "Đã thu hồi" in admin.open(page)


def test_the_desk_looks_after_what_did_not_fit(machine: Machine, hospital: Hospital, clock: MovableClock):
    hospital.appointment(clock(), code="ABCD2345")
    node = machine.on_duty()
    node.cable.cut()
    node.kiosk.post("/api/v1/check-ins", {"code": "ABCD2345"})
    with hospital.begin() as session:
        session.execute(text("UPDATE appointment SET status = 'cancelled', version = 2"))
    node.cable.mend()
    node.rounds()

    desk = signed_in(machine, hospital)
    page = desk.open("/desk/node-exceptions")
    assert "ABCD2345" in page
    ((exception_id,),) = rows(machine.centre, "SELECT id FROM node_exception")
    path = f"/desk/node-exceptions/{exception_id}"
    desk.send(f"{path}/apply", status=409)
    desk.send(f"{path}/dismiss", status=422, note="")
    desk.send(f"{path}/dismiss", note="Đã hẹn lại")
    assert "đều đã khớp" in desk.open("/desk/node-exceptions")
    assert waiting(machine.centre) == []
