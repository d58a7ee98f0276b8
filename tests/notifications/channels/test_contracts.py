"""What really goes over the wire keeps to what the providers publish."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from notifications.channels.base import Outgoing
from notifications.channels.esms.channel import EsmsBrandname
from notifications.channels.receipt import Claim
from notifications.channels.twilio.channel import Sender, TwilioSms
from notifications.channels.twilio.client import PooledHttpClient
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.kinds import KINDS, LANGUAGES
from tests.notifications.channels.conftest import KEY
from tests.notifications.channels.local_provider import Heard, LocalProvider, Reply
from tests.notifications.channels.test_zalo import Tokens

Build = Callable[..., Outgoing]
CONTRACTS = Path(__file__).parent.parent / "contracts"
NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
PUBLIC = "https://kham.example.vn"
MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
SERVICE = "MG" + "b" * 32


def contract(name: str) -> Any:
    return json.loads((CONTRACTS / f"{name}.json").read_text(encoding="utf-8"))


def complaints(schema: Mapping[str, Any], value: Any) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True)
    return [error.message for error in validator.iter_errors(value)]


def typed(values: Mapping[str, str], properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A form or a query as its schema sees it: the wire knows only text."""
    as_written: dict[str, Any] = dict(values)
    for name, text in values.items():
        if properties.get(name, {}).get("type") == "integer" and text.isdecimal():
            as_written[name] = int(text)
    return as_written


# Twilio.


def twilio_problems(heard: Heard) -> list[str]:
    api = contract("twilio")
    operation = api["paths"][MESSAGES][heard.method.lower()]
    parameters = {
        place: {item["name"]: item["schema"] for item in operation["parameters"] if item["in"] == place}
        for place in ("path", "query")
    }
    before, _, after = MESSAGES.partition("{AccountSid}")
    if not heard.path.startswith(before) or not heard.path.endswith(after):
        return [f"no such path: {heard.path}"]
    account_sid = heard.path[len(before) : -len(after)]
    found = complaints(parameters["path"]["AccountSid"], account_sid)
    if heard.method == "GET":
        schema: dict[str, Any] = {"type": "object", "properties": parameters["query"]}
        given = typed(heard.query, parameters["query"])
    else:
        schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        given = typed(heard.form(), schema["properties"])
        found += unmet(operation["x-twilio"]["conditional"], given)
    # Twilio ignores what it does not know, and so would the schema: a misspelt name must not pass here.
    strict = {**schema, "additionalProperties": False, "components": api["components"]}
    return found + complaints(strict, given)


def unmet(conditional: list[list[str]], given: Mapping[str, Any]) -> list[str]:
    """Twilio's groups of parameters of which at least one has to be there."""
    names = {name.lower() for name in given}
    return [
        f"none of {group}" for group in conditional if not {name.replace("_", "") for name in group} & names
    ]


SENDERS = [Sender("SKTINH"), Sender("+12025550123", SERVICE), Sender(None, SERVICE, redacts=False)]


def twilio(provider: LocalProvider, sender: Sender) -> TwilioSms:
    client = PooledHttpClient(provider.url, timeout=1)
    return TwilioSms("AC" + "a" * 32, "token", sender, PUBLIC, client)


@pytest.mark.parametrize("sender", SENDERS)
def test_our_sends_and_look_ups_are_as_twilio_publishes_them(
    provider: LocalProvider, outgoing: Build, sender: Sender
) -> None:
    channel = twilio(provider, sender)
    provider.will(Reply(201, {"sid": "SM1", "num_segments": "1"}))
    for kind in KINDS:
        for language in LANGUAGES:
            message = outgoing(kind, language, accented=language == "vi", expires_at=NOW + timedelta(days=2))
            channel.send(message, uuid4())
    provider.will(Reply(200, {"messages": [], "next_page_uri": None}))
    channel.lookup(outgoing(), KEY, NOW, frozenset(), 0)
    assert {heard.method for heard in provider.heard} == {"POST", "GET"}
    for heard in provider.heard:
        assert twilio_problems(heard) == []
        if heard.method == "POST":
            assert 1 <= int(heard.form()["ValidityPeriod"]) <= 36_000
            assert len(heard.form()["Body"]) <= 1600


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ("To=%2B84912345678&From=X&Body=a&StatusCalback=https%3A%2F%2Fx.vn", "StatusCalback"),
        ("To=%2B84912345678&From=X&Body=a&ValidityPeriod=soon", "soon"),
        ("To=%2B84912345678&From=X&Body=a&ContentRetention=remove", "remove"),
        ("To=%2B84912345678&MessagingServiceSid=MG1&Body=a", "MG1"),
        ("To=%2B84912345678&Body=a", "none of"),
        ("From=X&Body=a", "To"),
    ],
)
def test_the_contract_bites(form: str, complaint: str) -> None:
    path = MESSAGES.replace("{AccountSid}", "AC" + "a" * 32)
    heard = Heard("POST", path, {}, {}, form.encode())
    assert any(complaint in problem for problem in twilio_problems(heard))
    assert twilio_problems(Heard("GET", path, {"Too": "1"}, {}, b""))
    assert twilio_problems(Heard("GET", path.replace("AC", "XX"), {}, {}, b""))


# eSMS.


def test_our_requests_are_as_esms_describes_them(provider: LocalProvider, outgoing: Build) -> None:
    schemas = contract("esms")
    channel = EsmsBrandname(
        api_key="api",
        secret_key="secret",
        brandname="SOYTETINH",
        base_url=provider.url,
        public_base_url=PUBLIC,
    )
    provider.will(Reply(body={"CodeResult": "100", "SMSID": "d533"}))
    for kind in KINDS:
        for language in LANGUAGES:
            channel.send(outgoing(kind, language, accented=language == "vi"), uuid4())
    for heard in provider.heard:
        assert heard.headers["content-type"] == "application/json"
        assert complaints(schemas["send"], heard.json()) == []
    assert len({heard.json()["RequestId"] for heard in provider.heard}) == len(provider.heard)
    provider.heard.clear()
    provider.will(Reply(body={"CodeResponse": "105"}), Reply(body={"CodeResult": "100"}))
    channel.confirmed(Claim("esms", KEY, "named"))
    channel.template_states()
    asked, listed = provider.heard
    assert complaints(schemas["status"], asked.query) == []
    assert complaints(schemas["templates"], listed.json()) == []
    assert complaints(schemas["send"], {**asked.query, "Phone": "+84912345678"})


# Zalo.


def test_our_requests_are_as_zalo_describes_them(provider: LocalProvider, outgoing: Build) -> None:
    schemas = contract("zalo")
    channel = ZaloTemplateMessages(Tokens("token"), provider.url, proof_secret="app-secret")
    provider.will(Reply(body={"error": 0, "data": {"msg_id": "z1"}}))
    for kind in (name for name, kind in KINDS.items() if "zalo" in kind.channels):
        for language in LANGUAGES:
            channel.send(outgoing(kind, language), uuid4())
    channel.send(outgoing(address="4242424242"), uuid4())
    for heard in provider.heard:
        assert complaints(schemas["send"], heard.json()) == []
        assert complaints(schemas["headers"], dict(heard.headers)) == []
    provider.heard.clear()
    provider.will(
        Reply(body={"error": 0, "data": []}), Reply(body={"error": 0, "data": {"remainingQuota": 1}})
    )
    channel.template_states()
    channel.remaining()
    listed, quota = provider.heard
    properties = schemas["templates"]["properties"]
    assert (listed.method, listed.path) == ("GET", "/template/all")
    assert complaints(schemas["templates"], typed(listed.query, properties)) == []
    assert (quota.method, quota.path) == ("GET", "/message/quota")
    assert complaints(schemas["quota"], quota.query) == []
