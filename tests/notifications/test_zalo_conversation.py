"""A person and the official account, the whole way: Zalo's webhook, the outbox, Zalo's answers."""

import json
import re
import threading
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy.orm import Session

from notifications import zalo_contacts
from notifications.channels.base import Accepted, Capabilities, Outcome, Outgoing
from notifications.channels.provider import Carrier
from notifications.channels.receipt import Webhook
from notifications.channels.zalo.account import ZaloAccount
from notifications.dispatcher import Dispatcher
from notifications.zalo_contacts import Conversation
from tests.notifications.conftest import Call, Listener, World
from tests.notifications.hosting import QUICK

PAGE = "https://kham.example/appointments"


class Person:
    """Somebody with a phone and Zalo; what they do there reaches us as Zalo tells it."""

    def __init__(self, world: World, listener: Listener) -> None:
        self.world, self.listener = world, listener
        self.phone = world.new_phone()
        account = world.settings.configured["zalo"].account
        assert isinstance(account, ZaloAccount)
        self.account = account
        self.conversation = Conversation(world.sealer, world.outbox, PAGE)

    def does(self, event: str, **details: Any) -> str:
        """Answered as far as Zalo lets us; returns the person's number there."""
        number = self.says(event, **details)
        self.world.dispatch_until_empty(QUICK)
        return number

    def says(self, event: str, **details: Any) -> str:
        """Heard and acted on; the answer waits in the outbox."""
        wanted = {"event": event, "to": self.phone, "app_id": self.account.app_id, **details}
        place = f"{self.world.sandbox.url}/_sandbox/zalo/events"
        told = requests.post(place, json=wanted, timeout=5).json()["event"]
        self.world.until(lambda: self.heard(told) is not None)
        call = self.heard(told)
        assert call is not None
        headers = {name.lower(): value for name, value in call.headers.items()}
        now = self.world.now()
        with Session(self.world.engine) as session, session.begin():
            heard = self.account.heard(Webhook(headers, call.body, ""), now=now)
            assert zalo_contacts.record(session, heard, self.world.sealer, now=now) == 1
        with Session(self.world.engine) as session, session.begin():
            assert zalo_contacts.process(session, self.conversation, now=now) == 1
        return str((told.get("follower") or told["sender"])["id"])

    def heard(self, event: dict[str, Any]) -> Call | None:
        calls = [call for call in self.listener.calls if call.path == "/webhooks/zalo"]
        return next((call for call in calls if json.loads(call.body) == event), None)

    def read(self) -> list[str]:
        """What has come, the oldest first."""
        found = [item for item in self.world.sandbox.messages(self.phone) if not item.get("incoming")]
        return [item["text"] for item in sorted(found, key=lambda item: item["at"])]

    def links_the_phone(self) -> str:
        self.does("follow")
        self.does("user_submit_info", name="Nguyễn Thị Hoa")
        code = next(found[0] for text in self.read() if (found := re.findall(r"\b\d{6}\b", text)))
        return self.does("user_send_text", text=code)


@pytest.fixture
def hoa(world: World, listener: Listener) -> Person:
    return Person(world, listener)


def sent(world: World) -> dict[str, str]:
    """By which channel each kind of message went."""
    rows = world.rows("SELECT kind, channel FROM notifications.notification")
    return {row.kind: row.channel for row in rows}


def test_who_writes_is_answered_in_zalo(world: World, hoa: Person) -> None:
    hoa.does("user_send_text", text="Tôi muốn xem lịch khám")
    (answer,) = hoa.read()
    assert answer.startswith("Dạ, mời quý vị bấm vào đường dẫn dưới đây")
    assert answer.endswith(PAGE)
    assert world.attempts() == [("zalo-chat", "accepted")]


def test_a_linked_person_gets_template_messages_under_their_number(world: World, hoa: Person) -> None:
    number = hoa.links_the_phone()
    assert hoa.read()[-1].startswith("Đã liên kết.")
    world.enqueue(world.message("appointment-booked", hoa.phone))
    world.dispatch_until_empty()
    (asked,) = [item for item in world.sandbox.messages(hoa.phone) if "482913" in str(item.get("rows"))]
    assert asked["channel"] == "zalo"
    (contact,) = world.rows("SELECT uid_index, uid FROM notifications.zalo_contact")
    assert zalo_contacts.person(world.sealer, contact.uid_index, contact.uid) == number


class Recording:
    """An adapter that takes everything and remembers where it went."""

    provider = "zalo"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        self.addresses.append(message.address)
        return Accepted(ref=str(key))

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        return None


@pytest.mark.parametrize("following", [True, False])
def test_only_who_follows_is_sent_to_by_their_number(world: World, hoa: Person, following: bool) -> None:
    number = hoa.links_the_phone()
    if not following:
        hoa.does("unfollow")
    world.enqueue(world.message("appointment-booked", hoa.phone))
    adapter = Recording()
    dispatcher = Dispatcher(
        world.engine, [Carrier("zalo", adapter)], world.sealer, policy=QUICK, listen_url=world.listen_url
    )
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    world.until(lambda: bool(adapter.addresses))
    stop.set()
    thread.join()
    assert adapter.addresses == [number if following else hoa.phone]


def test_a_code_goes_to_the_phone_itself(world: World, hoa: Person) -> None:
    hoa.links_the_phone()
    world.enqueue(world.message("otp", hoa.phone))
    world.dispatch_until_empty()
    assert sent(world)["otp"] == "sms"


def test_who_has_refused_is_reminded_by_sms_and_told_of_changes_in_zalo(world: World, hoa: Person) -> None:
    hoa.links_the_phone()
    hoa.does("user_send_text", text="Từ chối")
    world.enqueue(
        world.message("appointment-booked", hoa.phone),
        world.message("turn-near", hoa.phone),
    )
    world.dispatch_until_empty()
    channels = sent(world)
    assert (channels["appointment-booked"], channels["turn-near"]) == ("zalo", "sms")


@pytest.mark.parametrize(("code", "state"), [(-213, "dead"), (-230, "dead"), (-234, "held")])
def test_an_answer_that_zalo_refuses_goes_nowhere_else(
    world: World, hoa: Person, code: int, state: str
) -> None:
    world.sandbox.fault("zalo", "reject", to=hoa.phone, code=code)
    hoa.says("user_send_text", text="alo")
    with world.dispatching(QUICK):
        world.until(lambda: world.states() == [state])
    assert hoa.read() == []


def test_an_answer_whose_fate_nobody_knows_is_not_given_twice(world: World, hoa: Person) -> None:
    world.sandbox.fault("zalo", "accept-then-500", to=hoa.phone)
    hoa.does("user_send_text", text="alo")
    assert len(hoa.read()) == 1
    assert world.states() == ["dead"]
