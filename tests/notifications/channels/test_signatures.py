"""Whose word a webhook takes: signatures over the bytes and the address as they were signed."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from notifications.channels.provider import Listening
from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook
from notifications.channels.twilio.account import TwilioAccount
from notifications.channels.twilio.channel import Sender
from notifications.channels.zalo.account import ZaloAccount
from notifications.channels.zalo.webhook import mac

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
TWILIO = TwilioAccount("AC1", "12345", Sender("SKTINH"))
ZALO = ZaloAccount(app_id="42", app_secret="app", oa_secret="oa", bootstrap_refresh_token="first")
KEY = "0190a2b4-7c00-7000-8000-000000000001"
URL = f"https://kham.example.vn/webhooks/twilio?key={KEY}"
DELIVERED = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+84912345678", "From": "SKTINH"}
SHA256 = {"x-twilio-webhooks-signature-settings": "key=webhooks_x,algorithm=HMAC_SHA256"}


def heard(
    account: Listening, headers: Mapping[str, str], body: bytes, url: str = "", *, now: datetime = NOW
) -> Sequence[Receipt]:
    return account.receipts(Webhook(headers, body, url), now=now)


def signed(url: str, fields: Mapping[str, str] | str, algorithm: str | None = None) -> dict[str, str]:
    signature = RequestValidator("12345").compute_signature(url, fields, algorithm)
    return {"x-twilio-signature": signature, **(SHA256 if algorithm else {})}


# Twilio.

# "Validating requests" in Twilio's documentation: its address, its fields, its token, its signature.
DOCUMENTED_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
DOCUMENTED = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675310",
    "Digits": "1234",
    "From": "+14158675310",
    "To": "+18005551212",
}
DOCUMENTED_SIGNATURE = {"x-twilio-signature": "GvWf1cFY/Q7PnoempGyD5oXAezc="}


def test_the_documented_vector_is_accepted() -> None:
    body = urlencode(DOCUMENTED).encode()
    assert heard(TWILIO, DOCUMENTED_SIGNATURE, body, DOCUMENTED_URL) == []


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_no_field_of_the_documented_vector_may_change(name: str) -> None:
    for fields in (DOCUMENTED | {name: "x"}, {key: DOCUMENTED[key] for key in DOCUMENTED if key != name}):
        with pytest.raises(BadReceipt):
            heard(TWILIO, DOCUMENTED_SIGNATURE, urlencode(fields).encode(), DOCUMENTED_URL)


@pytest.mark.parametrize("algorithm", [None, "HMAC_SHA256"])
def test_a_signed_call_is_believed(algorithm: str | None) -> None:
    (receipt,) = heard(TWILIO, signed(URL, DELIVERED, algorithm), urlencode(DELIVERED).encode(), URL)
    assert (receipt.told, str(receipt.key), receipt.ref) == (Told.DELIVERED, KEY, "SM1")
    assert "84912345678" not in json.dumps(dict(receipt.raw))


def test_the_order_of_the_fields_does_not_matter() -> None:
    turned = urlencode(dict(reversed(DELIVERED.items()))).encode()
    assert len(heard(TWILIO, signed(URL, DELIVERED), turned, URL)) == 1


@pytest.mark.parametrize("algorithm", [None, "HMAC_SHA256"])
@pytest.mark.parametrize(
    "seen",
    [
        URL.replace("https", "http"),
        URL.partition("?")[0],
        URL + "&extra=1",
        URL.replace("kham.", "www."),
        URL.replace(KEY, KEY[:-1] + "2"),
    ],
    ids=["without TLS", "without its query", "with a longer query", "another host", "another message"],
)
def test_the_address_that_a_proxy_passes_on_is_not_the_signed_one(seen: str, algorithm: str | None) -> None:
    with pytest.raises(BadReceipt):
        heard(TWILIO, signed(URL, DELIVERED, algorithm), urlencode(DELIVERED).encode(), seen)


@pytest.mark.parametrize("signed_for", [URL, URL.replace(".vn/", ".vn:443/")])
@pytest.mark.parametrize("seen", [URL, URL.replace(".vn/", ".vn:443/")])
def test_the_usual_port_may_be_named_or_not(signed_for: str, seen: str) -> None:
    assert len(heard(TWILIO, signed(signed_for, DELIVERED), urlencode(DELIVERED).encode(), seen)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-twilio-signature": ""},
        {"x-twilio-signature": "ă"},
        SHA256,
        {**signed(URL, DELIVERED), **SHA256},
        {"x-twilio-signature": signed(URL, DELIVERED, "HMAC_SHA256")["x-twilio-signature"]},
        {"x-twilio-signature": RequestValidator("54321").compute_signature(URL, DELIVERED)},
    ],
    ids=[
        "none",
        "empty",
        "no ASCII",
        "none but its settings",
        "SHA-1 for SHA-256",
        "SHA-256 for SHA-1",
        "key",
    ],
)
def test_another_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadReceipt):
        heard(TWILIO, headers, urlencode(DELIVERED).encode(), URL)


@pytest.mark.parametrize("body", [b"\xff\xfe", urlencode(DELIVERED).encode() + b"&ErrorCode=30003", b""])
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(BadReceipt):
        heard(TWILIO, signed(URL, DELIVERED), body, URL)


def test_a_json_body_signed_by_its_hash_is_no_status_of_a_message() -> None:
    body = json.dumps(DELIVERED)
    url = f"{URL}&bodySHA256={sha256(body.encode()).hexdigest()}"
    with pytest.raises(BadReceipt):
        heard(TWILIO, signed(url, {}), body.encode() + b"=", url)
    assert heard(TWILIO, signed(url, {}), b"", url) == []


# Zalo.


def event(**message: str) -> dict[str, Any]:
    return {
        "event_name": "user_received_message",
        "sender": {"name": "Sở Y tế tỉnh Bà Rịa"},
        "message": {"msg_id": "z1", "delivery_time": "1", "tracking_id": KEY, **message},
        "timestamp": str(int(NOW.timestamp() * 1000)),
    }


def call(told: Mapping[str, Any], *, app_id: str = "42", secret: str = "oa") -> tuple[dict[str, str], bytes]:
    body = json.dumps(told, ensure_ascii=False).encode()
    return {"x-zevent-signature": f"mac={mac(app_id, body, told['timestamp'], secret)}"}, body


# A vector of our own: printf '42{"a":"Bà Rịa"}1700000000000oa' | sha256sum
ZALO_VECTOR = "805c04bd7d72308eec873698d2059271ea4515d5902393e8ecf5046a446b4aeb"


def test_the_mac_is_a_plain_hash_of_four_parts() -> None:
    assert mac("42", '{"a":"Bà Rịa"}'.encode(), "1700000000000", "oa") == ZALO_VECTOR


def test_the_raw_bytes_with_their_accents_are_what_is_signed() -> None:
    headers, body = call(event())
    assert "Bà Rịa".encode() in body
    (receipt,) = heard(ZALO, headers, body)
    assert (str(receipt.key), receipt.ref, receipt.told) == (KEY, "z1", Told.DELIVERED)


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode(),
        lambda body: json.dumps(json.loads(body), ensure_ascii=False, sort_keys=True).encode(),
        lambda body: body + b"\n",
        lambda body: body.replace(b"z1", b"z2"),
    ],
    ids=["escaped", "without spaces", "sorted", "with a line end", "changed"],
)
def test_a_body_that_was_written_anew_is_refused(rewritten: Any) -> None:
    headers, body = call(event())
    with pytest.raises(BadReceipt, match="signature"):
        heard(ZALO, headers, rewritten(body))


@pytest.mark.parametrize("given", [{}, {"x-zevent-signature": ""}, {"x-zevent-signature": "mac=ă"}])
def test_without_a_good_mac_nothing_is_believed(given: dict[str, str]) -> None:
    _, body = call(event())
    with pytest.raises(BadReceipt, match="signature"):
        heard(ZALO, given, body)


@pytest.mark.parametrize("other", [{"secret": "app"}, {"app_id": "43"}, {"secret": ""}])
def test_the_mac_of_another_account_is_refused(other: dict[str, str]) -> None:
    headers, body = call(event(), **other)
    with pytest.raises(BadReceipt, match="signature"):
        heard(ZALO, headers, body)


def test_the_mac_is_taken_with_its_prefix_and_without() -> None:
    headers, body = call(event())
    bare = {"x-zevent-signature": headers["x-zevent-signature"].removeprefix("mac=")}
    assert len(heard(ZALO, bare, body)) == 1


@pytest.mark.parametrize(
    ("age", "tries", "believed"),
    [
        (timedelta(minutes=4), "", True),
        (timedelta(minutes=6), "", True),  # a proxy may have dropped a header with an underscore
        (timedelta(hours=4), "", False),
        (timedelta(minutes=6), "0", False),
        (timedelta(hours=2), "5", True),
        (timedelta(hours=4), "5", False),
        (timedelta(minutes=-6), "", False),
    ],
)
def test_an_old_event_is_believed_only_as_a_repetition(age: timedelta, tries: str, believed: bool) -> None:
    headers, body = call(event())
    for name in ("num_retry", "num-retry"):
        told = headers | ({name: tries} if tries else {})
        if believed:
            assert len(heard(ZALO, told, body, now=NOW + age)) == 1
        else:
            with pytest.raises(BadReceipt, match="too old"):
                heard(ZALO, told, body, now=NOW + age)


def test_a_chat_message_is_no_receipt() -> None:
    chat = event()
    del chat["message"]["delivery_time"]
    headers, body = call(chat)
    assert heard(ZALO, headers, body) == []


def test_a_replayed_event_is_the_same_receipt() -> None:
    headers, body = call(event())
    first, again = heard(ZALO, headers, body), heard(ZALO, headers, body, now=NOW + timedelta(minutes=1))
    assert [receipt.event_key for receipt in first] == [receipt.event_key for receipt in again]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"timestamp": "x"}', b'{"timestamp": null}'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BadReceipt):
        heard(ZALO, {}, body)
