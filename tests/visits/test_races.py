"""Two at once: the same event, two lines for one person, a button and the system. And the control."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

from sqlalchemy import Engine, text

from telehealth.core.errors import DomainError
from telehealth.queueing.errors import QueueEmpty
from telehealth.queueing.models import Ticket
from telehealth.visits.codes import EventKind
from telehealth.visits.models import VisitEvent, VisitOrder
from telehealth.visits.services import Answer
from tests.visits.wards import Wards

PEOPLE = 8


def test_the_same_event_at_once_counts_once_and_is_answered_the_same(wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    event = wards.event(visit, EventKind.TESTS_ORDERED, "XN1", event_id="one")
    together = Barrier(PEOPLE)

    def say(_: int) -> Answer:
        together.wait()
        return wards.say(event)

    with ThreadPoolExecutor(PEOPLE) as pool:
        answers = set(pool.map(say, range(PEOPLE), timeout=60))
    assert len(answers) == 1
    assert wards.hospital.count(VisitEvent) == wards.hospital.count(VisitOrder) == 1
    assert [leg.kind for leg in wards.visit(visit).legs] == ["clinic", "sampling"]


def in_two_lines(wards: Wards, rounds: int) -> list[tuple[UUID, str, str]]:
    """People who have numbers in both rooms: with two appointments, say."""
    people = []
    for _ in range(rounds):
        patient = wards.hospital.patient()
        visit = wards.arrive("P001", patient_id=patient)
        wards.arrive("P002", patient_id=patient)
        people.append((visit, "P001", "P002"))
    return people


def test_two_lines_that_call_at_once_never_call_one_person(wards: Wards):
    in_two_lines(wards, 4)
    together = Barrier(2)

    def room(code: str) -> list[str]:
        called = []
        for _ in range(4):
            together.wait()
            try:
                called.append(wards.hospital.call(code, wards.clock.now).number_text)
            except QueueEmpty:
                called.append("")
        return called

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(room, ("P001", "P002"), timeout=60)
    assert len([each for each in (*first, *second) if each]) == 4, "each of the four people once"
    with wards.hospital.begin() as session:
        active = session.execute(
            text("SELECT count(*), count(DISTINCT visit_id) FROM ticket WHERE status = 'called'")
        ).one()
    assert tuple(active) == (4, 4)


def test_without_the_index_two_lines_do_call_one_person(wards: Wards, owner_engine: Engine):
    """The control: the same calls with the guard off."""
    (_visit, *_rooms) = in_two_lines(wards, 1)[0]
    with owner_engine.begin() as connection:
        connection.execute(text("DROP INDEX uq_ticket_visit_id"))
    chosen = Barrier(2)

    def careless(code: str) -> int:
        queue = wards.hospital.queue(code)
        with wards.hospital.begin() as session:
            free = session.execute(
                text(
                    "SELECT t.id FROM ticket t WHERE t.queue_id = :queue AND NOT EXISTS (SELECT FROM ticket o"
                    " WHERE o.visit_id = t.visit_id AND o.status IN ('called', 'serving')) FOR UPDATE"
                ),
                {"queue": queue},
            ).scalar_one()
            chosen.wait()
            session.execute(text("UPDATE ticket SET status = 'called' WHERE id = :id"), {"id": free})
            return 1

    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(careless, ("P001", "P002"), timeout=60)) == [1, 1]
        with wards.hospital.begin() as session:
            twice = session.scalar(text("SELECT count(*) FROM ticket WHERE status = 'called'"))
        assert twice == 2
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("UPDATE ticket SET status = 'waiting' WHERE status = 'called'"))
            connection.execute(
                text(
                    "CREATE UNIQUE INDEX uq_ticket_visit_id ON ticket (visit_id)"
                    " WHERE status IN ('called', 'serving')"
                )
            )


def test_a_button_and_the_system_at_once_hand_on_once(wards: Wards):
    """The doctor presses `Xong` while the system says that tests were ordered."""
    for round_ in range(4):
        visit = wards.arrive(insured=True)
        ticket = wards.serve("P001")
        event = wards.event(visit, EventKind.TESTS_ORDERED, f"XN{round_}")
        together = Barrier(2)

        def done(ticket: UUID = ticket, together: Barrier = together) -> None:
            together.wait()
            try:
                wards.step(ticket, "done", wards.clock.now)
            except DomainError as refusal:
                assert refusal.code == "ticket-moved-on"  # noqa: PT017

        def say(event: object = event, together: Barrier = together) -> None:
            together.wait()
            wards.say(event, wards.clock.now)

        with ThreadPoolExecutor(2) as pool:
            for outcome in (pool.submit(done), pool.submit(say)):
                outcome.result(60)
        assert wards.standing(visit).kind == "sampling"
        with wards.hospital.begin() as session:
            waiting = session.query(Ticket).filter_by(visit_id=visit, status="waiting").count()
        assert waiting == 1
