"""The main job from end to end: a patient on a phone, the kiosk, the board, the doctor; then by video.

One run of the whole product, as `run.py` starts it. Only the real buttons are pressed; what is waited
for is a condition, never a time.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, Playwright, expect

from telehealth.directory.codes import Modality
from tests.browser.chromium import (
    GREEN_WHITE,
    RED_BLUE,
    launch,
    marker_clip,
    opened,
    sees,
    wait_for_state,
)
from tests.browser.live import (
    BY_VIDEO,
    HOSPITAL,
    IN_PERSON,
    ROOM_NAME,
    Live,
    fresh_phone,
    is_today,
    wait_out_the_day,
)
from tests.browser.steps import (
    Desk,
    book_earliest,
    check_in_at_the_kiosk,
    follow_the_number,
    go_to_the_room,
    open_the_room,
    put_into_use,
    sign_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class People:
    """Everybody's screen, and what the screens complained of."""

    patient: Page
    kiosk: Page
    board: Page
    doctor: Page
    complaints: dict[str, list[str]]


@pytest.fixture
def people(playwright: Playwright, tmp_path: Path) -> Iterator[People]:
    """Open the screens: the phone's camera sees red and blue, the doctor's green and white."""
    with ExitStack() as stack:
        phone = launch(playwright, marker_clip(tmp_path / "phone.y4m", RED_BLUE))
        stack.callback(phone.close)
        hospital = launch(playwright, marker_clip(tmp_path / "hospital.y4m", GREEN_WHITE))
        stack.callback(hospital.close)
        patient, said_patient = stack.enter_context(opened(phone, 390, 844, locale="vi-VN"))
        kiosk, said_kiosk = stack.enter_context(opened(hospital, 1080, 1920, locale="vi-VN"))
        board, said_board = stack.enter_context(opened(hospital, 1920, 1080, locale="vi-VN"))
        doctor, said_doctor = stack.enter_context(opened(hospital, 1366, 768, locale="vi-VN"))
        said = {"patient": said_patient, "kiosk": said_kiosk, "board": said_board, "doctor": said_doctor}
        yield People(patient, kiosk, board, doctor, said)


def test_a_patient_books_is_called_and_meets_the_doctor_by_video(live: Live, people: People) -> None:
    wait_out_the_day()
    number = fresh_phone(zalo=False)
    booked = book_earliest(live, people.patient, number)
    desk, code = Desk(live, booked), booked.code
    if not is_today(booked.start):  # late in the evening the earliest slot is after midnight
        code = desk.book(IN_PERSON, Modality.IN_PERSON)
    people.board.goto(f"{live.base}/board/{HOSPITAL}")
    put_into_use(live, people.kiosk)
    be_called(live, people, check_in_at_the_kiosk(people.kiosk, code))
    live.message(number, f"ma {desk.book(BY_VIDEO, Modality.VIDEO)}")
    meet_by_video(live, people)
    assert who_was_there(live) == ["patient", "practitioner"]
    assert people.complaints == {"patient": [], "kiosk": [], "board": [], "doctor": []}


def be_called(live: Live, people: People, number: str) -> None:
    """The doctor calls: board and phone show it by themselves. The visit begins and is finished."""
    doctor, phone = people.doctor, people.patient
    follow_the_number(live, phone, number)
    expect(phone.locator("[data-here]")).to_contain_text("Quý vị là người kế tiếp")
    sign_in(live, doctor)
    expect(doctor.get_by_role("cell", name=number)).to_be_visible()
    doctor.get_by_role("button", name="Gọi số tiếp theo").click()
    expect(doctor.locator(".th-now__number")).to_have_text(number)
    expect(people.board.locator("[data-number]")).to_have_text(number)
    expect(people.board.locator("[data-room]")).to_have_text(ROOM_NAME)
    expect(phone.get_by_text(f"Đến lượt quý vị. Mời vào {ROOM_NAME}.")).to_be_visible()
    doctor.get_by_role("button", name="Bắt đầu").click()
    expect(doctor.locator(".th-now")).to_contain_text("Đang phục vụ")
    expect(phone.get_by_text(f"Quý vị đang được phục vụ tại {ROOM_NAME}.")).to_be_visible()
    doctor.get_by_role("button", name="Xong").click()
    expect(doctor.locator(".th-now")).to_contain_text("Chưa gọi ai")
    expect(phone.get_by_text("Số này đã xong")).to_be_visible()


def meet_by_video(live: Live, people: People) -> None:
    """Both come to the video appointment and see each other; the patient leaves, the doctor ends it."""
    patient, doctor = people.patient, people.doctor
    go_to_the_room(live, patient)
    patient.get_by_role("button", name="Vào phòng khám").click()
    wait_for_state(patient, "waiting")
    open_the_room(live, doctor)
    doctor.get_by_role("button", name="Vào phòng khám").click()
    assert sees(patient) == ("green", "white")
    assert sees(doctor) == ("red", "blue")
    patient.get_by_role("button", name="Rời phòng").click()
    expect(patient.get_by_text("Quý vị đã rời phòng")).to_be_visible()
    wait_for_state(doctor, "waiting")
    doctor.get_by_role("button", name="Kết thúc buổi khám").click()
    doctor.get_by_role("dialog").get_by_role("button", name="Kết thúc").click()
    expect(doctor.get_by_text("Buổi khám đã kết thúc")).to_be_visible()
    patient.goto(f"{live.base}/appointments")
    expect(patient.locator("main")).to_contain_text("Đã khám")


def who_was_there(live: Live) -> list[str]:
    """Return the roles of those whose stay the finished video Encounter keeps, with both ends in order."""
    with psycopg.connect(live.database_url) as database:
        rows = database.execute(
            """
            SELECT p.role FROM encounter e JOIN encounter_participant p ON p.encounter_id = e.id
            WHERE e.modality = 'video' AND e.status = 'finished' AND e.started_at <= e.ended_at
              AND p.joined_at < p.left_at AND p.left_at <= e.ended_at
            ORDER BY p.role
            """
        ).fetchall()
    return [role for (role,) in rows]
