"""What people do towards the official account at Zalo, over HTTP with Zalo's signature."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from notifications import Outbox, sealing, zalo_contacts
from notifications.channels.zalo.account import SANDBOX
from notifications.channels.zalo.webhook import mac
from notifications.kinds import KINDS
from notifications.outbox import opened
from notifications.preferences import Preferences
from notifications.zalo_contacts import Conversation
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.conftest import MovableClock

PAGE = "https://kham.example/appointments"
HOA, BINH = "3141592653589793238", "2718281828459045235"
PHONE = "+84912345678"
OA = "4100000000000000041"


@dataclass
class Account:
    """The official account: events come in, a worker acts, messages wait."""

    client: FlaskClient
    engine: Engine
    settings: Settings
    clock: MovableClock

    def __post_init__(self) -> None:
        self.conversation = Conversation(self.settings.cipher, Outbox(self.settings.cipher), PAGE)

    def event(self, name: str, person: str, at: datetime | None = None, **fields: Any) -> dict[str, Any]:
        stamp = str(int((at or self.clock.now).timestamp() * 1000))
        event = {"app_id": SANDBOX["ZALO_APP_ID"], "event_name": name, "timestamp": stamp, "oa_id": OA}
        if name in {"follow", "unfollow"}:
            return {**event, "follower": {"id": person}, "source": "oa_profile", **fields}
        return {**event, "sender": {"id": person}, "recipient": {"id": OA}, **fields}

    def post(self, event: dict[str, Any], secret: str = SANDBOX["ZALO_OA_SECRET"], **headers: str) -> int:
        half_signs = "\\ud" in json.dumps(event)
        body = json.dumps(event, ensure_ascii=half_signs).encode()
        signature = mac(SANDBOX["ZALO_APP_ID"], body, str(event["timestamp"]), secret)
        signed = {"X-ZEvent-Signature": f"mac={signature}", "Content-Type": "application/json", **headers}
        return self.client.post("/webhooks/zalo", data=body, headers=signed).status_code

    def process(self) -> int:
        with system_unit_of_work(self.engine) as session:
            return zalo_contacts.process(session, self.conversation, now=self.clock.now, most=10_000)

    def does(self, name: str, person: str = HOA, at: datetime | None = None, **fields: Any) -> list[str]:
        """One deed, acted on; the kinds of message that it brought forth."""
        before = set(self.rows("SELECT id FROM notifications.notification"))
        assert self.post(self.event(name, person, at, **fields)) == 204
        self.process()
        made = self.rows("SELECT id, kind FROM notifications.notification")
        return sorted(row.kind for row in made if (row.id,) not in before)

    def writes(self, words: str, person: str = HOA, at: datetime | None = None) -> list[str]:
        said = {"msg_id": f"m{len(self.rows('SELECT FROM notifications.zalo_event'))}", "text": words}
        return self.does("user_send_text", person, at, message=said)

    def shares(self, phone: str, person: str = HOA) -> list[str]:
        return self.does("user_submit_info", person, info={"phone": phone, "name": "Nguyễn Thị Hoa"})

    def code(self) -> str:
        return next(params["code"] for kind, _, params in reversed(self.sent()) if kind == "zalo-link")

    def links(self, phone: str = "0912 345 678", person: str = HOA) -> None:
        self.shares(phone, person)
        assert self.writes(self.code(), person) == ["chat-linked"]
        self.clock.forward(minutes=11)

    def sent(self) -> list[tuple[str, dict[str, str], dict[str, str]]]:
        """Kind, recipient and words of every message, in the order of their making."""
        cipher = self.settings.cipher
        rows = self.rows(
            "SELECT * FROM notifications.notification ORDER BY created_at, kind <> 'zalo-link', id"
        )
        return [
            (
                row.kind,
                opened(cipher, row.recipient, sealing.RECIPIENT, row.id),
                opened(cipher, row.params, sealing.PARAMS, row.id),
            )
            for row in rows
        ]

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(text(sql), values))

    def contact(self) -> Any:
        (row,) = self.rows("SELECT * FROM notifications.zalo_contact")
        return row

    def muted(self, phone: str = PHONE) -> set[str]:
        with system_unit_of_work(self.engine) as session:
            wishes = Preferences(self.settings.cipher).of(session, phone)
        return {name for name, kind in KINDS.items() if not wishes.allow(kind, "zalo")}


@pytest.fixture
def account(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
) -> Iterator[Account]:
    return Account(client, engine, settings, clock)


def test_who_follows_and_leaves_is_known_as_such(account: Account):
    assert account.does("follow") == []
    assert account.contact().following
    account.clock.forward(seconds=1)
    assert account.does("unfollow") == []
    assert not account.contact().following


def test_the_latest_deed_counts_in_whatever_order_it_comes(account: Account):
    now = account.clock.now
    deeds = [("unfollow", 2), ("follow", 1), ("follow", 4), ("unfollow", 3), ("follow", 0)]
    for name, second in deeds:
        account.does(name, at=now + timedelta(seconds=second))
    assert account.contact().following
    account.does("unfollow", at=now + timedelta(seconds=5))
    account.does("follow", at=now + timedelta(seconds=4))
    assert not account.contact().following


def test_one_event_is_acted_on_once_however_often_it_comes(account: Account):
    event = account.event("user_send_text", HOA, message={"msg_id": "m1", "text": "Chào bác sĩ"})
    assert [account.post(event) for _ in range(3)] == [204] * 3
    assert account.process() == 1
    account.clock.forward(hours=1)
    assert account.post(event, num_retry="4") == 204
    assert account.process() == 0
    assert [kind for kind, _, _ in account.sent()] == ["chat-help"]


def test_nothing_of_what_was_written_is_kept(account: Account):
    account.writes("Tôi bị đau ngực, khám ở đâu?")
    account.shares("0912345678")
    kept = account.rows(
        """SELECT e::text FROM notifications.zalo_event e
            UNION ALL SELECT c::text FROM notifications.zalo_contact c"""
    )
    assert len(kept) == 3
    for (row,) in kept:
        for secret in ("đau ngực", "912345678", HOA, "Hoa"):
            assert secret not in row
            assert secret.encode().hex() not in row
    assert account.rows("SELECT FROM notifications.zalo_event WHERE content IS NOT NULL") == []
    account.clock.forward(days=2)
    account.process()
    assert account.rows("SELECT FROM notifications.zalo_event") == []


@pytest.mark.parametrize(
    "spoil",
    [
        {"secret": "another"},
        {"X-ZEvent-Signature": ""},
        {"X-ZEvent-Signature": "mac=zz"},
    ],
)
def test_what_zalo_did_not_sign_is_refused_and_leaves_nothing(account: Account, spoil: dict[str, str]):
    assert account.post(account.event("follow", HOA), **spoil) == 403
    old = account.event("follow", HOA, account.clock.now - timedelta(minutes=6))
    assert account.post(old, num_retry="0") == 403
    assert account.post(account.event("follow", HOA, account.clock.now - timedelta(hours=4))) == 403
    assert account.rows("SELECT FROM notifications.zalo_event") == []


@pytest.mark.parametrize(
    "odd",
    [
        {"event_name": "user_send_image"},
        {"event_name": None},
        {"sender": None},
        {"sender": {"id": {"a": 1}}},
        {"sender": "x"},
        {"sender": {"id": "\ud800"}},
    ],
)
def test_events_that_are_none_of_ours_are_answered_and_forgotten(account: Account, odd: dict[str, Any]):
    assert account.post(account.event("user_send_text", HOA) | odd) == 204
    assert account.rows("SELECT FROM notifications.zalo_event") == []


@pytest.mark.parametrize(
    "odd", [{}, {"message": None}, {"message": {"text": None}}, {"message": {"text": 7}}]
)
def test_a_text_without_a_text_gets_the_hint(account: Account, odd: dict[str, Any]):
    assert account.does("user_send_text", **odd) == ["chat-help"]


def test_who_writes_gets_one_hint_in_ten_minutes_with_a_link_and_nothing_personal(account: Account):
    assert account.writes("LICH") == ["chat-help"]
    assert account.sent()[0][1:] == ({"zalo_uid": HOA, "language": "vi"}, {"link": PAGE})
    assert [account.writes(words) for words in ("alo", "ai đó?", "LICH")] == [[], [], []]
    account.clock.forward(minutes=10, seconds=1)
    assert account.writes("alo") == ["chat-help"]


def test_who_has_left_gets_no_answer_and_what_waited_is_taken_back(account: Account):
    account.does("follow")
    account.writes("LICH")
    account.clock.forward(minutes=11)
    account.does("unfollow")
    assert account.writes("LICH") == []
    assert account.rows("SELECT FROM notifications.outbox") == []


def test_an_answer_that_was_not_sent_in_48_hours_is_never_sent(account: Account):
    account.writes("LICH")
    (row,) = account.rows("SELECT expires_at FROM notifications.notification")
    assert row.expires_at == account.clock.now + timedelta(hours=48)


def test_an_event_that_was_acted_on_too_late_is_not_answered(account: Account):
    account.post(account.event("user_send_text", HOA, message={"msg_id": "m1", "text": "alo"}))
    account.clock.forward(hours=48)
    assert account.process() == 1
    assert account.sent() == []


# Telephones.


def test_a_phone_is_linked_once_its_owner_has_proven_it(account: Account):
    account.does("follow")
    assert account.shares("84912345678") == ["chat-code", "zalo-link"]
    kind, to, words = account.sent()[0]
    assert (kind, to["phone"], words["minutes"]) == ("zalo-link", PHONE, "10")
    assert account.contact().phone_index is None
    assert account.writes(account.code()) == ["chat-linked"]
    assert account.contact().phone_index == account.conversation.outbox.recipient_index(PHONE)
    assert account.contact().claim is None


def test_a_strangers_phone_is_not_linked_by_guessing(account: Account):
    account.shares("0912345678")
    right = account.code()
    wrong = "000000" if right != "000000" else "111111"
    answers = [account.writes(wrong) for _ in range(zalo_contacts.MOST_TRIES)]
    assert answers == [["chat-code-wrong"], *[[]] * (zalo_contacts.MOST_TRIES - 1)]
    account.writes(right)
    assert account.contact().phone_index is None


def test_a_code_gets_old(account: Account):
    account.shares("0912345678")
    code = account.code()
    account.clock.forward(minutes=10)
    assert account.writes(code) == ["chat-code-wrong"]
    assert account.contact().phone_index is None


def test_nobody_lets_codes_rain_on_a_phone(account: Account):
    for number in range(6):
        account.shares("0912345678", person=str(number))
        account.shares(f"091234567{number}", person=BINH)
        account.clock.forward(minutes=11)
    codes = [to["phone"] for kind, to, _ in account.sent() if kind == "zalo-link"]
    assert codes.count(PHONE) == zalo_contacts.MOST_CODES_A_DAY
    assert len(codes) == 2 * zalo_contacts.MOST_CODES_A_DAY


@pytest.mark.parametrize("typed", ["", "abc", "12345", "+1 202 555 0123", "0912 345 67", "0" * 50])
def test_what_is_no_number_here_gets_the_hint(account: Account, typed: str):
    assert account.shares(typed) == ["chat-help"]


@pytest.mark.parametrize(
    "typed", ["84912345678", "+84 912 345 678", "0912.345.678", "912345678", "(0912) 345-678"]
)
def test_numbers_are_read_however_they_are_written(typed: str):
    assert zalo_contacts.e164(typed) == PHONE


# Stop and go on.


@pytest.mark.parametrize("words", ["TUCHOI", "Từ chối", "tu choi", "STOP", "stop.", " Huỷ tin ", "hủy tin"])
def test_who_refuses_is_reminded_in_zalo_no_more_but_still_told_of_changes(account: Account, words: str):
    account.links()
    assert account.writes(words) == ["chat-stopped"]
    assert account.muted() == {
        "appointment-reminder-day",
        "appointment-reminder-hours",
        "leave-home-now",
        "turn-near",
    }
    account.clock.forward(minutes=11)
    assert account.writes("NHẬN") == ["chat-resumed"]
    assert account.muted() == set()


def test_who_refuses_without_a_linked_phone_is_asked_for_it(account: Account):
    assert account.writes("TUCHOI") == ["chat-share"]
    assert account.contact().asked_at == account.clock.now


def test_a_sentence_with_such_a_word_in_it_is_no_refusal(account: Account):
    account.links()
    assert account.writes("Bác sĩ từ chối khám tôi") == ["chat-help"]
    assert account.muted() == set()


# Load.


@pytest.mark.parametrize("events", [200, pytest.param(2000, marks=pytest.mark.long)])
def test_a_crowd_is_taken_down_and_acted_on_quickly(account: Account, events: int):
    slowest = 0.0
    begun = time.monotonic()
    for number in range(events):
        name = ("follow", "unfollow", "user_send_text")[number % 3]
        said = {"message": {"msg_id": f"m{number}", "text": "LICH"}} if name == "user_send_text" else {}
        event = account.event(name, str(10**18 + number), **said)
        start = time.monotonic()
        assert account.post(event) == 204
        slowest = max(slowest, time.monotonic() - start)
    taken = time.monotonic() - begun
    begun = time.monotonic()
    assert account.process() == events
    acted = time.monotonic() - begun
    assert slowest < 2.0
    assert (taken < 60, acted < 60) == (True, True), (taken, acted)
