"""Closing against booking, accepting against everybody else, and a worker that dies: nobody is lost."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import NoReturn

import pytest
from sqlalchemy import Engine, create_engine, event, text

from telehealth.booking import services as booking
from telehealth.booking.queries import open_offer
from telehealth.core.errors import DomainError
from telehealth.core.principal import SYSTEM
from telehealth.jobs import closures as closures_job
from telehealth.jobs.work import Work
from telehealth.scheduling.codes import Channel
from tests.booking.clinic import TUESDAY, Person
from tests.booking.test_races import together
from tests.closures.conftest import Closing

ROUNDS = 6
MOST_ROUNDS = 40
"""The control goes on until it has seen what it is there to see; by luck alone it needs a few rounds."""
# What a session closed without a lock looks like: it is read, and then it is closed.
UNLOCKED = """
CREATE OR REPLACE FUNCTION count_places(
    p_session uuid, p_version integer, p_door text, p_over boolean,
    p_freed uuid[], p_freed_doors text[], p_freed_over boolean[])
RETURNS text LANGUAGE sql AS $$ SELECT 'ok'::text FROM pg_sleep(0.2) $$;
"""


@dataclass
class Race:
    """People who book while the session is being closed."""

    closing: Closing
    people: list[Person]

    def run(self) -> tuple[set, set]:
        """Close and book at once; return who is booked, and who is on the list."""
        slots = [self.closing.appointments.slot("an", TUESDAY, 480 + 10 * each) for each in range(8)]
        calls: list[Callable[[], object]] = [
            lambda person=person, slot=slot: self._book(person, slot)
            for person, slot in zip(self.people, slots, strict=True)
        ]
        calls.insert(4, self.closing.close)
        closure = next(found for found in together(calls) if found is not None)
        with self.closing.appointments.work() as session:
            booked = set(
                session.execute(
                    text(
                        """SELECT a.id FROM appointment a JOIN clinic_session s ON s.id = a.clinic_session_id
                            WHERE a.status = 'booked' AND s.status = 'closed'"""
                    )
                ).scalars()
            )
        return booked, {item.appointment_id for item in self.closing.items(closure)}

    def _book(self, person: Person, slot: str) -> None:
        request = booking.BookingRequest(person.patient_id, slot_id=slot, channel=Channel.DESK)
        try:
            with self.closing.appointments.work() as session:
                booking.book(session, SYSTEM, request, **self.closing.appointments._telling())
        except DomainError:
            return


@pytest.fixture
def race(closing: Closing, people: Callable[[int], list[Person]]) -> Race:
    return Race(closing, people(8))


def test_whoever_got_in_before_it_closed_is_on_the_list(race: Race, owner_engine: Engine):
    for _round in range(ROUNDS):
        booked, listed = race.run()
        assert booked == listed
        _start_over(owner_engine)


def test_without_the_counters_lock_somebody_is_in_and_not_on_the_list(race: Race, owner_engine: Engine):
    """The negative control: the same race sees it when the guard is off."""
    with owner_engine.begin() as connection:
        guard = connection.execute(text("SELECT pg_get_functiondef('count_places'::regproc)")).scalar_one()
        connection.execute(text(UNLOCKED))
    try:
        assert any(_loses_somebody(race, owner_engine) for _round in range(MOST_ROUNDS))
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql(guard.replace("%", "%%"))


def _loses_somebody(race: Race, owner_engine: Engine) -> bool:
    booked, listed = race.run()
    _start_over(owner_engine)
    return bool(booked - listed)


def _start_over(owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE session_closure, session_closure_item, appointment_disruption, roster_change, claim, "
            "appointment, appointment_offer, notifications.notification CASCADE"
        )
        connection.exec_driver_sql("UPDATE practitioner_day SET booked = 0")
        connection.exec_driver_sql("UPDATE schedule_exception SET active = false")
        connection.exec_driver_sql(
            "UPDATE clinic_session SET status = 'open', booked = 0, online_booked = 0, overbooked = 0"
        )
        connection.exec_driver_sql("DELETE FROM materialised_day")


def test_the_place_that_was_kept_is_theirs_however_many_want_it(
    closing: Closing, lan: Person, people: Callable[[int], list[Person]]
):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    item = closing.item_of(closure, view.id)
    slot, others = str(item.new_slot_id), people(6)

    def accept() -> None:
        with closing.appointments.work() as session:
            offer = open_offer(session, view.id, now=closing.now)
            assert offer is not None
            booking.accept_offer(session, SYSTEM, offer.id, **closing.appointments._telling())

    race = Race(closing, others)
    together([accept, *(lambda person=person: race._book(person, slot) for person in others)])
    moved = closing.appointments.view(view.id)
    assert moved.slot_id == slot
    with closing.appointments.work() as session:
        held = session.execute(
            text(
                """SELECT count(*) FROM appointment a WHERE a.status = 'booked'
                      AND a.clinic_session_id = :session AND a.start_at = :start"""
            ),
            {"session": slot.partition(".")[0], "start": moved.start},
        ).scalar_one()
    assert held == 2  # Bình's two lanes


def test_two_workers_at_once_tell_each_person_once(
    closing: Closing, people: Callable[[int], list[Person]], own_work: Work
):
    views = [
        closing.appointments.book(person, "an", TUESDAY, 480 + 10 * number)
        for number, person in enumerate(people(8))
    ]
    closure = closing.close()
    together([closing.run, closing.run])
    closing.run()
    items = closing.items(closure)
    assert {item.standing for item in items} <= {"offered", "told"}
    places = [item.new_slot_id for item in items if item.new_slot_id]
    for place in places:
        assert places.count(place) <= 2
    for view in views:
        assert len(closing.appointments.timetable(view.id)) == 1


def killed(own_work: Work, now: datetime, at: int) -> bool:
    """Let a worker of its own go on, and kill it before its statement or commit of that number.

    False when it had finished before.
    """
    child = os.fork()
    if child == 0:
        _work_until(replace(own_work, engine=create_engine(own_work.settings.database_url)), now, at)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _work_until(mine: Work, now: datetime, at: int) -> NoReturn:
    done = count(1)

    def die(*_given: object) -> None:
        if next(done) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(mine.engine, "before_cursor_execute", die)
    event.listen(mine.engine, "commit", die)
    try:
        closures_job.run(mine, now)
    finally:
        os._exit(0)


def test_a_worker_killed_anywhere_loses_nobody_and_tells_nobody_twice(
    closing: Closing, people: Callable[[int], list[Person]], own_work: Work
):
    for number, person in enumerate(people(8)):
        closing.appointments.book(person, "an", TUESDAY, 480 + 10 * number)
    closure = closing.close()
    deaths = 0
    while killed(own_work, closing.now, at=20 + 7 * deaths):
        deaths += 1
    assert deaths > 5
    assert closing.progress(closure).waiting == 0
    items = closing.items(closure)
    assert {item.standing for item in items} == {"offered"}
    for item in items:
        assert len(closing.appointments.timetable(item.appointment_id)) == 1
    with closing.appointments.work() as session:
        held = session.execute(
            text("SELECT count(*) FROM appointment WHERE status = 'held' AND hold_until > app_clock()")
        ).scalar_one()
    assert held == len(items), "one place is kept for each, and none for nobody"
