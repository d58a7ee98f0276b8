"""From channel to channel: when no receipt comes, at night, too often, too dear, and as people wish."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from notifications import receipts
from notifications.channels.receipt import Receipt, Told
from notifications.kinds import KINDS
from notifications.policy import Policy, gate
from notifications.preferences import Preferences, Source
from notifications.states import State
from notifications.templates import CATALOGUE
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK

SOON = replace(QUICK, patience=0.4)
URGENT = "appointment-cancelled"


def channels(world: World, phone: str) -> list[str]:
    return sorted(message["channel"] for message in world.sandbox.messages(phone))


def told(world: World, status: Told) -> None:
    sent = world.rows(
        "SELECT provider, provider_ref, idem_key FROM notifications.delivery_attempt ORDER BY id"
    )
    first = sent[0]
    event = Receipt(
        first.provider, f"{first.provider_ref}:{status}", status, first.idem_key, first.provider_ref
    )
    with Session(world.engine) as session, session.begin():
        receipts.apply(session, [event], now=world.now())


def test_an_urgent_message_without_a_receipt_goes_by_the_next_channel_too(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message(URGENT, phone))
    world.dispatch_until_empty(SOON)
    assert channels(world, phone) == ["sms", "zalo"]
    assert world.states() == ["accepted"]


def test_a_receipt_in_time_keeps_an_urgent_message_on_one_channel(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message(URGENT, phone))
    with world.dispatching(replace(QUICK, patience=3600.0)):
        world.until(lambda: world.states() == ["accepted"])
    assert world.count("outbox") == 1
    told(world, Told.DELIVERED)
    assert world.count("outbox") == 0
    assert world.states() == ["delivered"]
    assert channels(world, phone) == ["zalo"]


def test_news_that_it_did_not_arrive_ends_the_wait(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message(URGENT, phone))
    with world.dispatching(replace(QUICK, patience=3600.0)):
        world.until(lambda: world.states() == ["accepted"])
    told(world, Told.UNDELIVERED)
    assert world.states() == ["falling_back"]
    world.dispatch_until_empty()
    assert channels(world, phone) == ["sms", "zalo"]


def test_what_is_not_urgent_does_not_fall_back_for_a_late_receipt(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty(SOON)
    assert channels(world, phone) == ["zalo"]


def test_a_cancelled_wait_for_a_receipt_leaves_the_message_accepted(world: World) -> None:
    phone = world.new_phone()
    subject = uuid4()
    world.enqueue(world.message(URGENT, phone, subject=subject))
    with world.dispatching(replace(QUICK, patience=3600.0)):
        world.until(lambda: world.states() == ["accepted"])
    with Session(world.engine) as session, session.begin():
        assert world.outbox.cancel(session, subject, now=world.now()) == 0
    assert world.count("outbox") == 0
    assert world.states() == ["accepted"]


def test_a_fall_back_that_comes_to_nothing_leaves_the_message_accepted(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("twilio", "reject", to=phone, code=21614)
    world.enqueue(world.message("video-join", phone))
    world.dispatch_until_empty(SOON)
    assert channels(world, phone) == ["zalo"]
    assert world.states() == ["accepted"]
    assert ("sms", "rejected_recipient") in world.attempts()


MIDNIGHT = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
REMINDER = KINDS["appointment-reminder-day"]


def at(hour: int, minute: int = 0) -> datetime:
    """That time of the province's 1 December 2026."""
    return MIDNIGHT + timedelta(hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("now", "expires", "state", "hours"),
    [
        (at(6, 59), at(12), State.HELD, 1 / 60),
        (at(7), at(12), None, None),
        (at(20, 59), at(36), None, None),
        (at(21), at(36), State.HELD, 10),
        (at(2), at(7), State.EXPIRED, None),
    ],
)
def test_a_reminder_waits_for_the_morning_or_is_never_sent(
    now: datetime, expires: datetime, state: State | None, hours: float | None
) -> None:
    stop = gate(Policy(), REMINDER, "zalo", now=now, expires_at=expires, sent_today=0)
    assert (stop.verdict.state if stop else None) == state
    if hours is not None and stop is not None:
        assert stop.verdict.delay == pytest.approx(hours * 3600)


@pytest.mark.parametrize("kind", ["otp", URGENT, "appointment-booked", "video-join"])
def test_what_cannot_wait_goes_at_night(kind: str) -> None:
    assert gate(Policy(), KINDS[kind], "sms", now=at(2), expires_at=at(9), sent_today=0) is None


@pytest.mark.parametrize(
    ("kind", "sent", "reason"),
    [
        ("appointment-reminder-day", 5, None),
        ("appointment-reminder-day", 6, "capped"),
        ("appointment-cancelled", 6, None),
        ("appointment-cancelled", 40, "flood"),
        ("otp", 100, None),
    ],
)
def test_one_phone_gets_no_more_than_so_many_a_day(kind: str, sent: int, reason: str | None) -> None:
    stop = gate(Policy(), KINDS[kind], "sms", now=at(9), expires_at=at(20), sent_today=sent)
    assert (stop.reason if stop else None) == reason


def test_the_cap_counts_what_the_phone_has_had_today(world: World) -> None:
    phone = world.new_phone()
    for _ in range(2):
        world.enqueue(world.message("appointment-reminder-day", phone))
        world.dispatch_until_empty(replace(QUICK, daily_cap=1))
    assert channels(world, phone) == ["zalo"]
    assert sorted(world.states()) == ["accepted", "suppressed"]


def test_codes_use_up_nobodys_reminders(world: World) -> None:
    phone = world.new_phone()
    for kind in ("otp", "otp", "appointment-reminder-day"):
        world.enqueue(world.message(kind, phone))
        world.dispatch_until_empty(replace(QUICK, daily_cap=1, flood_cap=2))
    assert world.states() == ["accepted"] * 3
    (tally,) = world.rows("SELECT messages FROM notifications.daily_tally")
    assert tally.messages == 1


def test_a_held_message_is_sent_when_the_night_is_over(world: World) -> None:
    phone = world.new_phone()
    world.enqueue(world.message("appointment-reminder-day", phone, hours=30))
    always = replace(QUICK, quiet_from=time.min, quiet_to=time(12))
    with world.dispatching(always):
        world.until(lambda: world.states() == ["held"])
    assert channels(world, phone) == []
    world.run("UPDATE notifications.outbox SET due_at = clock_timestamp()")
    world.dispatch_until_empty()
    assert channels(world, phone) == ["zalo"]


def wish(world: World, phone: str, kind: str | None = None, channel: str | None = None) -> None:
    with Session(world.engine) as session, session.begin():
        Preferences(world.sealer).stop(
            session, phone, kind=kind, channel=channel, source=Source.LINK, now=world.now()
        )


def test_a_muted_kind_is_not_sent_and_what_must_be_told_is(world: World) -> None:
    phone = world.new_phone()
    wish(world, phone)
    world.enqueue(
        world.message("appointment-reminder-day", phone), world.message("appointment-booked", phone)
    )
    world.dispatch_until_empty()
    assert channels(world, phone) == ["zalo"]
    assert sorted(world.states()) == ["accepted", "suppressed"]


def test_who_wants_no_zalo_gets_an_sms_and_wishes_can_be_taken_back(world: World) -> None:
    phone = world.new_phone()
    wish(world, phone, channel="zalo")
    world.enqueue(world.message("appointment-reminder-day", phone))
    world.dispatch_until_empty()
    assert channels(world, phone) == ["sms"]
    with Session(world.engine) as session, session.begin():
        Preferences(world.sealer).resume(session, phone, channel="zalo", source=Source.DESK, now=world.now())
        assert Preferences(world.sealer).of(session, phone).muted == frozenset()


def test_what_must_be_told_is_told_even_if_every_channel_was_refused(world: World) -> None:
    phone = world.new_phone()
    for channel in ("zalo", "sms"):
        wish(world, phone, channel=channel)
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    assert channels(world, phone) == ["zalo"]


def test_when_the_budget_is_used_up_reminders_stop_and_the_rest_goes_on(world: World) -> None:
    phone = world.new_phone()
    world.run(
        "INSERT INTO notifications.spending (day, provider, messages, vnd)"
        " VALUES ((clock_timestamp() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, 'zalo', 5000, 1000000)"
    )
    world.enqueue(
        world.message("appointment-reminder-day", phone), world.message("appointment-booked", phone)
    )
    world.dispatch_until_empty(replace(QUICK, monthly_budget=1_000_000))
    assert sorted(world.states()) == ["accepted", "suppressed"]
    assert ("zalo", "budget") in world.attempts()


def test_what_messages_cost_is_counted_by_day_and_provider(world: World) -> None:
    world.enqueue(world.message("appointment-booked", world.new_phone()))
    world.enqueue(world.message("otp", world.new_phone()))
    world.dispatch_until_empty()
    rows = world.rows("SELECT provider, messages, vnd FROM notifications.spending ORDER BY provider")
    assert [tuple(row) for row in rows] == [("twilio", 1, 1900), ("zalo", 1, 200)]
    minutes = world.rows("SELECT provider, sum(accepted) AS n FROM notifications.provider_minute GROUP BY 1")
    assert {row.provider: row.n for row in minutes} == {"twilio": 1, "zalo": 1}


@pytest.mark.parametrize(
    ("word", "channel"),
    [("REJECT", "sms"), ("PENDING_REVIEW", "sms"), ("APPROVED", "zalo"), ("UNLISTED", "zalo"), ("?", "zalo")],
)
def test_a_text_that_zalo_has_not_approved_goes_by_sms(world: World, word: str, channel: str) -> None:
    phone, released = world.new_phone(), CATALOGUE.template("appointment-booked", "vi")
    world.run(
        "INSERT INTO notifications.template (kind, language, channel, version, state, content, digest,"
        " provider_template_id, provider_state, created_at) VALUES ('appointment-booked', 'vi', 'zalo',"
        " :version, 'approved', '{}', '', :known_as, :word, clock_timestamp())",
        word=word,
        version=released.version,
        known_as=released.zalo.template_id,
    )
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    assert channels(world, phone) == [channel]


def test_when_zalo_is_down_the_urgent_falls_back_and_the_rest_waits(world: World) -> None:
    patient, urgent = world.new_phone(), world.new_phone()
    world.run(
        "INSERT INTO notifications.provider_state (provider, paused_until, paused_by, updated_at)"
        " VALUES ('zalo', clock_timestamp() + interval '1 hour', 'breaker', clock_timestamp())"
    )
    world.enqueue(world.message("appointment-booked", patient, hours=5), world.message(URGENT, urgent))
    with world.dispatching():
        world.until(lambda: channels(world, urgent) == ["sms"])
        world.until(lambda: ("zalo", "resting") in world.attempts())
    assert channels(world, patient) == []
    (waiting,) = world.rows(
        "SELECT due_at > clock_timestamp() + interval '50 minutes' AS later FROM notifications.outbox o"
        " JOIN notifications.notification n ON n.id = o.notification_id WHERE n.kind = 'appointment-booked'"
    )
    assert waiting.later
