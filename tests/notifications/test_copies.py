"""A copy for the browsers in which somebody has turned push messages on."""

from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy.orm import Session

from notifications import Recipient
from notifications.channels.push.account import PushAccount
from notifications.settings import NotificationSettings
from notifications.subscriptions import Offered, Subscriptions
from tests.notifications.conftest import World
from tests.notifications.test_push import PRIVATE_KEY


@pytest.fixture
def pushing(world: World) -> World:
    """The same world with a key for push services."""
    environ = {
        "PUBLIC_BASE_URL": world.settings.public_base_url,
        "ZALO_APP_ID": str(uuid4()),
        "VAPID_PRIVATE_KEY": PRIVATE_KEY,
    }
    world.settings = NotificationSettings.from_environ(environ, sandbox_url=world.sandbox.url)
    return world


def browser_of(world: World, owner: UUID, phone: str) -> str:
    """Turn push on in a browser of the sandbox; returns its id there."""
    account = world.settings.configured["push"].account
    assert isinstance(account, PushAccount)
    made = requests.post(
        f"{world.sandbox.url}/_sandbox/push-subscriptions",
        json={"to": phone, "application_server_key": account.public_key},
        timeout=5,
    ).json()
    keys = made.get("keys", made)
    offered = Offered(made["endpoint"], keys["p256dh"], keys["auth"])
    with Session(world.engine) as session, session.begin():
        Subscriptions(world.sealer).subscribe(session, owner, offered, now=world.now())
    return str(made["id"])


def tell(world: World, owner: UUID, phone: str, kind: str = "appointment-booked") -> None:
    world.enqueue(world.message(kind, phone, recipient=Recipient(phone=phone, owner=owner)))


def channels(world: World, phone: str) -> list[str]:
    return sorted(message["channel"] for message in world.sandbox.messages(phone))


def test_who_has_turned_push_on_gets_a_copy_on_every_browser(pushing: World) -> None:
    owner, phone = uuid4(), pushing.new_phone()
    for _ in range(2):
        browser_of(pushing, owner, phone)
    tell(pushing, owner, phone)
    pushing.dispatch_until_empty()
    assert channels(pushing, phone) == ["push", "push", "zalo"]
    assert pushing.states() == ["accepted", "accepted"]


def test_who_has_not_gets_none_and_a_code_is_never_copied(pushing: World) -> None:
    owner, phone = uuid4(), pushing.new_phone()
    tell(pushing, owner, phone)
    browser_of(pushing, uuid4(), phone)
    browser_of(pushing, owner, phone)
    pushing.dispatch_until_empty()
    tell(pushing, owner, phone, "otp")
    pushing.dispatch_until_empty()
    assert channels(pushing, phone) == ["push", "sms", "zalo"]


def test_a_message_tried_twice_is_copied_once(pushing: World) -> None:
    owner, phone = uuid4(), pushing.new_phone()
    browser_of(pushing, owner, phone)
    pushing.sandbox.fault("zalo", "429", to=phone, seconds=0)
    tell(pushing, owner, phone)
    pushing.dispatch_until_empty()
    assert channels(pushing, phone) == ["push", "zalo"]


def test_a_browser_that_is_gone_is_forgotten_and_troubles_nobody(pushing: World) -> None:
    owner, phone = uuid4(), pushing.new_phone()
    gone = browser_of(pushing, owner, phone)
    requests.delete(f"{pushing.sandbox.url}/_sandbox/push-subscriptions/{gone}", timeout=5).raise_for_status()
    tell(pushing, owner, phone)
    pushing.dispatch_until_empty()
    assert channels(pushing, phone) == ["zalo"]
    assert sorted(pushing.states()) == ["accepted", "suppressed"]
    assert pushing.count("push_subscription") == 0
    assert pushing.count("unreachable") == 0
