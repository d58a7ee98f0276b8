"""A worker dies by kill -9 at each point of a message's way, and another one finds what it left."""

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from notifications import receipts
from notifications.channels.receipt import Receipt, Told
from notifications.channels.zalo.account import ZaloAccount
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK


def die_at(world: World, point: str, **environ: str) -> None:
    """Run a worker until it has killed itself there; its leases are over at once."""
    settings = world.settings
    given = {
        "point": point,
        "sandbox": world.sandbox.url,
        "environ": {
            "PUBLIC_BASE_URL": settings.public_base_url,
            "ZALO_APP_ID": zalo_application(world),
            **environ,
        },
        "database": world.engine.url.render_as_string(hide_password=False),
    }
    worker = subprocess.run(
        [sys.executable, "-m", "tests.notifications.dying_worker", json.dumps(given)],
        env=dict(os.environ),
        timeout=30,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL
    world.run("UPDATE notifications.outbox SET lease_until = clock_timestamp() WHERE lease_owner IS NOT NULL")


@pytest.mark.parametrize("point", ["after_claim", "before_send"])
def test_who_dies_before_sending_leaves_a_message_that_is_sent_once(world: World, point: str) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("otp", phone))
    die_at(world, point)
    assert world.sandbox.messages(phone) == []
    world.dispatch_until_empty()
    assert len(world.sandbox.messages(phone)) == 1
    assert world.states() == ["accepted"]


@pytest.mark.parametrize("point", ["after_send", "before_finish"])
def test_who_dies_after_sending_leaves_a_message_that_is_found_at_the_provider(
    world: World, point: str
) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("otp", phone))
    die_at(world, point)
    assert len(world.sandbox.messages(phone)) == 1
    world.dispatch_until_empty()
    assert len(world.sandbox.messages(phone)) == 1
    assert world.attempts() == [("sms", "reconciled")]
    assert world.states() == ["accepted"]


def test_who_finds_nothing_at_the_provider_yet_looks_again_after_the_grace(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "late-accept", to=phone, seconds=2.0)
    world.enqueue(world.message("otp", phone))
    die_at(world, "before_finish")
    world.dispatch_until_empty(replace(QUICK, grace=2.5))
    world.until(lambda: any(message["late"] for message in world.sandbox.messages(phone)))
    assert len(world.sandbox.messages(phone)) == 1


@pytest.mark.parametrize("point", ["after_send", "before_finish"])
def test_what_cannot_be_asked_for_waits_for_its_receipt_as_long_as_after_a_lost_answer(
    world: World, point: str
) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    die_at(world, point)
    with world.dispatching(replace(QUICK, doubt_hold=3.0)):
        world.until(lambda: world.states() == ["in_doubt"])
        take_receipt(world, phone)
        world.until(lambda: world.count("outbox") == 0)
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["zalo"]
    assert world.states() == ["delivered"]


@pytest.mark.parametrize("point", ["after_send", "before_finish"])
def test_what_cannot_be_asked_for_is_settled_by_its_receipt(world: World, point: str) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    die_at(world, point)
    take_receipt(world, phone)
    world.dispatch_until_empty()
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["zalo"]
    assert world.states() == ["delivered"]


def test_without_a_journal_a_refresh_that_died_with_its_answer_raises_an_alarm_and_everything_goes_by_sms(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    phones = [world.new_phone() for _ in range(3)]
    world.enqueue(*(world.message("appointment-booked", phone) for phone in phones))
    die_at(world, "after_refresh_post")
    assert token_state(world) == "refreshing"
    world.run(
        "UPDATE notifications.provider_token SET refresh_started_at = clock_timestamp() - interval '1 m'"
    )
    with caplog.at_level(logging.CRITICAL):
        world.dispatch_until_empty()
    assert token_state(world) == "needs_reauth"
    assert "authorise again" in caplog.text
    for phone in phones:
        assert [message["channel"] for message in world.sandbox.messages(phone)] == ["sms"]


def with_journal(world: World, journal: Path) -> World:
    """Another process of the same settings."""
    account = world.settings.configured["zalo"].account
    assert isinstance(account, ZaloAccount)
    configured = dict(world.settings.configured)
    configured["zalo"] = replace(configured["zalo"], account=replace(account, journal=journal))
    return replace(world, settings=replace(world.settings, configured=configured))


def test_a_refresh_that_died_with_its_answer_in_the_journal_is_taken_up(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = tmp_path / "zalo-tokens"
    world.enqueue(world.message("appointment-booked", world.new_phone()))
    die_at(world, "after_refresh_post", ZALO_TOKEN_JOURNAL=str(journal))
    assert token_state(world) == "refreshing"
    assert journal.stat().st_mode & 0o777 == 0o600
    assert b"refresh" not in journal.read_bytes()
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    with caplog.at_level(logging.CRITICAL):
        with_journal(world, journal).dispatch_until_empty()
    assert token_state(world) == "ok"
    assert "authorise again" not in caplog.text
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["zalo"]
    assert list(tmp_path.iterdir()) == []


def test_a_refresh_that_died_before_its_answer_was_written_needs_a_person(
    world: World, tmp_path: Path
) -> None:
    journal = tmp_path / "zalo-tokens"
    world.enqueue(world.message("appointment-booked", world.new_phone()))
    die_at(world, "before_journal", ZALO_TOKEN_JOURNAL=str(journal))
    world.run(
        "UPDATE notifications.provider_token SET refresh_started_at = clock_timestamp() - interval '1 m'"
    )
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    with_journal(world, journal).dispatch_until_empty()
    assert token_state(world) == "needs_reauth"
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["sms"]


def zalo_application(world: World) -> str:
    account = world.settings.configured["zalo"].account
    assert isinstance(account, ZaloAccount)
    return account.app_id


def token_state(world: World) -> str:
    (row,) = world.rows("SELECT state FROM notifications.provider_token")
    return str(row.state)


def take_receipt(world: World, phone: str) -> None:
    """What Zalo's webhook tells once the message is on the phone."""
    (sent,) = world.sandbox.messages(phone)
    event = f"{sent['ref']}:delivered"
    receipt = Receipt("zalo", event, Told.DELIVERED, key=UUID(sent["key"]), ref=sent["ref"])
    with Session(world.engine) as session, session.begin():
        receipts.apply(session, [receipt], now=world.now())
