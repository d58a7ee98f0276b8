"""Twilio by its own SDK: what goes over the wire, and what its list tells afterwards."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from notifications.channels.base import Accepted, Ambiguous, Outcome, Outgoing, Rejected, Retry, Scope
from notifications.channels.twilio.account import read
from notifications.channels.twilio.channel import Sender, TwilioSms, validity
from notifications.channels.twilio.client import PooledHttpClient
from notifications.environment import BadNotificationSettings
from tests.notifications.channels.conftest import KEY, PHONE
from tests.notifications.channels.local_provider import LocalProvider, Reply

Build = Callable[..., Outgoing]
NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
SERVICE = "MG" + "b" * 32
REAL = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t"}


def twilio(provider: LocalProvider, sender: Sender | None = None) -> TwilioSms:
    return TwilioSms(
        "AC" + "a" * 32,
        "token",
        sender or Sender("SKTINH"),
        "https://kham.example.vn",
        PooledHttpClient(provider.url, timeout=0.5),
    )


def resource(number: int = 1, *, created: datetime = NOW, **changed: Any) -> dict[str, Any]:
    return {
        "sid": f"SM{number:032d}",
        "body": "",
        "num_segments": "1",
        "date_created": format_datetime(created),
        "status": "queued",
        "to": PHONE,
        **changed,
    }


def listed(*resources: dict[str, Any]) -> Reply:
    return Reply(body={"messages": list(resources), "next_page_uri": None, "page": 0})


def test_the_text_is_discarded_and_the_number_kept_for_the_look_up(
    provider: LocalProvider, outgoing: Build
) -> None:
    provider.will(Reply(201, resource()))
    sent = twilio(provider).send(outgoing(expires_at=NOW + timedelta(minutes=5)), KEY)
    assert sent == Accepted(ref=f"SM{1:032d}", segments=1)
    form = provider.heard[0].form()
    assert form == {
        "To": PHONE,
        "From": "SKTINH",
        "Body": outgoing().sms,
        "StatusCallback": f"https://kham.example.vn/webhooks/twilio?key={KEY}",
        "ValidityPeriod": "300",
        "ContentRetention": "discard",
    }


def test_a_messaging_service_may_pick_the_sender(provider: LocalProvider, outgoing: Build) -> None:
    provider.will(Reply(201, resource(num_segments="0")))
    sender = Sender(messaging_service_sid=SERVICE, redacts=False)
    assert twilio(provider, sender).send(outgoing(accented=True), KEY) == Accepted(f"SM{1:032d}", None)
    form = provider.heard[0].form()
    assert form["MessagingServiceSid"] == SERVICE
    assert "Đã đặt lịch khám" in form["Body"]
    assert not {"From", "ContentRetention", "AddressRetention"} & set(form)


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(300.9, 300), (0.2, 1), (-5, 1), (36_001, 36_000), (36_000, 36_000)],
)
def test_the_carrier_stops_when_the_message_expires(left: float, seconds: int) -> None:
    assert validity(NOW + timedelta(seconds=left), NOW) == seconds


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, {"code": 20429}, {"Retry-After": "4"}), Retry("20429", after=4.0, crowded=True)),
        (Reply(500, {"code": 20500}), Ambiguous("HTTP 500")),
        (Reply(503, b"<html>"), Ambiguous("HTTP 503")),
        (Reply(201, b"<html>"), Ambiguous("JSONDecodeError")),
        (Reply(201, []), Ambiguous("AttributeError")),
        (Reply(201, {}), Ambiguous("ValueError")),
        (Reply(201, resource(num_segments="many")), Ambiguous("ValueError")),
        (Reply(400, b"<html>"), Rejected("400", Scope.TEMPLATE)),
        (Reply(cut=True), Ambiguous("ConnectionError")),
        (Reply(stalled=5), Ambiguous("ReadTimeout")),
        (Reply(400, {"code": 21211, "message": "no"}), Rejected("21211", Scope.RECIPIENT)),
        (Reply(401, {"code": 20003, "message": "no"}), Rejected("20003", Scope.CONFIG)),
        (Reply(400, {"code": 30030, "message": "no"}), Rejected("30030", Scope.CONFIG)),
        (Reply(400, {"code": 99999, "message": "new"}), Rejected("99999", Scope.TEMPLATE)),
    ],
)
def test_every_kind_of_answer_is_judged(
    provider: LocalProvider, outgoing: Build, reply: Reply, outcome: Outcome
) -> None:
    provider.will(reply)
    assert twilio(provider).send(outgoing(), KEY) == outcome
    assert len(provider.heard) == 1


def found(provider: LocalProvider, message: Outgoing, *taken: str, rivals: int = 0) -> Outcome | None:
    return twilio(provider).lookup(message, KEY, NOW, frozenset(taken), rivals)


def test_a_send_is_found_in_the_list_with_its_text_or_without(
    provider: LocalProvider, outgoing: Build
) -> None:
    for body in ("", None, outgoing().sms):
        provider.will(listed(resource(7, body="something else"), resource(8, body=body)))
        assert found(provider, outgoing()) == Accepted(f"SM{8:032d}", 1, reconciled=True)


def test_with_a_rival_only_the_text_or_the_length_decides(provider: LocalProvider, outgoing: Build) -> None:
    message = outgoing()
    provider.will(listed(resource(7, body=""), resource(8, body=message.sms)))
    assert found(provider, message, rivals=1) == Accepted(f"SM{8:032d}", 1, reconciled=True)
    provider.will(listed(resource(7, body="")))
    assert found(provider, message, rivals=1) == Ambiguous("this or another message", answered=True)
    provider.will(listed(resource(7, body="", num_segments="2"), resource(8, body="something else")))
    assert found(provider, message, rivals=1) is None
    assert found(provider, message) is None
    provider.will(listed(resource(7, body=""), resource(8, body="")))
    assert found(provider, message, rivals=1) == Accepted(f"SM{7:032d}", 1, reconciled=True)
    assert isinstance(found(provider, message, rivals=2), Ambiguous)


def test_one_page_is_read_and_no_message_still_in_the_queue_is_left_out(
    provider: LocalProvider, outgoing: Build
) -> None:
    provider.will(listed())
    assert found(provider, outgoing()) is None
    (heard,) = provider.heard
    assert heard.query == {"To": PHONE, "PageSize": "50"}


def test_what_is_older_or_belongs_to_another_message_is_not_ours(
    provider: LocalProvider, outgoing: Build
) -> None:
    old = resource(7, created=NOW - timedelta(minutes=3))
    provider.will(listed(old, resource(8)))
    assert found(provider, outgoing(), f"SM{8:032d}") is None


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, {}, {"Retry-After": "4"}), Retry("20429", after=4.0, crowded=True)),
        (Reply(500, {"code": 20500}), Ambiguous("lookup TwilioException")),
        (Reply(200, b"<html>"), Ambiguous("lookup JSONDecodeError")),
        (Reply(cut=True), Ambiguous("lookup ConnectionError")),
    ],
)
def test_a_look_up_that_fails_is_not_taken_for_an_empty_list(
    provider: LocalProvider, outgoing: Build, reply: Reply, outcome: Outcome
) -> None:
    provider.will(reply)
    assert found(provider, outgoing()) == outcome


def test_a_sender_or_a_service_has_to_be_named() -> None:
    by_service = read(REAL | {"TWILIO_MESSAGING_SERVICE_SID": SERVICE})
    by_both = read(REAL | {"TWILIO_MESSAGING_SERVICE_SID": SERVICE, "TWILIO_FROM": "SKTINH"})
    assert by_service is not None
    assert by_both is not None
    assert by_service.sender == Sender(None, SERVICE)
    assert by_both.sender == Sender("SKTINH", SERVICE)
    with pytest.raises(BadNotificationSettings, match="TWILIO_FROM: not set"):
        read(REAL)
    assert read({}) is None
    bare = read(REAL | {"TWILIO_FROM": "SKTINH", "TWILIO_MESSAGE_REDACTION": "0"})
    assert bare is not None
    assert not bare.sender.redacts
