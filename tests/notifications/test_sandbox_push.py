"""The sandbox as a push service and as the browsers behind it."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import http_ece
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.notifications.conftest import SandboxClient
from tests.notifications.sandboxes import new_phone, until

OWN = ec.generate_private_key(ec.SECP256R1())


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def public(key: ec.EllipticCurvePrivateKey) -> str:
    return b64(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def proof(aud: str, *, key: ec.EllipticCurvePrivateKey = OWN, shown: str = "", **changed: Any) -> str:
    claims = {"aud": aud, "exp": int(time.time()) + 3600, "sub": "mailto:it@example.vn"} | changed
    parts = [b64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ES256"}, claims)]
    der = key.sign(".".join(parts).encode(), ec.ECDSA(SHA256()))
    signature = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
    return f"vapid t={'.'.join(parts)}.{b64(signature)}, k={shown or public(key)}"


def browser_of(sandbox: SandboxClient, to: str, **details: Any) -> dict[str, Any]:
    wanted = {"to": to, **details}
    answer = requests.post(sandbox.url + "/_sandbox/push-subscriptions", json=wanted, timeout=5)
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


def change(sandbox: SandboxClient, browser: dict[str, Any], **details: Any) -> None:
    place = f"{sandbox.url}/_sandbox/push-subscriptions/{browser['id']}"
    requests.post(place, json=details, timeout=5).raise_for_status()


def sealed(browser: dict[str, Any], text: bytes) -> bytes:
    auth = urlsafe_b64decode(browser["auth"] + "==")
    point = urlsafe_b64decode(browser["p256dh"] + "==")
    one_time = ec.generate_private_key(ec.SECP256R1())
    body: bytes = http_ece.encrypt(
        text, private_key=one_time, dh=point, auth_secret=auth, version="aes128gcm"
    )
    return body


def push(
    sandbox: SandboxClient,
    browser: dict[str, Any],
    text: bytes = b"x",
    body: bytes | None = None,
    **headers: Any,
) -> requests.Response:
    usual = {"TTL": "60", "Content-Encoding": "aes128gcm", "Authorization": proof(sandbox.url)}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in (usual | named).items() if value is not None}
    data = sealed(browser, text) if body is None else body
    return requests.post(browser["local_endpoint"], data=data, headers=sent, timeout=5)


def statuses(sandbox: SandboxClient, to: str) -> list[str]:
    return [item["status"] for item in sandbox.messages(to)][::-1]


def test_a_browser_reads_what_was_sealed_for_it(sandbox: SandboxClient) -> None:
    phone = new_phone()
    browser = browser_of(sandbox, phone)
    shown = {"title": "Sắp đến lượt", "body": "Mời ông bà đến phòng 12.", "url": "http://127.0.0.1/t"}
    assert push(sandbox, browser, json.dumps(shown).encode(), Urgency="high", Topic="abc").status_code == 201
    until(lambda: statuses(sandbox, phone) == ["delivered"])
    (found,) = sandbox.messages(phone)
    assert (found["channel"], found["title"], found["text"]) == ("push", shown["title"], shown["body"])
    assert found["button"] == ["Mở", "http://127.0.0.1/t"]
    assert (found["key"], found["details"]["urgency"], found["details"]["ttl"]) == ("abc", "high", 60)


def test_what_was_sealed_for_another_browser_cannot_be_read(sandbox: SandboxClient) -> None:
    phone = new_phone()
    browser, other = browser_of(sandbox, phone), browser_of(sandbox, new_phone())
    assert push(sandbox, browser, body=sealed(other, b"secret")).status_code == 201
    (found,) = sandbox.messages(phone)
    assert "secret" not in str(found)
    assert found["details"]["unreadable"] is True


def test_the_address_that_browsers_show_belongs_to_a_known_maker(sandbox: SandboxClient) -> None:
    browser = browser_of(sandbox, new_phone())
    assert browser["endpoint"] == f"https://updates.push.services.mozilla.com/push/{browser['id']}"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"TTL": None}, 400),
        ({"TTL": "soon"}, 400),
        ({"Topic": "x" * 33}, 400),
        ({"Topic": "ă b".encode()}, 400),
        ({"Urgency": "panic"}, 400),
        ({"Content_Encoding": "aesgcm"}, 400),
        ({"body": b"x" * 4097}, 413),
        ({"Authorization": None}, 401),
        ({"Authorization": "vapid nonsense"}, 401),
        ({"Authorization": "WebPush old"}, 401),
    ],
)
def test_what_is_wrong_with_a_push_is_refused(
    sandbox: SandboxClient, changed: dict[str, Any], status: int
) -> None:
    phone = new_phone()
    assert push(sandbox, browser_of(sandbox, phone), **changed).status_code == status
    assert sandbox.messages(phone) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": int(time.time()) + 25 * 3600},
        {"exp": "soon"},
        {"sub": "it@example.vn"},
        {"sub": None},
        {"key": ec.generate_private_key(ec.SECP256R1()), "shown": public(OWN)},
    ],
    ids=["aud", "past", "too long", "no number", "no address", "nobody", "another key"],
)
def test_a_sender_must_prove_who_it_is(sandbox: SandboxClient, changed: dict[str, Any]) -> None:
    phone = new_phone()
    browser = browser_of(sandbox, phone)
    wrong = proof(**{"aud": sandbox.url, **changed})
    assert push(sandbox, browser, Authorization=wrong).status_code == 401
    assert sandbox.messages(phone) == []


def test_a_subscription_belongs_to_the_sender_it_was_made_for(sandbox: SandboxClient) -> None:
    browser = browser_of(sandbox, new_phone(), application_server_key=public(OWN))
    stranger = proof(sandbox.url, key=ec.generate_private_key(ec.SECP256R1()))
    assert push(sandbox, browser, Authorization=stranger).status_code == 403
    assert push(sandbox, browser).status_code == 201


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_ended_says_so(sandbox: SandboxClient, status: int) -> None:
    browser = browser_of(sandbox, new_phone())
    change(sandbox, browser, gone=status)
    assert push(sandbox, browser).status_code == status


def test_an_unsubscribed_browser_is_gone(sandbox: SandboxClient) -> None:
    browser = browser_of(sandbox, new_phone())
    requests.delete(f"{sandbox.url}/_sandbox/push-subscriptions/{browser['id']}", timeout=5)
    assert push(sandbox, browser).status_code == 410


def test_a_waiting_message_gives_way_to_a_newer_one_of_its_topic(sandbox: SandboxClient) -> None:
    phone = new_phone()
    browser = browser_of(sandbox, phone)
    change(sandbox, browser, online=False)
    for text, topic in ((b"one", "turn"), (b"two", "turn"), (b"three", "other")):
        push(sandbox, browser, text, Topic=topic)
    push(sandbox, browser, b"now or never", TTL="0")
    until(lambda: statuses(sandbox, phone) == ["replaced", "waiting", "waiting", "expired"])
    change(sandbox, browser, online=True)
    assert statuses(sandbox, phone) == ["replaced", "delivered", "delivered", "expired"]


def test_a_real_browsers_message_is_recorded_unread(sandbox: SandboxClient) -> None:
    endpoint = {"local_endpoint": sandbox.url + "/fcm/send/abc:def"}
    before = requests.get(sandbox.url + "/_sandbox/tally", timeout=5).json()["providers"].get("push", 0)
    answer = push(sandbox, endpoint, body=b"y" * 120, Authorization=proof("https://fcm.googleapis.com"))
    assert answer.status_code == 201
    after = requests.get(sandbox.url + "/_sandbox/tally", timeout=5).json()["providers"]["push"]
    assert after == before + 1
    newest = requests.get(sandbox.url + "/_sandbox/messages?limit=1", timeout=5).json()["items"][0]
    assert newest["text"] == "encrypted push, 120 bytes"
    assert newest["to"].startswith("push:")


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [("429", 429, 0), ("500", 500, 0), ("reject", 410, 0), ("quota", 429, 0), ("accept-then-500", 500, 1)],
)
def test_a_fault_answers_as_it_says(sandbox: SandboxClient, fault: str, status: int, accepted: int) -> None:
    phone = new_phone()
    browser = browser_of(sandbox, phone)
    sandbox.fault("push", fault, to=phone, seconds=3)
    assert push(sandbox, browser).status_code == status
    assert len(sandbox.messages(phone)) == accepted


def test_no_other_address_takes_a_post(sandbox: SandboxClient) -> None:
    assert requests.post(sandbox.url + "/somewhere", data=b"x", timeout=5).status_code == 404
