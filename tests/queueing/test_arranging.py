"""Rooms and queues during the day: open, close, move, merge, pause; nobody is lost, all is in the trail."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from notifications import Outbox
from telehealth.audit.models import AuditEvent
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.queueing import queries, services
from telehealth.queueing.codes import PauseReason, PriorityClass
from telehealth.queueing.errors import LastRoom, QueueClosed, QueueEmpty, QueueMerged, QueuePaused
from telehealth.queueing.services import arranging
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Caller, Hospital
from tests.queueing.test_pages import Browser

API = "/api/v1"
SOON = MONDAY_8AM + timedelta(minutes=1)


def arrange(hospital: Hospital, do, code: str, *args: object, **more: object) -> None:
    queue_id = hospital.queue(code)
    with hospital.begin() as session:
        do(session, hospital.admin, queue_id, *args, **{"now": MONDAY_8AM, **more})


def room(hospital: Hospital, code: str, point: str, is_open: bool, **more: object) -> None:
    arrange(hospital, arranging.set_room, code, hospital.point(point), is_open=is_open, **more)


def merge(hospital: Hospital, code: str, into: str) -> None:
    arrange(hospital, arranging.merge, code, hospital.queue(into))


def call_from(hospital: Hospital, code: str, point: str, minute: int = 0) -> services.TicketState:
    queue_id, point_id = hospital.queue(code), hospital.point(point)
    with hospital.begin() as session:
        return services.call_next(
            session, hospital.doctor, queue_id, now=MONDAY_8AM + timedelta(minutes=minute),
            cipher=hospital.cipher, outbox=Outbox(hospital.cipher), service_point_id=point_id,
        )  # fmt: skip


def test_two_rooms_call_from_one_queue_and_one_room_from_two(hospital: Hospital):
    for code in ("P001", "P001", "P002"):
        hospital.number(code)
    room(hospital, "P001", "P002", is_open=True)
    assert call_from(hospital, "P001", "P001").room == "Phòng khám 1"
    assert call_from(hospital, "P001", "P002", 1).room == "Phòng khám 2"
    assert call_from(hospital, "P002", "P002", 2).number_text == "2-001"
    with pytest.raises(Unprocessable):
        call_from(hospital, "P002", "P001")


def test_a_slip_names_every_room_that_may_call(hospital: Hospital):
    room(hospital, "P001", "P002", is_open=True)
    assert hospital.number().room == "Phòng khám 1 / Phòng khám 2"


def test_a_second_room_halves_the_wait(hospital: Hospital):
    for _ in range(8):
        hospital.number()
    alone = hospital.number().wait_range
    room(hospital, "P001", "P002", is_open=True)
    both = hospital.number().wait_range
    assert alone is not None
    assert both is not None
    assert both.high < alone.high


def test_what_is_said_for_today_ends_with_the_day_and_always_does_not(hospital: Hospital):
    tomorrow = (MONDAY_8AM + timedelta(days=1)).date()
    room(hospital, "P001", "P002", is_open=True)
    with hospital.begin() as session:
        queue = queries.queue_by_id(session, hospital.queue("P001"))
        assert queue is not None
        assert [name for _, name in queries.points_of(session, queue, tomorrow)] == ["Phòng khám 1"]
    room(hospital, "P001", "P002", is_open=True, always=True)
    with hospital.begin() as session:
        assert len(queries.points_of(session, queue, tomorrow)) == 2


def test_the_last_room_stays_while_people_wait_and_then_the_queue_closes(hospital: Hospital):
    hospital.number()
    with pytest.raises(LastRoom) as refused:
        room(hospital, "P001", "P001", is_open=False)
    assert refused.value.params == {"count": 1}
    done = hospital.call()
    with hospital.begin() as session:
        services.done(session, hospital.doctor, done.id, now=SOON, cipher=hospital.cipher)
    room(hospital, "P001", "P001", is_open=False)
    with pytest.raises(QueueClosed):
        hospital.number()
    room(hospital, "P001", "P001", is_open=True)
    assert hospital.number().number_text == "1-002"


def test_a_number_given_while_the_last_room_closes_is_called_or_not_given(hospital: Hospital):
    """Closing holds the day's row: a press at the same moment is counted before, or refused after."""
    queue_id, point = hospital.queue("P001"), hospital.point("P001")
    with ThreadPoolExecutor(1) as pool:
        with hospital.begin() as session:
            arranging.set_room(session, hospital.admin, queue_id, point, is_open=False, now=MONDAY_8AM)
            press = pool.submit(hospital.number)
        with pytest.raises(QueueClosed):
            press.result(30)


def test_a_merged_queue_keeps_numbers_and_waiting_time(hospital: Hospital):
    early, late = hospital.number("P002"), hospital.number("P002", now=SOON + timedelta(minutes=5))
    hospital.number("P001", now=SOON)
    merge(hospital, "P002", "P001")
    with pytest.raises(QueueMerged):
        hospital.call("P002")
    assert hospital.number("P002", now=SOON + timedelta(minutes=9)).number_text == "1-002"
    called = [hospital.call("P001", now=SOON + timedelta(minutes=10 + n)).number_text for n in range(4)]
    assert called == [early.number_text, "1-001", late.number_text, "1-002"]


def test_merging_is_undone_as_if_it_had_not_been(hospital: Hospital):
    hospital.number("P002")
    merge(hospital, "P002", "P001")
    arrange(hospital, arranging.unmerge, "P002")
    with pytest.raises(QueueEmpty):
        hospital.call("P001")
    assert hospital.call("P002").number_text == "2-001"
    assert hospital.number("P002").number_text == "2-002"


def step(hospital: Hospital, name: str, ticket_id: object, minute: int) -> None:
    with hospital.begin() as session:
        services.take(
            session, hospital.doctor, ticket_id, name, now=MONDAY_8AM + timedelta(minutes=minute),
            cipher=hospital.cipher,
        )  # fmt: skip


def test_who_comes_back_during_a_merge_keeps_the_few_places_when_the_queues_part(hospital: Hospital):
    for _ in range(12):
        hospital.number("P001")
    numbers = [hospital.number("P002") for _ in range(6)]
    for minute in range(6):
        call_from(hospital, "P001", "P001", minute)
    missed = call_from(hospital, "P002", "P002", 6)
    merge(hospital, "P002", "P001")
    step(hospital, "skip", missed.id, 7)
    step(hospital, "return", missed.id, 8)
    arrange(hospital, arranging.unmerge, "P002")
    called = [call_from(hospital, "P002", "P002", minute).id for minute in range(10, 15)]
    assert called == [*(each.id for each in numbers[1:4]), missed.id, numbers[4].id]


def test_who_has_come_back_keeps_the_few_places_when_queues_are_merged(hospital: Hospital):
    for _ in range(6):
        hospital.number("P001")
    for _ in range(8):
        hospital.number("P002")
    missed = call_from(hospital, "P001", "P001")
    step(hospital, "skip", missed.id, 1)
    for minute in range(2, 6):
        call_from(hospital, "P002", "P002", minute)
    step(hospital, "return", missed.id, 6)
    merge(hospital, "P002", "P001")
    called = [call_from(hospital, "P001", "P001", minute).id for minute in range(10, 14)]
    assert called.index(missed.id) == 3


def test_a_queue_is_merged_into_one_that_calls_and_only_once(hospital: Hospital):
    merge(hospital, "P002", "P001")
    for code, into in (("P001", "P002"), ("P002", "P001"), ("P001", "registration")):
        with pytest.raises(QueueMerged):
            merge(hospital, code, into)
    with pytest.raises(NotFound):
        merge(hospital, "cashier", "cashier")


def test_presses_during_a_merge_all_get_a_number_that_is_called(hospital: Hospital):
    start = Barrier(5)

    def press(_: int) -> str:
        start.wait()
        return hospital.number("P002").number_text

    with ThreadPoolExecutor(5) as pool:
        presses = [pool.submit(press, n) for n in range(4)]
        start.wait()
        merge(hospital, "P002", "P001")
        given = sorted(each.result(30) for each in presses)
    called = sorted(hospital.call("P001", now=SOON + timedelta(minutes=n)).number_text for n in range(4))
    assert called == given
    assert len(set(given)) == 4


def test_the_same_press_gives_the_same_number_after_a_merge(hospital: Hospital):
    merge(hospital, "P002", "P001")
    first = hospital.number("P002", press_key="one")
    assert hospital.number("P002", press_key="one").id == first.id


def test_who_follows_a_merged_number_sees_the_line_that_calls_it(hospital: Hospital, client: FlaskClient):
    hospital.number("P001")
    slip = hospital.number("P002", now=SOON)
    merge(hospital, "P002", "P001")
    shown = client.get(f"{API}/tickets/{slip.public_token}").json
    assert (shown["number"], shown["people_ahead"], shown["room"]) == ("2-001", 1, "Phòng khám 1")


def test_a_paused_queue_gives_numbers_and_calls_nobody(hospital: Hospital, client: FlaskClient):
    until = MONDAY_8AM + timedelta(minutes=30)
    arrange(hospital, arranging.pause, "P001", PauseReason.BREAK, until)
    slip = hospital.number()
    with pytest.raises(QueuePaused):
        hospital.call()
    assert "08:30" in client.get(f"/t/{slip.public_token}").get_data(as_text=True)
    assert hospital.call(now=until).number_text == "1-001"
    hospital.number()
    arrange(hospital, arranging.pause, "P001", PauseReason.EMERGENCY, None)
    with pytest.raises(QueuePaused):
        hospital.call(now=until)
    arrange(hospital, arranging.resume, "P001")
    assert hospital.call(now=until).number_text == "1-002"


def test_a_pause_ends_later_today(hospital: Hospital):
    for until in (MONDAY_8AM, MONDAY_8AM + timedelta(days=1)):
        with pytest.raises(Unprocessable):
            arrange(hospital, arranging.pause, "P001", PauseReason.BREAK, until)


def own_queue(hospital: Hospital, point: str = "P001"):
    with hospital.begin() as session:
        return arranging.open_own_queue(
            session, hospital.admin, hospital.id, hospital.practitioner_id, hospital.point(point),
            now=MONDAY_8AM,
        )  # fmt: skip


def test_a_doctors_own_queue_stands_beside_the_rooms_and_moves_with_the_doctor(hospital: Hospital):
    own_queue(hospital)
    slip = hospital.check_in(hospital.appointment(MONDAY_8AM))
    assert (slip.number_text, slip.room) == ("B1-001", "Phòng khám 1")
    assert hospital.number("P001").number_text == "1-001"
    arrange(hospital, arranging.move, "doctor-1", hospital.point("P002"))
    called = hospital.call("doctor-1")
    assert (called.number_text, called.room) == ("B1-001", "Phòng khám 2")
    assert own_queue(hospital) == called.queue_id
    with hospital.begin() as session:
        services.ensure_queues(session, hospital.id)
        assert session.scalar(text("SELECT active FROM queue WHERE code = 'doctor-1'")) is True


def test_the_doctors_screen_opens_their_own_queue(hospital: Hospital):
    own = own_queue(hospital)
    with hospital.begin() as session:
        found = queries.queue_of_practitioner(session, hospital.practitioner_id, MONDAY_8AM)
    assert found is not None
    assert found.id == own


def test_an_own_queue_closes_once_nobody_waits(hospital: Hospital):
    own = own_queue(hospital)
    hospital.number("doctor-1", priority=PriorityClass.MERIT)
    with pytest.raises(LastRoom), hospital.begin() as session:
        arranging.close_own_queue(session, hospital.admin, own, now=MONDAY_8AM)
    called = hospital.call("doctor-1")
    with hospital.begin() as session:
        services.done(session, hospital.doctor, called.id, now=SOON, cipher=hospital.cipher)
        arranging.close_own_queue(session, hospital.admin, own, now=SOON)
    with pytest.raises(QueueClosed):
        hospital.number("doctor-1")


def test_the_api_arranges_and_every_change_is_in_the_trail(app: Flask, clock: object, hospital: Hospital):
    admin = Caller(app.test_client(), hospital.admin_token)
    queue, other = (f"{API}/queues/{hospital.queue(code)}" for code in ("P001", "P002"))
    point = hospital.point("P002")
    headers = {"Authorization": f"Bearer {hospital.admin_token}"}
    opened = admin.client.put(f"{queue}/points/{point}", json={"open": True}, headers=headers)
    assert [each["name"] for each in opened.json["points"]] == ["Phòng khám 1", "Phòng khám 2"]
    paused = admin.post(f"{queue}/pause", {"reason": "meeting", "until": "2026-11-30T08:30:00+07:00"})
    assert (paused.status_code, paused.json["paused_until"]) == (200, "2026-11-30T08:30:00+07:00")
    assert admin.post(f"{queue}/pause", {"reason": "coffee"}).status_code == 422
    assert admin.post(f"{queue}/resume").json["paused_reason"] is None
    assert admin.post(f"{queue}/move", {"service_point_id": str(point)}).json["points"] == [
        {"id": str(point), "name": "Phòng khám 2"}
    ]
    merged = admin.post(f"{other}/merge", {"into": str(hospital.queue("P001"))})
    assert merged.json["merged_into"] == str(hospital.queue("P001"))
    assert admin.get(f"{queue}/day").json["merged_here"] == [str(hospital.queue("P002"))]
    refused = admin.post(f"{other}/call-next")
    assert (refused.status_code, refused.json["code"]) == (409, "queue-merged")
    assert admin.post(f"{other}/unmerge").json["merged_into"] is None
    own = admin.post(
        f"{API}/practitioner-queues",
        {
            "facility": "77001",
            "practitioner_id": str(hospital.practitioner_id),
            "service_point_id": str(point),
        },
    )
    assert own.status_code == 201
    path = f"{API}/practitioner-queues/{own.json['queue']}"
    assert admin.client.delete(path, headers=headers).status_code == 204
    with hospital.begin() as session:
        found = session.scalars(select(AuditEvent.action).where(AuditEvent.entity == "Queue")).all()
    assert set(found) >= {
        "queue.room", "queue.pause", "queue.resume", "queue.move", "queue.merge", "queue.unmerge",
        "queue.open-own", "queue.close-own",
    }  # fmt: skip


def test_only_desk_and_admin_arrange_and_only_at_home(
    app: Flask, clock: object, hospital: Hospital, other_hospital: Hospital
):
    doctor, stranger = (
        Caller(app.test_client(), token) for token in (hospital.staff_token, other_hospital.admin_token)
    )
    queue = f"{API}/queues/{hospital.queue('P001')}"
    body = {"into": str(hospital.queue("P002"))}
    assert doctor.post(f"{queue}/merge", body).status_code == 403
    assert doctor.post(f"{queue}/pause", {"reason": "break"}).status_code == 200
    for path, sent in (("merge", body), ("pause", {"reason": "break"})):
        assert stranger.post(f"{queue}/{path}", sent).status_code == 403


@pytest.fixture
def hall(app: Flask, clock: object, hospital: Hospital) -> Browser:
    browser = Browser(app.test_client())
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.admin_token
    browser.open(f"/clinic/queues/{hospital.id}")
    return browser


def test_the_page_of_queues_arranges_the_day(hall: Browser, hospital: Hospital):
    path = f"/clinic/queues/{hospital.id}/{hospital.queue('P001')}"
    assert "Hàng chờ hôm nay" in hall.page
    hospital.number("P001")
    assert "Còn 1 người trong hàng này" in hall.send(f"{path}/close", point=str(hospital.point("P001")))
    assert "Phòng khám 2" in hall.send(f"{path}/open", point=str(hospital.point("P002")))
    assert "Tạm dừng đến 08:30: nghỉ giữa giờ" in hall.send(f"{path}/pause", reason="break", until="8:30")
    assert "sau lúc này" in hall.send(f"{path}/pause", reason="break", until="25:99")
    assert "Tạm dừng đến" not in hall.send(f"{path}/resume")
    assert "Đã gộp vào Phòng khám 2" in hall.send(f"{path}/merge", into=str(hospital.queue("P002")))
    assert "Đã gộp vào" not in hall.send(f"{path}/unmerge")
    hall.send(f"{path}/move", point=str(hospital.point("P002")))
    hall.send(f"{path}/open", 404, point="nowhere")


def test_the_admin_sets_a_queue_on_its_page(hall: Browser, hospital: Hospital):
    page = f"/admin/facilities/{hospital.id}/queues"
    assert "Phát qua mạng mỗi ngày" in hall.open(page)
    form = {
        "version": "1", "first_number": "200", "last_number": "299", "daily_limit": "", "web_limit": "20",
        "web_until_minute": "9:30", "priority_run": "2", "appointment_run": "2", "early_minutes": "30",
        "late_minutes": "15", "calls_before_missed": "3", "max_passed": "10", "return_places": "3",
        "near": "3", "travel_minutes": "45", "minutes_per_visit": "8", "skips_by_itself": "yes",
    }  # fmt: skip
    path = f"{page}/{hospital.queue('P001')}"
    assert "Đã lưu cài đặt" in hall.send(path, **form)
    assert hospital.number("P001").number_text == "1-200"
    refused = hall.send(path, 422, **form | {"version": "2", "last_number": "1", "near": "many"})
    assert "Nhập một số trong giới hạn" in refused
    assert "Số cuối phải bằng hoặc lớn hơn số đầu" in hall.send(
        path, 422, **form | {"version": "2", "last_number": "1"}
    )
    hall.send(path, 412, **form)


def test_a_screen_that_serves_two_queues_calls_from_both(hall: Browser, hospital: Hospital):
    room(hospital, "registration", "P001", is_open=True)
    hospital.number("registration")
    slip = hospital.number("P001", priority=PriorityClass.PREGNANT)
    hall.open("/clinic")
    shown = hall.send("/clinic/place", place=f"{hospital.queue('P001')}/{hospital.point('P001')}")
    assert "Gọi từ Quầy tiếp đón" in shown
    assert "tự khai" in shown
    assert "Xác nhận ưu tiên" in shown
    shown = hall.send(f"/clinic/tickets/{slip.id}/priority", priority="none")
    assert "tự khai" not in shown
    hall.send(f"/clinic/tickets/{slip.id}/priority", 422, priority="famous")
    hall.open("/clinic")
    assert "A001" in hall.send("/clinic/call-next", queue=str(hospital.queue("registration")))
