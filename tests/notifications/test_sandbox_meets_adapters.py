"""Every adapter against every way in which the sandbox fails: what it concludes, and what really happened."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import create_engine

from notifications.channels.base import Accepted, Ambiguous, Channel, Outgoing, Rejected, Retry, Subscription
from notifications.channels.esms.channel import EsmsBrandname
from notifications.channels.provider import Host
from notifications.channels.receipt import Claim
from notifications.channels.registry import BUILT_IN
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.kinds import KINDS
from notifications.templates import CATALOGUE
from tests.notifications.conftest import SAMPLE, SandboxClient
from tests.notifications.hosting import OwnSealer
from tests.notifications.sandboxes import new_phone, until
from tests.notifications.test_sandbox_mail import new_address
from tests.notifications.test_sandbox_push import browser_of
from tests.notifications.test_sandbox_zalo import FIRST, refreshed

PATIENCE = 0.6
PROVIDERS = ("twilio", "zalo", "esms", "push", "smtp")
# Mail's provider is the channel's name on our side, and the protocol's in the sandbox.
ACCOUNTS = {{"email": "smtp"}.get(found.name, found.name): found for found in BUILT_IN}


class Tokens:
    """An access token that renews itself, as the product's does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._app_id = str(uuid4())
        self._pair = refreshed(url, FIRST, self._app_id)

    def current(self) -> str:
        return str(self._pair["access_token"])

    def renewed(self, stale: str) -> str:
        self._pair = refreshed(self._url, self._pair["refresh_token"], self._app_id)
        return self.current()


@dataclass(frozen=True)
class Meeting:
    """An adapter, somebody it can reach, and under which name the sandbox has it."""

    provider: str
    channel: Channel
    address: str
    message: Outgoing


def vapid_key() -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def adapter(provider: str, sandbox: SandboxClient) -> Channel:
    """As the settings make it; only Zalo's tokens, which live in a database, come from somewhere else."""
    if provider == "zalo":
        return ZaloTemplateMessages(Tokens(sandbox.url), sandbox.url, timeout=PATIENCE)
    found = ACCOUNTS[provider]
    environ = {
        **found.sandbox(sandbox.url),
        "SMTP_URL": sandbox.smtp_url,
        "VAPID_PRIVATE_KEY": vapid_key(),
    }
    nowhere = create_engine("postgresql+psycopg://")
    account = found.account(environ)
    assert account is not None
    return account.connect(Host(nowhere, OwnSealer(), "http://127.0.0.1:9", timeout=PATIENCE))


def meet(provider: str, sandbox: SandboxClient) -> Meeting:
    address = new_address() if provider == "smtp" else new_phone()
    browsers: tuple[Subscription, ...] = ()
    if provider == "push":
        browser = browser_of(sandbox, address)
        browsers = (Subscription(uuid4(), browser["endpoint"], browser["p256dh"], browser["auth"]),)
    now = datetime.now(UTC)
    message = Outgoing(
        address=address,
        template=CATALOGUE.template("appointment-booked", "vi"),
        params={name: SAMPLE[name] for name in KINDS["appointment-booked"].params},
        now=now,
        expires_at=now + timedelta(hours=2),
        subscriptions=browsers,
        provider_template_id=CATALOGUE.template("appointment-booked", "vi").zalo.template_id,
    )
    return Meeting(provider, adapter(provider, sandbox), address, message)


# A mail server that fails after it took a letter says a plain 451: nobody can tell it from the others.
EXPECTED: dict[str, tuple[type, int, dict[str, type]]] = {
    "no-receipts": (Accepted, 1, {}),
    "latency": (Accepted, 1, {}),
    "out-of-order-receipts": (Accepted, 1, {}),
    "429": (Retry, 0, {}),
    "500": (Ambiguous, 0, {"smtp": Retry}),
    "accept-then-500": (Ambiguous, 1, {"smtp": Retry}),
    "hang": (Ambiguous, 0, {}),
    "hang-after-accept": (Ambiguous, 1, {}),
    "drop": (Ambiguous, 0, {}),
    "drop-after-accept": (Ambiguous, 1, {}),
    "reject": (Rejected, 0, {}),
}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", EXPECTED)
def test_an_adapter_concludes_no_more_than_it_can_know(
    sandbox: SandboxClient, provider: str, fault: str
) -> None:
    expected, accepted, others = EXPECTED[fault]
    met = meet(provider, sandbox)
    slow = 1.5 * PATIENCE if fault.startswith("hang") else 0.2
    sandbox.fault(provider, fault, to=met.address, seconds=slow)
    outcome = met.channel.send(met.message, uuid4())
    assert type(outcome) is others.get(provider, expected), outcome
    assert len(sandbox.messages(met.address)) == accepted


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_used_up_quota_is_no_fault_of_the_recipient(sandbox: SandboxClient, provider: str) -> None:
    met = meet(provider, sandbox)
    sandbox.fault(provider, "quota", to=met.address, seconds=5)
    outcome = met.channel.send(met.message, uuid4())
    assert isinstance(outcome, Retry) or (isinstance(outcome, Rejected) and outcome.scope != "recipient")
    assert sandbox.messages(met.address) == []


def test_an_expired_token_is_renewed_on_the_way(sandbox: SandboxClient) -> None:
    met = meet("zalo", sandbox)
    sandbox.fault("zalo", "token-expired", to=met.address)
    assert isinstance(met.channel.send(met.message, uuid4()), Accepted)
    assert len(sandbox.messages(met.address)) == 1


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "zalo"])
def test_refused_credentials_are_a_matter_for_the_operator(sandbox: SandboxClient, provider: str) -> None:
    met = meet(provider, sandbox)
    sandbox.fault(provider, "token-expired", to=met.address)
    outcome = met.channel.send(met.message, uuid4())
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "config"


def test_esms_drops_the_second_copy_of_a_lost_answer(sandbox: SandboxClient) -> None:
    met, key = meet("esms", sandbox), uuid4()
    sandbox.fault("esms", "drop-after-accept", to=met.address)
    assert isinstance(met.channel.send(met.message, key), Ambiguous)
    outcome = met.channel.send(met.message, key)
    assert isinstance(outcome, Accepted)
    assert outcome.reconciled
    assert len(sandbox.messages(met.address)) == 1


def test_push_replaces_the_first_copy_of_a_lost_answer(sandbox: SandboxClient) -> None:
    met, key = meet("push", sandbox), uuid4()
    (browser,) = (
        item
        for item in requests.get(sandbox.url + "/_sandbox/push-subscriptions", timeout=5).json()["items"]
        if item["to"] == met.address
    )
    place = f"{sandbox.url}/_sandbox/push-subscriptions/{browser['id']}"
    requests.post(place, json={"online": False}, timeout=5).raise_for_status()
    sandbox.fault("push", "drop-after-accept", to=met.address)
    assert isinstance(met.channel.send(met.message, key), Ambiguous)
    assert isinstance(met.channel.send(met.message, key), Accepted)
    requests.post(place, json={"online": True}, timeout=5).raise_for_status()
    assert sorted(item["status"] for item in sandbox.messages(met.address))[-1] == "replaced"


def test_an_ended_subscription_is_told_by_its_id(sandbox: SandboxClient) -> None:
    met = meet("push", sandbox)
    sandbox.fault("push", "reject", to=met.address)
    outcome = met.channel.send(met.message, uuid4())
    assert isinstance(outcome, Rejected)
    assert outcome.gone == (met.message.subscriptions[0].id,)


def test_zalo_tells_the_states_of_templates_and_the_days_quota(sandbox: SandboxClient) -> None:
    met = meet("zalo", sandbox)
    assert isinstance(met.channel, ZaloTemplateMessages)
    template_id = met.message.template.zalo.template_id
    place = sandbox.url + "/_sandbox/zalo/templates"
    assert met.channel.template_states()[template_id] == "ENABLE"
    left = met.channel.remaining()
    requests.post(place, json={"template_id": template_id, "status": "REJECT"}, timeout=5).raise_for_status()
    try:
        assert met.channel.template_states()[template_id] == "REJECT"
        outcome = met.channel.send(met.message, uuid4())
        assert isinstance(outcome, Rejected)
        assert outcome.scope == "template"
    finally:
        requests.delete(place, timeout=5)
    assert isinstance(met.channel.send(met.message, uuid4()), Accepted)
    assert left is not None
    assert met.channel.remaining() == left - 1


@pytest.mark.parametrize(("fault", "told"), [(None, "delivered"), ("undelivered", "undelivered")])
def test_esms_confirms_what_became_of_a_message(sandbox: SandboxClient, fault: str | None, told: str) -> None:
    met, key = meet("esms", sandbox), uuid4()
    assert isinstance(met.channel, EsmsBrandname)
    if fault is not None:
        sandbox.fault("esms", fault, to=met.address)
    outcome = met.channel.send(met.message, key)
    assert isinstance(outcome, Accepted)
    until(lambda: sandbox.messages(met.address)[0]["status"] == told)
    receipt = met.channel.confirmed(Claim("esms", key, ref=outcome.ref, recorded=outcome.ref))
    assert receipt is not None
    assert receipt.told == told
