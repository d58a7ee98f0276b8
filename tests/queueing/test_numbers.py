"""Numbers are unique and without gaps, whoever presses how often at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from telehealth.core.crypto import token_hash
from telehealth.core.uow import system_unit_of_work
from telehealth.queueing import services
from telehealth.queueing.codes import PrintStatus, PriorityClass
from telehealth.queueing.errors import PressReused, QueueClosed, QueueFull
from telehealth.queueing.models import Ticket, TicketEvent
from telehealth.queueing.services import arranging
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Hospital

THREADS = 32
PRESSES = 96

MAX_PLUS_ONE = text(
    """
    WITH seen AS (SELECT coalesce(max(number), 0) AS last FROM trial_ticket WHERE queue_id = :queue),
         pause AS (SELECT pg_sleep(0.002) FROM seen)
    INSERT INTO trial_ticket (queue_id, number) SELECT :queue, seen.last + 1 FROM seen, pause RETURNING number
    """
)


def test_32_kiosks_at_once_give_each_number_once_and_leave_none_out(hospital: Hospital):
    queue_id = hospital.queue("registration")

    def press(_: int) -> str:
        with hospital.begin() as session:
            return services.take_number(
                session, hospital.kiosk, queue_id, priority=PriorityClass.NONE, press_key=uuid4().hex,
                now=MONDAY_8AM, cipher=hospital.cipher,
            ).number_text  # fmt: skip

    with ThreadPoolExecutor(THREADS) as pool:
        numbers = sorted(pool.map(press, range(PRESSES), timeout=60))
    assert numbers == [f"A{n:03d}" for n in range(1, PRESSES + 1)]


def test_the_way_of_others_gives_numbers_twice(hospital: Hospital, owner_engine: Engine, engine: Engine):
    """The control: max(number) + 1, without the counter's row and the unique constraint."""
    queue_id = hospital.queue("registration")
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE trial_ticket (queue_id uuid, number integer)")
    try:

        def press(_: int) -> int:
            with system_unit_of_work(engine) as session:
                return session.execute(MAX_PLUS_ONE, {"queue": queue_id}).scalar_one()

        with ThreadPoolExecutor(THREADS) as pool:
            numbers = list(pool.map(press, range(PRESSES), timeout=60))
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE trial_ticket")
    assert len(set(numbers)) < len(numbers)


def test_a_press_that_fails_leaves_no_gap(hospital: Hospital):
    queue_id = hospital.queue("registration")
    assert hospital.number("registration").number_text == "A001"
    with pytest.raises(ZeroDivisionError), hospital.begin() as session:  # noqa: PT012
        services.take_number(
            session, hospital.kiosk, queue_id, priority=PriorityClass.NONE, press_key="x", now=MONDAY_8AM,
            cipher=hospital.cipher,
        )  # fmt: skip
        raise ZeroDivisionError
    assert hospital.number("registration").number_text == "A002"


def test_the_same_press_gives_the_same_slip(hospital: Hospital):
    first = hospital.number("registration", press_key="press")
    again = hospital.number("registration", press_key="press")
    assert (again.id, again.number_text, again.public_token) == (
        first.id,
        first.number_text,
        first.public_token,
    )
    assert hospital.number("registration").number_text == "A002"


def test_the_same_press_sent_many_times_at_once_gives_one_number(hospital: Hospital):
    def press(_: int) -> str:
        return hospital.number("registration", press_key="bounced").number_text

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(press, range(16), timeout=60)) == {"A001"}
    assert hospital.number("registration").number_text == "A002"
    assert hospital.count(Ticket) == 2


def test_one_press_is_not_taken_for_two_queues(hospital: Hospital):
    hospital.number("registration", press_key="press")
    with pytest.raises(PressReused):
        hospital.number("cashier", press_key="press")
    assert hospital.number("cashier").number_text == "T001"


def test_one_press_is_not_taken_for_two_people_or_two_days(hospital: Hospital):
    hospital.number("registration", press_key="press", patient_id=hospital.patient())
    for other in (
        {"patient_id": hospital.patient()},
        {"priority": PriorityClass.PREGNANT},
        {"now": MONDAY_8AM + timedelta(days=1)},
        {},
    ):
        with pytest.raises(PressReused):
            hospital.number("registration", press_key="press", **other)
    assert hospital.count(Ticket) == 1
    assert hospital.number("registration").number_text == "A002"


def test_the_day_turns_at_midnight_in_the_province(hospital: Hospital):
    before = datetime(2026, 11, 30, 16, 59, 59, tzinfo=UTC)
    assert hospital.number("registration", now=before).business_date == date(2026, 11, 30)
    fresh = hospital.number("registration", now=before + timedelta(seconds=1))
    assert (fresh.business_date, fresh.number_text) == (date(2026, 12, 1), "A001")


def test_the_daily_limit_holds_and_costs_no_number(hospital: Hospital):
    hospital.limit("registration", 2)
    hospital.number("registration")
    hospital.number("registration")
    with pytest.raises(QueueFull):
        hospital.number("registration")
    hospital.limit("registration", 3)
    assert hospital.number("registration").number_text == "A003"


def test_a_limit_of_nothing_gives_nothing(hospital: Hospital):
    hospital.limit("registration", 0)
    with pytest.raises(QueueFull):
        hospital.number("registration")


def test_a_queue_out_of_use_gives_no_numbers(hospital: Hospital):
    hospital.limit("registration", None, active=False)
    with pytest.raises(QueueClosed):
        hospital.number("registration")


def test_the_slip_says_where_how_many_and_about_how_long(hospital: Hospital):
    for _ in range(3):
        hospital.number("P001")
    slip = hospital.number("P001")
    assert (slip.number_text, slip.room, slip.people_ahead) == ("1-004", "Phòng khám 1", 3)
    assert slip.wait_range is not None
    assert slip.wait_range.low < 24 < slip.wait_range.high


def test_the_public_token_is_not_in_the_database(hospital: Hospital):
    slip = hospital.number("P001")
    with hospital.begin() as session:
        ticket = session.get_one(Ticket, slip.id)
    assert ticket.public_token_hash == token_hash(slip.public_token)
    assert len(slip.public_token) == 22


def test_who_set_a_priority_is_kept(hospital: Hospital):
    slip = hospital.number("registration", priority=PriorityClass.PREGNANT)
    with hospital.begin() as session:
        ticket = session.get_one(Ticket, slip.id)
        events = session.scalars(select(TicketEvent).where(TicketEvent.ticket_id == slip.id)).all()
    assert (ticket.priority_class, ticket.priority_set_by) == ("pregnant", "self")
    assert [(event.kind, event.actor_kind, event.actor_id) for event in events] == [
        ("issued", "kiosk", hospital.device_id)
    ]


def test_a_dead_printer_is_noted_and_the_number_stands(hospital: Hospital):
    slip = hospital.number("registration")
    with hospital.begin() as session:
        services.note_print(session, slip.id, PrintStatus.FAILED)
    with hospital.begin() as session:
        ticket = session.get_one(Ticket, slip.id)
    assert (ticket.print_status, ticket.status) == ("failed", "waiting")


def test_queues_follow_the_service_points(hospital: Hospital, as_system: Session):
    assert services.ensure_queues(as_system, hospital.id) == 4
    codes = {code for (code,) in as_system.execute(text("SELECT code FROM queue WHERE active"))}
    assert codes == {"registration", "cashier", "P001", "P002"}
    as_system.execute(text("UPDATE service_point SET active = false WHERE code = 'P002'"))
    as_system.execute(text("UPDATE queue SET daily_limit = 60 WHERE code = 'P001'"))
    assert services.ensure_queues(as_system, hospital.id) == 3
    kept = dict(as_system.execute(text("SELECT code, daily_limit FROM queue WHERE active")).all())
    assert kept == {"registration": None, "cashier": None, "P001": 60}


def test_the_slip_counts_as_the_line_places(hospital: Hospital, client: FlaskClient, clock: object):
    """Priorities, appointments due and early, somebody who came back, a merged queue: both ways agree."""
    for priority in (PriorityClass.NONE, PriorityClass.MERIT, PriorityClass.NONE, PriorityClass.PREGNANT):
        hospital.number(priority=priority, now=MONDAY_8AM - timedelta(minutes=9))
    hospital.number("P002", now=MONDAY_8AM - timedelta(minutes=8))
    for minutes in (-5, 20):
        hospital.check_in(hospital.appointment(MONDAY_8AM + timedelta(minutes=minutes)))
    missed = hospital.call(now=MONDAY_8AM - timedelta(minutes=2))
    hospital.call(now=MONDAY_8AM - timedelta(minutes=1))
    with hospital.begin() as session:
        services.skip(session, hospital.doctor, missed.id, now=MONDAY_8AM)
        services.come_back(session, hospital.doctor, missed.id, now=MONDAY_8AM)
        arranging.merge(
            session, hospital.admin, hospital.queue("P002"), hospital.queue("P001"), now=MONDAY_8AM
        )
    for priority in (PriorityClass.NONE, PriorityClass.DISABILITY, PriorityClass.NONE):
        slip = hospital.number(priority=priority)
        shown = client.get(f"/api/v1/tickets/{slip.public_token}").json
        assert (shown["people_ahead"], shown["room"]) == (slip.people_ahead, slip.room)
        assert slip.wait_range is not None
        assert shown["wait_range_minutes"]["high"] == slip.wait_range.high
