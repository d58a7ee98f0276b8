"""A process that books is killed (SIGKILL) before and after each round trip: nothing is lost or doubled.

Whoever was not answered asks again under the same key. What was committed is answered, what was not is done.
"""

import multiprocessing
import os
import signal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import services
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.services import BookingRequest, Once
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, NOW, TUESDAY, Person
from tests.booking.test_ledger_machine import flaws

MOST_TRIPS = 12


class Mortal(psycopg.Connection[Any]):
    """Kills its process at one of its waits for the server: with `after`, when the answer has come."""

    counting = False
    trips = 0
    last = 0
    after = False

    def wait(self, *args: Any, **options: Any) -> Any:
        if not Mortal.counting:
            return super().wait(*args, **options)
        Mortal.trips += 1
        if Mortal.trips == Mortal.last and not Mortal.after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().wait(*args, **options)
        if Mortal.trips == Mortal.last:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def book(session: Session, settings: Settings, person: Person, slot: str) -> bytes:
    once = Once(RequestKey.of(SYSTEM, "POST killed", "the-press", b""), lambda view: view.code.encode())
    return services.book_once(
        session,
        SYSTEM,
        BookingRequest(person.patient_id, slot_id=slot),
        once,
        now=NOW,
        cipher=settings.cipher,
        outbox=Outbox(settings.cipher),
        links=settings.answer_links,
    )


def _live_and_die(settings: Settings, person: Person, slot: str, last: int, after: bool) -> None:
    """Book in this process; it ends with the number of its round trips, if it lives so long."""
    dsn = settings.database_url.replace("postgresql+psycopg", "postgresql")
    engine = create_engine("postgresql+psycopg://", creator=lambda: Mortal.connect(dsn))
    with engine.connect():
        Mortal.last, Mortal.after = last, after
    Mortal.counting = True
    with system_unit_of_work(engine) as session:
        book(session, settings, person, slot)
    os._exit(Mortal.trips)


def lived(*arguments: object) -> int:
    """Run such a process; return its exit code, which is negative for a signal."""
    process = multiprocessing.get_context("fork").Process(target=_live_and_die, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.fixture
def slot(engine: Engine, clinic: None) -> str:
    with engine.connect() as connection:
        session_id: UUID = connection.execute(
            text(
                """SELECT id FROM clinic_session WHERE practitioner_id = :who AND business_date = :day
                    AND service_code = 'internal'"""
            ),
            {"who": DOCTORS["an"], "day": TUESDAY},
        ).scalar_one()
    return f"{session_id}.480"


def counts(engine: Engine) -> tuple[int, ...]:
    """Return how many appointments, live claims, places, audit rows and answers there are; 1 for messages."""
    with system_unit_of_work(engine) as session:
        assert flaws(session) == []
        return tuple(
            session.execute(
                text(
                    """SELECT (SELECT count(*) FROM appointment), (SELECT count(*) FROM claim WHERE active),
                              (SELECT sum(booked) FROM clinic_session),
                              (SELECT count(*) FROM audit_event WHERE action = 'booking.book'),
                              (SELECT count(*) FROM idempotency WHERE response_sealed IS NOT NULL),
                              (SELECT count(DISTINCT dedupe_key) = count(*) AND count(*) > 0
                                 FROM notifications.notification)::int"""
                )
            ).one()
        )


BOOKED = (1, 2, 1, 1, 1, 1)
NOTHING = (0, 0, 0, 0, 0, 0)


def test_a_booking_killed_at_any_step_is_done_once_when_it_is_asked_again(
    engine: Engine, owner_engine: Engine, settings: Settings, lan: Person, slot: str
):
    trips = lived(settings, lan, slot, 0, False)
    assert 4 <= trips <= MOST_TRIPS
    _forget(owner_engine)
    outcomes = []
    for last in range(1, trips + 1):
        for after in (False, True):
            assert lived(settings, lan, slot, last, after) == -signal.SIGKILL
            outcomes.append(_settled(engine))
            with system_unit_of_work(engine) as session:
                answer = book(session, settings, lan, slot)
            with system_unit_of_work(engine) as session:
                code = session.execute(text("SELECT code FROM appointment")).scalar_one()
            assert answer == code.encode()
            assert counts(engine) == BOOKED
            _forget(owner_engine)
    assert set(outcomes) == {NOTHING, BOOKED}  # all of it or none of it, whenever it died
    assert outcomes == sorted(outcomes)


def test_without_the_key_who_was_not_answered_is_refused_by_their_own_booking(
    engine: Engine, settings: Settings, lan: Person, slot: str, owner_engine: Engine
):
    """The control: the last step does commit, and only the key tells that it was this press."""
    trips = lived(settings, lan, slot, 0, False)
    _forget(owner_engine)
    assert lived(settings, lan, slot, trips, True) == -signal.SIGKILL
    assert _settled(engine) == BOOKED
    with owner_engine.begin() as connection:
        connection.execute(text("DELETE FROM idempotency"))
    with pytest.raises(Exception, match="slot-taken"), system_unit_of_work(engine) as session:
        book(session, settings, lan, slot)


def _settled(engine: Engine) -> tuple[int, ...]:
    """Return the counts once the server has ended what the killed process had begun: its locks are gone."""
    with system_unit_of_work(engine) as session:
        session.execute(text("LOCK TABLE appointment, claim, clinic_session, idempotency IN SHARE MODE"))
    return counts(engine)


def _forget(owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        for table in (
            "claim", "appointment", "idempotency", "practitioner_day", "audit_event", "patient_facility",
            "notifications.outbox", "notifications.notification",
        ):  # fmt: skip
            connection.execute(text(f"TRUNCATE {table} CASCADE"))
        connection.execute(text("UPDATE clinic_session SET booked = 0, online_booked = 0"))
