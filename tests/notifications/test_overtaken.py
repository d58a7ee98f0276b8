"""Receipts, cancellations and rests that meet a message on its way."""

from dataclasses import replace
from datetime import time
from uuid import uuid4

from sqlalchemy.orm import Session

from notifications import Message, receipts
from notifications.channels.receipt import Receipt, Told
from notifications.kinds import KINDS
from notifications.leases import Leased, Leases, Result
from notifications.policy import paused
from notifications.states import State
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK

URGENT = "appointment-cancelled"
SOON = replace(QUICK, patience=0.3)


def channels(world: World, phone: str) -> list[str]:
    return sorted(message["channel"] for message in world.sandbox.messages(phone))


def tell(world: World, provider: str, key: object, status: Told, ref: str = "r1") -> None:
    event = Receipt(provider, f"{ref}:{status}", status, key=key, ref=ref)  # type: ignore[arg-type]
    with Session(world.engine) as session, session.begin():
        receipts.apply(session, [event], now=world.now())


def taken_by_a_dead_worker(world: World) -> tuple[Leases, Leased]:
    dead = Leases(world.engine, "dead", seconds=0.0, clock="clock_timestamp()")
    (held,) = dead.claim(1, {"sms": 1, "zalo": 1}, {"sms": ["twilio"], "zalo": ["zalo"]})
    return dead, held


def test_bad_news_of_a_send_in_doubt_sends_the_message_on_its_way(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "drop", to=phone)
    world.enqueue(world.message("otp", phone))
    with world.dispatching(replace(QUICK, grace=3600.0)):
        world.until(lambda: world.states() == ["in_doubt"])
    (item,) = world.rows("SELECT idem_key FROM notifications.outbox")
    tell(world, "twilio", item.idem_key, Told.UNDELIVERED)
    assert world.states() == ["falling_back"]
    world.dispatch_until_empty()
    assert channels(world, phone) == ["zalo"]


def test_bad_news_takes_the_row_from_a_worker_that_says_nothing_any_more(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("otp", phone))
    dead, held = taken_by_a_dead_worker(world)
    tell(world, "twilio", held.idem_key, Told.ACCEPTED, "r1")
    tell(world, "twilio", held.idem_key, Told.UNDELIVERED, "r1")
    dead.finish([Result(held.id, held.attempt, State.ACCEPTED, "sms", "twilio", "accepted", ref="r1")])
    assert world.states() == ["falling_back"]
    world.dispatch_until_empty()
    assert channels(world, phone) == ["zalo"]
    assert world.states() == ["accepted"]


def test_an_urgent_message_whose_worker_died_after_the_first_receipt_still_waits_for_the_last(
    world: World,
) -> None:
    phone = world.new_phone()
    world.enqueue(world.message(URGENT, phone))
    _dead, held = taken_by_a_dead_worker(world)
    tell(world, "zalo", held.idem_key, Told.ACCEPTED)
    world.dispatch_until_empty(SOON)
    assert channels(world, phone) == ["sms"]
    assert world.states() == ["accepted"]


def rest(world: World, *providers: str) -> None:
    for provider in providers:
        world.run(
            "INSERT INTO notifications.provider_state (provider, paused_until, paused_by, updated_at)"
            " VALUES (:provider, clock_timestamp() + interval '1 day', 'operator', clock_timestamp())",
            provider=provider,
        )


def test_a_fall_back_that_has_to_wait_leaves_the_message_accepted(world: World) -> None:
    rest(world, "twilio", "esms")
    world.enqueue(world.message("video-join", world.new_phone()))
    with world.dispatching(SOON):
        world.until(lambda: ("sms", "paused") in world.attempts())
    assert world.states() == ["accepted"]
    assert world.count("outbox") == 1


def test_waiting_for_a_provider_that_rests_is_no_try_and_not_for_long(world: World) -> None:
    rest(world, "twilio", "esms", "zalo")
    world.enqueue(world.message("otp", world.new_phone()))
    with world.dispatching():
        world.until(lambda: bool(world.attempts()))
    (row,) = world.rows(
        "SELECT tries, due_at < clock_timestamp() + interval '16 seconds' AS soon FROM notifications.outbox"
    )
    assert (row.tries, row.soon) == (0, True)
    assert all(paused(KINDS["appointment-booked"], "zalo", 1e6).delay <= 300 for _ in range(50))


def test_a_reminder_in_doubt_is_not_repeated_at_night(world: World) -> None:
    phone = world.new_phone(zalo=False)
    world.sandbox.fault("twilio", "drop", to=phone)
    world.enqueue(world.message("appointment-reminder-day", phone, hours=30))
    with world.dispatching(replace(QUICK, grace=3600.0)):
        world.until(lambda: world.states() == ["in_doubt"])
    world.run("UPDATE notifications.outbox SET due_at = clock_timestamp()")
    with world.dispatching(replace(QUICK, quiet_from=time.min, quiet_to=time(12))):
        world.until(lambda: world.states() == ["held"])
    assert channels(world, phone) == []
    world.run("UPDATE notifications.outbox SET due_at = clock_timestamp()")
    world.dispatch_until_empty()
    assert channels(world, phone) == ["sms"]


def replaced(world: World, subject: object, *messages: Message) -> None:
    with Session(world.engine) as session, session.begin():
        world.outbox.replace(session, subject, messages, now=world.now())  # type: ignore[arg-type]


def test_a_message_under_way_to_an_old_number_does_not_keep_the_new_one_from_being_told(world: World) -> None:
    subject, old, new = uuid4(), world.new_phone(), world.new_phone()
    key = str(uuid4())
    world.enqueue(world.message("appointment-booked", old, subject=subject, dedupe_key=key))
    taken_by_a_dead_worker(world)
    replaced(world, subject, world.message("appointment-booked", new, subject=subject, dedupe_key=key))
    world.dispatch_until_empty()
    assert channels(world, new) == ["zalo"]


def test_what_is_taken_back_takes_its_dead_letters_along(world: World) -> None:
    subject = uuid4()
    world.enqueue(world.message("appointment-booked", world.new_phone(), subject=subject))
    world.run("DELETE FROM notifications.outbox")
    world.run("UPDATE notifications.notification SET state = 'dead'")
    replaced(world, subject)
    assert world.states() == ["cancelled"]


def test_what_a_provider_that_is_gone_may_have_sent_goes_by_another_channel(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    world.run("UPDATE notifications.outbox SET provider = 'gone', in_doubt = true")
    world.dispatch_until_empty()
    assert channels(world, phone) == ["sms"]
