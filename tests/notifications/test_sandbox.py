"""The sandbox itself: a judge must be right."""

import requests

from tests.notifications.conftest import SandboxClient

ESMS = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"


def test_the_inbox_is_a_page_in_vietnamese(sandbox: SandboxClient) -> None:
    page = requests.get(sandbox.url + "/", timeout=5)
    assert page.status_code == 200
    assert '<html lang="vi">' in page.text


def test_esms_sends_a_request_id_once(sandbox: SandboxClient) -> None:
    body = {
        "ApiKey": "k",
        "SecretKey": "s",
        "Phone": "0907000001",
        "Content": "Xin chao",
        "RequestId": "once",
    }
    codes = [requests.post(sandbox.url + ESMS, json=body, timeout=5).json()["CodeResult"] for _ in range(2)]
    assert codes == ["100", "124"]
    assert len(sandbox.messages("0907000001")) == 1
    assert sandbox.messages("+84907000001") == sandbox.messages("84907000001")


def test_a_refresh_token_works_once(sandbox: SandboxClient) -> None:
    def refresh(token: str) -> dict[str, str]:
        form = {"app_id": "sandbox-test", "refresh_token": token, "grant_type": "refresh_token"}
        answer = requests.post(
            f"{sandbox.url}/v4/oa/access_token",
            data=form,
            headers={"secret_key": "demo-zalo-application"},
            timeout=5,
        )
        pair: dict[str, str] = answer.json()
        return pair

    first = refresh("demo-zalo-first-refresh")
    assert "error" in refresh("demo-zalo-first-refresh")
    assert "access_token" in refresh(first["refresh_token"])
    assert "error" in refresh("made-up.0000")


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
        requests.post(sandbox.url + ESMS, data=b"null", timeout=5),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 422, 200, 200, 200]
