"""The sandbox as eSMS."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
import requests

from tests.notifications.conftest import Listener, SandboxClient
from tests.notifications.sandboxes import ESMS_SEND, calls_to, new_phone, running_sandbox, until

ACCOUNT = {"ApiKey": "demo-esms-key", "SecretKey": "demo-esms-secret"}
SERVICE = "/MainService.svc/json/"


def body(to: str, **changed: Any) -> dict[str, Any]:
    usual = {**ACCOUNT, "Phone": to, "Content": "Lich kham 08:30", "Brandname": "SOYTETINH", "SmsType": "2"}
    return usual | {"RequestId": str(uuid4())} | changed


def send(url: str, to: str, **changed: Any) -> dict[str, Any]:
    answer = requests.post(url + ESMS_SEND, json=body(to, **changed), timeout=5)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def asked(sandbox: SandboxClient, function: str, ref: str, **changed: str) -> dict[str, Any]:
    query = {**ACCOUNT, "RefId": ref, **changed}
    found: dict[str, Any] = requests.get(sandbox.url + SERVICE + function, params=query, timeout=5).json()
    return found


def told(listener: Listener, path: str) -> list[dict[str, str]]:
    queries = [urlsplit(call.path).query for call in calls_to(listener, path)]
    return [dict(parse_qsl(query, keep_blank_values=True)) for query in queries]


def test_a_request_id_is_sent_once(sandbox: SandboxClient) -> None:
    phone, key = new_phone(), str(uuid4())
    codes = [send(sandbox.url, phone, RequestId=key)["CodeResult"] for _ in range(3)]
    assert codes == ["100", "124", "124"]
    assert len(sandbox.messages(phone)) == 1


def test_a_request_id_is_remembered_over_a_restart(tmp_path: Path) -> None:
    ledger, phone, key = str(tmp_path / "ledger.jsonl"), new_phone(), str(uuid4())
    codes = []
    for _ in range(2):
        with running_sandbox("--ledger", ledger) as (url, _):
            codes.append(send(url, phone, RequestId=key)["CodeResult"])
            assert requests.get(url + "/_sandbox/tally", timeout=5).json()["accepted"] == 1
    assert codes == ["100", "124"]


def test_a_late_acceptance_is_deduped_as_well(sandbox: SandboxClient) -> None:
    phone, key = new_phone(), str(uuid4())
    sandbox.fault("esms", "late-accept", to=phone, seconds=0.2)
    before = requests.get(sandbox.url + "/_sandbox/tally", timeout=5).json()["refused_duplicates"]
    lost = requests.post(sandbox.url + ESMS_SEND, json=body(phone, RequestId=key), timeout=5)
    assert lost.status_code == 500
    assert send(sandbox.url, phone, RequestId=key)["CodeResult"] == "100"
    figures = lambda: requests.get(sandbox.url + "/_sandbox/tally", timeout=5).json()  # noqa: E731
    until(lambda: figures()["refused_duplicates"] == before + 1)
    assert len(sandbox.messages(phone)) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"ApiKey": "no"}, "101"), ({"SecretKey": "no"}, "101"), ({"Brandname": "OTHER"}, "104"),
     ({"SmsType": "8"}, "118"), ({"Phone": "02543852645"}, "108"), ({"Phone": "x"}, "108"),
     ({"RequestId": "x" * 51}, "110"), ({"Content": ""}, "110"), ({"SendDate": "tomorrow"}, "110")],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_code(
    sandbox: SandboxClient, changed: dict[str, str], code: str
) -> None:
    phone = new_phone()
    assert send(sandbox.url, phone, **changed)["CodeResult"] == code
    assert sandbox.messages(phone) == []


def test_a_blocked_phone_is_refused(sandbox: SandboxClient) -> None:
    phone = new_phone()
    wanted = {"to": phone, "blocked": True}
    requests.post(sandbox.url + "/_sandbox/phones", json=wanted, timeout=5).raise_for_status()
    assert send(sandbox.url, phone)["CodeResult"] == "99"


def test_only_registered_texts_pass_once_there_are_some(sandbox: SandboxClient) -> None:
    place, phone = sandbox.url + "/_sandbox/esms/templates", new_phone()
    wanted = {"templates": ["{P2,30}: lich kham {P1,5}, ma {P1,8}."]}
    requests.post(place, json=wanted, timeout=5).raise_for_status()
    try:
        assert send(sandbox.url, phone, Content="BV Ba Ria: lich kham 08:30, ma AB12.")["CodeResult"] == "100"
        assert send(sandbox.url, phone, Content="BV Ba Ria: lich kham 8 gio, ma AB.")["CodeResult"] == "146"
        listed = requests.post(sandbox.url + SERVICE + "GetTemplate/", json=ACCOUNT, timeout=5).json()
        assert {item["NetworkID"] for item in listed["BrandnameTemplates"]} == set(range(1, 8))
    finally:
        requests.post(place, json={"templates": []}, timeout=5).raise_for_status()


def test_letters_outside_gsm_need_the_unicode_flag(sandbox: SandboxClient) -> None:
    phone = new_phone()
    send(sandbox.url, phone, Content="Lịch khám", IsUnicode="1")
    send(sandbox.url, phone, Content="Lịch khám", IsUnicode="0")
    assert [item["text"] for item in sandbox.messages(phone)] == ["L?ch kh?m", "Lịch khám"]


def test_the_sandbox_flag_sends_nothing(sandbox: SandboxClient) -> None:
    phone = new_phone()
    assert send(sandbox.url, phone, Sandbox="1")["CodeResult"] == "100"
    assert sandbox.messages(phone) == []


def test_the_state_can_be_asked_by_the_message_id(sandbox: SandboxClient) -> None:
    phone = new_phone()
    ref = send(sandbox.url, phone)["SMSID"]
    until(lambda: asked(sandbox, "GetSendStatus", ref)["SendStatus"] == 5)
    found = asked(sandbox, "GetSendStatus", ref)
    assert (found["CodeResponse"], found["SendSuccess"], found["SendFailed"]) == ("100", 1, 0)
    assert found["TotalPrice"] == 850.0
    (receiver,) = asked(sandbox, "GetSmsReceiverStatus_get", ref)["ReceiverList"]
    assert receiver["SentResult"] is True
    assert receiver["NetworkName"] == "Viettel"
    assert asked(sandbox, "GetSendStatus", "unknown")["CodeResponse"] == "105"
    assert asked(sandbox, "GetSendStatus", ref, SecretKey="no")["CodeResponse"] == "101"


@pytest.mark.parametrize(
    ("code", "status", "failed"), [(None, "5", "1"), (4, "4", "1")], ids=["failed", "rejected"]
)
def test_the_callback_tells_a_failure(
    sandbox: SandboxClient, listener: Listener, code: int | None, status: str, failed: str
) -> None:
    phone, path = new_phone(), f"/esms/{uuid4()}"
    sandbox.fault("esms", "undelivered", to=phone, code=code)
    ref = send(sandbox.url, phone, CallbackUrl=f"{listener.url}{path}?token=abc", RequestId="k1-" + path[-8:])
    until(lambda: bool(told(listener, path)))
    (found,) = told(listener, path)
    assert found["SMSID"] == ref["SMSID"]
    assert found["token"] == "abc"
    assert (found["SendStatus"], found["SendSuccess"], found["SendFailed"]) == (status, "0", failed)
    assert found["RequestId"] == "k1-" + path[-8:]
    assert found["phonenumber"] == "0" + phone[3:]
    assert found["telcoid"] == "1"


def test_a_forged_callback_comes_to_an_address_that_was_not_given(
    sandbox: SandboxClient, listener: Listener
) -> None:
    phone, path = new_phone(), f"/esms/{uuid4()}"
    sandbox.fault("esms", "bad-signature", to=phone)
    send(sandbox.url, phone, CallbackUrl=f"{listener.url}{path}?token=abcdefgh")
    until(lambda: bool(told(listener, path)))
    assert told(listener, path)[0]["token"] == "abc0efgh"
