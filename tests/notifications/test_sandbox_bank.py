"""The demonstration's bank: whoever pays on its page makes it tell the hospital, signed."""

import json

import requests

from tests.notifications.conftest import Listener, SandboxClient
from tests.notifications.sandboxes import calls_to

PAID = {"facility": "77099", "account_no": "1903512345678", "amount": "50.000", "content": "KB12 & cảm ơn"}


def test_paying_on_the_banks_page_tells_the_hospital_of_it(
    sandbox: SandboxClient, listener: Listener
) -> None:
    requests.post(f"{sandbox.url}/bank", data=PAID, timeout=5).raise_for_status()
    (call,) = calls_to(listener, "/webhooks/payments/sepay/77099")
    told = json.loads(call.body)
    assert (told["accountNumber"], told["transferAmount"]) == ("1903512345678", 50_000)
    assert "KB12 & cảm ơn" in told["content"]


def test_a_sum_that_is_none_is_not_paid(sandbox: SandboxClient, listener: Listener) -> None:
    wrong = {**PAID, "facility": "77098", "amount": "fifty"}
    answer = requests.post(f"{sandbox.url}/bank", data=wrong, timeout=5)
    assert answer.status_code == 200
    assert "Số tiền không dùng được" in answer.text
    assert 'value="fifty"' in answer.text.replace("'", '"')
    assert calls_to(listener, "/webhooks/payments/sepay/77098") == []
