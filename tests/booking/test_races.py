"""Many at once over HTTP: one place has one owner, one key does one thing; without the guard it shows."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, NOW, TUESDAY, Employee, Person, add_person

RACERS = 32


class _Server(WSGIServer):
    """A real socket, a thread for each connection."""

    request_queue_size = 2 * RACERS

    def process_request(self, request, client_address):
        threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        ).start()

    def process_request_thread(self, request, client_address):
        try:
            self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Quiet)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def crowd(engine: Engine, clinic: None, settings: Settings) -> list[Person]:
    with system_unit_of_work(engine) as session:
        return [add_person(session, settings.cipher, number) for number in range(100, 100 + RACERS)]


@pytest.fixture
def slot(engine: Engine, clinic: None) -> str:
    """Doctor An, Tuesday 08:00."""
    return f"{_session_id(engine)}.480"


def _session_id(engine: Engine) -> str:
    with engine.connect() as connection:
        return connection.execute(
            text(
                "SELECT id FROM clinic_session WHERE practitioner_id = :who AND business_date = :day"
                " AND service_code = 'internal'"
            ),
            {"who": DOCTORS["an"], "day": TUESDAY},
        ).scalar_one()


def together(calls: list[Callable[[], object]]) -> list:
    """Run calls at the same moment."""
    gate = threading.Barrier(len(calls))

    def at_the_gate(call: Callable[[], object]) -> object:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(at_the_gate, calls))


Call = Callable[[], requests.Response]


def booking(address: str, person: Person, slot: str, key: str | None = None) -> Call:
    return _posted(address, person, {"slot_id": slot}, key)


def confirming(address: str, person: Person, hold_id: str) -> Call:
    return _posted(address, person, {"hold_id": hold_id}, None)


def _posted(address: str, person: Person, what: dict[str, str], key: str | None) -> Call:
    headers = person.headers | ({"Idempotency-Key": key} if key else {})
    body = {**what, "patient_id": str(person.patient_id)}
    return lambda: requests.post(f"{address}/api/v1/appointments", json=body, headers=headers, timeout=30)


def overlaps(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(
            text(
                """SELECT count(*) FROM claim a JOIN claim b ON b.resource_id = a.resource_id
                   AND b.lane = a.lane AND b.id > a.id AND b.during && a.during
                   WHERE a.active AND b.active"""
            )
        ).scalar_one()


AT_THE_CLAIM = """pg_locks WHERE NOT granted AND relation = 'claim'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
AT_ANY_LOCK = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@contextmanager
def held_at_the_claim(owner_engine: Engine, waiting: int, where: str = AT_THE_CLAIM) -> Iterator[None]:
    """Let everybody inside read that the slot is free, and stop at the claim until so many wait there."""
    blocked = text(f"SELECT count(*) FROM {where}")
    opened = threading.Event()

    def open_when_they_wait() -> None:
        with owner_engine.begin() as connection:
            connection.execute(text("LOCK TABLE claim IN EXCLUSIVE MODE"))
            opened.set()
            until = time.monotonic() + 1.5  # the racers' lock_timeout is 2 s
            while time.monotonic() < until and connection.execute(blocked).scalar_one() < waiting:
                time.sleep(0.005)

    keeper = threading.Thread(target=open_when_they_wait)
    keeper.start()
    opened.wait()
    yield
    keeper.join()


def test_of_32_who_want_one_slot_exactly_one_gets_it(
    address: str, crowd: list[Person], slot: str, engine: Engine, owner_engine: Engine
):
    with held_at_the_claim(owner_engine, waiting=8):
        answers = together([booking(address, person, slot) for person in crowd])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: RACERS - 1}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"slot-taken"}
    assert overlaps(engine) == 0
    with system_unit_of_work(engine) as session:
        assert session.execute(text("SELECT count(*) FROM appointment")).scalar_one() == 1
        assert session.execute(text("SELECT sum(booked) FROM clinic_session")).scalar_one() == 1


def test_without_the_constraint_the_same_race_books_one_slot_twice(
    address: str, crowd: list[Person], slot: str, engine: Engine, owner_engine: Engine
):
    """The control: if this race found no double booking, the one above would prove nothing."""
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ex_claim_overlap'"
    with owner_engine.begin() as connection:
        guard = connection.execute(text(definition)).scalar_one()
        connection.execute(text("ALTER TABLE claim DROP CONSTRAINT ex_claim_overlap"))
    try:
        with held_at_the_claim(owner_engine, waiting=8):
            answers = together([booking(address, person, slot) for person in crowd])
        assert sum(answer.status_code == 201 for answer in answers) > 1
        assert overlaps(engine) > 0
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("TRUNCATE claim"))
            connection.execute(text(f"ALTER TABLE claim ADD CONSTRAINT ex_claim_overlap {guard}"))


def test_replays_of_one_key_at_once_are_one_booking_and_one_answer(
    address: str, crowd: list[Person], slot: str, engine: Engine
):
    answers = together([booking(address, crowd[0], slot, key="press-1") for _ in range(16)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    with system_unit_of_work(engine) as session:
        counts = session.execute(
            text(
                """SELECT (SELECT count(*) FROM appointment), (SELECT count(*) FROM claim),
                          (SELECT count(*) FROM audit_event WHERE action = 'booking.book'),
                          (SELECT count(*) FROM idempotency WHERE response_sealed IS NOT NULL),
                          (SELECT count(DISTINCT subject) FROM notifications.notification)"""
            )
        ).one()
    assert tuple(counts) == (1, 2, 1, 1, 1)


@pytest.mark.parametrize("at_a_desk", [True, False])
def test_replays_at_once_that_register_somebody_make_one_person_and_one_answer(
    address: str, lan: Person, desk: Employee, slot: str, engine: Engine, at_a_desk: bool
):
    sender = desk if at_a_desk else lan
    person = {"full_name": "Võ Văn Tám", "birth_year": 1950, "sex": "male"}

    def press() -> requests.Response:
        return requests.post(
            f"{address}/api/v1/appointments",
            json={"slot_id": slot, "patient": person},
            headers={**sender.headers, "Idempotency-Key": "press-1"},
            timeout=30,
        )

    answers = [*together([press] * 2), press()]
    assert [answer.status_code for answer in answers] == [201] * 3, answers[-1].text
    assert len({answer.content for answer in answers}) == 1
    with system_unit_of_work(engine) as session:
        counts = session.execute(
            text(
                """SELECT (SELECT count(*) FROM patient WHERE full_name = 'Võ Văn Tám'),
                          (SELECT count(*) FROM audit_event WHERE action = 'patient.register'),
                          (SELECT count(*) FROM appointment)"""
            )
        ).one()
    assert tuple(counts) == (1, 1, 1)


def test_one_key_with_another_body_is_refused_and_a_refusal_is_not_remembered(
    address: str, crowd: list[Person], slot: str, engine: Engine
):
    other = slot.replace(".480", ".490")
    taken = booking(address, crowd[1], slot)()
    refused = booking(address, crowd[0], slot, key="press-1")()
    assert (taken.status_code, refused.status_code) == (201, 409)
    booked = booking(address, crowd[0], other, key="press-1")()
    assert booked.status_code == 201
    again = booking(address, crowd[0], slot, key="press-1")()
    assert (again.status_code, again.json()["code"]) == (422, "idempotency-key-reused")
    with engine.connect() as connection:
        sealed = connection.execute(text("SELECT response_sealed FROM idempotency")).scalar_one()
    assert booked.json()["code"].encode() not in bytes(sealed)


def test_a_patient_cannot_pass_the_limits_by_asking_at_once(
    address: str, crowd: list[Person], slot: str, engine: Engine
):
    slots = [slot.replace(".480", f".{480 + 10 * n}") for n in range(6)]
    answers = together([booking(address, crowd[0], one) for one in slots])
    assert Counter(answer.status_code for answer in answers) == {201: 2, 409: 4}


def test_when_a_hold_runs_out_either_the_holder_or_a_taker_wins_never_both(
    address: str,
    crowd: list[Person],
    slot: str,
    engine: Engine,
    set_database_clock: Callable[[datetime], None],
):
    winners = Counter()
    for round_, offset in enumerate((-2.0, -0.05, 0.0, 0.05, 0.1, 2.0)):
        chosen = slot.replace(".480", f".{480 + 10 * round_}")
        holder, *takers = crowd[4 * round_ : 4 * round_ + 4]
        set_database_clock(NOW)
        held = requests.post(
            f"{address}/api/v1/holds", json={"slot_id": chosen}, headers=holder.headers, timeout=30
        ).json()
        over = datetime.fromisoformat(held["expires_at"]).astimezone(UTC)
        set_database_clock(over + timedelta(seconds=offset))
        answers = together(
            [confirming(address, holder, held["id"]), *(booking(address, taker, chosen) for taker in takers)]
        )
        won = [answer.status_code == 201 for answer in answers]
        assert sum(won) <= 1, (offset, [answer.text for answer in answers])
        winners["holder" if won[0] else "taker" if any(won) else "nobody"] += 1
    assert winners["holder"] >= 1
    assert winners["taker"] >= 1
    assert overlaps(engine) == 0
    assert drift(engine) == 0


def moving(address: str, person: Person, appointment_id: str, slot: str) -> Call:
    return _changing(address, person, appointment_id, "reschedule", {"slot_id": slot})


def _changing(address: str, person: Person, appointment_id: str, verb: str, body: dict[str, str]) -> Call:
    headers = person.headers | {"If-Match": '"1"'}
    url = f"{address}/api/v1/appointments/{appointment_id}/{verb}"
    return lambda: requests.post(url, json=body, headers=headers, timeout=30)


def test_two_who_move_to_one_slot_and_two_who_swap_never_share_a_place(
    address: str, crowd: list[Person], slot: str, engine: Engine, owner_engine: Engine
):
    people = crowd[:4]
    places = [slot.replace(".480", f".{480 + 10 * n}") for n in range(5)]
    held = [booking(address, who, place)().json()["id"] for who, place in zip(people, places, strict=False)]
    aims = [places[4], places[4], places[3], places[2]]
    calls = [moving(address, *three) for three in zip(people, held, aims, strict=True)]
    with held_at_the_claim(owner_engine, waiting=4):
        answers = together(calls)
    told = [answer.status_code for answer in answers]
    assert sorted(told[:2]) == [200, 409], [answer.text for answer in answers]
    assert told[2:] == [409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"slot-taken"}
    assert overlaps(engine) == 0
    assert counted(engine) == (4, 8)


def test_a_cancellation_and_a_move_at_once_are_one_change(
    address: str, crowd: list[Person], slot: str, engine: Engine
):
    for round_ in range(3):
        who = crowd[round_]
        booked = booking(address, who, slot)().json()["id"]
        aim = slot.replace(".480", f".{500 + 10 * round_}")
        cancelling = _changing(address, who, booked, "cancel", {})
        answers = together([cancelling, moving(address, who, booked, aim)])
        assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 412])
        with system_unit_of_work(engine) as session:
            state = session.execute(
                text(
                    """SELECT status, version, (SELECT count(*) FROM claim k
                         WHERE k.appointment_id = a.id AND k.active) FROM appointment a WHERE id = :id"""
                ),
                {"id": booked},
            ).one()
        cancelled = answers[0].status_code == 200
        assert tuple(state) == (("cancelled", 2, 0) if cancelled else ("booked", 2, 2))
        assert drift(engine) == 0


def test_an_account_cannot_pass_the_limit_of_holds_by_asking_at_once(
    address: str, crowd: list[Person], slot: str, owner_engine: Engine
):
    def holding(place: str) -> Call:
        return lambda: requests.post(
            f"{address}/api/v1/holds", json={"slot_id": place}, headers=crowd[0].headers, timeout=30
        )

    with held_at_the_claim(owner_engine, waiting=6):
        answers = together([holding(slot.replace(".480", f".{480 + 10 * n}")) for n in range(6)])
    assert Counter(answer.status_code for answer in answers) == {201: 3, 429: 3}


def counted(engine: Engine) -> tuple[int, int]:
    """Return how many places the counters show, and how many claims hold."""
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT (SELECT sum(booked) FROM clinic_session), (SELECT count(*) FROM claim WHERE active)")
        ).one()
    return row[0], row[1]


def drift(engine: Engine) -> int:
    """Count the sessions whose counter is not what the appointments say."""
    with system_unit_of_work(engine) as session:
        return session.execute(
            text(
                """SELECT count(*) FROM clinic_session s WHERE s.booked <> (
                     SELECT count(*) FROM appointment a WHERE a.clinic_session_id = s.id
                        AND a.status IN ('held', 'booked'))"""
            )
        ).scalar_one()
