"""Receipts: believed only when signed, and never moving a message backwards."""

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy.orm import Session
from twilio.request_validator import RequestValidator

from notifications import receipts
from notifications.channels.provider import Listening
from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook
from notifications.channels.twilio.account import TwilioAccount
from notifications.channels.twilio.channel import Sender
from notifications.channels.zalo.account import ZaloAccount
from notifications.leases import Leases
from tests.notifications.conftest import Listener, World

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
TWILIO = TwilioAccount("AC1", "12345", Sender("SKTINH"))
ZALO = ZaloAccount(app_id="42", app_secret="app", oa_secret="oa", bootstrap_refresh_token="first")
URL = "https://kham.example.vn/webhooks/twilio?key=0190a2b4-7c00-7000-8000-000000000001"


def parse(
    account: Listening, headers: Mapping[str, str], body: bytes, url: str, *, now: datetime
) -> Sequence[Receipt]:
    lowered = {name.lower(): value for name, value in headers.items()}
    return account.receipts(Webhook(lowered, body, url), now=now)


def twilio_call(
    fields: dict[str, str], *, url: str = URL, token: str = "12345", algorithm: str | None = None
) -> tuple[dict[str, str], bytes]:
    signature = RequestValidator(token).compute_signature(url, fields, algorithm)
    headers = {"X-Twilio-Signature": signature}
    if algorithm:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key=webhooks_x,algorithm={algorithm}"
    return headers, urlencode(fields).encode()


DELIVERED = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+84912345678", "From": "SKTINH"}


def zalo_call(
    event: dict[str, Any], *, secret: str = "oa", app_id: str = "42"
) -> tuple[dict[str, str], bytes]:
    body = json.dumps(event, ensure_ascii=False).encode()
    mac = sha256(app_id.encode() + body + str(event["timestamp"]).encode() + secret.encode()).hexdigest()
    return {"X-ZEvent-Signature": f"mac={mac}"}, body


def zalo_event(**message: str) -> dict[str, Any]:
    return {
        "event_name": "user_received_message",
        "recipient": {"id": "1"},
        "sender": {"name": "Sở Y tế tỉnh"},
        "message": {"msg_id": "z1", "delivery_time": "1", **message},
        "timestamp": str(int(NOW.timestamp() * 1000)),
    }


def test_the_signature_of_twilios_documentation_is_the_one_we_compute() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    headers, body = {"X-Twilio-Signature": "GvWf1cFY/Q7PnoempGyD5oXAezc="}, urlencode(fields).encode()
    assert parse(TWILIO, headers, body, url, now=NOW) == []


@pytest.mark.parametrize("algorithm", [None, "HMAC_SHA256"])
def test_a_signed_twilio_receipt_carries_our_key_and_no_phone(algorithm: str | None) -> None:
    headers, body = twilio_call(DELIVERED, algorithm=algorithm)
    (receipt,) = parse(TWILIO, headers, body, URL, now=NOW)
    assert receipt.told is Told.DELIVERED
    assert (str(receipt.key), receipt.ref) == ("0190a2b4-7c00-7000-8000-000000000001", "SM1")
    assert "84912345678" not in json.dumps(dict(receipt.raw))


def test_a_receipt_for_another_address_or_with_another_secret_is_refused() -> None:
    headers, body = twilio_call(DELIVERED)
    for call in (
        (headers, body, URL.replace("https", "http")),
        (headers, body, URL.partition("?")[0]),
        (headers, body + b"&extra=1", URL),
        (twilio_call(DELIVERED, token="54321")[0], body, URL),
        ({}, body, URL),
        (headers, b"\xff\xfe", URL),
    ):
        with pytest.raises(BadReceipt):
            parse(TWILIO, call[0], call[1], call[2], now=NOW)


def test_a_signed_zalo_receipt_is_read_from_the_bytes_as_they_came() -> None:
    key = "0190a2b4-7c00-7000-8000-000000000002"
    headers, body = zalo_call(zalo_event(tracking_id=key))
    (receipt,) = parse(ZALO, headers, body, "", now=NOW)
    assert (str(receipt.key), receipt.ref, receipt.told) == (key, "z1", Told.DELIVERED)
    rewritten = json.dumps(json.loads(body)).encode()
    with pytest.raises(BadReceipt, match="signature"):
        parse(ZALO, headers, rewritten, "", now=NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"timestamp": "x"}', b'{"timestamp": null}'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BadReceipt):
        parse(ZALO, {}, body, "", now=NOW)


def test_an_old_zalo_event_is_believed_only_as_a_repetition() -> None:
    headers, body = zalo_call(zalo_event())
    later = NOW + timedelta(hours=1)
    with pytest.raises(BadReceipt, match="too old"):
        parse(ZALO, headers, body, "", now=later)
    assert parse(ZALO, headers | {"num_retry": "4"}, body, "", now=later)


def test_a_chat_message_is_no_receipt() -> None:
    event = zalo_event()
    del event["message"]["delivery_time"]
    headers, body = zalo_call(event)
    assert parse(ZALO, headers, body, "", now=NOW) == []


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
