"""What waits about a subject is replaced as a whole: kept, taken back, said after all, sent elsewhere."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from notifications import Message, Recipient
from tests.notifications.conftest import World

PHONE, OTHER = "+84912000111", "+84912000222"
DAY, HOURS = "appointment-reminder-day", "appointment-reminder-hours"


def replace(world: World, subject: UUID, *messages: Message, kinds: Iterable[str] | None = None) -> None:
    with Session(world.engine) as session, session.begin():
        wanted = None if kinds is None else list(kinds)
        world.outbox.replace(session, subject, messages, kinds=wanted, now=world.now())


def about(world: World, subject: UUID, kind: str, phone: str = PHONE, language: str = "vi") -> Message:
    to = Recipient(phone=phone, language=language)
    message = world.message(kind, phone, subject=subject, dedupe_key=f"{kind}:{subject}")
    return Message(**{**vars(message), "recipient": to})


def told(world: World) -> list[tuple[str, str]]:
    found = world.rows("SELECT kind, state FROM notifications.notification ORDER BY kind, created_at, id")
    return [(row.kind.rpartition("-")[2], row.state) for row in found]


def lease(world: World) -> None:
    world.run(
        "UPDATE notifications.outbox SET lease_owner = 'one', lease_until = now() + interval '1 minute'"
    )


def flags(world: World) -> list[bool]:
    return [row.cancelled for row in world.rows("SELECT cancelled FROM notifications.outbox")]


def test_what_is_wanted_stays_as_it_is_and_the_rest_is_taken_back(world: World) -> None:
    subject = uuid4()
    day, hours = about(world, subject, DAY), about(world, subject, HOURS)
    world.enqueue(day)
    kept = world.only_id()
    replace(world, subject, day, hours)
    replace(world, subject, day)
    assert told(world) == [("day", "queued"), ("hours", "cancelled")]
    assert [row.notification_id for row in world.rows("SELECT * FROM notifications.outbox")] == [kept]


def test_only_the_named_kinds_are_touched(world: World) -> None:
    subject = uuid4()
    world.enqueue(about(world, subject, DAY), about(world, subject, "appointment-booked"))
    replace(world, subject, kinds=[DAY])
    assert told(world) == [("booked", "queued"), ("day", "cancelled")]


def test_what_was_taken_back_can_be_said_after_all_and_what_was_said_cannot(world: World) -> None:
    subject = uuid4()
    day = about(world, subject, DAY)
    for _ in range(3):
        replace(world, subject, day)
        replace(world, subject)
    replace(world, subject, day)
    assert told(world) == [("day", "cancelled")] * 3 + [("day", "queued")]
    world.run("DELETE FROM notifications.outbox")
    world.run("UPDATE notifications.notification SET state = 'accepted' WHERE state = 'queued'")
    replace(world, subject, day)
    assert told(world)[-1] == ("day", "accepted")
    assert world.count("outbox") == 0


def test_another_address_or_language_is_another_message(world: World) -> None:
    subject = uuid4()
    replace(world, subject, about(world, subject, DAY))
    replace(world, subject, about(world, subject, DAY, OTHER))
    replace(world, subject, about(world, subject, DAY, OTHER, "en"))
    assert told(world) == [("day", "cancelled"), ("day", "cancelled"), ("day", "queued")]
    (left,) = world.rows(
        """SELECT n.recipient_index, n.language FROM notifications.outbox o
             JOIN notifications.notification n ON n.id = o.notification_id"""
    )
    assert (left.recipient_index, left.language) == (world.outbox.recipient_index(OTHER), "en")


def test_what_is_under_way_and_wanted_again_is_no_longer_to_be_dropped(world: World) -> None:
    subject = uuid4()
    day = about(world, subject, DAY)
    world.enqueue(day)
    lease(world)
    replace(world, subject)
    assert flags(world) == [True]
    replace(world, subject, day)
    assert flags(world) == [False]
    assert told(world) == [("day", "queued")]


def test_what_has_left_or_may_have_counts_as_said(world: World) -> None:
    subject = uuid4()
    day, hours = about(world, subject, DAY), about(world, subject, HOURS)
    world.enqueue(day, hours)
    with Session(world.engine) as session:
        assert world.outbox.said(session, [day.dedupe_key, hours.dedupe_key]) == frozenset()
    for state, said in (("sending", 1), ("accepted", 1), ("delivered", 1), ("undelivered", 0), ("dead", 0)):
        world.run(
            "UPDATE notifications.notification SET state = :state WHERE kind = :kind", state=state, kind=DAY
        )
        with Session(world.engine) as session:
            assert len(world.outbox.said(session, [day.dedupe_key, hours.dedupe_key])) == said, state
