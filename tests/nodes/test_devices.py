"""Kiosks, boards and slips do not ask on which side they are."""

import pytest

from telehealth.accounts.services.devices import BOARD, COMPUTER, KIOSK, issue_device_code
from tests.conftest import MovableClock
from tests.nodes.machine import Machine
from tests.queueing.browser import Browser
from tests.queueing.hospital import Caller, Hospital


def code_for(hospital: Hospital, clock: MovableClock, kind: str = KIOSK) -> str:
    """What the administrator is shown at the centre."""
    with hospital.begin() as session:
        return issue_device_code(
            session, kind=kind, facility_id=hospital.id, name="Kiosk sảnh B", created_by=None, now=clock(),
            cipher=hospital.cipher,
        )  # fmt: skip


def test_a_new_kiosk_is_enrolled_at_the_node_and_gives_numbers_at_once(
    node: Machine, hospital: Hospital, clock: MovableClock
):
    kiosk = Browser(node.app.test_client())
    kiosk.open("/kiosk/activate")
    kiosk.send("/kiosk/activate", code=code_for(hospital, clock))
    node.cable.cut()
    assert "CẤP CỨU" in kiosk.open("/kiosk")
    node.cable.mend()
    node.rounds()


@pytest.mark.parametrize("kind", [KIOSK, BOARD])
def test_a_program_enrols_at_the_node_and_at_the_centre_alike(
    node: Machine, hospital: Hospital, clock: MovableClock, kind: str
):
    opened = node.app.test_client().post("/api/v1/devices", json={"code": code_for(hospital, clock, kind)})
    assert opened.status_code == 201, opened.json
    queue = hospital.queue("P001")
    taken = Caller(node.app.test_client(), opened.json["token"]).post(f"/api/v1/queues/{queue}/tickets")
    assert taken.status_code == (201 if kind == KIOSK else 403)


def test_a_computer_is_enrolled_at_the_node(node: Machine, hospital: Hospital, clock: MovableClock):
    computer = Browser(node.app.test_client())
    computer.open("/staff/computer")
    computer.send("/staff/computer", code=code_for(hospital, clock, COMPUTER))


def test_during_a_cut_a_new_kiosk_is_told_why_not(node: Machine, hospital: Hospital, clock: MovableClock):
    code = code_for(hospital, clock)
    kiosk = Browser(node.app.test_client())
    kiosk.open("/kiosk/activate")
    node.cable.cut()
    assert "mất đường truyền về trung tâm" in kiosk.send("/kiosk/activate", code=code, status=422)
    node.cable.mend()
    kiosk.send("/kiosk/activate", code=code)


def test_a_code_of_another_facility_does_nothing_at_the_node(
    node: Machine, hospital: Hospital, clock: MovableClock
):
    other = Hospital(hospital.begin, hospital.cipher, "77002", "Bệnh viện Vũng Tàu").build()
    code = code_for(other, clock)
    refused = node.app.test_client().post("/api/v1/devices", json={"code": code})
    assert (refused.status_code, refused.json["code"]) == (410, "wrong-device-code")
    assert node.centre_app.test_client().post("/api/v1/devices", json={"code": code}).status_code == 201


def test_a_slip_from_before_the_node_took_over_opens_on_both_sides(
    machine: Machine, hospital: Hospital, clock: MovableClock
):
    slip = hospital.number()
    node = machine.on_duty()
    for app in (node.app, node.centre_app):
        page = app.test_client().get(f"/t/{slip.public_token}")
        assert page.status_code == 200
        assert slip.number_text in page.text
    called = node.call()
    assert called["number"] == slip.number_text
    node.rounds()
    for app in (node.app, node.centre_app):
        assert app.test_client().get(f"/api/v1/tickets/{slip.public_token}").json["status"] == "called"
