"""Zalo's questions and the mail server's conversation, against the sandbox."""

from collections.abc import Callable

import requests

from notifications.channels.base import Accepted, Outgoing, Rejected, Scope
from notifications.channels.email.account import read
from notifications.channels.provider import Host, Metered, Templated
from notifications.settings import NotificationSettings
from tests.notifications.channels.conftest import KEY
from tests.notifications.conftest import World

Build = Callable[..., Outgoing]


def test_zalo_tells_its_templates_and_its_quota(world: World) -> None:
    host = Host(world.engine, world.sealer, world.settings.public_base_url)
    adapter = world.settings.configured["zalo"].account.connect(host)
    assert isinstance(adapter, Templated)
    assert isinstance(adapter, Metered)
    states = adapter.template_states()
    assert states
    assert set(states.values()) == {"ENABLE"}
    assert (adapter.remaining() or 0) > 0


def test_zalo_takes_the_proof_of_the_applications_secret(world: World, outgoing: Build) -> None:
    limits = f"{world.sandbox.url}/_sandbox/zalo/limits"
    environ = {"ZALO_APP_ID": world.settings.configured["zalo"].account.app_id}  # type: ignore[attr-defined]
    requests.post(limits, json={"appsecret_proof": True}, timeout=5).raise_for_status()
    try:
        sent = {}
        for proven in ("0", "1"):
            settings = NotificationSettings.from_environ(
                environ | {"ZALO_APPSECRET_PROOF": proven}, sandbox_url=world.sandbox.url
            )
            host = Host(world.engine, world.sealer, settings.public_base_url)
            adapter = settings.configured["zalo"].account.connect(host)
            sent[proven] = adapter.send(outgoing(address=world.new_phone()), KEY)
    finally:
        requests.post(limits, json={"appsecret_proof": False}, timeout=5).raise_for_status()
    assert sent["0"] == Rejected("-242", Scope.CONFIG)
    assert isinstance(sent["1"], Accepted)


def test_a_letter_arrives_in_the_sandboxs_mailbox(world: World, outgoing: Build) -> None:
    account = read({"SMTP_URL": world.sandbox.smtp_url, "SMTP_FROM": "Sở Y tế <thu@syt.example.vn>"})
    assert account is not None
    host = Host(world.engine, world.sealer, world.settings.public_base_url)
    mailbox = "ba.sau.sandbox@example.com"
    assert isinstance(account.connect(host).send(outgoing(address=mailbox), KEY), Accepted)
    world.until(lambda: bool(world.sandbox.messages(mailbox)))
    (received,) = world.sandbox.messages(mailbox)
    assert "Đã đặt lịch khám" in str(received)
    assert "482913" in str(received)
