"""Receipts: believed only when signed, and never moving a message backwards."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifications import receipts
from notifications.channels.provider import Listening
from notifications.channels.receipt import Receipt, Told, Webhook
from notifications.leases import Leases
from tests.notifications.conftest import Listener, World


def parse(
    account: Listening, headers: Mapping[str, str], body: bytes, url: str, *, now: datetime
) -> Sequence[Receipt]:
    lowered = {name.lower(): value for name, value in headers.items()}
    return account.receipts(Webhook(lowered, body, url), now=now)


def apply_all(world: World, told: Sequence[Receipt]) -> int:
    with Session(world.engine) as session, session.begin():
        return receipts.apply(session, told, now=world.now())


@pytest.mark.parametrize(("kind", "provider"), [("otp", "twilio"), ("appointment-booked", "zalo")])
def test_what_the_provider_calls_back_marks_the_message_delivered(
    world: World, listener: Listener, kind: str, provider: str
) -> None:
    phone = world.new_phone()
    world.enqueue(world.message(kind, phone))
    world.dispatch_until_empty()
    ours = str(world.only_id())

    def calls() -> list[Any]:
        return [call for call in listener.calls if ours in call.path or ours.encode() in call.body]

    world.until(lambda: any(b"delivered" in call.body or provider == "zalo" for call in calls()))
    for call in calls():
        account = world.settings.configured[provider].account
        assert isinstance(account, Listening)
        found = parse(account, call.headers, call.body, listener.url + call.path, now=world.now())
        assert apply_all(world, found) == 1
        assert apply_all(world, found) == 0
    assert world.states() == ["delivered"]
    stored = world.rows("SELECT r::text FROM notifications.receipt r")
    assert stored
    assert all(phone[1:] not in row[0] for row in stored)


def told(world: World, status: Told) -> Receipt:
    (sent,) = world.rows("SELECT provider, provider_ref, idem_key FROM notifications.delivery_attempt")
    event = f"{sent.provider_ref}:{status}"
    return Receipt(sent.provider, event, status, key=sent.idem_key, ref=sent.provider_ref)


@pytest.mark.parametrize("order", list(itertools.permutations(Told)))
def test_in_whatever_order_receipts_come_delivered_stays_delivered(
    world: World, order: tuple[Told, ...]
) -> None:
    world.enqueue(world.message("otp", world.new_phone(zalo=False)))
    world.dispatch_until_empty()
    world.run("UPDATE notifications.notification SET kind = 'appointment-booked'")  # SMS is its last channel
    for status in order:
        apply_all(world, [told(world, status)] * 2)
    assert world.states() == ["delivered"]
    assert world.count("receipt") == len(Told)
    assert world.count("outbox") == 0


def test_an_sms_that_did_not_arrive_goes_on_by_the_next_channel(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("otp", phone))
    world.dispatch_until_empty()
    apply_all(world, [told(world, Told.UNDELIVERED)])
    assert world.states() == ["falling_back"]
    world.dispatch_until_empty()
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["zalo", "sms"]


def test_a_receipt_that_overtakes_our_own_record_settles_the_message(world: World) -> None:
    world.enqueue(world.message("otp", world.new_phone()))
    (held,) = Leases(world.engine, "dead", seconds=0.0, clock="clock_timestamp()").claim(
        1, {"sms": 1}, {"sms": ["twilio"]}
    )
    apply_all(world, [Receipt("twilio", "SM7:delivered", Told.DELIVERED, key=held.idem_key, ref="SM7")])
    world.dispatch_until_empty()
    assert world.states() == ["delivered"]
    assert world.attempts() == [("sms", "receipt"), ("sms", "settled")]


def test_a_receipt_in_time_spares_the_second_message(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("zalo", "drop-after-accept", to=phone)
    world.enqueue(world.message("appointment-booked", phone))
    with world.dispatching():
        world.until(lambda: world.states() == ["in_doubt"])
    (item,) = world.rows("SELECT idem_key FROM notifications.outbox")
    apply_all(world, [Receipt("zalo", "z9:delivered", Told.DELIVERED, key=item.idem_key, ref="z9")])
    assert world.count("outbox") == 0
    assert world.states() == ["delivered"]
    assert len(world.sandbox.messages(phone)) == 1


def test_a_receipt_for_nobody_is_kept_and_moves_nothing(world: World) -> None:
    assert apply_all(world, [Receipt("twilio", "SM0:sent", Told.ACCEPTED, key=None, ref="SM0")]) == 1
    assert world.count("receipt") == 1
