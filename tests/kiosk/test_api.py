"""What the kiosk's pages do, over the API; and feedback, from the machine to the staff."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from flask import Flask
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from telehealth.accounts.models import Membership
from telehealth.kiosk.models import Feedback
from telehealth.queueing.codes import StaffCallKind
from telehealth.queueing.models import StaffCall, Ticket
from telehealth.queueing.services import call_staff
from tests.conftest import MONDAY_8AM, MovableClock
from tests.kiosk.people import LAN_CARD, STRANGER_CARD, Town
from tests.queueing.hospital import Caller, Hospital

SOON = MONDAY_8AM + timedelta(minutes=5)


def test_a_program_identifies_and_checks_in_once(program: Caller, hospital: Hospital, town: Town):
    hospital.appointment(SOON, patient_id=town.lan(at=hospital))
    seen = program.post("/api/v1/kiosk/identify", {"text": LAN_CARD})
    assert seen.status_code == 200
    (person,) = seen.json["people"]
    assert (person["name"], person["birth_year"]) == ("N. T. L**", "1952")
    body = {"who": person["who"], "appointment": person["appointments"][0]["id"]}
    first = program.post("/api/v1/kiosk/check-ins", body, Idempotency_Key="press")
    again = program.post("/api/v1/kiosk/check-ins", body, Idempotency_Key="press")
    assert (first.status_code, first.json["number"]) == (201, "1-001")
    assert again.json["number"] == "1-001"
    assert hospital.count(Ticket) == 1


def test_a_program_registers_somebody_new(program: Caller, hospital: Hospital):
    hospital.appointment(SOON, room="P002")
    seen = program.post("/api/v1/kiosk/identify", {"text": STRANGER_CARD}).json
    assert seen["people"] == []
    rooms = program.get("/api/v1/kiosk/rooms").json["items"]
    assert [(each["room"], each["waiting"]) for each in rooms] == [("Phòng khám 2", 0)]
    body = {"who": seen["new"], "purpose": "insured", "queue_id": rooms[0]["queue"]}
    assert program.post("/api/v1/kiosk/numbers", body).json["number"] == "2-001"


def test_what_cannot_be_read_is_a_problem_with_its_reason(program: Caller):
    answer = program.post("/api/v1/kiosk/identify", {"text": "https://example.com/x"})
    assert (answer.status_code, answer.json["code"]) == (422, "kiosk-cannot-read")
    assert "của nơi khác" in str(answer.json["fields"]["text"])


def test_staff_are_no_kiosk(staff: Caller):
    assert staff.post("/api/v1/kiosk/identify", {"text": LAN_CARD}).status_code == 403
    assert staff.post("/api/v1/feedback", {"rating": 5}).status_code == 403


def test_a_kiosk_calls_staff(program: Caller, hospital: Hospital):
    assert program.post("/api/v1/staff-calls", {"kind": "emergency"}).status_code == 201
    assert hospital.count(StaffCall) == 1


def open_calls(app: Flask, hospital: Hospital) -> list[dict[str, object]]:
    hall = Caller(app.test_client(), hospital.admin_token).get("/api/v1/facilities/77001/hall")
    return hall.json["staff_calls"]


def test_pressed_again_it_is_the_same_call_until_somebody_goes(
    app: Flask, program: Caller, hospital: Hospital, clock: MovableClock
):
    def press(kind: str = "emergency", **more: object) -> dict[str, object]:
        return program.post("/api/v1/staff-calls", {"kind": kind} | more).json

    first = press()
    clock.forward(minutes=2)
    assert press("help")["presses"] == 1
    clock.forward(minutes=8)
    again = press()
    assert (again["id"], again["presses"], again["at"]) == (first["id"], 2, first["at"])
    shown = open_calls(app, hospital)[0]
    assert (shown["presses"], shown["pressed_at"][11:16], shown["told_at"]) == (2, "08:10", None)
    with hospital.begin() as session:
        session.execute(update(StaffCall).values(answered_at=clock()))
    assert press()["id"] != first["id"]
    assert hospital.count(StaffCall) == 3


def test_a_call_that_was_kept_in_a_cut_has_the_time_of_its_press(
    app: Flask, program: Caller, hospital: Hospital, clock: MovableClock
):
    minute = timedelta(minutes=1)
    clock.forward(minutes=30)
    late, early = (MONDAY_8AM + minute * 12).isoformat(), (MONDAY_8AM + minute * 2).isoformat()
    for _ in range(2):  # its first answer was lost
        program.post("/api/v1/staff-calls", {"kind": "help", "pressed_at": late}, Idempotency_Key="late")
    program.post("/api/v1/staff-calls", {"kind": "help", "pressed_at": early}, Idempotency_Key="early")
    (call,) = open_calls(app, hospital)
    times = [call[name][11:16] for name in ("at", "pressed_at", "told_at")]
    assert (call["presses"], times) == (2, ["08:02", "08:12", "08:30"])
    clock.forward(days=3)
    ahead = program.post("/api/v1/staff-calls", {"kind": "emergency", "pressed_at": "2027-01-01T00:00:00Z"})
    assert (
        ahead.json["at"] == ahead.json["pressed_at"] == (MONDAY_8AM + minute * 30 + timedelta(3)).isoformat()
    )


PRESSES = 6


def press_at_once(hospital: Hospital, press) -> list[object]:
    start = Barrier(PRESSES)

    def one(_: int) -> object:
        with hospital.begin() as session:
            start.wait()
            return press(session)

    with ThreadPoolExecutor(PRESSES) as pool:
        return list(pool.map(one, range(PRESSES), timeout=60))


def test_six_hands_at_once_are_one_alarm(hospital: Hospital):
    def press(session: Session) -> object:
        return call_staff(session, hospital.kiosk, hospital.id, StaffCallKind.EMERGENCY, now=MONDAY_8AM)

    assert len(set(press_at_once(hospital, press))) == 1
    with hospital.begin() as session:
        assert session.scalars(select(StaffCall.presses)).one() == PRESSES


def test_without_the_index_looking_first_stacks_alarms(hospital: Hospital):
    """The control: the same presses, each of which looks for an open call and then writes its own."""

    def press(session: Session) -> object:
        known = session.scalar(select(StaffCall.id).where(StaffCall.answered_at.is_(None)))
        session.execute(text("SELECT pg_sleep(0.1)"))
        values = {"facility_id": hospital.id, "kind": "emergency", "place": "Kiosk", "at": MONDAY_8AM}
        return known or session.scalar(insert(StaffCall).values(**values).returning(StaffCall.id))

    assert len(set(press_at_once(hospital, press))) > 1


def promote(hospital: Hospital) -> None:
    with hospital.begin() as session:
        session.add(
            Membership(
                account_id=hospital.account_id,
                role="facility-admin",
                facility_id=hospital.id,
                valid_from=MONDAY_8AM - timedelta(days=1),
            )
        )


def test_a_complaint_is_kept_sealed_and_worked_off_by_staff(
    program: Caller, staff: Caller, hospital: Hospital
):
    given = {"rating": 1, "topics": ["waiting", "attitude"], "phone": "0912 345 678"}
    assert program.post("/api/v1/feedback", given).status_code == 201
    assert program.post("/api/v1/feedback", {"rating": 5}).status_code == 201
    with hospital.begin() as session:
        kept = session.scalars(select(Feedback).where(Feedback.kind == "complaint")).one()
        assert kept.phone_sealed is not None
        assert b"912345678" not in kept.phone_sealed
    assert program.get("/api/v1/feedback?facility=77001").status_code == 403
    assert staff.get("/api/v1/feedback?facility=77001").status_code == 403
    promote(hospital)
    items = staff.get("/api/v1/feedback?facility=77001").json["items"]
    assert [(each["kind"], each["phone"]) for each in items] == [
        ("complaint", "+84912345678"),
        ("feedback", None),
    ]
    assert staff.post(f"/api/v1/feedback/{items[0]['id']}/handled").status_code == 204
    assert len(staff.get("/api/v1/feedback?facility=77001").json["items"]) == 1
    page = staff.client.get(
        "/feedback/77001", headers={"Authorization": f"Bearer {staff.token}", "Accept": "text/html"}
    )
    assert "Rất hài lòng" in page.get_data(as_text=True)


def test_another_hospitals_staff_read_none_of_it(
    program: Caller, staff: Caller, hospital: Hospital, other_hospital: Hospital
):
    promote(hospital)
    assert staff.get("/api/v1/feedback?facility=77002").status_code == 403


def test_a_wrong_rating_or_phone_is_refused(program: Caller):
    for wrong in (
        {"rating": 0},
        {"rating": 6},
        {},
        {"rating": 3, "phone": "12"},
        {"rating": 3, "topics": ["x"]},
    ):
        assert program.post("/api/v1/feedback", wrong).status_code == 422


def test_a_slip_that_did_not_print_calls_staff_once_and_sends_the_number(
    program: Caller, hospital: Hospital, town: Town
):
    tickets = [hospital.number("P001", patient_id=town.lan(at=hospital)), hospital.number("P001")]
    for each in tickets:
        answer = program.post(f"/api/v1/tickets/{each.id}/print-status", {"status": "failed"})
        assert answer.status_code == 204
    with hospital.begin() as session:
        assert [call.kind for call in session.scalars(select(StaffCall))] == ["printer"]
        assert set(session.scalars(select(Ticket.print_status))) == {"failed"}
        assert set(session.scalars(select(Ticket.status))) == {"waiting"}
        kinds = session.execute(text("SELECT kind FROM notifications.notification")).scalars().all()
    assert kinds == ["ticket-slip"]
