"""What the owner of a phone wishes to be told: chosen by link and at the desk."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from notifications.kinds import KINDS
from notifications.preferences import Preferences, Source, Wishes
from telehealth.answers.choices import TOPICS, Choice, choice_of
from telehealth.core.answer_link import Purpose
from telehealth.settings import Settings
from tests.answers.test_answers import Told, link_to, press
from tests.booking.clinic import DOCTORS, Employee, Person
from tests.booking.test_booking_over_http import IN_TWO_DAYS, move, slots
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

LANS_PHONE = "+84912000001"
EVERYTHING = frozenset((topic, channel) for topic in TOPICS for channel in ("zalo", "sms"))

Look = Callable[[], Wishes]


@pytest.fixture
def wishes(engine: Engine, settings: Settings) -> Look:
    def look() -> Wishes:
        with Session(engine) as session:
            return Preferences(settings.cipher).of(session, LANS_PHONE)

    return look


def ticks(pairs: frozenset) -> dict[str, list[str]]:
    return {topic: [channel for each, channel in pairs if each == topic] for topic in TOPICS}


@pytest.fixture
def page(browser: Browser, booked: dict, told: Told) -> Browser:
    """The page of choices, by the way that a person takes."""
    browser.go(told("booked"))
    return browser.go(browser.links("/j/m")[0])


def test_every_message_that_may_be_muted_is_in_one_topic():
    assert sorted(kind for kinds in TOPICS.values() for kind in kinds) == sorted(
        kind.name for kind in KINDS.values() if kind.mutable
    )


def test_the_page_says_what_can_be_stopped_and_what_not(page: Browser):
    assert page.status == 200
    assert page.sees("ba số cuối 001", "Nhắc lịch khám", "Báo sắp đến lượt", "không tắt được", "SMS có dấu")
    assert page.text.count(" checked") == len(EVERYTHING)
    for telling in ("Lan", "Khám nội", "0912"):
        assert telling not in page.text


def test_one_press_stops_all_reminders_and_nothing_that_must_be_told(
    page: Browser, wishes: Look, engine: Engine
):
    page.send("messages", stop__all="yes", reminders="sms")
    assert page.sees("Đã lưu lựa chọn của quý vị")
    muted = wishes()
    for kind in KINDS.values():
        assert any(muted.allow(kind, channel) for channel in kind.channels) == (not kind.mutable)
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT actor_kind, patient_id IS NOT NULL FROM audit_event WHERE action = 'messages.choose'"
            )
        ).all()
    assert found == [("link", True)]


@pytest.mark.parametrize(
    "ticked",
    [
        EVERYTHING,
        frozenset(),
        frozenset({("reminders", "sms")}),
        frozenset({("reminders", "zalo"), ("turn", "sms")}),
        frozenset({("turn", "zalo"), ("turn", "sms")}),
    ],
)
@pytest.mark.parametrize("before", ["nothing", "all", "zalo", "reminders"])
def test_what_is_kept_is_what_was_ticked_whatever_stood_before(
    page: Browser,
    wishes: Look,
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
    ticked: frozenset,
    before: str,
):
    asked = {"all": {}, "zalo": {"channel": "zalo"}, "reminders": {"kind": "appointment-reminder-day"}}
    if before != "nothing":
        with Session(engine) as session, session.begin():
            Preferences(settings.cipher).stop(
                session, LANS_PHONE, **asked[before], source=Source.ZALO, now=clock.now
            )
    page.send("messages", **ticks(ticked), accented="yes")
    assert choice_of(wishes()) == Choice(ticked, accented=True)
    page.send("messages", **ticks(EVERYTHING))
    assert choice_of(wishes()) == Choice(EVERYTHING, accented=False)


def test_the_choice_stays_open_after_the_visit_and_after_a_move_but_not_for_ever(
    page: Browser, web: FlaskClient, lan: Person, booked: dict, clock: MovableClock, settings: Settings
):
    link = link_to(settings, Purpose.MESSAGES, booked)
    other = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[1]
    assert move(web, lan, booked, other["id"]).status_code == 200
    assert page.go(link).status == 200
    clock.now = datetime.fromisoformat(booked["end"]) + timedelta(days=29)
    assert page.go(link).status == 200
    clock.now += timedelta(days=2)
    assert (page.go(link).status, page.sees("trong tin nhắn mới nhất")) == (410, True)


def test_choosing_needs_the_link_of_its_own_purpose(web: FlaskClient, booked: dict, told: Told, wishes: Look):
    assert press(web, told("booked"), "messages") == 404
    assert wishes() == Wishes()


def test_the_desk_chooses_for_who_asks(web: FlaskClient, lan: Person, desk: Employee, wishes: Look):
    with web.session_transaction() as cookie:
        cookie["_user_id"] = desk.token
        cookie["csrf"] = "token"
    place = f"/desk/people/{lan.patient_id}"
    assert f"{place}/messages" in web.get(place).get_data(as_text=True)
    page = web.get(f"{place}/messages").get_data(as_text=True)
    assert "ba số cuối 001" in page
    kept = web.post(f"{place}/messages", data={"csrf_token": "token", "stop-all": "yes"})
    assert kept.status_code == 303
    assert choice_of(wishes()) == Choice(frozenset())


def test_another_desk_does_not_choose_for_a_person_it_does_not_know(
    web: FlaskClient, lan: Person, other_desk: Employee, wishes: Look
):
    with web.session_transaction() as cookie:
        cookie["_user_id"] = other_desk.token
        cookie["csrf"] = "token"
    place = f"/desk/people/{lan.patient_id}/messages"
    assert web.get(place).status_code == 404
    assert web.post(place, data={"csrf_token": "token"}).status_code == 404
    assert wishes() == Wishes()


def test_nobody_is_asked_who_has_no_telephone(
    browser: Browser, booked: dict, settings: Settings, owner_engine: Engine
):
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE account SET phone_sealed = NULL WHERE kind = 'patient'"))
    page = browser.go(link_to(settings, Purpose.MESSAGES, booked))
    assert (page.status, "<form" in page.text.partition("<main")[2]) == (200, False)


def test_a_mail_program_stops_all_by_one_click_and_a_person_is_led_to_the_choices(
    web: FlaskClient, booked: dict, settings: Settings, wishes: Look, engine: Engine, clock: MovableClock
):
    address = link_to(settings, Purpose.MESSAGES, booked).replace("/j/", "/unsubscribe/")
    assert web.get(address).headers["Location"].startswith("/j/m")
    assert web.post(address, data={"anything": "else"}).status_code == 400
    assert choice_of(wishes()).wanted == EVERYTHING
    with Session(engine) as session, session.begin():
        Preferences(settings.cipher).write_accents(session, LANS_PHONE, True, now=clock.now)
    for _ in range(2):
        assert web.post(address, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert choice_of(wishes()) == Choice(frozenset(), accented=True), "how an SMS is written is another wish"


def test_only_the_link_for_messages_stops_them(web: FlaskClient, booked: dict, settings: Settings):
    address = link_to(settings, Purpose.CONFIRM, booked).replace("/j/", "/unsubscribe/")
    assert web.post(address, data={"List-Unsubscribe": "One-Click"}).status_code == 404


def sent(engine: Engine, booked: dict, outcome: str) -> None:
    """What is said of the appointment has left for Lan's telephone."""
    log = """
        INSERT INTO notifications.delivery_attempt
          (notification_id, idem_key, attempt, channel, provider, outcome, at)
        SELECT id, id, 1, 'sms', 'twilio', :outcome, created_at FROM notifications.notification
        WHERE subject = :id"""
    with Session(engine) as session, session.begin():
        session.execute(text(log), {"outcome": outcome, "id": booked["id"]})


def another_phone(engine: Engine, settings: Settings, lan: Person) -> None:
    sealed = settings.cipher.seal_text("+84912999777", f"patient.phone:{lan.patient_id}")
    with Session(engine) as session, session.begin():
        session.execute(text("SELECT set_config('app.kind', 'system', true)"))
        change = "UPDATE patient SET phone_sealed = :sealed WHERE id = :id"
        assert session.execute(text(change), {"sealed": sealed, "id": lan.patient_id}).rowcount == 1


def test_who_holds_an_old_telephone_neither_sees_nor_mutes_the_new_one(
    page: Browser,
    lan: Person,
    booked: dict,
    engine: Engine,
    settings: Settings,
):
    sent(engine, booked, "accepted")
    link = page.address
    assert page.go(link).sees("ba số cuối 001")
    another_phone(engine, settings, lan)
    page.send("messages", stop__all="yes")
    assert page.sees("Số điện thoại nhận tin đã thay đổi")
    assert "ba số cuối" not in page.text
    press = page.client.post(link.replace("/j/", "/unsubscribe/"), data={"List-Unsubscribe": "One-Click"})
    assert press.status_code == 200
    with Session(engine) as session:
        assert Preferences(settings.cipher).of(session, "+84912999777") == Wishes()


def test_a_number_that_refused_everything_has_told_nobody(
    page: Browser, lan: Person, booked: dict, engine: Engine, settings: Settings
):
    sent(engine, booked, "rejected_recipient")
    another_phone(engine, settings, lan)
    assert page.go(page.address).sees("ba số cuối 777")
