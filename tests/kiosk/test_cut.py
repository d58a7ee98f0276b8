"""What a kiosk takes along for a cut and hands in afterwards, over HTTP."""

import json
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from telehealth.booking.models import Appointment
from telehealth.kiosk.rules import lease_size
from telehealth.patients.models import Patient
from telehealth.queueing.models import HandedInNumber, NumberLease, StaffCall, Ticket
from tests.conftest import MONDAY_8AM, MovableClock
from tests.kiosk.people import LAN_CARD, STRANGER_CARD, Town
from tests.queueing.browser import Browser
from tests.queueing.hospital import Caller, Hospital

API = "/api/v1"
SOON = MONDAY_8AM + timedelta(minutes=5)


def take(program: Caller, hospital: Hospital, key: str = "morning", **change: object):
    body = {"queue_id": str(hospital.queue("registration")), "size": 5, "epoch": 1} | change
    return program.post(f"{API}/kiosk/leases", body, Idempotency_Key=key)


def pressed(number: int, **more: object) -> dict[str, object]:
    at = (MONDAY_8AM + timedelta(minutes=number)).isoformat()
    return {"number": number, "press_key": f"press-{number}", "issued_at": at} | more


def settle(program: Caller, lease: str, *numbers: dict[str, object]):
    return program.post(f"{API}/kiosk/leases/{lease}/numbers", {"numbers": list(numbers)})


@pytest.fixture
def later(clock: MovableClock) -> MovableClock:
    return clock


def test_the_machine_learns_what_it_offers_in_a_cut(program: Caller, hospital: Hospital):
    hospital.appointment(SOON, room="P002")
    stock = program.get(f"{API}/kiosk/stock").json
    assert [(each["name"], each["kind"]) for each in stock["queues"]][1:] == [("Phòng khám 2", "clinic")]
    assert stock["queues"][0]["kind"] == "registration"
    assert (stock["epoch"], stock["business_date"]) == (0, "2026-11-30")
    assert all(each["wanted"] >= 6 for each in stock["queues"])


def test_a_lease_is_lent_once_for_a_request_with_the_tokens_of_its_slips(
    program: Caller, hospital: Hospital, client, later: MovableClock
):
    lease = take(program, hospital)
    assert (lease.status_code, [each["text"] for each in lease.json["numbers"]]) == (
        201, ["A001", "A002", "A003", "A004", "A005"],
    )  # fmt: skip
    assert take(program, hospital).json == lease.json
    assert program.get(f"{API}/kiosk/stock").json["epoch"] == 1
    later.forward(minutes=30)
    settled = settle(
        program, lease.json["id"], pressed(1, priority="pregnant"), pressed(2, purpose="insured")
    )
    assert [each["why"] for each in settled.json["items"]] == [None, None]
    token = lease.json["numbers"][1]["slip"]
    assert client.get(f"{API}/tickets/{token}").json["number"] == "A002"


def test_a_card_that_was_shown_in_a_cut_says_who_it_is(
    program: Caller, hospital: Hospital, town: Town, later: MovableClock
):
    lan = town.lan()
    lease = take(program, hospital).json["id"]
    later.forward(minutes=30)
    numbers = [
        pressed(1, scan=LAN_CARD),
        pressed(2, scan=STRANGER_CARD, priority="merit"),
        pressed(3, scan="not a card"),
    ]
    for _ in range(2):
        answer = settle(program, lease, *numbers)
        assert (answer.status_code, len(answer.json["items"])) == (200, 3)
    with hospital.begin() as session:
        rows = session.execute(
            select(Ticket.patient_id, Ticket.priority_class, Ticket.priority_basis).order_by(Ticket.number)
        ).all()
        names = session.scalars(select(Patient.full_name).where(Patient.full_name == "Trần Văn Khách")).all()
    assert (rows[0].patient_id, rows[2].patient_id) == (lan, None)
    assert [(each.priority_class, each.priority_basis) for each in rows] == [
        ("none", None), ("merit", "declared"), ("none", None),
    ]  # fmt: skip
    assert names == ["Trần Văn Khách"]


def test_who_named_their_appointment_in_a_cut_is_checked_in_with_that_number(
    program: Caller, hospital: Hospital, town: Town, later: MovableClock
):
    lan = town.lan(at=hospital)
    appointment = hospital.appointment(SOON, room="P001", patient_id=lan)
    room = take(program, hospital, queue_id=str(hospital.queue("P001"))).json["id"]
    later.forward(minutes=30)
    typed = pressed(1, purpose="appointment", scan="0912 345 678")
    for _ in range(2):
        assert settle(program, room, typed).json["items"][0]["why"] is None
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
        booked = session.get_one(Appointment, appointment.id)
    assert (ticket.patient_id, ticket.appointment_id, ticket.appointment_start) == (lan, booked.id, SOON)
    assert (booked.status, ticket.encounter_id is not None) == ("arrived", True)
    assert hospital.count(HandedInNumber) == 0


def test_a_code_typed_for_reception_checks_in_and_goes_by_arrival(
    program: Caller, hospital: Hospital, town: Town, later: MovableClock
):
    appointment = hospital.appointment(SOON, patient_id=town.lan(at=hospital))
    lease = take(program, hospital).json["id"]
    later.forward(minutes=30)
    settle(program, lease, pressed(1, purpose="appointment", scan=appointment.code.lower()))
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert session.get_one(Appointment, appointment.id).status == "arrived"
    assert (ticket.appointment_id, ticket.appointment_start) == (appointment.id, None)


def test_an_appointment_that_is_not_found_stands_on_the_worklist_and_the_number_counts(
    app: Flask, program: Caller, hospital: Hospital, later: MovableClock
):
    admin = Caller(app.test_client(), hospital.admin_token)
    lease = take(program, hospital).json["id"]
    later.forward(minutes=30)
    for _ in range(2):
        settle(
            program,
            lease,
            pressed(1, purpose="appointment", scan="ZZZZZZZZ"),
            pressed(2, purpose="appointment", scan="0900000000"),
            pressed(3, purpose="appointment"),
        )
    waiting = admin.get(f"{API}/facilities/77001/number-leases").json["handed_in"]
    assert [(each["number"], each["why"], each["given"]) for each in waiting] == [
        ("A001", "appointment-unclear", "ZZZZZZZZ"), ("A002", "appointment-unclear", "0900000000"),
    ]  # fmt: skip
    assert hospital.count(Ticket) == 3
    with hospital.begin() as session:
        assert b"ZZZZ" not in session.scalars(select(HandedInNumber.given_sealed)).first()
    assert program.post(f"{API}/kiosk/leases/{lease}/return", {"used_to": 3}).status_code == 204
    assert admin.post(f"{API}/handed-in-numbers/{waiting[0]['id']}/settle").status_code == 204
    assert hospital.count(Ticket) == 3
    assert len(admin.get(f"{API}/facilities/77001/number-leases").json["handed_in"]) == 1


def test_slips_that_did_not_come_out_in_a_cut_call_staff_to_the_printer_once(
    program: Caller, hospital: Hospital, later: MovableClock
):
    lease = take(program, hospital).json["id"]
    later.forward(minutes=30)
    numbers = [
        pressed(1),
        pressed(2, print_status="failed"),
        pressed(3, print_status="printed"),
        pressed(4, print_status="failed"),
    ]
    for _ in range(2):
        settle(program, lease, *numbers)
    with hospital.begin() as session:
        call = session.scalars(select(StaffCall)).one()
    assert (call.kind, call.presses, call.at) == ("printer", 2, MONDAY_8AM + timedelta(minutes=2))
    assert call.told_at == later()


def test_another_machine_neither_settles_nor_returns(
    app: Flask, program: Caller, hospital: Hospital, other_hospital: Hospital
):
    lease = take(program, hospital).json["id"]
    stranger = Caller(app.test_client(), other_hospital.kiosk_token)
    assert settle(stranger, lease, pressed(1)).status_code == 404
    assert stranger.post(f"{API}/kiosk/leases/{lease}/return", {"used_to": 0}).status_code == 404
    assert take(stranger, hospital).status_code == 404


def test_what_is_left_is_returned_and_an_older_copy_refused(program: Caller, hospital: Hospital):
    lease = take(program, hospital).json["id"]
    settle(program, lease, pressed(1))
    assert program.post(f"{API}/kiosk/leases/{lease}/return", {"used_to": 9}).status_code == 422
    assert program.post(f"{API}/kiosk/leases/{lease}/return", {"used_to": 1}).status_code == 204
    assert take(program, hospital, "next", epoch=2).json["numbers"][0]["text"] == "A006"
    assert take(program, hospital, "old").json["code"] == "lease-superseded"


def test_a_machine_without_its_token_hands_in_by_the_key_and_the_desk_decides(
    app: Flask, program: Caller, hospital: Hospital
):
    lease = take(program, hospital).json
    nobody = app.test_client()
    path = f"{API}/number-leases/{lease['id']}/handed-in"
    body = {"key": lease["key"], "numbers": [pressed(1), pressed(2)]}
    assert nobody.post(path, json=body | {"key": "wrong"}).status_code == 404
    assert nobody.post(path, json=body).status_code == 204
    assert nobody.post(path, json=body).status_code == 204
    assert nobody.post(path, json={"key": lease["key"], "numbers": []}).status_code == 422
    admin = Caller(app.test_client(), hospital.admin_token)
    lent = admin.get(f"{API}/facilities/77001/number-leases").json
    assert [each["why"] for each in lent["handed_in"]] == ["device-revoked"] * 2
    one, two = (each["id"] for each in lent["handed_in"])
    assert admin.post(f"{API}/handed-in-numbers/{one}/settle").status_code == 204
    assert admin.post(f"{API}/handed-in-numbers/{two}/dismiss", {"reason": "Đã về"}).status_code == 204
    assert hospital.count(Ticket) == 1
    assert admin.get(f"{API}/facilities/77001/number-leases").json["handed_in"] == []


def test_what_is_no_number_is_refused_and_never_crashes(program: Caller, hospital: Hospital):
    lease = take(program, hospital).json["id"]
    for wrong in (
        pressed(0), pressed(1, press_key="có dấu"), pressed(1, press_key=""), pressed(1, issued_at="08:00"),
        pressed(1, issued_at="2026-11-30T08:00:00"), pressed(1, priority="king"), pressed(1, scan="x" * 9000),
    ):  # fmt: skip
        assert settle(program, lease, wrong).status_code == 422, wrong
    assert take(program, hospital, "big", size=501).status_code == 422
    assert hospital.count(Ticket) == hospital.count(HandedInNumber) == 0
    far = settle(program, lease, pressed(900))
    assert far.json["items"][0]["why"] == "outside-lease"


def test_the_page_for_a_cut_carries_nothing_of_a_session(machine: Browser, hospital: Hospital):
    page = machine.open("/kiosk/cut")
    assert 'name="csrf-token" content=""' in page
    assert "csrf_token" not in page
    assert "Bệnh viện Bà Rịa" in page
    worker = machine.client.get("/kiosk/sw.js")
    assert worker.headers["Service-Worker-Allowed"] == "/kiosk"
    for language in ("", "?lang=en"):
        assert f'"/kiosk/cut{language}"' in worker.get_data(as_text=True)


def test_the_worker_s_files_are_all_there(machine: Browser):
    with machine.client.get("/kiosk/sw.js") as answer:
        script = answer.get_data(as_text=True)
    shell = json.loads(script[len("const SHELL = ") : script.index(";\n")])
    for path in (*shell["pages"], *shell["files"]):
        with machine.client.get(path) as answer:
            assert answer.status_code == 200, path


@pytest.mark.parametrize(
    ("lately", "minutes", "points", "left", "size"),
    [(0, 8, 1, None, 6), (0, 8, 3, None, 12), (7, 8, 9, None, 7), (40, 8, 1, None, 40), (400, 8, 1, None, 60),
     (0, 30, 1, None, 6), (40, 8, 1, 20, 5), (40, 8, 1, 3, 0), (0, 8, 1, -4, 0)],
)  # fmt: skip
def test_a_kiosk_holds_the_numbers_of_its_own_hour_and_a_quarter_of_the_rest(
    lately, minutes, points, left, size
):
    assert lease_size(lately, minutes, points, left) == size


@pytest.fixture
def desk(app: Flask, clock: MovableClock, hospital: Hospital) -> Browser:
    """An administrator's screen, who may do what a desk may."""
    browser = Browser(app.test_client())
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.admin_token
    return browser


def test_the_desk_prints_lists_and_enters_what_was_given_out(
    desk: Browser, hospital: Hospital, later: MovableClock
):
    due = hospital.appointment(SOON)
    desk.open(f"/clinic/numbers/{hospital.id}")
    registration, room = hospital.queue("registration"), hospital.queue("P001")
    page = desk.send(
        f"/clinic/numbers/{hospital.id}/lists", queue=[str(registration), str(room)], size="20", press_key="k"
    )  # type: ignore[arg-type]
    assert page.count("th-sheet__numbers") == 2
    assert page.count(due.code) == 2
    for number in ("A001", "A020", "1-001", "1-020"):
        assert f">{number}<" in page
    with hospital.begin() as session:
        lease = session.scalars(select(NumberLease.id).where(NumberLease.queue_id == registration)).one()
    later.forward(hours=2)
    address = f"/clinic/numbers/{hospital.id}/leases/{lease}"
    desk.open(address)
    wrong = desk.send(address, 422, used_to="A099", spoilt="x")
    assert "field-lease" not in wrong
    assert 'value="A099"' in wrong
    page = desk.send(address, used_to="A004", spoilt="2", seen="1", began_at="8:15", until="9:15")
    assert "Đã cho 3 số vào hàng chờ" in page
    assert "Đủ, số nào cũng rõ" in page
    with hospital.begin() as session:
        rows = session.execute(
            select(Ticket.number, Ticket.status, Ticket.issued_at).order_by(Ticket.number)
        ).all()
    minutes = [(each.issued_at - MONDAY_8AM).total_seconds() / 60 for each in rows]
    assert [(each.number, each.status) for each in rows] == [(1, "done"), (3, "waiting"), (4, "waiting")]
    assert minutes == [15, 35, 55]


def test_the_desk_works_off_what_a_machine_could_not_hand_in(
    desk: Browser, program: Caller, app: Flask, hospital: Hospital
):
    lease = take(program, hospital).json
    body = {"key": lease["key"], "numbers": [pressed(1), pressed(2)]}
    app.test_client().post(f"{API}/number-leases/{lease['id']}/handed-in", json=body)
    page = desk.open(f"/clinic/numbers/{hospital.id}")
    assert "Số cần quầy xem" in page
    with hospital.begin() as session:
        one, two = session.scalars(select(HandedInNumber.id).order_by(HandedInNumber.number))
    base = f"/clinic/numbers/{hospital.id}/handed-in"
    assert "Đã cho số vào hàng chờ" in desk.send(f"{base}/{one}/settle")
    assert "Vui lòng ghi lý do" in desk.send(f"{base}/{two}/dismiss", reason=" ")
    assert "Đã bỏ qua" in desk.send(f"{base}/{two}/dismiss", reason="Đã về")
    assert "Số cần quầy xem" not in desk.open(f"/clinic/numbers/{hospital.id}")


def test_the_staff_of_another_hospital_see_and_change_nothing(
    app: Flask, program: Caller, hospital: Hospital, other_hospital: Hospital
):
    lease = take(program, hospital).json
    stranger = Caller(app.test_client(), other_hospital.admin_token)
    queue = hospital.queue("registration")
    assert stranger.get(f"{API}/queues/{queue}/numbers").status_code in (403, 404)
    assert stranger.get(f"{API}/facilities/77001/number-leases").status_code in (403, 404)
    assert stranger.post(f"{API}/queues/{queue}/number-lists", {"size": 5}).status_code in (403, 404)
    tally = stranger.post(f"{API}/number-leases/{lease['id']}/tally", {"used_to": 0})
    assert tally.status_code in (403, 404)
    with hospital.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM number_lease WHERE ended_at IS NULL")) == 1


def test_the_account_of_a_day_and_a_list_by_the_api(app: Flask, program: Caller, hospital: Hospital, clock):
    admin = Caller(app.test_client(), hospital.admin_token)
    queue = hospital.queue("registration")
    made = admin.post(f"{API}/queues/{queue}/number-lists", {"size": 4}, Idempotency_Key="list")
    assert (made.status_code, made.json["first"], made.json["last"]) == (201, 1, 4)
    tally = {"used_to": 2, "spoilt": [1]}
    assert admin.post(f"{API}/number-leases/{made.json['id']}/tally", tally).status_code == 204
    again = admin.post(f"{API}/number-leases/{made.json['id']}/tally", {"used_to": 3})
    assert again.json["code"] == "lease-ended"
    account = admin.get(f"{API}/queues/{queue}/numbers").json
    assert account["explained"]
    assert [(each["first"], each["last"], each["fate"]) for each in account["spans"]] == [
        (1, 1, "spoilt"), (2, 2, "issued"), (3, 4, "unused"),
    ]  # fmt: skip
