"""A folder outside the package, named by NOTIFICATION_PROVIDERS, carries messages like ours do."""

import json
import threading
from hmac import digest
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from notifications import receipts
from notifications.channels.provider import Host, Listening
from notifications.channels.receipt import BadReceipt, Webhook
from notifications.dispatcher import Dispatcher
from notifications.settings import NotificationSettings
from tests.notifications.channels.local_provider import LocalProvider, Reply
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK

FOLDER = Path(__file__).parent.parent / "own_provider"


@pytest.fixture
def settings(provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> NotificationSettings:
    monkeypatch.syspath_prepend(FOLDER)
    return NotificationSettings.from_environ(
        {
            "NOTIFICATION_PROVIDERS": "hue_sms",
            "HUE_SMS_URL": provider.url,
            "HUE_SMS_SECRET": "s3",
            "PUBLIC_BASE_URL": "https://kham.example.vn",
            "PROVIDER_RATES": "hue-sms:25",
        }
    )


def test_its_settings_are_read_like_those_of_the_others(settings: NotificationSettings) -> None:
    assert set(settings.configured) == {"hue-sms"}
    configured = settings.configured["hue-sms"]
    assert (configured.rate, configured.tariff.cost(2)) == (25.0, 640)


def test_it_carries_a_message_and_its_receipt(
    world: World, provider: LocalProvider, settings: NotificationSettings
) -> None:
    provider.will(Reply(500), Reply(body={"code": 0, "number": "h7"}))
    host = Host(world.engine, world.sealer, settings.public_base_url, QUICK.timeout)
    sender = Dispatcher(
        world.engine, settings.carriers(host), world.sealer, policy=QUICK, listen_url=world.listen_url
    )
    stop = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    world.enqueue(world.message("otp", "+84912345678"))
    world.until(lambda: world.states() == ["accepted"])
    stop.set()
    thread.join()
    tries = [heard.json() for heard in provider.heard]
    assert len(tries) == 2
    assert tries[0] == tries[1]
    assert "482913" in tries[0]["text"]

    account = settings.configured["hue-sms"].account
    assert isinstance(account, Listening)
    body = json.dumps({"number": "h7", "state": "arrived", "ours": tries[0]["ours"]}).encode()
    headers = {"x-signature": digest(b"s3", body, "sha256").hex()}
    told = account.receipts(Webhook(headers, body, ""), now=world.now())
    with Session(world.engine) as session, session.begin():
        assert receipts.apply(session, told, now=world.now()) == 1
    assert world.states() == ["delivered"]
    with pytest.raises(BadReceipt):
        account.receipts(Webhook({}, body, ""), now=world.now())
