"""The sandbox itself: a judge must be right."""

import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from hashlib import sha1
from hmac import digest
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
import requests

from tests.notifications.conftest import Listener, SandboxClient
from tests.notifications.sandboxes import ESMS_SEND, TWILIO, TWILIO_SEND, calls_to, new_phone, until


def test_the_inbox_is_a_page_in_vietnamese(sandbox: SandboxClient) -> None:
    page = requests.get(sandbox.url + "/", timeout=5)
    assert page.status_code == 200
    assert '<html lang="vi">' in page.text


def test_twilio_refuses_a_wrong_password_and_a_wrong_number(sandbox: SandboxClient) -> None:
    url = f"{sandbox.url}/2010-04-01/Accounts/AC{'5a' * 16}/Messages.json"
    form = {"To": "+842543852645", "From": "SKTINH", "Body": "x"}
    right = ("AC" + "5a" * 16, "demo-twilio-token")
    assert requests.post(url, data=form, auth=("AC", "no"), timeout=5).json()["code"] == 20003
    assert requests.post(url, data=form, auth=right, timeout=5).json()["code"] == 21614
    assert requests.post(url, data=form | {"To": "x"}, auth=right, timeout=5).json()["code"] == 21211


def test_an_unknown_fault_is_refused_with_the_known_ones(sandbox: SandboxClient) -> None:
    answer = requests.post(
        f"{sandbox.url}/_sandbox/faults", json={"provider": "zalo", "fault": "meteor"}, timeout=5
    )
    assert answer.status_code == 422
    assert "late-accept" in answer.json()["faults"]


def test_nonsense_is_refused_and_breaks_nothing(sandbox: SandboxClient) -> None:
    answers = [
        requests.get(f"{sandbox.url}/_sandbox/messages?limit=many&to=x", timeout=5),
        requests.post(f"{sandbox.url}/_sandbox/phones", data=b"[", timeout=5),
        requests.post(f"{sandbox.url}/_sandbox/faults", data=b"1", timeout=5),
        requests.post(f"{sandbox.url}/v4/oa/access_token", data=b"\xff\xfe=\xff", timeout=5),
        requests.post(f"{sandbox.url}/message/template", data=b"[]", timeout=5),
        requests.post(sandbox.url + ESMS_SEND, data=b"null", timeout=5),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 422, 200, 200, 200]


def send(sandbox: SandboxClient, to: str, body: str = "Xin chao", **form: str) -> requests.Response:
    wanted = {"To": to, "From": "SKTINH", "Body": body, **form}
    return requests.post(sandbox.url + TWILIO_SEND, data=wanted, auth=TWILIO, timeout=5)


@pytest.fixture
def clear_sky(sandbox: SandboxClient) -> Iterator[None]:
    yield
    requests.delete(sandbox.url + "/_sandbox/weather", timeout=5)


def figures(sandbox: SandboxClient) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(sandbox.url + "/_sandbox/tally", timeout=5).json()
    return found


def test_the_tally_counts_what_a_person_received_twice(sandbox: SandboxClient) -> None:
    phone, before = new_phone(), figures(sandbox)
    for text in ("once", "twice", "twice"):
        assert send(sandbox, phone, text).status_code == 201
    after = figures(sandbox)
    grown = {name: after[name] - before[name] for name in ("accepted", "duplicates", "repeated_texts")}
    assert grown == {"accepted": 3, "duplicates": 1, "repeated_texts": 1}


def test_the_tally_counts_what_was_accepted_after_all(sandbox: SandboxClient) -> None:
    phone, before = new_phone(), figures(sandbox)["late_accepts"]
    sandbox.fault("twilio", "late-accept", to=phone, seconds=0.2)
    assert send(sandbox, phone).status_code == 500
    assert sandbox.messages(phone) == []
    until(lambda: len(sandbox.messages(phone)) == 1)
    assert figures(sandbox)["late_accepts"] == before + 1


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [("429", 429, 0), ("500", 500, 0), ("accept-then-500", 500, 1), ("reject", 400, 0), ("quota", 429, 0),
     ("token-expired", 401, 0), ("latency", 201, 1), ("duplicate-receipts", 201, 1)],
)  # fmt: skip
def test_a_fault_answers_as_it_says(sandbox: SandboxClient, fault: str, status: int, accepted: int) -> None:
    phone = new_phone()
    sandbox.fault("twilio", fault, to=phone, seconds=0.1)
    assert send(sandbox, phone).status_code == status
    assert len(sandbox.messages(phone)) == accepted
    assert send(sandbox, phone).status_code == 201


def test_a_fault_for_one_person_comes_before_one_for_anybody(sandbox: SandboxClient) -> None:
    phone, other = new_phone(), new_phone()
    sandbox.fault("twilio", "500", times=2)
    sandbox.fault("twilio", "reject", to=phone)
    assert [send(sandbox, to).status_code for to in (phone, phone, other, other)] == [400, 500, 500, 201]


@pytest.mark.parametrize(
    ("fault", "accepted"), [("hang", 0), ("hang-after-accept", 1), ("drop", 0), ("drop-after-accept", 1)]
)
def test_a_cut_connection_gives_no_answer(sandbox: SandboxClient, fault: str, accepted: int) -> None:
    phone = new_phone()
    sandbox.fault("twilio", fault, to=phone, seconds=0.1)
    with pytest.raises(requests.ConnectionError):
        send(sandbox, phone)
    assert len(sandbox.messages(phone)) == accepted


def test_a_throttled_sender_is_told_how_long_to_wait(sandbox: SandboxClient) -> None:
    phone = new_phone()
    sandbox.fault("twilio", "429", to=phone, seconds=7)
    assert send(sandbox, phone).headers["Retry-After"] == "7"


def statuses(calls: list[Any]) -> list[str]:
    return [dict(parse_qsl(call.body.decode()))["MessageStatus"] for call in calls]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("duplicate-receipts", ["sent"] * 3 + ["delivered"] * 3),
        ("out-of-order-receipts", ["delivered", "sent"]),
        ("late-receipts", ["sent", "delivered"]),
        ("undelivered", ["sent", "undelivered"]),
    ],
)
def test_receipts_come_as_planned(
    sandbox: SandboxClient, listener: Listener, fault: str, told: list[str]
) -> None:
    phone, path = new_phone(), f"/receipts/{uuid4()}"
    sandbox.fault("twilio", fault, to=phone, seconds=0.1)
    send(sandbox, phone, StatusCallback=listener.url + path)
    until(lambda: len(calls_to(listener, path)) == len(told))
    assert statuses(calls_to(listener, path)) == told


def test_no_receipts_means_none(sandbox: SandboxClient, listener: Listener) -> None:
    phone, path = new_phone(), f"/receipts/{uuid4()}"
    sandbox.fault("twilio", "no-receipts", to=phone)
    send(sandbox, phone, StatusCallback=listener.url + path)
    until(lambda: sandbox.messages(phone)[0]["status"] == "delivered")
    assert calls_to(listener, path) == []


@pytest.mark.parametrize(("fault", "right"), [(None, True), ("bad-signature", False)])
def test_twilio_callbacks_are_signed_over_the_address_and_the_fields(
    sandbox: SandboxClient, listener: Listener, fault: str | None, right: bool
) -> None:
    phone, path = new_phone(), f"/receipts/{uuid4()}?key=1"
    if fault is not None:
        sandbox.fault("twilio", fault, to=phone)
    send(sandbox, phone, StatusCallback=listener.url + path)
    until(lambda: len(calls_to(listener, path)) == 2)
    for call in calls_to(listener, path):
        fields = sorted(parse_qsl(call.body.decode(), keep_blank_values=True))
        signed = listener.url + path + "".join(name + value for name, value in fields)
        expected = b64encode(digest(TWILIO[1].encode(), signed.encode(), sha1)).decode()
        assert (call.headers["X-Twilio-Signature"] == expected) is right


def storm(sandbox: SandboxClient, seed: str, phones: list[str]) -> list[int]:
    wanted = {"provider": "twilio", "seed": seed, "shares": {"500": 0.3, "429": 0.2, "no-receipts": 0.1}}
    answer = requests.post(sandbox.url + "/_sandbox/weather", json=wanted, timeout=5)
    assert answer.status_code == 200
    return [send(sandbox, phone, f"{seed} {uuid4()}").status_code for phone in phones]


def test_weather_strikes_by_its_shares_and_its_seed(sandbox: SandboxClient, clear_sky: None) -> None:
    phones = [new_phone() for _ in range(150)]
    first = storm(sandbox, "a", phones)
    assert storm(sandbox, "a", phones[::-1])[::-1] == first
    assert storm(sandbox, "b", phones) != first
    counted = Counter(first)
    assert 25 <= counted[500] <= 65
    assert 12 <= counted[429] <= 50
    (told,) = requests.get(sandbox.url + "/_sandbox/weather", timeout=5).json()["weather"]
    assert told["sends"] == 150
    assert set(told["hits"]) == {"500", "429", "no-receipts"}


def test_a_clear_sky_strikes_nobody(sandbox: SandboxClient) -> None:
    assert requests.get(sandbox.url + "/_sandbox/weather", timeout=5).json() == {"weather": []}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"provider": "zalo", "shares": {"meteor": 1}},
        {"provider": "zalo", "shares": {"500": 0.7, "429": 0.7}},
        {"provider": "zalo", "shares": {"hang": 0.1}, "seconds": [3, 1]},
    ],
)
def test_odd_weather_is_refused(sandbox: SandboxClient, wanted: dict[str, Any]) -> None:
    assert requests.post(sandbox.url + "/_sandbox/weather", json=wanted, timeout=5).status_code == 422


def test_an_answer_leaves_in_one_go(sandbox: SandboxClient) -> None:
    """Nagle's algorithm would add 40 ms to each answer on a kept connection."""
    with requests.Session() as session:
        session.get(sandbox.url + "/_sandbox/tally", timeout=5)
        begun = time.perf_counter()
        for _ in range(20):
            session.get(sandbox.url + "/_sandbox/tally", timeout=5)
        assert time.perf_counter() - begun < 20 * 0.04
