"""What leaves for a push service, where it may go, and what its answers mean."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from py_vapid import Vapid02

from notifications.channels.base import Accepted, Ambiguous, Outgoing, Rejected, Retry, Scope
from notifications.channels.codes import CodeClass
from notifications.channels.push import account
from notifications.channels.push.channel import CODES, WebPush
from notifications.channels.push.endpoint import KNOWN_HOSTS, PushServices
from notifications.channels.push.signature import Signer
from notifications.environment import BadNotificationSettings
from notifications.kinds import KINDS
from notifications.settings import NotificationSettings
from notifications.templates import CATALOGUE, fill
from tests.notifications.conftest import SAMPLE
from tests.notifications.push_service import MadeUpBrowser, PushService, base64url, running_service

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
PRIVATE_KEY = base64url(bytes(range(1, 33)))
SUBJECT = "mailto:it@hospital.vn"
OF_OUR_OWN = {"bad-keys", "former-key", "foreign-endpoint", "no-subscription"}
MEANT = {
    CodeClass.OK: Accepted,
    CodeClass.RECIPIENT: Rejected,
    CodeClass.CONFIG: Rejected,
    CodeClass.TEMPLATE: Rejected,
    CodeClass.RETRY: Retry,
    CodeClass.AMBIGUOUS: Ambiguous,
}


@pytest.fixture
def service() -> Iterator[PushService]:
    with running_service() as running:
        yield running


@pytest.fixture
def push(service: PushService) -> WebPush:
    return WebPush(Signer(PRIVATE_KEY, SUBJECT), PushServices(base_url=service.url), timeout=2)


def outgoing(*browsers: MadeUpBrowser, kind: str = "appointment-booked", **changes: Any) -> Outgoing:
    message = Outgoing(
        address="",
        template=CATALOGUE.template(kind, "vi"),
        params={name: SAMPLE[name] for name in KINDS[kind].params},
        now=NOW,
        expires_at=NOW + timedelta(hours=3),
        subscriptions=tuple(browser.subscription for browser in browsers),
    )
    return replace(message, **changes)


def claims_of(authorization: str) -> dict[str, Any]:
    assert Vapid02.verify(authorization)
    token = authorization.removeprefix("vapid t=").partition(",")[0].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return claims


def test_a_message_is_sealed_for_one_browser_and_says_what_to_show(
    push: WebPush, service: PushService
) -> None:
    browser, key = MadeUpBrowser(), uuid4()
    assert isinstance(push.send(outgoing(browser), key), Accepted)
    (posted,) = service.posted
    assert posted.path == browser.path
    assert "BV Bà Rịa".encode() not in posted.body
    words = CATALOGUE.template("appointment-booked", "vi").push
    assert browser.read(posted.body) == {
        "title": words.title,
        "body": fill(words.body, SAMPLE),
        "url": SAMPLE["link"],
        "tag": posted.headers["Topic"],
        "lang": "vi",
    }


def test_the_headers_say_how_long_how_urgent_and_what_it_replaces(
    push: WebPush, service: PushService
) -> None:
    browser, key = MadeUpBrowser(), uuid4()
    push.send(outgoing(browser), key)
    push.send(outgoing(browser, kind="turn-near"), uuid4())
    push.send(outgoing(browser, expires_at=NOW + timedelta(days=300)), key)
    push.send(outgoing(browser, expires_at=NOW), key)
    first, urgent, distant, last_second = (posted.headers for posted in service.posted)
    assert (first["TTL"], first["Urgency"], first["Content-Encoding"]) == ("10800", "normal", "aes128gcm")
    assert (urgent["Urgency"], distant["TTL"]) == ("high", str(28 * 86400))
    assert last_second["TTL"] == "1", "never 0, which drops the message at once"
    assert first["Topic"] == distant["Topic"] != urgent["Topic"]
    assert base64.urlsafe_b64decode(first["Topic"] + "==") == key.bytes
    assert len(first["Topic"]) <= 32


def test_the_signature_is_for_this_service_alone_and_for_half_a_day(
    push: WebPush, service: PushService
) -> None:
    browser = MadeUpBrowser()
    later = NOW + timedelta(hours=7)
    for now in (NOW, NOW + timedelta(hours=1), later):
        push.send(outgoing(browser, now=now, expires_at=now + timedelta(hours=1)), uuid4())
    first, second, third = (posted.headers["Authorization"] for posted in service.posted)
    expected = {"aud": service.url, "sub": SUBJECT, "exp": int((NOW + timedelta(hours=12)).timestamp())}
    assert claims_of(first) == expected
    assert second == first, "signed once for hours"
    assert claims_of(third)["exp"] == int((later + timedelta(hours=12)).timestamp())
    assert first.endswith(f",k={Signer(PRIVATE_KEY, SUBJECT).public_key}")


@pytest.mark.parametrize("code", [code for code in CODES.classes if code not in OF_OUR_OWN])
def test_every_answer_in_the_table_is_of_its_class(push: WebPush, service: PushService, code: str) -> None:
    browser = MadeUpBrowser()
    service.answer(browser, int(code), Location="http://169.254.169.254/", Retry_After="7")
    outcome = push.send(outgoing(browser), uuid4())
    meaning = CODES.class_of(code)
    assert isinstance(outcome, MEANT[meaning])
    if isinstance(outcome, Rejected):
        assert (outcome.code, outcome.scope) == (code, meaning.value)
        assert bool(outcome.gone) is (outcome.scope is Scope.RECIPIENT)
    if isinstance(outcome, Retry):
        assert outcome == Retry(code=code, after=7.0, crowded=True)
    assert len(service.posted) == 1, "a redirect is not followed"


def test_what_the_table_does_not_know_is_ambiguous_from_500_and_else_the_message_s_fault(
    push: WebPush, service: PushService
) -> None:
    browser = MadeUpBrowser()
    service.answer(browser, 599)
    assert push.send(outgoing(browser), uuid4()) == Ambiguous("HTTP 599")
    service.answer(browser, 418)
    assert push.send(outgoing(browser), uuid4()) == Rejected("418", Scope.TEMPLATE)


def test_one_browser_that_takes_it_is_enough_and_those_that_are_gone_are_named(
    push: WebPush, service: PushService
) -> None:
    gone, busy, here = MadeUpBrowser(), MadeUpBrowser(), MadeUpBrowser()
    service.answer(gone, 410)
    service.answer(busy, 429)
    outcome = push.send(outgoing(gone, busy, here), uuid4())
    assert isinstance(outcome, Accepted)
    assert outcome.gone == (gone.subscription.id,)
    assert len(service.posted) == 3
    assert push.send(outgoing(gone, busy), uuid4()) == Retry("429", crowded=True)
    assert push.send(outgoing(gone), uuid4()) == Rejected("410", Scope.RECIPIENT, (gone.subscription.id,))
    assert push.send(outgoing(), uuid4()) == Rejected("no-subscription", Scope.RECIPIENT)


def test_every_attempt_has_a_reference_of_its_own(push: WebPush) -> None:
    browser, key = MadeUpBrowser(), uuid4()
    references = {answer.ref for answer in (push.send(outgoing(browser), key) for _ in range(3))}  # type: ignore[union-attr]
    assert len(references) == 3


def test_all_of_a_person_s_browsers_together_take_no_longer_than_one_request_may(
    service: PushService,
) -> None:
    push = WebPush(Signer(PRIVATE_KEY, SUBJECT), PushServices(base_url=service.url), timeout=0.3)
    browsers = [MadeUpBrowser() for _ in range(5)]
    service.slow = {browser.path: 2.0 for browser in browsers}
    started = time.monotonic()
    outcome = push.send(outgoing(*browsers), uuid4())
    assert isinstance(outcome, Ambiguous)
    assert time.monotonic() - started < 1.0
    assert len(service.posted) == 1, "too late for the others: they come with the next try"


def test_keys_that_are_no_keys_count_as_gone(push: WebPush, service: PushService) -> None:
    broken = [
        replace(MadeUpBrowser().subscription, p256dh=base64url(b"\4" + bytes(64))),
        replace(MadeUpBrowser().subscription, p256dh="!"),
        replace(MadeUpBrowser().subscription, auth=""),
    ]
    outcome = push.send(outgoing(subscriptions=tuple(broken)), uuid4())
    assert outcome == Rejected("bad-keys", Scope.RECIPIENT, tuple(each.id for each in broken))
    assert service.posted == []


def test_a_browser_subscribed_under_a_former_key_of_ours_counts_as_gone(
    push: WebPush, service: PushService
) -> None:
    """A service would refuse it with 403, as it refuses a wrong setting, and everybody else would wait."""
    former = replace(MadeUpBrowser().subscription, under="former")
    present = replace(MadeUpBrowser().subscription, under=Signer(PRIVATE_KEY, SUBJECT).public_key)
    outcome = push.send(outgoing(subscriptions=(former, present)), uuid4())
    assert isinstance(outcome, Accepted)
    assert outcome.gone == (former.id,)
    assert len(service.posted) == 1


def test_a_service_that_cannot_be_reached_certainly_got_nothing() -> None:
    with running_service() as closed:
        pass
    push = WebPush(Signer(PRIVATE_KEY, SUBJECT), PushServices(base_url=closed.url), timeout=2)
    assert push.send(outgoing(MadeUpBrowser()), uuid4()) == Retry("unreachable", down=True)


FOREIGN = [
    "http://fcm.googleapis.com/fcm/send/x",
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/x",
    "https://fcm.googleapis.com:8443/x",
    "https://fcm.googleapis.com.evil.example/x",
    "https://evil.example/fcm.googleapis.com",
    "https://fcm.googleapis.com@evil.example/x",
    "https://evil.example\\@fcm.googleapis.com/x",
    "https://evil.example\\.push.apple.com/x",
    "https://evil.example#.push.apple.com/x",
    "https://evil.example?.push.apple.com/x",
    "https://push.apple.com/x",
    "https://evilpush.apple.com/x",
    "https://fcm.googleapis.com/x\r\nHost: evil.example",
    "https://fcm.googleapis.com/" + "x" * 1000,
    "https://fcm.googleapis.com",
    "file:///etc/passwd",
    "//fcm.googleapis.com/x",
    "",
]


@pytest.mark.parametrize("endpoint", FOREIGN)
def test_only_known_services_are_called(push: WebPush, service: PushService, endpoint: str) -> None:
    stranger = replace(MadeUpBrowser().subscription, endpoint=endpoint)
    assert not PushServices().allow(endpoint)
    outcome = push.send(outgoing(subscriptions=(stranger,)), uuid4())
    assert outcome == Rejected("foreign-endpoint", Scope.RECIPIENT, (stranger.id,))
    assert service.posted == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/dQw4:APA91b-_x",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAAAB",
        "https://web.push.apple.com/QGuQyavXutnMH",
        "https://wns2-sg2p.notify.windows.com/w/?token=BQYAAAC%2f%2b",
        "https://fcm.googleapis.com:443/fcm/send/x",
    ],
)
def test_the_services_of_the_great_browsers_are_known_and_a_sandbox_takes_their_place(endpoint: str) -> None:
    assert PushServices().address(endpoint) == endpoint.replace(":443", ""), "an origin names no usual port"
    path = endpoint.split("/", 3)[3]
    assert PushServices(base_url="http://127.0.0.1:9/").address(endpoint) == f"http://127.0.0.1:9/{path}"


def settings_of(**environ: str) -> account.PushAccount | None:
    found = NotificationSettings.from_environ(environ).configured.get("push")
    return found.account if found else None  # type: ignore[return-value]


def test_without_a_key_there_is_no_push_and_with_one_the_public_host_signs() -> None:
    assert settings_of(PUBLIC_BASE_URL="https://kham.example.vn") is None
    found = settings_of(PUBLIC_BASE_URL="https://kham.example.vn:8443/x", VAPID_PRIVATE_KEY=PRIVATE_KEY)
    assert found is not None
    assert (found.subject, found.services) == ("https://kham.example.vn", PushServices(KNOWN_HOSTS))
    assert len(base64.urlsafe_b64decode(found.public_key + "=")) == 65


def test_in_a_demo_nothing_leaves_for_a_real_service() -> None:
    environ = {"VAPID_PRIVATE_KEY": PRIVATE_KEY}
    found = NotificationSettings.from_environ(environ, sandbox_url="http://127.0.0.1:9001").configured["push"]
    assert isinstance(found.account, account.PushAccount)
    assert found.account.services.base_url == "http://127.0.0.1:9001"
    real = NotificationSettings.from_environ(
        environ | {"PUSH_BASE_URL": ""}, sandbox_url="http://127.0.0.1:9001"
    )
    assert isinstance(real.configured["push"].account, account.PushAccount)
    assert real.configured["push"].account.services.base_url is None, "unless it is wished"


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"VAPID_PRIVATE_KEY": "short"}, "32 bytes"),
        ({"VAPID_PRIVATE_KEY": base64url(bytes(32))}, "P-256"),
        ({"VAPID_PRIVATE_KEY": base64url(b"\xff" * 32)}, "P-256"),
        ({"VAPID_SUBJECT": "the hospital"}, "VAPID_SUBJECT"),
        ({"VAPID_SUBJECT": "", "PUBLIC_BASE_URL": "http://x"}, "VAPID_SUBJECT"),
        ({"PUSH_HOSTS": "http://a b"}, "PUSH_HOSTS"),
    ],
)
def test_odd_settings_of_push_are_refused_with_the_reason(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(BadNotificationSettings, match=reason):
        settings_of(**{"VAPID_PRIVATE_KEY": PRIVATE_KEY, "VAPID_SUBJECT": SUBJECT, **environ})
