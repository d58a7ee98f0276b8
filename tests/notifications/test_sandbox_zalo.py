"""The sandbox as Zalo."""

import hmac
import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.notifications.conftest import SAMPLE, Listener, SandboxClient
from tests.notifications.sandboxes import new_phone, running_sandbox, until

FIRST = "demo-zalo-first-refresh"
BOOKED = "390103"


def refreshed(url: str, token: str, app_id: str) -> dict[str, Any]:
    form = {"app_id": app_id, "refresh_token": token, "grant_type": "refresh_token"}
    headers = {"secret_key": "demo-zalo-application"}
    answer = requests.post(f"{url}/v4/oa/access_token", data=form, headers=headers, timeout=5)
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def token(sandbox: SandboxClient) -> str:
    return str(refreshed(sandbox.url, FIRST, str(uuid4()))["access_token"])


def call(
    sandbox: SandboxClient, token: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    method = "GET" if body is None else "POST"
    sent = {"access_token": token, **headers}
    answer = requests.request(method, sandbox.url + path, json=body, headers=sent, timeout=5)
    found: dict[str, Any] = answer.json()
    return int(found["error"]), found


def message(phone: str, template: str = BOOKED, **changed: Any) -> dict[str, Any]:
    usual = {
        "phone": phone[1:],
        "template_id": template,
        "template_data": SAMPLE,
        "tracking_id": str(uuid4()),
    }
    return usual | changed


def told(listener: Listener, name: str, user: str) -> list[Any]:
    calls = [call for call in list(listener.calls) if call.path == "/webhooks/zalo"]
    events = [(call, json.loads(call.body)) for call in calls]
    return [(call, event) for call, event in events if event["event_name"] == name and user in str(event)]


def test_a_refresh_token_works_once(sandbox: SandboxClient) -> None:
    app_id = str(uuid4())
    first = refreshed(sandbox.url, FIRST, app_id)
    assert "error" in refreshed(sandbox.url, FIRST, app_id)
    assert "access_token" in refreshed(sandbox.url, first["refresh_token"], app_id)
    assert "error" in refreshed(sandbox.url, "made-up.0000", app_id)
    assert "error" in refreshed(sandbox.url, "not-ascii-ă.0000", app_id)


def test_a_used_refresh_token_stays_used_over_a_restart(tmp_path: Path) -> None:
    ledger, app_id = str(tmp_path / "ledger.jsonl"), str(uuid4())
    with running_sandbox("--ledger", ledger) as (url, _):
        pair = refreshed(url, FIRST, app_id)
    with running_sandbox("--ledger", ledger) as (url, _):
        assert "error" in refreshed(url, FIRST, app_id)
        assert "access_token" in refreshed(url, pair["refresh_token"], app_id)


def test_a_new_consent_gives_a_new_first_token(sandbox: SandboxClient) -> None:
    app_id = str(uuid4())
    place = f"{sandbox.url}/_sandbox/zalo/authorise?app_id={app_id}"
    given = requests.post(place, timeout=5).json()["refresh_token"]
    assert "error" in refreshed(sandbox.url, given, "another-application")
    assert "access_token" in refreshed(sandbox.url, given, app_id)


@pytest.mark.parametrize(
    ("fault", "burnt"),
    [
        ("drop", False),
        ("500", False),
        ("drop-after-accept", True),
        ("accept-then-500", True),
        ("token-burnt", True),
    ],
)
def test_a_refresh_can_be_lost_before_or_after_the_token_was_used(
    sandbox: SandboxClient, fault: str, burnt: bool
) -> None:
    app_id = str(uuid4())
    sandbox.fault("zalo-oauth", fault)
    with suppress(requests.ConnectionError, ValueError):
        assert "access_token" not in refreshed(sandbox.url, FIRST, app_id)
    assert ("error" in refreshed(sandbox.url, FIRST, app_id)) is burnt


def test_an_expired_token_is_refused_from_then_on(sandbox: SandboxClient, token: str) -> None:
    phone = new_phone()
    sandbox.fault("zalo", "token-expired", to=phone)
    assert call(sandbox, token, "/message/template", message(phone))[0] == -124
    assert call(sandbox, token, "/message/template", message(new_phone()))[0] == -124
    assert sandbox.messages(phone) == []


@pytest.mark.parametrize(
    ("state", "code"), [("ENABLE", 0), ("PENDING_REVIEW", -131), ("REJECT", -131), ("DISABLE", -146)]
)
def test_a_template_sends_in_its_enabled_state_only(
    sandbox: SandboxClient, token: str, state: str, code: int
) -> None:
    place = sandbox.url + "/_sandbox/zalo/templates"
    requests.post(place, json={"template_id": BOOKED, "status": state}, timeout=5).raise_for_status()
    try:
        assert call(sandbox, token, "/message/template", message(new_phone()))[0] == code
        _, listed = call(sandbox, token, "/template/all?offset=0&limit=100")
        assert {item["templateId"]: item["status"] for item in listed["data"]}[int(BOOKED)] == state
        _, info = call(sandbox, token, f"/template/info/v2?template_id={BOOKED}")
        assert info["data"]["status"] == state
        assert {item["name"] for item in info["data"]["listParams"]} <= set(SAMPLE)
    finally:
        requests.delete(place, timeout=5)


@pytest.mark.parametrize("template", ["", None, "1", 390103.5])
def test_a_text_that_nobody_registered_cannot_be_sent(
    sandbox: SandboxClient, token: str, template: Any
) -> None:
    assert call(sandbox, token, "/message/template", message(new_phone(), template_id=template))[0] == -109


def test_templates_are_listed_by_pages_and_by_state(sandbox: SandboxClient, token: str) -> None:
    _, first = call(sandbox, token, "/template/all?offset=0&limit=2")
    _, second = call(sandbox, token, "/template/all?offset=2&limit=2")
    ids = [item["templateId"] for item in first["data"] + second["data"]]
    assert len(set(ids)) == 4
    assert first["metadata"]["total"] > 4
    assert call(sandbox, token, "/template/all?offset=0&limit=9&status=3")[1]["data"] == []


def test_the_daily_quota_runs_out(sandbox: SandboxClient, token: str) -> None:
    def limited(daily: int | None) -> dict[str, str]:
        answer = requests.post(sandbox.url + "/_sandbox/zalo/limits", json={"daily": daily}, timeout=5)
        found: dict[str, str] = answer.json()
        return found

    used = int(limited(1000)["dailyQuota"]) - int(limited(1000)["remainingQuota"])
    try:
        limited(used + 1)
        code, accepted = call(sandbox, token, "/message/template", message(new_phone()))
        assert code == 0
        assert accepted["data"]["quota"]["remainingQuota"] == "0"
        assert call(sandbox, token, "/message/template", message(new_phone()))[0] == -144
        assert call(sandbox, token, "/message/quota")[1]["data"]["remainingQuota"] == "0"
    finally:
        limited(None)


def test_the_state_is_known_by_message_id_only(sandbox: SandboxClient, token: str) -> None:
    sent = message(new_phone())
    _, accepted = call(sandbox, token, "/message/template", sent)
    ref = accepted["data"]["msg_id"]
    status = f"/message/status?message_id={ref}"
    until(lambda: call(sandbox, token, status)[1]["data"]["status"] == 1)
    assert call(sandbox, token, f"/message/status?message_id={sent['tracking_id']}")[0] == -107
    assert call(sandbox, "nobody", status)[0] == -124


def test_a_proof_of_the_application_is_checked_where_it_is_given_or_asked_for(
    sandbox: SandboxClient, token: str
) -> None:
    right = hmac.digest(b"demo-zalo-application", token.encode(), "sha256").hex()
    assert call(sandbox, token, "/message/quota", appsecret_proof=right)[0] == 0
    assert call(sandbox, token, "/message/quota", appsecret_proof="wrong")[0] == -242
    limits = sandbox.url + "/_sandbox/zalo/limits"
    requests.post(limits, json={"appsecret_proof": True}, timeout=5).raise_for_status()
    try:
        assert call(sandbox, token, "/message/quota")[0] == -242
        assert call(sandbox, token, "/message/quota", appsecret_proof=right)[0] == 0
    finally:
        requests.post(limits, json={"appsecret_proof": False}, timeout=5).raise_for_status()


def happens(sandbox: SandboxClient, event: str, phone: str, **details: Any) -> dict[str, Any]:
    wanted = {"event": event, "to": phone, **details}
    answer = requests.post(sandbox.url + "/_sandbox/zalo/events", json=wanted, timeout=5)
    assert answer.status_code == 202
    found: dict[str, Any] = answer.json()["event"]
    return found


@pytest.mark.parametrize("forged", [False, True])
@pytest.mark.parametrize("name", ["follow", "unfollow", "user_send_text", "user_submit_info"])
def test_what_people_do_is_told_with_a_signature_over_the_raw_bytes(
    sandbox: SandboxClient, listener: Listener, name: str, forged: bool
) -> None:
    event = happens(sandbox, name, new_phone(), text="Tôi muốn đổi lịch", name="Lê Thị Ánh", forged=forged)
    person = event.get("follower") or event["sender"]
    until(lambda: bool(told(listener, name, person["id"])))
    ((call, found),) = told(listener, name, person["id"])
    signed = found["app_id"].encode() + call.body + found["timestamp"].encode() + b"demo-zalo-account"
    expected = f"mac={sha256(signed).hexdigest()}"
    assert (call.headers["X-ZEvent-Signature"] == expected) is not forged


def test_a_person_can_be_answered_after_writing_only(sandbox: SandboxClient, token: str) -> None:
    phone = new_phone()
    user = happens(sandbox, "follow", phone)["follower"]["id"]
    answer = {"recipient": {"user_id": user}, "message": {"text": "Dạ, mời anh chị chọn giờ khác."}}
    assert call(sandbox, token, "/v3.0/oa/message/cs", answer)[0] == -230
    happens(sandbox, "user_send_text", phone, text="Đổi lịch")
    assert call(sandbox, token, "/v3.0/oa/message/cs", answer)[0] == 0
    assert [item["text"] for item in sandbox.messages(phone)] == ["Dạ, mời anh chị chọn giờ khác."]
    stranger = {"recipient": {"user_id": "1"}, "message": {"text": "x"}}
    assert call(sandbox, token, "/v3.0/oa/message/cs", stranger)[0] == -213
    assert call(sandbox, "nobody", "/v3.0/oa/message/cs", answer)[0] == -216


def test_a_person_known_by_number_gets_template_messages(sandbox: SandboxClient, token: str) -> None:
    phone = new_phone()
    user = happens(sandbox, "follow", phone)["follower"]["id"]
    sent = {key: value for key, value in message(phone).items() if key != "phone"} | {"user_id": user}
    assert call(sandbox, token, "/message/template", sent)[0] == 0
    assert len(sandbox.messages(phone)) == 1


def test_nonsense_events_are_refused(sandbox: SandboxClient) -> None:
    place = sandbox.url + "/_sandbox/zalo/events"
    for wanted in ({"event": "dance", "to": "0912"}, {"event": "follow", "to": ""}, [], None):
        assert requests.post(place, json=wanted, timeout=5).status_code == 422
