"""A refresh token that works once, used by many at once."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from notifications.channels.base import Outgoing, Retry
from notifications.channels.provider import Host
from notifications.channels.zalo.account import ZaloAccount, read
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.channels.zalo.tokens import ZaloTokens
from notifications.settings import NotificationSettings
from notifications.templates import CATALOGUE
from tests.notifications.channels.local_provider import LocalProvider, Reply, local_provider
from tests.notifications.conftest import SAMPLE, World


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with local_provider() as found:
        yield found


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


def authorised_again(world: World) -> NotificationSettings:
    """Settings with the first token of another consent of the administrator."""
    account = world.settings.configured["zalo"].account
    assert isinstance(account, ZaloAccount)
    given = requests.post(
        f"{world.sandbox.url}/_sandbox/zalo/authorise", params={"app_id": account.app_id}, timeout=5
    ).json()
    environ = {
        "PUBLIC_BASE_URL": world.settings.public_base_url,
        "ZALO_APP_ID": account.app_id,
        "ZALO_REFRESH_TOKEN": given["refresh_token"],
    }
    return NotificationSettings.from_environ(environ, sandbox_url=world.sandbox.url)


def test_a_process_with_older_settings_brings_no_used_token_back(world: World) -> None:
    again = authorised_again(world)
    assert zalo_tokens(world).current() is not None
    fresh = zalo_tokens(world, again).current()
    assert fresh is not None
    for settings in (world.settings, again, world.settings, again):
        assert zalo_tokens(world, settings).current() == fresh
    # And the chain goes on, whoever refreshes.
    for settings in (world.settings, again):
        renewed = zalo_tokens(world, settings).renewed(fresh)
        assert renewed not in {None, fresh}
        fresh = str(renewed)
    assert version_and_state(world)[1] == "ok"


def test_one_thread_waits_in_vain_for_another_process_and_not_each_after_the_other(world: World) -> None:
    cut_off(world)
    world.run("UPDATE notifications.provider_token SET refresh_started_at = clock_timestamp()")
    tokens = zalo_tokens(world)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: tokens.current(), range(8))) == {None}
    assert time.monotonic() - began < 4


def journalled(world: World, journal: Path) -> ZaloTokens:
    account = world.settings.configured["zalo"].account
    assert isinstance(account, ZaloAccount)
    host = Host(world.engine, world.sealer, world.settings.public_base_url, timeout=1.0)
    return replace(account, journal=journal).tokens(host)


def test_an_answer_in_the_journal_that_is_not_about_this_row_is_left_alone(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "zalo-tokens"
    waiting = {"refresh": "r", "access": "a", "lifetime": 60, "version": 7, "bootstrap": "00"}
    path.write_bytes(world.sealer.seal(json.dumps(waiting).encode(), b"notifications.token"))
    assert journalled(world, path).current() not in {None, "a"}
    # The next answer has taken its place, and was committed.
    assert not path.exists()
    assert version_and_state(world) == (2, "ok")


def test_a_journal_that_cannot_be_written_costs_no_tokens(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert journalled(world, tmp_path / "missing" / "zalo-tokens").current() is not None
    assert "journal cannot be written" in caplog.text
    assert version_and_state(world) == (2, "ok")


def test_the_journal_has_a_place_of_its_own_or_one_in_the_state_folder() -> None:
    real = {"ZALO_APP_ID": "1", "ZALO_APP_SECRET": "2", "ZALO_OA_SECRET": "3", "ZALO_REFRESH_TOKEN": "4"}
    given: list[dict[str, str]] = [
        {},
        {"VAR_DIR": "/state"},
        {"VAR_DIR": "/state", "ZALO_TOKEN_JOURNAL": "/own"},
    ]
    accounts = [read(real | more) for more in given]
    assert [account and account.journal for account in accounts] == [
        None,
        Path("/state/zalo-tokens"),
        Path("/own"),
    ]


def by_provider(world: World, provider: LocalProvider) -> ZaloTokens:
    """Tokens from an OAuth that answers as it is told."""
    return ZaloTokens(
        world.engine,
        world.sealer,
        app_id="1",
        app_secret="2",
        oauth_url=provider.url,
        bootstrap_refresh_token="first",
        timeout=1.0,
    )


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(body={"error": -14014, "error_name": "Invalid refresh token"}), "needs_reauth"),
        (Reply(body={"error": -14999, "error_name": "Invalid refresh token"}), "needs_reauth"),
        (Reply(400, {"error": "invalid_grant"}), "needs_reauth"),
        (Reply(body={"error": -14004, "error_name": "Invalid secret key"}), "ok"),
        (Reply(body={"error": -14003, "error_name": "Busy"}), "ok"),
        (Reply(429, {"error": 429}), "ok"),
        (Reply(500, {"error": -1}), "refreshing"),
        (Reply(200, b"<html>"), "refreshing"),
        *((Reply(body=odd), "refreshing") for odd in ([], {}, "x", 7, None, {"error": None})),
        (Reply(body={"access_token": "a"}), "refreshing"),
        (Reply(body={"access_token": None, "refresh_token": []}), "refreshing"),
    ],
)
def test_only_an_answer_that_says_so_needs_a_person(
    world: World, provider: LocalProvider, reply: Reply, state: str
) -> None:
    provider.will(reply)
    assert by_provider(world, provider).current() is None
    assert version_and_state(world) == (1, state)


def test_after_a_passing_error_the_same_token_works(world: World, provider: LocalProvider) -> None:
    provider.will(
        Reply(body={"error": -14003, "error_name": "Busy"}),
        Reply(body={"access_token": "good", "refresh_token": "next", "expires_in": "soon"}),
    )
    assert by_provider(world, provider).current() is None
    assert by_provider(world, provider).current() == "good"
    assert [heard.form()["refresh_token"] for heard in provider.heard] == ["first", "first"]
    assert version_and_state(world) == (2, "ok")


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
