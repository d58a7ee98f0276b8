"""What operators see and do: dead letters sent again once, providers paused, words forgotten."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text
from sqlalchemy.orm import Session

from notifications import dead_letters, figures, operations, ways
from notifications.dead_letters import Cause
from notifications.metrics import MessageMetrics
from notifications.purge import empty_receipts, forget_contacts, purge_messages, trim_counts
from notifications.templates import SOURCES
from tests.notifications.conftest import World

BY = UUID(int=7)


def dead_letter(world: World, kind: str = "otp", **details: Any) -> tuple[str, UUID]:
    """A message that both channels refuse."""
    phone = world.new_phone(zalo=False)
    world.sandbox.fault("twilio", "reject", to=phone, code=21211, times=1)
    world.enqueue(world.message(kind, phone, **details))
    world.dispatch_until_empty()
    (row,) = world.rows(
        "SELECT id, state FROM notifications.notification ORDER BY created_at DESC, id DESC LIMIT 1"
    )
    assert row.state == "dead"
    return phone, row.id


def replay(world: World, ids: Sequence[UUID], **details: Any) -> list[UUID]:
    with Session(world.engine) as session, session.begin():
        return operations.replay(session, ids, now=world.now(), **details)


def test_a_dead_letter_is_sent_again(world: World) -> None:
    phone, identifier = dead_letter(world)
    (before,) = world.rows("SELECT max(idem_key::text) AS key FROM notifications.delivery_attempt")
    assert replay(world, [identifier]) == [identifier]
    (item,) = world.rows("SELECT channel, priority, idem_key FROM notifications.outbox")
    assert (item.channel, item.priority) == ("sms", 0)
    assert str(item.idem_key) != before.key
    world.dispatch_until_empty()
    assert len(world.sandbox.messages(phone)) == 1
    assert world.states() in (["accepted"], ["delivered"])


def test_of_many_clicks_at_once_one_sends(world: World) -> None:
    phone, identifier = dead_letter(world)
    found: list[UUID] = []
    start = threading.Barrier(8)

    def click() -> None:
        start.wait()
        found.extend(replay(world, [identifier]))

    threads = [threading.Thread(target=click) for _ in range(8)]
    with world.dispatching():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        world.until(lambda: world.count("outbox") == 0)
    assert found == [identifier]
    assert len(world.sandbox.messages(phone)) == 1


def test_without_the_change_of_state_each_click_would_send(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same code, its one guard taken away."""
    phone, identifier = dead_letter(world)
    unguarded = operations._REPLAY.replace("n.state = 'dead'", "true")
    monkeypatch.setattr(operations, "_REPLAY", unguarded)
    for _ in range(2):
        replay(world, [identifier])
        world.dispatch_until_empty()
    assert len(world.sandbox.messages(phone)) == 2


def test_what_has_expired_needs_a_longer_life(world: World) -> None:
    _phone, identifier = dead_letter(world, "appointment-booked")
    world.run("UPDATE notifications.notification SET not_before = now() - interval '2 h', "
              "expires_at = now() - interval '1 h'")  # fmt: skip
    assert replay(world, [identifier]) == []
    with pytest.raises(ValueError, match="48 hours"):
        replay(world, [identifier], until=world.now() + timedelta(hours=49))
    with pytest.raises(ValueError, match="48 hours"):
        replay(world, [identifier], until=world.now() - timedelta(minutes=1))
    until = world.now() + timedelta(hours=3)
    assert replay(world, [identifier], until=until) == [identifier]
    assert world.rows("SELECT expires_at FROM notifications.notification") == [(until,)]


def test_a_code_gets_no_longer_life(world: World) -> None:
    _phone, identifier = dead_letter(world)
    assert replay(world, [identifier], until=world.now() + timedelta(hours=3)) == []
    assert replay(world, [identifier]) == [identifier]


def test_a_longer_life_never_shortens_one(world: World) -> None:
    _phone, identifier = dead_letter(world, "appointment-booked", hours=24)
    (before,) = world.rows("SELECT expires_at FROM notifications.notification")
    replay(world, [identifier], until=world.now() + timedelta(hours=1))
    assert world.rows("SELECT expires_at FROM notifications.notification") == [before]


def test_what_was_laid_to_rest_stays_there(world: World) -> None:
    _phone, identifier = dead_letter(world)
    with Session(world.engine) as session, session.begin():
        assert operations.dismiss(session, [identifier], now=world.now()) == [identifier]
        assert operations.dismiss(session, [identifier], now=world.now()) == []
    assert replay(world, [identifier]) == []
    assert world.states() == ["cancelled"]


def test_dead_letters_are_found_by_their_cause(world: World) -> None:
    ids = {dead_letter(world)[1] for _ in range(3)}
    with Session(world.engine) as session:
        ((cause, count),) = dead_letters.dead_causes(session)
        assert count == 3
        assert cause == Cause("zalo", "rejected_recipient", "-118")
        assert {letter.id for letter in dead_letters.dead_letters_of(session, cause, most=10)} == ids
        first = dead_letters.dead_letters(session, most=2)
        second = dead_letters.dead_letters(session, after=first.after, most=2)
        assert [len(first.items), len(second.items), second.after] == [2, 1, None]
        assert {letter.id for letter in (*first.items, *second.items)} == ids


def test_the_way_of_a_message_is_told_without_its_words(world: World) -> None:
    subject = uuid4()
    phone, identifier = dead_letter(world, subject=subject)
    replay(world, [identifier])
    world.dispatch_until_empty()
    index = world.outbox.recipient_index(phone)
    assert index is not None
    with Session(world.engine) as session:
        (way,) = ways.ways_to(session, index)
        assert ways.ways_about(session, subject) == (way,)
        assert ways.way_of(session, identifier) == way
    assert [step.outcome for step in way.steps][:3] == [
        "rejected_recipient", "rejected_recipient", "replayed",
    ]  # fmt: skip
    assert phone not in repr(way)
    assert "482913" not in repr(way)


def test_the_figures_count_what_happened(world: World) -> None:
    dead_letter(world)
    fine = world.new_phone()
    world.enqueue(
        world.message("appointment-booked", fine),
        world.message("appointment-booked", world.new_phone(zalo=False)),
    )
    world.dispatch_until_empty()
    late = world.message("appointment-booked", fine, not_before=world.now() - timedelta(minutes=3))
    world.enqueue(late)
    with Session(world.engine) as session:
        history = figures.history(session, now=world.now())
        vitals = figures.vitals(
            session, world.settings.configured, budget=None, sources=SOURCES, now=world.now()
        )
    refused = {(each.provider, each.code): each.count for each in history.failures}
    assert refused[("twilio", "21211")] == 1
    assert refused[("zalo", "-118")] == 2
    assert {(each.before, each.after): each.count for each in history.fall_backs} == {
        ("sms", "zalo"): 1,
        ("zalo", "sms"): 1,
    }
    assert history.duplicates == 0
    assert 180 <= vitals.oldest_ready() < 200
    assert (vitals.dead, vitals.dead_today) == (1, 1)
    assert {provider.name for provider in vitals.providers} >= {"zalo", "twilio"}
    assert next(p for p in vitals.providers if p.name == "zalo").token is not None


def test_two_references_on_one_channel_are_suspected(world: World) -> None:
    world.enqueue(world.message("appointment-booked", world.new_phone()))
    world.dispatch_until_empty()
    with Session(world.engine) as session:
        assert figures.history(session, now=world.now()).duplicates == 0
    world.run(
        "INSERT INTO notifications.delivery_attempt "
        "(notification_id, idem_key, attempt, channel, provider, outcome, provider_ref, at) "
        "SELECT notification_id, gen_random_uuid(), 2, channel, provider, 'accepted', 'again', now() "
        "FROM notifications.delivery_attempt WHERE outcome = 'accepted'"
    )
    with Session(world.engine) as session:
        assert figures.history(session, now=world.now()).duplicates == 1


def test_a_provider_is_paused_resumed_and_weighted_with_a_reason(world: World) -> None:
    now = world.now()
    with Session(world.engine) as session, session.begin():
        operations.pause(session, "zalo", now + timedelta(hours=1), reason="maintenance", by=BY, now=now)
        operations.weigh(session, "twilio", 30, reason="cheaper", by=BY, now=now)
    with Session(world.engine) as session:
        standing = {
            each.name: each for each in figures.providers(session, world.settings.configured, now=now)
        }
        assert standing["zalo"].rests(now)
        assert (standing["zalo"].paused_by, standing["zalo"].reason) == ("operator", "maintenance")
        assert (standing["twilio"].weight, standing["twilio"].usual_weight) == (30, 100)
    world.enqueue(world.message("appointment-booked", phone := world.new_phone()))
    world.dispatch_until_empty()
    assert [message["provider"] for message in world.sandbox.messages(phone)] == ["twilio"]
    with Session(world.engine) as session, session.begin():
        assert operations.resume(session, "zalo", reason="done", by=BY, now=now)
        assert not operations.resume(session, "zalo", reason="done", by=BY, now=now)
        changes = figures.changes(session)
    assert [(each.provider, each.change, each.weight, each.changed_by) for each in changes] == [
        ("zalo", "resume", None, BY),
        ("twilio", "weight", 30, BY),
        ("zalo", "pause", None, BY),
    ]


@pytest.mark.parametrize("days", [-1, 0, 8])
def test_a_pause_ends_within_a_week(world: World, days: int) -> None:
    now = world.now()
    with Session(world.engine) as session, pytest.raises(ValueError, match="7 days"):
        operations.pause(session, "zalo", now + timedelta(days=days), reason="", by=BY, now=now)


def test_words_and_addresses_are_forgotten_and_the_way_is_kept(world: World) -> None:
    phone, identifier = dead_letter(world)
    world.enqueue(world.message("appointment-booked", world.new_phone()))
    world.dispatch_until_empty()
    world.run("UPDATE notifications.notification SET not_before = now() - interval '62 days', "
              "expires_at = now() - interval '61 days' WHERE id = :id", id=identifier)  # fmt: skip
    for expected in (1, 0):
        with Session(world.engine) as session, session.begin():
            assert purge_messages(session, keep_days=60, now=world.now()) == expected
    rows = world.rows(
        "SELECT recipient, params, purged_at FROM notifications.notification ORDER BY expires_at"
    )
    assert (bytes(rows[0].recipient), bytes(rows[0].params)) == (b"", b"")
    assert rows[0].purged_at is not None
    assert len(rows[1].params) > 0
    assert replay(world, [identifier], until=world.now() + timedelta(hours=1)) == []
    index = world.outbox.recipient_index(phone)
    assert index is not None
    with Session(world.engine) as session:
        assert len(ways.ways_to(session, index)[0].steps) == 2


def test_what_still_waits_to_leave_is_never_purged(world: World) -> None:
    world.enqueue(world.message("appointment-booked", world.new_phone()))
    world.run("UPDATE notifications.notification SET not_before = now() - interval '92 days', "
              "expires_at = now() - interval '91 days'")  # fmt: skip
    with Session(world.engine) as session, session.begin():
        assert purge_messages(session, keep_days=60, now=world.now()) == 0


def test_old_minutes_become_days_and_no_total_goes_back(world: World) -> None:
    now = datetime(2026, 11, 30, 1, tzinfo=UTC)
    insert = text(
        "INSERT INTO notifications.provider_minute (provider, minute, channel, accepted, failed, latency_ms) "
        "SELECT 'esms', CAST(:at AS timestamptz) - n * interval '1 hour', 'sms', 2, 1, 100 "
        "FROM generate_series(0, 99) n"
    )
    with Session(world.engine) as session, session.begin():
        session.execute(insert, {"at": now})
        before = _scraped(session, now)
        while trim_counts(session, now=now, most=7):
            pass
        assert _scraped(session, now) == before
        assert 'attempts_total{outcome="accepted",provider="esms"} 200.0' in before
    assert world.count("provider_minute") < 60


def _scraped(session: Session, now: datetime) -> str:
    registry = CollectorRegistry()
    registry.register(MessageMetrics(session, now=now))
    return generate_latest(registry).decode()


def test_tallies_and_the_changes_of_machines_are_forgotten_but_not_those_of_people(world: World) -> None:
    now = world.now()
    world.run(
        "INSERT INTO notifications.daily_tally VALUES ('a', current_date - 5, 3), ('b', current_date, 1)"
    )
    world.run(
        "INSERT INTO notifications.provider_change (provider, at, change, reason, changed_by) "
        "VALUES ('esms', now() - interval '500 days', 'weight', 'drift', NULL), "
        "('esms', now() - interval '500 days', 'weight', 'by hand', gen_random_uuid()), "
        "('esms', now(), 'weight', 'drift', NULL)"
    )
    with Session(world.engine) as session, session.begin():
        assert trim_counts(session, now=now) == 2
    assert world.count("daily_tally") == 1
    assert [
        row.reason for row in world.rows("SELECT reason FROM notifications.provider_change ORDER BY id")
    ] == [
        "by hand",
        "drift",
    ]


def test_what_a_provider_told_is_emptied_after_some_weeks_but_not_what_it_came_to(world: World) -> None:
    now = world.now()
    world.run(
        "INSERT INTO notifications.receipt (provider, event_key, status, raw, received_at) "
        """SELECT 'zalo', age::text, 'delivered', '{"user_name": "An"}', now() - age * interval '1 day' """
        "FROM unnest(ARRAY[10, 61, 62]) AS age"
    )
    with Session(world.engine) as session, session.begin():
        emptied = [empty_receipts(session, keep_days=60, now=now, most=1) for _ in range(3)]
    assert emptied == [1, 1, 0]
    kept = world.rows("SELECT event_key, status, raw <> '{}' AS said FROM notifications.receipt ORDER BY 1")
    assert [tuple(row) for row in kept] == [
        ("10", "delivered", True),
        ("61", "delivered", False),
        ("62", "delivered", False),
    ]


def test_who_left_in_zalo_is_forgotten_and_a_claim_when_its_time_is_over(world: World) -> None:
    now = world.now()
    world.run(
        "INSERT INTO notifications.zalo_contact "
        "(uid_index, uid, following, following_at, phone_index, phone, linked_at, claim, claim_until) "
        "SELECT decode(name, 'escape'), 'u', following, now() - days * interval '1 day', 'p', 'p', "
        "now() - interval '90 days', 'c', now() + minutes * interval '1 minute' FROM (VALUES "
        "('stays', true, 90, 5), ('stays-late', true, 90, -5), ('left', false, 30, -5), "
        "('long-gone', false, 61, -5)) AS v (name, following, days, minutes)"
    )
    with Session(world.engine) as session, session.begin():
        assert forget_contacts(session, keep_days=60, now=now) == 3
        assert forget_contacts(session, keep_days=60, now=now) == 0
    found = world.rows(
        "SELECT encode(uid_index, 'escape') AS name, claim IS NOT NULL AS claimed "
        "FROM notifications.zalo_contact ORDER BY 1"
    )
    assert [tuple(row) for row in found] == [("left", False), ("stays", True), ("stays-late", False)]
