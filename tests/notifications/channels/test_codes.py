"""Every code that a provider may answer with has one meaning, written down here a second time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from notifications.channels import codes, email, esms, push, twilio, zalo, zalo_chat
from notifications.channels.base import Accepted, Ambiguous, Outcome, Rejected, Retry, Scope
from notifications.channels.codes import CodeClass, CodeTable
from notifications.channels.email.channel import judged as judged_by_email
from notifications.channels.email.relay import Refused, Step
from notifications.channels.esms.channel import judged as judged_by_esms
from notifications.channels.transport import Answer
from notifications.channels.twilio.channel import judged as judged_by_twilio
from notifications.channels.zalo.calls import judged as judged_by_zalo
from tests.notifications.channels.conftest import KEY

FOLDERS = {
    Path(package.__path__[0]).name: Path(package.__path__[0])
    for package in (email, esms, push, twilio, zalo, zalo_chat)
}

EXPECTED: Mapping[str, Mapping[str, str]] = {
    "esms": {
        "ok": "100",
        "repeated": "124",
        "recipient": "108",
        "config": "101 102 103 104 118 132 140 300",
        "template": "99 119 120 131 146 159 177",
        "retry": "160",
    },
    "zalo": {
        "ok": "0",
        "access": "-124 -216 -220",
        "recipient": "-108 -110 -114 -118 -119 -134 -139 -141",
        "config": "-101 -102 -103 -104 -105 -106 -115 -117 -135 -136 -137 -242 -321",
        "quota": "-144 -147 -211 -218 -1472",
        "template": "-109 -111 -112 -1121 -1122 -1124 -113 -131 -132 -146",
        "night": "-133 -234",
        "retry": "-32",
        "ambiguous": "-100",
    },
    "zalo_chat": {
        "ok": "0",
        "access": "-124 -216 -220",
        "recipient": "-213 -217 -223 -227 -230 -232 -233 -244 -248",
        "config": "-202 -204 -205 -207 -208 -209 -212 -214 -221 -224 -235 -240 -242 -320 -321",
        "quota": "-211 -218 -231",
        "template": "-201 -210 -241 -305",
        "night": "-234",
        "retry": "-32",
        "ambiguous": "-100 -200",
    },
    "twilio": {
        "recipient": "21211 21214 21408 21610 21612 21614 21635 30003 30004 30005 30006 30008",
        "config": "20003 20404 21603 21606 21659 21701 21703 21705 30007 30029 30030",
        "retry": "20429 21611 21730 30001 30022",
        "template": "21602 21617",
    },
    "email": {
        "recipient": "1.0 1.1 1.2 1.3 1.6 1.10 2.1 4.4 550 551 553",
        "config": "1.7 1.8 7.0 7.1 7.8 7.23 7.25 7.26 530 534 535 538",
        "template": "2.2 2.3 3.4 6.0 552 554 555",
    },
    "push": {
        "ok": "200 201 202 204",
        "recipient": "404 410 bad-keys former-key foreign-endpoint no-subscription",
        "config": "301 302 307 308 401 403",
        "template": "400 413",
        "retry": "406 429 503",
        "ambiguous": "500 502 504",
    },
}

EVERY = [
    pytest.param(provider, code, CodeClass(meaning), id=f"{provider} {code}")
    for provider, classes in EXPECTED.items()
    for meaning, listed in classes.items()
    for code in listed.split()
]

REFUSALS = {
    CodeClass.RECIPIENT: Scope.RECIPIENT,
    CodeClass.CONFIG: Scope.CONFIG,
    CodeClass.TEMPLATE: Scope.TEMPLATE,
    CodeClass.QUOTA: Scope.QUOTA,
    CodeClass.NIGHT: Scope.NIGHT,
}


def table(provider: str) -> CodeTable:
    return codes.load(FOLDERS[provider] / "codes.yaml")


def test_every_table_is_looked_at_here() -> None:
    channels = Path(codes.__file__).parent
    assert {path.parent.name for path in channels.glob("*/codes.yaml")} == set(EXPECTED) == set(FOLDERS)


@pytest.mark.parametrize("provider", sorted(EXPECTED))
def test_no_code_is_without_a_test(provider: str) -> None:
    written = [code for listed in EXPECTED[provider].values() for code in listed.split()]
    assert len(written) == len(set(written))
    assert set(table(provider).classes) == set(written)


@pytest.mark.parametrize(("provider", "code", "meaning"), EVERY)
def test_a_code_means_what_is_written_here(provider: str, code: str, meaning: CodeClass) -> None:
    assert table(provider).class_of(code) is meaning


@pytest.mark.parametrize("provider", sorted(EXPECTED))
def test_a_code_that_nobody_knows_sends_the_message_elsewhere(provider: str) -> None:
    assert table(provider).class_of("31415926") is CodeClass.TEMPLATE


def judged(provider: str, code: str) -> Outcome | None:
    """What the adapter makes of an answer with this code."""
    match provider:
        case "esms":
            body: dict[str, Any] = {"CodeResult": code, "SMSID": "ref"}
            return judged_by_esms(Answer(200, {}, json.dumps(body).encode()), KEY, 1)
        case "zalo" | "zalo_chat":
            return judged_by_zalo(code, "ref", table(provider))
        case "twilio":
            return judged_by_twilio(400, int(code))
        case _:
            reply, enhanced = ("550", f"5.{code}") if "." in code else (code, "")
            return judged_by_email(Refused(Step.RECIPIENT, int(reply), enhanced + " words"))


@pytest.mark.parametrize(
    ("provider", "code", "meaning"), [case for case in EVERY if case.values[0] != "push"]
)
def test_the_adapter_acts_on_it(provider: str, code: str, meaning: CodeClass) -> None:
    outcome = judged(provider, code)
    match meaning:
        case CodeClass.OK:
            assert isinstance(outcome, Accepted)
            assert not outcome.reconciled
        case CodeClass.REPEATED:
            assert isinstance(outcome, Accepted)
            assert outcome.reconciled
        case CodeClass.ACCESS:
            assert outcome is None
        case CodeClass.RETRY:
            assert outcome == Retry(code, crowded=True)
        case CodeClass.AMBIGUOUS:
            assert outcome == Ambiguous(code)
        case refused:
            assert isinstance(outcome, Rejected)
            assert outcome.scope is REFUSALS[refused]


@pytest.mark.parametrize("provider", ["email", "esms", "twilio", "zalo", "zalo_chat"])
def test_an_unknown_code_is_logged_as_an_error(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    outcome = judged(provider, "599")
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.TEMPLATE
    assert "599" in caplog.text
