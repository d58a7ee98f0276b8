"""A refresh token that works once, used by many at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import requests

from notifications.channels.base import Outgoing, Retry
from notifications.channels.provider import Host
from notifications.channels.zalo.account import ZaloAccount
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.channels.zalo.tokens import ZaloTokens
from notifications.settings import NotificationSettings
from notifications.templates import CATALOGUE
from tests.notifications.conftest import SAMPLE, World


def zalo_tokens(world: World, settings: NotificationSettings | None = None) -> ZaloTokens:
    account = (settings or world.settings).configured["zalo"].account
    assert isinstance(account, ZaloAccount)
    return account.tokens(Host(world.engine, world.sealer, world.settings.public_base_url, timeout=1.0))


def version_and_state(world: World) -> tuple[int, str]:
    (row,) = world.rows("SELECT version, state FROM notifications.provider_token")
    return row.version, row.state


def test_sixteen_threads_of_two_processes_refresh_once(world: World) -> None:
    processes = [zalo_tokens(world) for _ in range(2)]
    with ThreadPoolExecutor(16) as pool:
        tokens = set(pool.map(lambda number: processes[number % 2].current(), range(16)))
    assert len(tokens) == 1
    assert None not in tokens
    assert version_and_state(world) == (2, "ok")


def test_an_expired_access_token_is_renewed_and_the_message_sent_once(world: World) -> None:
    first, second = world.new_phone(), world.new_phone()
    with world.dispatching():
        world.enqueue(world.message("appointment-booked", first))
        world.until(lambda: bool(world.sandbox.messages(first)))
        world.sandbox.fault("zalo", "token-expired")
        world.enqueue(world.message("appointment-booked", second))
        world.until(lambda: bool(world.sandbox.messages(second)))
    assert [message["channel"] for message in world.sandbox.messages(second)] == ["zalo"]
    assert version_and_state(world) == (3, "ok")


def cut_off(world: World) -> None:
    """Leave the row as a process leaves it that died during a refresh, a minute ago."""
    tokens = zalo_tokens(world)
    tokens.current()
    world.run(
        "UPDATE notifications.provider_token SET state = 'refreshing', access_token = NULL,"
        " refresh_started_at = clock_timestamp() - interval '1 minute'"
    )


def test_a_refresh_cut_off_before_it_left_is_done_again(world: World) -> None:
    cut_off(world)
    tokens = zalo_tokens(world)
    assert tokens.current() is not None
    assert version_and_state(world) == (3, "ok")


def test_a_burnt_token_needs_a_person_and_meanwhile_sms_goes_out(world: World) -> None:
    cut_off(world)
    world.run("UPDATE notifications.provider_token SET refresh_token = :token", token=burnt(world))
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["sms"]
    assert version_and_state(world)[1] == "needs_reauth"

    # The administrator authorises again, and the new first token takes over.
    used = requests.post(
        f"{world.sandbox.url}/v4/oa/access_token",
        data={
            "app_id": "authorised-again",
            "refresh_token": "demo-zalo-first-refresh",
            "grant_type": "refresh_token",
        },
        headers={"secret_key": "demo-zalo-application"},
        timeout=5,
    ).json()
    environ = {
        "PUBLIC_BASE_URL": world.settings.public_base_url,
        "ZALO_APP_ID": "authorised-again",
        "ZALO_REFRESH_TOKEN": used["refresh_token"],
    }
    renewed = NotificationSettings.from_environ(environ, sandbox_url=world.sandbox.url)
    tokens = zalo_tokens(world, renewed)
    assert tokens.current() is not None
    assert version_and_state(world)[1] == "ok"


def test_one_thread_waits_in_vain_for_another_process_and_not_each_after_the_other(world: World) -> None:
    cut_off(world)
    world.run("UPDATE notifications.provider_token SET refresh_started_at = clock_timestamp()")
    tokens = zalo_tokens(world)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: tokens.current(), range(8))) == {None}
    assert time.monotonic() - began < 4


class SlowTokens:
    """Tokens that take long to come, as when another process refreshes them."""

    def current(self) -> str:
        time.sleep(1.1)
        return "a good one"

    def renewed(self, stale: str) -> str:
        return stale

    def renew_when_due(self) -> None: ...


def test_who_waited_long_for_a_token_may_have_lost_the_lease_and_sends_nothing(world: World) -> None:
    phone = world.new_phone()
    template = CATALOGUE.template("appointment-booked", "vi")
    now = world.now()
    message = Outgoing(
        phone,
        template,
        SAMPLE,
        now=now,
        expires_at=now + timedelta(hours=2),
        provider_template_id=template.zalo.template_id,
    )
    outcome = ZaloTemplateMessages(SlowTokens(), world.sandbox.url).send(message, uuid4())
    assert isinstance(outcome, Retry)
    assert world.sandbox.messages(phone) == []


def burnt(world: World) -> bytes:
    return world.sealer.seal(b'"a token that was used before"', b"notifications.token")


def test_a_tick_renews_in_good_time(world: World) -> None:
    tokens = zalo_tokens(world)
    tokens.renew_when_due()
    tokens.renew_when_due()
    assert version_and_state(world) == (2, "ok")
    world.run(
        "UPDATE notifications.provider_token SET access_expires_at = clock_timestamp() + interval '5 hours'"
    )
    tokens.renew_when_due()
    assert version_and_state(world) == (3, "ok")
