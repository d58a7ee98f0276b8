"""Operators see how the messages are, and do something about it; nobody else does."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from notifications.settings import NotificationSettings
from notifications.template_versions import ChangedInPlace
from notifications.templates import SOURCES, Source
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.messaging import services
from telehealth.settings import Settings
from tests.cast import PASSWORD, Staff, bearer, hire, messages, open_facilities, staff_token
from tests.conftest import MovableClock
from tests.forms import post_form

PAGE = "/admin/messages"
PHONE = "+84912000111"


@pytest.fixture
def officer(client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock) -> Staff:
    """Sign the province's officer in, in this browser."""
    staff = hire(engine, settings.cipher, "so.yte", Role.PROVINCE_OFFICER, None, now=clock.now)
    post_form(client, "/staff/sign-in", "/staff/sign-in", login=staff.login, password=PASSWORD)
    done = post_form(client, "/staff/sign-in/code", "/staff/sign-in/code", code=staff.totp(clock.now))
    assert done.status_code == 302
    return staff


def told(
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
    *,
    kind: str = "appointment-booked",
    hours: float = 24,
    subject: UUID | None = None,
    dead: bool = True,
) -> UUID:
    """A message, by default one that Twilio refused for the number."""
    params = {"facility": "BV Bà Rịa", "time": "08:30", "date": "24/11", "code": "K7M2QX9P"}
    message = Message(
        kind=kind,
        recipient=Recipient(phone=PHONE),
        params=params if kind == "appointment-cancelled" else {**params, "link": "https://x.vn/j/1"},
        dedupe_key=str(uuid4()),
        not_before=clock.now,
        expires_at=clock.now + timedelta(hours=hours),
        subject=subject,
    )
    with system_unit_of_work(engine) as session:
        Outbox(settings.cipher).enqueue(session, [message], now=clock.now)
        found = "SELECT id FROM notifications.notification WHERE dedupe_key = :key"
        ((identifier,),) = rows(session, found, key=message.dedupe_key)
        if dead:
            kill(session, identifier, clock)
    return UUID(str(identifier))


def kill(session: Session, identifier: UUID, clock: MovableClock) -> None:
    given = {"id": identifier, "now": clock.now}
    session.execute(text("DELETE FROM notifications.outbox WHERE notification_id = :id"), given)
    session.execute(
        text("UPDATE notifications.notification SET state = 'dead', updated_at = :now WHERE id = :id"), given
    )
    session.execute(
        text(
            "INSERT INTO notifications.delivery_attempt "
            "(notification_id, idem_key, attempt, channel, provider, outcome, code, at) "
            "VALUES (:id, :id, 1, 'sms', 'twilio', 'rejected_recipient', '21211', :now)"
        ),
        given,
    )


def rows(session: Session, query: str, **given: object) -> list[tuple[object, ...]]:
    return [tuple(row) for row in session.execute(text(query), given)]


def read(engine: Engine, query: str, **given: object) -> list[tuple[object, ...]]:
    with system_unit_of_work(engine) as session:
        return rows(session, query, **given)


def beat(engine: Engine, clock: MovableClock) -> None:
    with system_unit_of_work(engine) as session:
        session.execute(text("INSERT INTO worker_heartbeat VALUES ('clock', :now)"), {"now": clock.now})


def seen(client: FlaskClient, page: str = PAGE) -> str:
    answer = client.get(page)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_one_sentence_says_whether_all_is_well(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    assert "Bộ phận gửi tin không chạy" in seen(client)
    beat(engine, clock)
    assert "đang đi bình thường" in seen(client)
    told(engine, settings, clock, dead=False)
    clock.forward(seconds=50)
    assert "50 giây" in seen(client)
    clock.forward(minutes=6)
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE worker_heartbeat SET beat_at = :now"), {"now": clock.now})
    page = seen(client)
    assert "đang bị chậm" in page
    assert "tin thường, quá 5 phút" in page


def test_the_page_is_found_from_the_province(client: FlaskClient, officer: Staff):
    assert f'href="{PAGE}"' in seen(client, "/admin/province")


@pytest.mark.parametrize("role", [Role.FACILITY_ADMIN, Role.DESK, Role.PRACTITIONER])
@pytest.mark.parametrize("path", ["", "/figures", "/dead-letters", "/texts", "/trace"])
def test_others_have_no_business_there(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, role: Role, path: str
):
    staff = hire(engine, settings.cipher, "ai.do", role, open_facilities(engine)["BVT"], now=clock.now)
    token = staff_token(client, staff, clock.now)
    assert client.get(PAGE + path, headers=bearer(token)).status_code == 403
    assert client.get("/api/v1/messages/figures", headers=bearer(token)).status_code == 403


def test_programs_read_the_same_figures(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    beat(engine, clock)
    told(engine, settings, clock)
    told(engine, settings, clock, dead=False)
    answer = client.get("/api/v1/messages/figures")
    assert answer.status_code == 200
    body = answer.json
    assert body["health"] == "watch", "somebody waits for the letter that failed"
    assert body["dead_letters"] == 1
    page = seen(client)
    assert "1 tin không gửi được đang chờ xử lý" in page
    assert "đang đi bình thường" not in page
    assert [(queue["channel"], queue["ready"]) for queue in body["queues"]] == [("zalo", 1)]
    assert [(each["code"], each["count"]) for each in body["failures"]] == [("21211", 1)]
    assert {provider["name"] for provider in body["providers"]} >= {"zalo", "twilio"}


def test_a_dead_letter_is_sent_again_once(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    identifier = told(engine, settings, clock)
    page = seen(client, f"{PAGE}/dead-letters")
    assert "Số máy này không nhận được" in page
    assert PHONE not in page
    assert "K7M2QX9P" not in page
    path = f"{PAGE}/dead-letters"
    assert post_form(client, path, f"{path}/{identifier}/replay").status_code == 302
    again = post_form(client, f"{PAGE}/trace", f"{path}/{identifier}/replay")
    assert again.status_code == 409
    assert "người khác xử lý rồi" in again.get_data(as_text=True)
    assert read(engine, "SELECT channel FROM notifications.outbox") == [("sms",)]
    assert read(engine, "SELECT action, entity_id FROM audit_event WHERE action LIKE 'messages.%'") == [
        ("messages.replay", identifier)
    ]


def test_what_is_over_needs_a_longer_life(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    identifier = told(engine, settings, clock, hours=0.2)
    clock.forward(minutes=20)
    path = f"{PAGE}/dead-letters"
    assert "đã quá giờ" in seen(client, path)
    assert post_form(client, path, f"{path}/{identifier}/replay").status_code == 409
    assert post_form(client, path, f"{path}/{identifier}/replay", hours="999").status_code == 422
    assert post_form(client, path, f"{path}/{identifier}/replay", hours="4").status_code == 302
    assert read(engine, "SELECT expires_at FROM notifications.notification") == [
        (clock.now + timedelta(hours=4),)
    ]


def test_all_of_one_cause_are_sent_again_or_laid_to_rest(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    path = f"{PAGE}/dead-letters"
    cause = {"provider": "twilio", "outcome": "rejected_recipient", "code": "21211"}
    for _ in range(3):
        told(engine, settings, clock)
    told(engine, settings, clock, hours=0.2)
    post_form(client, path, f"{path}/replay", **{**cause, "code": "30007"})
    assert read(engine, "SELECT count(*) FROM notifications.outbox") == [(0,)]
    clock.forward(minutes=20)
    post_form(client, path, f"{path}/replay", **cause)
    assert read(engine, "SELECT count(*) FROM notifications.outbox") == [(3,)]
    post_form(client, path, f"{path}/dismiss", **cause)
    assert "Không có tin nào bị kẹt" in seen(client, path)


def test_one_is_laid_to_rest(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    identifier = told(engine, settings, clock)
    path = f"{PAGE}/dead-letters"
    assert post_form(client, path, f"{path}/{identifier}/dismiss").status_code == 302
    assert read(engine, "SELECT state FROM notifications.notification") == [("cancelled",)]


def test_the_list_goes_on_for_pages(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    for _ in range(27):
        clock.forward(seconds=1)
        told(engine, settings, clock)
    first = seen(client, f"{PAGE}/dead-letters")
    following = re.search(r'href="([^"]+)" rel="next"', first)
    assert following is not None
    second = seen(client, following[1].replace("&amp;", "&"))
    letters = [set(re.findall(r"dead-letters/([0-9a-f-]{36})/replay", page)) for page in (first, second)]
    assert [len(each) for each in letters] == [25, 2]
    assert not letters[0] & letters[1]
    for odd in ("x", "bnVsbA", "WzEsMl0"):
        assert client.get(f"{PAGE}/dead-letters?after={odd}").status_code == 400


def test_a_provider_is_paused_with_a_reason_and_resumed(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    beat(engine, clock)
    where = f"{PAGE}/providers/zalo"
    assert post_form(client, PAGE, f"{where}/pause", hours="4").status_code == 422
    assert post_form(client, PAGE, f"{where}/pause", hours="5", reason="bảo trì").status_code == 422
    assert post_form(client, PAGE, f"{PAGE}/providers/fax/pause", hours="4", reason="x").status_code == 404
    assert post_form(client, PAGE, f"{where}/pause", hours="4", reason="bảo trì").status_code == 302
    page = seen(client)
    assert "Zalo đang nghỉ, không gửi" in page
    assert "bảo trì" in page
    assert "nhưng có việc cần xem" in page
    assert post_form(client, PAGE, f"{where}/resume").status_code == 302
    assert "đang đi bình thường" in seen(client)
    assert [
        row[0] for row in read(engine, "SELECT change FROM notifications.provider_change ORDER BY id")
    ] == [
        "pause",
        "resume",
    ]


@pytest.mark.parametrize("weight", ["", "-1", "101", "abc", "1e3", "²"])
def test_an_odd_weight_is_refused(client: FlaskClient, officer: Staff, weight: str):
    where = f"{PAGE}/providers/twilio/weight"
    refused = post_form(client, PAGE, where, weight=weight, reason="thử")
    assert refused.status_code == 422
    assert "từ 0 đến 100" in refused.get_data(as_text=True)


def test_a_weight_is_set(client: FlaskClient, officer: Staff, engine: Engine):
    assert (
        post_form(client, PAGE, f"{PAGE}/providers/twilio/weight", weight="30", reason="rẻ hơn").status_code
        == 302
    )
    assert read(engine, "SELECT provider, weight FROM notifications.provider_state") == [("twilio", 30)]
    assert officer.login.replace(".", " ").title() in seen(client)


def test_a_refused_weight_leads_to_its_field_and_keeps_what_was_typed(client: FlaskClient, officer: Staff):
    refused = post_form(client, PAGE, f"{PAGE}/providers/twilio/weight", weight="150", reason="rẻ hơn")
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert 'href="#weight-twilio"' in page
    assert 'id="weight-twilio"' in page
    assert page.count('value="150"') == 1
    assert page.count('value="rẻ hơn"') == 1


def test_the_way_of_a_message_is_found_by_phone_and_looking_is_written_down(
    client: FlaskClient, officer: Staff, engine: Engine, settings: Settings, clock: MovableClock
):
    told(engine, settings, clock)
    where = f"{PAGE}/trace"
    found = post_form(client, where, where, wanted="0912 000 111").get_data(as_text=True)
    assert "Báo đã đặt lịch" in found
    assert "Từ chối: số máy không nhận được" in found
    assert "K7M2QX9P" not in found
    assert "Không có tin nào" in post_form(client, where, where, wanted="0912 000 222").get_data(as_text=True)
    assert post_form(client, where, where, wanted=" ").status_code == 422
    assert "Không có tin nào" in post_form(client, where, where, wanted="AAAA-BBBB").get_data(as_text=True)
    trail = read(engine, "SELECT details FROM audit_event WHERE action = 'messages.trace' ORDER BY id")
    index = Outbox(settings.cipher).recipient_index
    known, unknown = ((index(phone) or b"")[:8].hex() for phone in (PHONE, "+84912000222"))
    assert trail == [
        ({"by": "phone", "phone": known, "found": 1},),
        ({"by": "phone", "phone": unknown, "found": 0},),
        ({"by": "code"},),
    ]


def test_texts_show_their_state_and_take_an_id(
    client: FlaskClient, officer: Staff, app: Flask, engine: Engine, settings: Settings, clock: MovableClock
):
    where = f"{PAGE}/texts"
    assert "Chưa có mẫu tin nào" in seen(client, where)
    assert app.test_cli_runner().invoke(args=["messages", "templates", "sync"]).exit_code == 0
    assert app.test_cli_runner().invoke(args=["messages", "templates", "list"]).exit_code == 0
    page = seen(client, where)
    assert page.count("Chưa hỏi") >= 20
    assert post_form(client, where, f"{where}/otp/vi/zalo", identifier="a b").status_code == 422
    assert post_form(client, where, f"{where}/nothing/vi/zalo", identifier="1").status_code == 404
    assert post_form(client, where, f"{where}/otp/vi/zalo", identifier="123456").status_code == 302
    assert 'value="123456"' in seen(client, where)


def test_a_text_changed_in_place_is_refused_by_the_command_and_said_aloud_by_the_worker(
    app: Flask,
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    ours = NotificationSettings.from_environ({}, sandbox_url="http://127.0.0.1:1")
    with system_unit_of_work(engine) as session:
        services.sync_texts(session, ours, now=clock.now)
    first, *others = SOURCES
    changed = (Source(first.kind, first.language, {**first.text, "sms": "{code} {minutes}"}), *others)
    monkeypatch.setattr(services, "SOURCES", changed)
    with pytest.raises(ChangedInPlace), system_unit_of_work(engine) as session:
        services.sync_texts(session, ours, now=clock.now)
    refused = app.test_cli_runner().invoke(args=["messages", "templates", "sync"])
    assert refused.exit_code == 1
    assert "raise `version`" in refused.output
    with system_unit_of_work(engine) as session:
        services.keep_texts(session, ours, now=clock.now)
    assert [record.levelname for record in caplog.records if "raise `version`" in record.message] == [
        "CRITICAL"
    ]


def test_an_alarm_is_told_once_by_short_message(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    ours = replace(
        NotificationSettings.from_environ({}, sandbox_url="http://127.0.0.1:1"), alarm_phone="+84903000999"
    )
    outbox = Outbox(settings.cipher)
    told(engine, settings, clock, dead=False)
    clock.forward(minutes=7)
    for _ in range(3):
        with system_unit_of_work(engine) as session:
            services.watch(session, outbox, ours, "https://x.vn", now=clock.now)
        clock.forward(seconds=30)
    (sent,) = messages(engine, settings.cipher, "operator-alarm")
    assert sent == {
        "name": "tin bị chậm",
        "since": "08:07 thứ Hai 30/11",
        "link": "https://x.vn/admin/messages",
        "to": "+84903000999",
    }


def test_many_alarms_at_once_are_one_message(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    ours = replace(
        NotificationSettings.from_environ({}, sandbox_url="http://127.0.0.1:1"), alarm_phone="+84903000999"
    )
    with system_unit_of_work(engine) as session:
        for provider in ("zalo", "twilio", "esms"):
            session.execute(
                text(
                    "INSERT INTO notifications.provider_token (provider, version, bootstrap_index, "
                    "refresh_token, state, updated_at) VALUES (:provider, 1, 'x', 'x', 'needs_reauth', :now)"
                ),
                {"provider": provider, "now": clock.now},
            )
    with system_unit_of_work(engine) as session:
        fresh = services.watch(session, Outbox(settings.cipher), ours, "https://x.vn", now=clock.now)
    assert len(fresh) >= 2
    (sent,) = messages(engine, settings.cipher, "operator-alarm")
    assert sent["name"].endswith(f", thêm {len(fresh) - 1} việc")
    assert len(sent["name"]) <= 44
