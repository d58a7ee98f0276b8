"""Calling: never the same person twice, never one left out, and what follows a call."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select, text

from notifications import Outbox
from notifications.models import Notification
from telehealth.audit.models import AuditEvent
from telehealth.boards.queries import board_state
from telehealth.core.errors import NotFound, PreconditionFailed, Unprocessable
from telehealth.encounters.models import Encounter
from telehealth.queueing import services
from telehealth.queueing.codes import PriorityBasis, PriorityClass
from telehealth.queueing.errors import QueueEmpty, ReturnTooLate, TicketMovedOn, UndoTooLate
from telehealth.queueing.models import BoardEvent, Ticket, TicketEvent
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Hospital

BOARD_BODY = {"number", "room", "room_en", "place", "door", "kind", "next"}
SOON = MONDAY_8AM + timedelta(minutes=1)

CARELESS = text(
    """
    UPDATE ticket SET status = 'called' WHERE id = (
        SELECT id FROM ticket WHERE queue_id = :queue AND status = 'waiting' ORDER BY number LIMIT 1)
    RETURNING number
    """
)


def step(hospital: Hospital, name: str, ticket_id: UUID, **more: object) -> services.TicketState:
    with hospital.begin() as session:
        return services.take(
            session, hospital.doctor, ticket_id, name, now=MONDAY_8AM, cipher=hospital.cipher, **more
        )


def wait_until_blocked(hospital: Hospital, other: Future[services.TicketState]) -> None:
    """Return once the other's connection waits for a lock, or the other is through."""
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while not other.done():
        with hospital.begin() as session:
            if session.scalar(blocked):
                return


def test_ten_desks_at_once_call_ten_different_people(hospital: Hospital):
    for _ in range(30):
        hospital.number("registration")
    start = Barrier(10)

    def desk(_: int) -> list[str]:
        start.wait()
        return [hospital.call("registration").number_text for _ in range(3)]

    with ThreadPoolExecutor(10) as pool:
        called = [number for desk_calls in pool.map(desk, range(10), timeout=60) for number in desk_calls]
    assert sorted(called) == [f"A{n:03d}" for n in range(1, 31)]


def test_presses_of_one_instant_are_called_one_after_the_other(hospital: Hospital):
    """Whose turn is next goes by the last calls: their instants must say which came last."""
    for _ in range(8):
        hospital.number("registration")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: hospital.call("registration"), range(8), timeout=60))
    with hospital.begin() as session:
        times = session.scalars(text("SELECT called_at FROM ticket ORDER BY number")).all()
    assert times == sorted(set(times))


def test_without_the_locks_two_desks_call_one_person(hospital: Hospital):
    """The control: the same update without SKIP LOCKED and without looking at the status again."""
    for _ in range(2):
        hospital.number("registration")
    queue_id = hospital.queue("registration")
    both_chose = Barrier(2)

    def desk(_: int) -> int:
        with hospital.begin() as session:
            both_chose.wait()
            number = session.execute(CARELESS, {"queue": queue_id}).scalar_one()
            session.execute(text("SELECT pg_sleep(0.1)"))
            return number

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(desk, range(2), timeout=60)) == [1, 1]


def test_a_person_somebody_else_is_just_moving_is_passed_over_and_stays_first(hospital: Hospital):
    first = hospital.number()
    hospital.number()
    with hospital.begin() as session:
        session.execute(select(Ticket).where(Ticket.id == first.id).with_for_update())
        assert hospital.call().number_text == "1-002"
    assert hospital.call().number_text == "1-001"


def test_two_desks_at_the_first_call_of_the_day_keep_the_order_and_tell_each_phone_once(hospital: Hospital):
    """The second comes while the first has called somebody and told those near, but not yet committed."""
    for number in range(8):
        hospital.number("registration", patient_id=hospital.patient(phone=f"+8491234567{number}"))
    queue_id, outbox = hospital.queue("registration"), Outbox(hospital.cipher)
    with ThreadPoolExecutor(1) as pool:
        with hospital.begin() as session:
            first = services.call_next(
                session, hospital.doctor, queue_id, now=MONDAY_8AM, cipher=hospital.cipher, outbox=outbox
            )
            second = pool.submit(hospital.call, "registration")
            wait_until_blocked(hospital, second)
        assert (first.number_text, second.result(60).number_text) == ("A001", "A002")
    with hospital.begin() as session:
        told = session.scalars(select(Notification.dedupe_key)).all()
    assert len(told) == len(set(told)) == 5


def test_desks_that_race_with_messages_on_never_deadlock(hospital: Hospital):
    for number in range(10):
        hospital.number("registration", patient_id=hospital.patient(phone=f"+8491234567{number}"))
    start = Barrier(2)

    def desk(_: int) -> list[str]:
        start.wait()
        return [hospital.call("registration").number_text for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        called = [number for calls in pool.map(desk, range(2), timeout=60) for number in calls]
    assert sorted(called) == [f"A{n:03d}" for n in range(1, 11)]


def test_telling_those_near_waits_for_nobody(hospital: Hospital):
    for _ in range(2):
        hospital.number()
    held = hospital.number(patient_id=hospital.patient(phone="+84912345678"))
    hospital.number(patient_id=hospital.patient(phone="+84912345679"))
    with hospital.begin() as session:
        session.execute(select(Ticket).where(Ticket.id == held.id).with_for_update())
        with hospital.begin() as other:
            other.execute(text("SET LOCAL lock_timeout = '2s'"))
            services.call_next(
                other, hospital.doctor, hospital.queue("P001"), now=MONDAY_8AM, cipher=hospital.cipher,
                outbox=Outbox(hospital.cipher),
            )  # fmt: skip
    assert hospital.count(Notification) == 1
    hospital.call()
    assert hospital.count(Notification) == 2


def test_an_empty_queue_says_so(hospital: Hospital):
    with pytest.raises(QueueEmpty):
        hospital.call()


def test_yesterdays_numbers_are_not_called_today(hospital: Hospital):
    hospital.number(now=MONDAY_8AM - timedelta(days=1))
    with pytest.raises(QueueEmpty):
        hospital.call()


def test_a_hall_calls_to_the_desk_that_pressed(hospital: Hospital):
    hospital.number("registration")
    queue_id = hospital.queue("registration")
    with hospital.begin() as session:
        desk, room = (
            session.scalar(text("SELECT id FROM service_point WHERE code = :code"), {"code": code})
            for code in ("Q02", "P001")
        )
    outbox = Outbox(hospital.cipher)
    with pytest.raises(Unprocessable), hospital.begin() as session:
        services.call_next(
            session, hospital.doctor, queue_id, now=MONDAY_8AM, cipher=hospital.cipher, outbox=outbox,
            service_point_id=room,
        )  # fmt: skip
    with hospital.begin() as session:
        state = services.call_next(
            session, hospital.doctor, queue_id, now=MONDAY_8AM, cipher=hospital.cipher, outbox=outbox,
            service_point_id=desk,
        )  # fmt: skip
    assert (state.number_text, state.room) == ("A001", "Quầy đăng ký 2")


def test_priorities_first_but_not_only(hospital: Hospital):
    hospital.number()
    for _ in range(3):
        hospital.number(priority=PriorityClass.PREGNANT)
    assert [hospital.call().number_text for _ in range(4)] == ["1-002", "1-003", "1-001", "1-004"]


def test_from_call_to_done_the_visit_and_the_appointment_follow(hospital: Hospital):
    appointment = hospital.appointment(SOON)
    hospital.check_in(appointment)
    called = hospital.call()
    assert step(hospital, "start", called.id).status == "serving"
    assert step(hospital, "done", called.id).status == "done"
    assert hospital.status_of(appointment) == "fulfilled"
    with hospital.begin() as session:
        visit = session.scalars(select(Encounter)).one()
        kinds = session.scalars(select(TicketEvent.kind).order_by(TicketEvent.id)).all()
        trail = set(
            session.scalars(select(AuditEvent.action).where(AuditEvent.patient_id == appointment.patient_id))
        )
    assert (visit.status, visit.practitioner_id) == ("finished", hospital.practitioner_id)
    assert kinds == ["issued", "call", "start", "done"]
    assert {"ticket.call", "ticket.start", "ticket.done", "encounter.start", "encounter.finish"} <= trail


def test_a_walk_in_gets_a_visit_when_the_doctor_begins(hospital: Hospital):
    hospital.number()
    called = hospital.call()
    assert step(hospital, "start", called.id).encounter_id is not None


def test_a_desk_has_no_visits(hospital: Hospital):
    hospital.number("registration")
    called = hospital.call("registration")
    assert step(hospital, "start", called.id).encounter_id is None
    step(hospital, "done", called.id)
    assert hospital.count(Encounter) == 0


def test_who_does_not_come_is_a_no_show_until_they_come_back(hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    hospital.check_in(appointment)
    called = hospital.call()
    for _ in range(5):
        hospital.number()
    assert step(hospital, "skip", called.id).status == "missed"
    assert hospital.status_of(appointment) == "noshow"
    assert step(hospital, "return", called.id).status == "waiting"
    assert hospital.status_of(appointment) == "arrived"
    assert [hospital.call().number_text for _ in range(5)] == ["1-002", "1-003", "1-004", "1-001", "1-005"]


def test_who_was_called_before_their_time_is_no_no_show(hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=25))
    hospital.check_in(appointment)
    called = hospital.call()
    assert step(hospital, "skip", called.id).status == "missed"
    assert hospital.status_of(appointment) == "arrived"


def test_after_ten_others_a_missed_number_is_over(hospital: Hospital):
    hospital.number()
    missed = hospital.call()
    step(hospital, "skip", missed.id)
    for minute in range(1, 12):
        hospital.number()
        hospital.call(now=MONDAY_8AM + timedelta(minutes=minute))
    with pytest.raises(ReturnTooLate):
        step(hospital, "return", missed.id)


def test_who_comes_back_from_tests_is_next(hospital: Hospital):
    for _ in range(3):
        hospital.number()
    called = hospital.call()
    step(hospital, "start", called.id)
    step(hospital, "park", called.id)
    step(hospital, "return", called.id)
    assert hospital.call().number_text == "1-001"


@pytest.mark.parametrize("name", ["recall", "skip", "start", "done", "return"])
def test_a_step_that_does_not_start_here_is_refused(hospital: Hospital, name: str):
    waiting = hospital.number()
    with pytest.raises(TicketMovedOn) as refusal:
        step(hospital, name, waiting.id)
    assert refusal.value.extra == {"ticket_status": "waiting"}


def test_two_who_press_done_at_once_do_it_once(hospital: Hospital):
    hospital.number()
    called = hospital.call()

    def press(_: int) -> str:
        try:
            return step(hospital, "done", called.id).status
        except TicketMovedOn:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(press, range(4), timeout=60)) == ["done", "refused", "refused", "refused"]


def test_an_old_version_is_refused(hospital: Hospital):
    hospital.number()
    called = hospital.call()
    with pytest.raises(PreconditionFailed):
        step(hospital, "done", called.id, version=called.version - 1)
    assert step(hospital, "done", called.id, version=called.version).status == "done"


def test_another_queue_takes_a_person_over_with_their_waiting_time(hospital: Hospital):
    early = hospital.number("P001", now=MONDAY_8AM - timedelta(minutes=30))
    hospital.number("P002", now=MONDAY_8AM - timedelta(minutes=10))
    target = hospital.queue("P002")
    with hospital.begin() as session:
        moved = services.transfer(
            session, hospital.doctor, early.id, target, now=MONDAY_8AM, cipher=hospital.cipher
        )
    assert (moved.number_text, moved.people_ahead) == ("2-002", 0)
    with hospital.begin() as session:
        assert session.get_one(Ticket, early.id).status == "done"


def test_no_person_is_moved_to_another_hospital(hospital: Hospital, other_hospital: Hospital):
    ticket = hospital.number()
    target = other_hospital.queue("P001")
    with pytest.raises(NotFound), hospital.begin() as session:
        services.transfer(session, hospital.doctor, ticket.id, target, now=MONDAY_8AM, cipher=hospital.cipher)


def test_the_board_gets_numbers_without_a_gap_and_no_names(hospital: Hospital):
    for code in ("P001", "P002"):
        for _ in range(10):
            hospital.number(code)

    def room(code: str) -> None:
        for _ in range(10):
            hospital.call(code)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(room, ["P001", "P002"], timeout=60))
    with hospital.begin() as session:
        events = session.scalars(select(BoardEvent).order_by(BoardEvent.seq)).all()
    assert [event.seq for event in events] == list(range(1, 21))
    assert {event.kind for event in events} == {"called"}
    assert all(set(event.body) == BOARD_BODY for event in events)


def test_a_call_that_rolls_back_leaves_no_gap_on_the_board(hospital: Hospital):
    hospital.number()
    queue_id = hospital.queue("P001")
    with pytest.raises(ZeroDivisionError), hospital.begin() as session:  # noqa: PT012
        services.call_next(
            session, hospital.doctor, queue_id, now=MONDAY_8AM, cipher=hospital.cipher,
            outbox=Outbox(hospital.cipher),
        )  # fmt: skip
        raise ZeroDivisionError
    called = hospital.call()
    step(hospital, "recall", called.id)
    with hospital.begin() as session:
        events = session.scalars(select(BoardEvent).order_by(BoardEvent.seq)).all()
    assert [(event.seq, event.body["kind"]) for event in events] == [(1, "call"), (2, "recall")]


def test_three_before_the_turn_the_phone_is_told_once(hospital: Hospital):
    for _ in range(4):
        hospital.number()
    with_phone = hospital.patient(phone="+84912345678")
    hospital.number(patient_id=with_phone)
    hospital.number(patient_id=hospital.patient())
    hospital.call()
    assert hospital.count(Notification) == 1
    hospital.call()
    hospital.call()
    assert hospital.count(Notification) == 1
    with hospital.begin() as session:
        told = session.scalars(select(Notification)).one()
    assert told.kind == "turn-near"


def later(minutes: float) -> datetime:
    return MONDAY_8AM + timedelta(minutes=minutes)


def test_a_call_is_undone_as_if_it_had_not_been(hospital: Hospital):
    for minute in range(3):
        hospital.number(now=later(minute))
    called = hospital.call(now=later(5))
    undone = step(hospital, "undo-call", called.id)
    assert (undone.status, undone.call_count) == ("waiting", 0)
    with hospital.begin() as session:
        assert board_state(session, hospital.id, None, MONDAY_8AM).calls == ()
    assert [hospital.call(now=later(6 + n)).number_text for n in range(3)] == ["1-001", "1-002", "1-003"]


def test_an_undone_call_takes_nobodys_turn(hospital: Hospital):
    hospital.number()
    for _ in range(3):
        hospital.number(priority=PriorityClass.PREGNANT)
    first = hospital.call(now=later(1))
    step(hospital, "undo-call", first.id)
    called = [hospital.call(now=later(2 + n)).number_text for n in range(4)]
    assert called == ["1-002", "1-003", "1-001", "1-004"]


def test_a_call_is_undone_only_while_it_is_the_last_of_its_room(hospital: Hospital):
    for _ in range(2):
        hospital.number()
    first = hospital.call(now=later(1))
    second = hospital.call(now=later(2))
    with pytest.raises(UndoTooLate):
        step(hospital, "undo-call", first.id)
    step(hospital, "undo-call", second.id)
    step(hospital, "start", first.id)
    with pytest.raises(TicketMovedOn):
        step(hospital, "undo-call", first.id)


def test_who_came_back_and_whose_call_is_undone_still_stands_where_they_stood(hospital: Hospital):
    for minute in range(3):
        hospital.number(now=later(minute))
    first = hospital.call(now=later(5))
    step(hospital, "skip", first.id)
    hospital.settle("P001", return_places=0)
    step(hospital, "return", first.id)
    again = hospital.call(now=later(6))
    assert again.id == first.id
    step(hospital, "undo-call", first.id)
    assert hospital.call(now=later(7)).id == first.id


def test_undoing_and_calling_at_once_loses_nobody(hospital: Hospital):
    for minute in range(4):
        hospital.number(now=later(minute))
    called = hospital.call(now=later(5))
    start = Barrier(2)

    def undo() -> str | None:
        start.wait()
        try:
            return step(hospital, "undo-call", called.id).number_text
        except UndoTooLate:
            return None

    def call() -> str:
        start.wait()
        return hospital.call(now=later(6)).number_text

    with ThreadPoolExecutor(2) as pool:
        undone, other = pool.submit(undo), pool.submit(call)
        gave_back, number = undone.result(30), other.result(30)
    rest = [hospital.call(now=later(7 + n)).number_text for n in range(3 if gave_back else 2)]
    seen = [number, *rest] if gave_back else ["1-001", number, *rest]
    assert sorted(set(seen)) == ["1-001", "1-002", "1-003", "1-004"]


def test_after_so_many_calls_the_next_skips_by_itself_where_the_facility_wants(hospital: Hospital):
    hospital.settle("P001", calls_before_missed=2, skips_by_itself=True)
    for _ in range(3):
        hospital.number()
    first = hospital.call(now=later(1))
    second = hospital.call(now=later(2))
    step(hospital, "recall", second.id)
    hospital.call(now=later(3))
    with hospital.begin() as session:
        assert session.get_one(Ticket, first.id).status == "called"
        assert session.get_one(Ticket, second.id).status == "missed"


def test_staff_confirm_or_take_away_what_somebody_said_of_themselves(hospital: Hospital):
    slip = hospital.number(priority=PriorityClass.PREGNANT)
    hospital.number()
    with hospital.begin() as session:
        assert session.get_one(Ticket, slip.id).priority_basis == "declared"
        services.grant_priority(
            session, hospital.doctor, slip.id, PriorityClass.PREGNANT, now=MONDAY_8AM,
            basis=PriorityBasis.DOCUMENT,
        )  # fmt: skip
    with hospital.begin() as session:
        ticket = session.get_one(Ticket, slip.id)
        assert (ticket.priority_set_by, ticket.priority_basis) == (f"staff:{hospital.account_id}", "document")
        services.grant_priority(session, hospital.doctor, slip.id, PriorityClass.NONE, now=MONDAY_8AM)
    with hospital.begin() as session:
        kinds = session.scalars(select(TicketEvent.kind).where(TicketEvent.ticket_id == slip.id)).all()
        assert session.get_one(Ticket, slip.id).priority_basis is None
    assert kinds == ["issued", "confirm-priority", "grant-priority"]
