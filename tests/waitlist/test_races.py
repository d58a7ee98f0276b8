"""Many accept at once: one place has one owner, one entry books once; without the guard it shows."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from telehealth.core.ids import new_id
from telehealth.core.uow import system_unit_of_work
from telehealth.waitlist.codes import EntryState
from telehealth.waitlist.services.line import execute, move
from tests.booking.clinic import Person
from tests.booking.test_booking_over_http import count
from tests.booking.test_races import held_at_the_claim, overlaps, together
from tests.waitlist.conftest import Line

RACERS = 16


@pytest.fixture
def crowd(line: Line) -> list[Person]:
    return line.people(*range(100, 100 + RACERS))


def offered(line: Line, entry: dict, slot_id: str) -> UUID:
    """Offer a place past the worker's own care: several may be offered one place."""
    offer_id = new_id()
    until = line.clock.now + timedelta(hours=1)
    with system_unit_of_work(line.engine) as session:
        execute(
            session,
            """INSERT INTO waitlist_offer (id, entry_id, slot_id, start_at, state, expires_at, created_at)
               VALUES (%(id)s, %(entry)s, %(slot)s, '2026-12-02 08:00+07', 'open', %(until)s, %(now)s)""",
            {"id": offer_id, "entry": entry["id"], "slot": slot_id, "until": until, "now": line.clock.now},
        )
        assert move(session, UUID(entry["id"]), (EntryState.WAITING,), EntryState.OFFERED, line.clock.now)
    return offer_id


def accepting(app: Flask, who: Person, offer_id: UUID):
    def call() -> tuple[int, str]:
        answer = app.test_client().post(f"/api/v1/waitlist/offers/{offer_id}/accept", headers=who.headers)
        return answer.status_code, answer.json.get("code", "")

    return call


@contextmanager
def without(owner_engine: Engine, guard: str, back: str) -> Iterator[None]:
    with owner_engine.begin() as connection:
        connection.execute(text(guard))
    try:
        yield
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("TRUNCATE claim CASCADE"))
            connection.execute(text(back))


def test_of_sixteen_who_accept_one_place_one_has_it_and_the_others_keep_their_place_in_line(
    app: Flask, line: Line, crowd: list[Person], minh: Person, taken: list[dict], engine: Engine,
    owner_engine: Engine,
):  # fmt: skip
    entries = [line.join(person) for person in crowd]
    line.cancel(minh, taken[0])
    made = [offered(line, entry, taken[0]["slot_id"]) for entry in entries]
    pairs = zip(crowd, made, strict=True)
    with held_at_the_claim(owner_engine, waiting=8):
        answers = Counter(together([accepting(app, person, offer) for person, offer in pairs]))
    assert {status for status, _code in answers} == {200, 409}
    assert sum(number for (status, _code), number in answers.items() if status == 200) == 1
    assert answers[409, "place-gone"] == RACERS - 1
    states = Counter(line.entry(entry).state.value for entry in entries)
    assert states == {"booked": 1, "waiting": RACERS - 1}
    assert overlaps(engine) == 0
    assert count(engine, "appointment", "status = 'booked'") == 2


def test_an_entry_accepted_many_times_at_once_books_once(
    app: Flask, line: Line, lan: Person, minh: Person, taken: list[dict], engine: Engine
):
    entry = line.join(lan)
    line.cancel(minh, taken[0])
    offer = offered(line, entry, taken[0]["slot_id"])
    answers = Counter(together([accepting(app, lan, offer)] * RACERS))
    assert answers[200, taken_code(engine, lan)] == RACERS
    assert count(engine, "appointment", f"patient_id = '{lan.patient_id}'") == 1


def taken_code(engine: Engine, who: Person) -> str:
    with system_unit_of_work(engine) as session:
        return (
            session.connection()
            .exec_driver_sql(
                "SELECT code FROM appointment WHERE patient_id = %s AND status = 'booked'", (who.patient_id,)
            )
            .scalar_one()
        )


def test_two_who_answer_for_the_same_person_do_not_both_win(
    app: Flask, line: Line, lan: Person, minh: Person, taken: list[dict], engine: Engine
):
    entry = line.join(lan)
    line.cancel(minh, taken[0])
    offer = offered(line, entry, taken[0]["slot_id"])

    def declining() -> tuple[int, str]:
        answer = app.test_client().post(f"/api/v1/waitlist/offers/{offer}/decline", headers=lan.headers)
        return answer.status_code, answer.json.get("code", "")

    statuses = sorted(status for status, _ in together([accepting(app, lan, offer), declining] * 4))
    booked = count(engine, "appointment", f"patient_id = '{lan.patient_id}' AND status = 'booked'")
    assert set(statuses) == {200, 410}
    assert booked == (line.entry(entry).state is EntryState.BOOKED)


def test_without_the_constraint_a_place_is_given_twice(
    app: Flask, line: Line, crowd: list[Person], minh: Person, taken: list[dict], owner_engine: Engine,
    engine: Engine,
):  # fmt: skip
    """The control: the same race with the ledger's guards off."""
    entries = [line.join(person) for person in crowd]
    line.cancel(minh, taken[0])
    made = [offered(line, entry, taken[0]["slot_id"]) for entry in entries]
    with owner_engine.begin() as connection:
        definition = connection.execute(
            text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ex_claim_overlap'")
        ).scalar_one()
        connection.execute(text("UPDATE clinic_session SET slot_count = 40, online_quota = 40"))
    off = "ALTER TABLE claim DROP CONSTRAINT ex_claim_overlap"
    on = f"ALTER TABLE claim ADD CONSTRAINT ex_claim_overlap {definition}"
    pairs = zip(crowd, made, strict=True)
    calls = [accepting(app, person, offer) for person, offer in pairs]
    with without(owner_engine, off, on):
        with held_at_the_claim(owner_engine, waiting=8):
            answers = Counter(status for status, _code in together(calls))
        twice = overlaps(engine)
    assert answers[200] > 1
    assert twice > 0
