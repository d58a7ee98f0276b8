"""From the outbox to the phone, over HTTP, with everything going wrong that providers make go wrong."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from notifications import receipts
from notifications.channels.receipt import Receipt, Told
from notifications.leases import Leases, Result
from notifications.states import State
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK

CONTROL = replace(QUICK, reconcile=False)


def test_zalo_is_tried_first_and_says_it_with_accents(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    (received,) = world.sandbox.messages(phone)
    assert received["channel"] == "zalo"
    assert received["title"] == "Đã đặt lịch khám"
    assert ["Nơi khám", "BV Bà Rịa"] in received["rows"]
    assert received["key"] == str(world.only_id())
    assert world.states() == ["accepted"]


def test_a_phone_without_zalo_gets_an_sms_and_is_remembered(world: World) -> None:
    phone = world.new_phone(zalo=False)
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    world.enqueue(world.message("appointment-moved", phone))
    world.dispatch_until_empty()
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["sms", "sms"]
    assert world.attempts() == [
        ("zalo", "rejected_recipient"),
        ("sms", "accepted"),
        ("zalo", "rerouted"),
        ("sms", "accepted"),
    ]


def test_a_one_time_code_goes_by_sms_at_once(world: World) -> None:
    phone = world.new_phone()
    with world.dispatching():
        world.until(lambda: world.enqueue(world.message("otp", phone)) == 1)
        started = time.monotonic()
        world.until(lambda: bool(world.sandbox.messages(phone)))
        assert time.monotonic() - started < 2
    (received,) = world.sandbox.messages(phone)
    assert received["channel"] == "sms"
    assert "482913" in received["text"]


def test_a_reminder_past_its_time_is_expired_and_never_sent(world: World) -> None:
    phone = world.new_phone()
    now = world.now()
    world.enqueue(
        world.message(
            "appointment-reminder-hours",
            phone,
            not_before=now - timedelta(hours=2),
            expires_at=now - timedelta(seconds=1),
        )
    )
    world.dispatch_until_empty()
    assert world.states() == ["expired"]
    assert world.sandbox.messages(phone) == []


def test_a_reminder_is_not_sent_before_its_time(world: World) -> None:
    early, due = world.new_phone(), world.new_phone()
    later = world.now() + timedelta(hours=1)
    world.enqueue(
        world.message("appointment-reminder-day", early, not_before=later), world.message("otp", due)
    )
    with world.dispatching():
        world.until(lambda: bool(world.sandbox.messages(due)))
    assert world.sandbox.messages(early) == []


def test_urgent_messages_overtake_a_burst(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(*(world.message("appointment-reminder-day", phone) for _ in range(60)))
    world.enqueue(world.message("otp", phone))
    claimed = Leases(world.engine, "one", seconds=60, clock="clock_timestamp()").claim(
        5, {"zalo": 5, "sms": 5}, {}
    )
    assert [item.kind for item in claimed] == ["otp"] + ["appointment-reminder-day"] * 4


def test_two_dispatchers_never_hold_the_same_message(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(*(world.message("otp", phone) for _ in range(60)))
    start = threading.Barrier(2)
    held: list[list[str]] = [[], []]

    def claim(number: int) -> None:
        leases = Leases(world.engine, f"dispatcher {number}", seconds=60, clock="clock_timestamp()")
        start.wait()
        for _ in range(10):
            held[number] += [str(item.id) for item in leases.claim(5, {"sms": 5}, {})]

    threads = [threading.Thread(target=claim, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held[0] + held[1]) == len(set(held[0] + held[1])) == 60


def test_retry_after_is_honoured(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "429", to=phone, retry_after=1)
    world.enqueue(world.message("otp", phone))
    world.dispatch_until_empty()
    refused, sent = world.rows("SELECT outcome, at FROM notifications.delivery_attempt ORDER BY id")
    assert (refused.outcome, sent.outcome) == ("retry", "accepted")
    assert sent.at - refused.at >= timedelta(seconds=1)
    assert len(world.sandbox.messages(phone)) == 1


@pytest.mark.parametrize("fault", ["accept-then-500", "drop-after-accept", "late-accept"])
def test_a_send_whose_answer_was_lost_is_found_and_not_repeated(world: World, fault: str) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", fault, to=phone, seconds=0.1)
    world.enqueue(world.message("otp", phone))
    world.dispatch_until_empty()
    assert world.attempts() == [("sms", "ambiguous"), ("sms", "reconciled")]
    assert world.states() == ["accepted"]
    assert len(world.sandbox.messages(phone)) == 1


def test_control_without_reconciliation_the_same_fault_sends_twice(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "accept-then-500", to=phone)
    world.enqueue(world.message("otp", phone))
    world.dispatch_until_empty(CONTROL)
    assert len(world.sandbox.messages(phone)) == 2


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_a_send_that_never_arrived_is_repeated_once_that_is_known(world: World, fault: str) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", fault, to=phone)
    world.enqueue(world.message("otp", phone))
    world.dispatch_until_empty()
    assert world.attempts() == [("sms", "ambiguous"), ("sms", "accepted")]
    assert len(world.sandbox.messages(phone)) == 1


def test_of_two_messages_in_doubt_the_one_that_was_sent_is_not_taken_for_the_other(world: World) -> None:
    """Twilio has discarded the text by the time it is asked; the callback with our key says whose it is."""
    phone = world.new_phone()
    world.sandbox.fault("twilio", "drop", to=phone)
    with world.dispatching(replace(QUICK, grace=1.0)):
        world.enqueue(world.message("otp", phone))
        world.until(lambda: world.attempts() == [("sms", "ambiguous")])
        world.sandbox.fault("twilio", "drop-after-accept", to=phone)
        world.enqueue(world.message("staff-reset", phone))
        world.until(lambda: ("sms", "shared") in world.attempts())
        (sent,) = world.sandbox.messages(phone)
        key = world.rows(
            "SELECT idem_key FROM notifications.outbox JOIN notifications.notification n"
            " ON n.id = notification_id WHERE n.kind = 'staff-reset'"
        )[0].idem_key
        told = Receipt("twilio", f"{sent['ref']}:delivered", Told.DELIVERED, key=key, ref=sent["ref"])
        with Session(world.engine) as session, session.begin():
            receipts.apply(session, [told], now=world.now())
        world.until(lambda: world.count("outbox") == 0)
    texts = [message["text"] for message in world.sandbox.messages(phone)]
    assert len(texts) == len(set(texts)) == 2
    assert sorted(world.states()) == ["accepted", "delivered"]


def test_two_lost_answers_to_one_phone_are_two_messages_and_stay_two(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "accept-then-500", to=phone, times=2)
    world.enqueue(world.message("otp", phone), world.message("staff-reset", phone))
    world.dispatch_until_empty()
    # Twilio has discarded the texts by then: number, time and not being another's decide.
    sent = {message["ref"] for message in world.sandbox.messages(phone)}
    recorded = world.rows("SELECT provider_ref FROM notifications.notification")
    assert {row.provider_ref for row in recorded} == sent
    assert len(sent) == 2


def test_a_lost_zalo_answer_goes_by_sms_when_no_receipt_comes(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("zalo", "drop", to=phone)
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    assert world.attempts() == [("zalo", "ambiguous"), ("zalo", "undecided"), ("sms", "accepted")]
    assert [message["channel"] for message in world.sandbox.messages(phone)] == ["sms"]


def test_a_refused_configuration_rests_the_provider_and_sms_takes_over(world: World) -> None:
    first, second = world.new_phone(), world.new_phone()
    world.sandbox.fault("zalo", "reject", to=first, code=-115)
    world.enqueue(world.message("appointment-booked", first))
    world.dispatch_until_empty()
    world.enqueue(world.message("appointment-booked", second))
    world.dispatch_until_empty()
    assert world.attempts()[-2:] == [("zalo", "rerouted"), ("sms", "accepted")]
    (row,) = world.rows("SELECT provider, reason FROM notifications.provider_state")
    assert (row.provider, row.reason) == ("zalo", "refused: -115")


def test_a_number_that_no_channel_reaches_ends_in_the_dead_letters(world: World) -> None:
    landline = "+842543852645"
    world.sandbox.phone(landline, zalo=False)
    world.enqueue(world.message("appointment-booked", landline))
    world.dispatch_until_empty()
    assert world.states() == ["dead"]
    codes = world.rows("SELECT code FROM notifications.delivery_attempt ORDER BY id")
    assert [row.code for row in codes] == ["-108", "21614"]


def test_on_a_lease_that_may_be_over_nothing_is_sent(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("otp", phone))
    looked_at = "SELECT 1 FROM notifications.notification WHERE updated_at > created_at + interval '0.2 s'"
    with world.dispatching(replace(QUICK, lease=1.0, timeout=1.0, safety=0.1)):
        world.until(lambda: bool(world.rows(looked_at)))
    (item,) = world.rows("SELECT attempt, in_doubt, lease_owner FROM notifications.outbox")
    assert (item.attempt, item.in_doubt, item.lease_owner) == (0, False, None)
    assert world.sandbox.messages(phone) == []


def test_stopping_finishes_what_is_under_way(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "hang-after-accept", to=phone, seconds=0.3)
    world.enqueue(world.message("otp", phone))
    with world.dispatching():
        world.until(lambda: bool(world.sandbox.messages(phone)))
    assert world.states() == ["in_doubt"]
    assert world.attempts() == [("sms", "ambiguous")]


def only_connection(engine: Engine) -> Connection:
    """Wait until the dispatcher gives it back for a moment."""
    while True:
        with suppress(NoConnection):
            return engine.connect()


def test_what_was_sent_is_recorded_as_soon_as_there_is_a_connection_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "latency", to=phone, seconds=1.0)
    narrow = create_engine(world.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with replace(world, engine=narrow).dispatching(replace(QUICK, lease=60.0)):
        world.enqueue(world.message("otp", phone))
        world.until(lambda: world.states() == ["sending"])
        with only_connection(narrow):
            world.until(lambda: "results cannot be recorded" in caplog.text)
        world.until(lambda: world.count("outbox") == 0)
    narrow.dispose()
    assert world.attempts() == [("sms", "accepted")]


@contextmanager
def _killed_between_send_and_record(world: World, phone: str) -> Iterator[None]:
    """A worker whose message the provider has, and which dies before it can say so."""
    world.sandbox.fault("twilio", "hang-after-accept", to=phone, seconds=20)
    given = {
        "sandbox": world.sandbox.url,
        "environ": {"PUBLIC_BASE_URL": world.settings.public_base_url},
        "database": world.engine.url.render_as_string(hide_password=False),
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.notifications.one_worker", json.dumps(given)], env=dict(os.environ)
    )
    world.enqueue(world.message("otp", phone))
    try:
        world.until(lambda: bool(world.sandbox.messages(phone)))
    finally:
        worker.kill()
        worker.wait()
    world.run("UPDATE notifications.outbox SET lease_until = clock_timestamp()")
    yield


def test_killed_between_send_and_record_nothing_is_lost_and_nothing_doubled(world: World) -> None:
    phone = world.new_phone()
    with _killed_between_send_and_record(world, phone):
        world.dispatch_until_empty()
    assert world.attempts() == [("sms", "reconciled")]
    assert world.states() == ["accepted"]
    assert len(world.sandbox.messages(phone)) == 1


def test_control_killed_without_reconciliation_the_phone_gets_it_twice(world: World) -> None:
    phone = world.new_phone()
    with _killed_between_send_and_record(world, phone):
        world.dispatch_until_empty(CONTROL)
    assert len(world.sandbox.messages(phone)) == 2


def test_a_result_that_cannot_be_recorded_holds_up_no_other(world: World) -> None:
    dispatcher = world.dispatcher()
    phones = [world.new_phone() for _ in range(3)]
    world.enqueue(*(world.message("otp", phone) for phone in phones))
    held = dispatcher._leases.claim(3, {"sms": 3}, {"sms": ["twilio"] * 3})
    results = [
        Result(item.id, item.attempt, State.ACCEPTED, "sms", "twilio", "accepted", ref=f"r{number}")
        for number, item in enumerate(held)
    ]
    unacceptable = replace(results[1], ref="\0")  # PostgreSQL has no such text
    dispatcher._finish([results[0], unacceptable, results[2]])
    assert sorted(world.states()) == ["accepted", "accepted", "sending"]
