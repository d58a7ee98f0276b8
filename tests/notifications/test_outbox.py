"""Messages belong to the transaction that they tell of."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from notifications import Message, NotSendable, Recipient
from tests.notifications.conftest import World

PHONE = "+84912000111"


def test_a_rolled_back_booking_leaves_no_message(world: World) -> None:
    with Session(world.engine) as session:
        assert (
            world.outbox.enqueue(session, [world.message("appointment-booked", PHONE)], now=world.now()) == 1
        )
        session.rollback()
    assert world.count("notification") == 0
    assert world.count("outbox") == 0


def test_a_message_is_stored_once_however_often_it_is_enqueued(world: World) -> None:
    message = world.message("appointment-booked", PHONE)
    assert world.enqueue(message, message) == 1
    assert world.enqueue(message) == 0
    assert (world.count("notification"), world.count("outbox")) == (1, 1)


def test_three_messages_cost_one_statement(world: World) -> None:
    kinds = ("appointment-booked", "appointment-reminder-day", "appointment-reminder-hours")
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(world.engine, "before_cursor_execute", note)
    try:
        assert world.enqueue(*(world.message(kind, PHONE) for kind in kinds)) == 3
    finally:
        event.remove(world.engine, "before_cursor_execute", note)
    assert len(seen) == 1


def test_the_statement_works_in_a_pipeline_of_the_callers_own(world: World) -> None:
    sql, parameters = world.outbox.statement([world.message("otp", PHONE)], now=world.now())
    with psycopg.connect(world.listen_url) as connection, connection.pipeline():
        first = connection.execute(sql, parameters)
        again = connection.execute(sql, parameters)
        assert first.fetchone() == (1, "")
        assert again.fetchone() == (0, None)
    assert world.count("outbox") == 1


def test_nothing_that_a_reader_could_use_is_stored_in_clear(world: World) -> None:
    world.enqueue(world.message("appointment-booked", PHONE))
    stored = world.rows("SELECT n::text FROM notifications.notification n")[0][0]
    for secret in (PHONE[1:], PHONE[3:], "482913", "Bà Rịa"):
        assert secret not in stored
        assert secret.encode().hex() not in stored


def test_cancelling_takes_back_what_waits_and_nothing_else(world: World) -> None:
    appointment, other = uuid4(), uuid4()
    world.enqueue(
        world.message("appointment-reminder-day", PHONE, subject=appointment),
        world.message("appointment-reminder-hours", PHONE, subject=appointment),
        world.message("appointment-cancelled", PHONE, subject=appointment),
        world.message("appointment-reminder-day", PHONE, subject=other),
    )
    with Session(world.engine) as session, session.begin():
        reminders = ["appointment-reminder-day", "appointment-reminder-hours"]
        assert world.outbox.cancel(session, appointment, kinds=reminders, now=world.now()) == 2
    left = world.rows("SELECT kind, subject, state FROM notifications.notification ORDER BY kind, state")
    assert [(row.kind, row.subject == other, row.state) for row in left] == [
        ("appointment-cancelled", False, "queued"),
        ("appointment-reminder-day", False, "cancelled"),
        ("appointment-reminder-day", True, "queued"),
        ("appointment-reminder-hours", False, "cancelled"),
    ]
    assert world.count("outbox") == 2


def test_a_message_cancelled_while_it_is_being_sent_is_not_tried_again(world: World) -> None:
    phone, appointment = world.new_phone(), uuid4()
    world.sandbox.fault("twilio", "hang", to=phone, seconds=3)
    world.enqueue(world.message("otp", phone, subject=appointment))
    with world.dispatching():
        world.until(lambda: world.states() == ["sending"])
        with Session(world.engine) as session, session.begin():
            assert world.outbox.cancel(session, appointment, now=world.now()) == 0
        world.until(lambda: world.count("outbox") == 0)
    assert world.states() == ["cancelled"]
    assert world.sandbox.messages(phone) == []


def test_a_message_being_leased_while_it_is_cancelled_is_flagged(world: World) -> None:
    appointment = uuid4()
    world.enqueue(world.message("otp", PHONE, subject=appointment))

    def cancel() -> int:
        with Session(world.engine) as session, session.begin():
            return world.outbox.cancel(session, appointment, now=world.now())

    lease = "UPDATE notifications.outbox SET lease_owner = 'one', lease_until = now() + interval '1 minute'"
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(world.listen_url) as dispatcher:
            dispatcher.execute(lease)
            cancelled = pool.submit(cancel)
            world.until(lambda: world.rows("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0] > 0)
        assert cancelled.result() == 0
    assert [row.cancelled for row in world.rows("SELECT cancelled FROM notifications.outbox")] == [True]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "advertisement"}, "no message kind"),
        ({"params": {"code": "1"}}, "takes"),
        ({"params": {"code": "1" * 200, "minutes": "5"}}, "longer than"),
        ({"recipient": Recipient()}, "no address"),
        ({"recipient": Recipient(phone=PHONE, language="fr")}, "no texts"),
    ],
)
def test_a_message_nobody_could_send_is_refused(world: World, change: dict[str, Any], reason: str) -> None:
    good = world.message("otp", PHONE)
    bad = Message(**({name: getattr(good, name) for name in Message.__dataclass_fields__} | change))
    with pytest.raises(NotSendable, match=reason):
        world.enqueue(bad)


def test_a_message_that_expires_before_it_may_be_sent_is_refused(world: World) -> None:
    with pytest.raises(NotSendable, match="expires"):
        world.enqueue(world.message("otp", PHONE, expires_at=world.now() - timedelta(hours=1)))


def test_the_application_cannot_rewrite_what_was_tried(world: World) -> None:
    for table in ("delivery_attempt", "receipt"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            world.engine.begin() as connection,
        ):
            connection.execute(text(f"DELETE FROM notifications.{table}"))
