"""eSMS from the outbox to the phone and back, against the sandbox, which shares no code with the adapter."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from sqlalchemy.orm import Session

from notifications import claims, receipts
from notifications.channels.provider import Host, Listening
from notifications.channels.receipt import Webhook
from notifications.settings import NotificationSettings
from tests.notifications.conftest import Listener, World


@pytest.fixture
def by_esms(world: World, listener: Listener) -> World:
    environ = {"PUBLIC_BASE_URL": listener.url}
    everybody = NotificationSettings.from_environ(environ, sandbox_url=world.sandbox.url)
    alone = {"esms": everybody.configured["esms"]}
    return replace(world, settings=replace(everybody, configured=alone))


def called_back(world: World, listener: Listener) -> bool:
    """Take what eSMS has called back with about the only message; says whether there was anything."""
    account = world.settings.configured["esms"].account
    assert isinstance(account, Listening)
    (sent,) = world.rows("SELECT idem_key FROM notifications.delivery_attempt WHERE outcome = 'accepted'")
    found = False
    for call in list(listener.calls):
        parts = urlsplit(call.path)
        if not parts.path.startswith("/webhooks/esms/"):
            continue
        webhook = Webhook({}, b"", listener.url + call.path, parts.path.rpartition("/")[2])
        told = [each for each in account.receipts(webhook, now=world.now()) if each.key == sent.idem_key]
        with Session(world.engine) as session, session.begin():
            receipts.apply(session, told, now=world.now())
        found = found or any(each.told != "accepted" for each in told)
    return found


def send(world: World, phone: str) -> None:
    world.enqueue(world.message("otp", phone))
    with world.dispatching():
        world.until(lambda: world.states() == ["accepted"])


def test_a_message_arrives_and_is_known_to_have_arrived(by_esms: World, listener: Listener) -> None:
    phone = by_esms.new_phone()
    send(by_esms, phone)
    by_esms.until(lambda: called_back(by_esms, listener))
    assert by_esms.states() == ["delivered"]
    (received,) = by_esms.sandbox.messages(phone)
    assert (received["provider"], received["sender"]) == ("esms", "SOYTETINH")


@pytest.mark.parametrize("fault", ["accept-then-500", "drop-after-accept", "hang-after-accept", "500", "429"])
def test_whatever_becomes_of_the_answer_the_phone_gets_it_once(by_esms: World, fault: str) -> None:
    phone = by_esms.new_phone()
    by_esms.sandbox.fault("esms", fault, to=phone)
    send(by_esms, phone)
    assert len(by_esms.sandbox.messages(phone)) == 1


def test_a_failure_counts_once_the_sandbox_confirms_it(by_esms: World, listener: Listener) -> None:
    phone = by_esms.new_phone()
    by_esms.sandbox.fault("esms", "undelivered", to=phone)
    send(by_esms, phone)
    by_esms.until(lambda: called_back(by_esms, listener))
    assert by_esms.states() == ["accepted"]
    with Session(by_esms.engine) as session:
        open_claims = claims.unconfirmed(session, ["esms"], now=by_esms.now())
    assert len(open_claims) == 1
    host = Host(by_esms.engine, by_esms.sealer, by_esms.settings.public_base_url)
    found = claims.asked(open_claims, by_esms.settings.carriers(host))
    assert [each.told for each in found] == ["undelivered"]
    with Session(by_esms.engine) as session, session.begin():
        receipts.apply(session, found, now=by_esms.now())
    assert by_esms.states() in (["undelivered"], ["falling_back"])
