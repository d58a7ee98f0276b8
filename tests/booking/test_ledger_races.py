"""Many at once for the last place of every kind; and each guard taken away, to see that the race is real.

Everybody has read that there is room before the first one writes (held_at_the_claim). No transaction is tried
again, so that a deadlock would show.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from notifications import Outbox
from telehealth.booking import services
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.rules import BookingPolicy, Policies
from telehealth.booking.services import AnyPractitioner, BookingRequest, Move, Once
from telehealth.core.clock import at_local
from telehealth.core.errors import DomainError
from telehealth.core.ids import derived_id, new_id
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import Practitioner
from telehealth.scheduling.codes import Channel
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, TUESDAY, Person, add_person, service_id
from tests.booking.test_ledger_machine import flaws
from tests.booking.test_planted_bugs import planted
from tests.booking.test_races import AT_ANY_LOCK, AT_THE_CLAIM, held_at_the_claim, together

RACERS = 12
AT_THE_APPOINTMENT = AT_THE_CLAIM.replace("'claim'", "'appointment'")
CLERK = Principal(
    kind=PrincipalKind.SYSTEM,
    id=derived_id("clerk"),
    grants=frozenset({Grant(Role.DESK, FACILITIES["77001"])}),
)
FREELY = Policies(booking=dict.fromkeys(Channel, BookingPolicy(None, None, None, holds_per_account=99)))


@pytest.fixture
def crowd(engine: Engine, clinic: None, settings: Settings) -> list[Person]:
    with system_unit_of_work(engine) as session:
        return [add_person(session, settings.cipher, number) for number in range(400, 400 + RACERS)]


@pytest.fixture
def own(owner_engine: Engine) -> Callable[..., object]:
    def run(statement: str, **values: object) -> object:
        with owner_engine.begin() as connection:
            found = connection.execute(text(statement), values)
            return found.scalar() if found.returns_rows else None

    return run


class Race:
    """The services, each call in a transaction of its own; what it told, or the code it was refused with."""

    def __init__(self, engine: Engine, owner_engine: Engine, settings: Settings) -> None:
        self.engine, self.owner_engine, self.settings = engine, owner_engine, settings

    def _done(self, work: Callable[..., object]) -> str:
        try:
            with system_unit_of_work(self.engine) as session:
                work(session)
        except DomainError as refusal:
            return refusal.code
        return "ok"

    @property
    def means(self) -> dict:
        return {
            "now": NOW,
            "cipher": self.settings.cipher,
            "outbox": Outbox(self.settings.cipher),
            "links": self.settings.answer_links,
        }

    def booking(self, person: Person, slot: str, channel: str = Channel.ONLINE, **more) -> Callable[[], str]:
        request = BookingRequest(person.patient_id, slot_id=slot, channel=channel, **more)
        return lambda: self._done(
            lambda session: services.book(session, CLERK, request, **self.means, policies=FREELY)
        )

    def confirming(self, person: Person, hold_id: UUID) -> Callable[[], str]:
        request = BookingRequest(person.patient_id, hold_id=hold_id)
        return lambda: self._done(lambda session: services.book(session, CLERK, request, **self.means))

    def pressing(self, person: Person, slot: str) -> Callable[[], str]:
        request = BookingRequest(person.patient_id, slot_id=slot)
        once = Once(RequestKey.of(CLERK, "POST race", "one-press", b""), lambda view: b"booked")
        return lambda: self._done(
            lambda session: services.book_once(session, CLERK, request, once, **self.means)
        )

    def any_doctor(self, person: Person) -> Callable[[], str]:
        wanted = AnyPractitioner(
            "internal", FACILITIES["77001"], at_local(TUESDAY, 0), at_local(TUESDAY, 1440)
        )
        request = BookingRequest(person.patient_id, channel=Channel.DESK)
        return lambda: self._done(
            lambda session: services.book_any(session, CLERK, request, wanted, **self.means, policies=FREELY)
        )

    def holding_any(self, person: Person) -> Callable[[], str]:
        wanted = AnyPractitioner(
            "internal", FACILITIES["77001"], at_local(TUESDAY, 0), at_local(TUESDAY, 1440)
        )
        return lambda: self._done(
            lambda session: services.hold_any(session, person.principal, wanted, now=NOW, policies=FREELY)
        )

    def moving(self, appointment_id: UUID, slot: str) -> Callable[[], str]:
        move = Move(slot, 1, Channel.DESK)
        return lambda: self._done(
            lambda session: services.reschedule(session, CLERK, appointment_id, move, **self.means)
        )

    def cancelling(self, appointment_id: UUID) -> Callable[[], str]:
        means = {name: value for name, value in self.means.items() if name != "links"}
        return lambda: self._done(
            lambda session: services.cancel(
                session, CLERK, appointment_id, version=1, reason_code="patient", **means
            )
        )

    def run(
        self, calls: list[Callable[[], str]], waiting: int | None = None, where: str = AT_THE_CLAIM
    ) -> Counter[str]:
        with held_at_the_claim(self.owner_engine, len(calls) if waiting is None else waiting, where):
            return Counter(together(calls))

    def after_another(self, call: Callable[[], str]) -> Callable[[], str]:
        """Return the call, made once somebody else waits at the claims."""

        def called() -> str:
            self.waits(AT_THE_CLAIM)
            return call()

        return called

    def waits(self, where: str) -> bool:
        """Wait until somebody waits there, a second at most; tell whether somebody does."""
        until = time.monotonic() + 1
        while not self.count(where):
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def flaws(self) -> list[str]:
        with system_unit_of_work(self.engine) as session:
            return flaws(session)

    def count(self, what: str) -> int:
        with system_unit_of_work(self.engine) as session:
            return int(session.execute(text(f"SELECT count(*) FROM {what}")).scalar_one())


@pytest.fixture
def race(engine: Engine, owner_engine: Engine, settings: Settings) -> Race:
    return Race(engine, owner_engine, settings)


@pytest.fixture
def an(own) -> UUID:
    """Doctor An's session on Tuesday: twelve slots from 08:00 on."""
    return session_of(own, "an")


def session_of(own, doctor: str, service: str = "internal") -> UUID:
    found = own(
        """SELECT id FROM clinic_session WHERE practitioner_id = :who AND business_date = :day
            AND service_code = :service""",
        who=DOCTORS[doctor],
        day=TUESDAY,
        service=service,
    )
    assert isinstance(found, UUID)
    return found


@contextmanager
def unguarded(owner_engine: Engine) -> Iterator[None]:
    """Have no exclusion constraint for a while; the rows that break it are deleted."""
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ex_claim_overlap'"
    with owner_engine.begin() as connection:
        guard = connection.execute(text(definition)).scalar_one()
        connection.execute(text("ALTER TABLE claim DROP CONSTRAINT ex_claim_overlap"))
    try:
        yield
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("TRUNCATE claim"))
            connection.execute(text(f"ALTER TABLE claim ADD CONSTRAINT ex_claim_overlap {guard}"))


def shifted(own, an: UUID) -> UUID:
    """Let An offer another service over the same time, in slots that begin five minutes later."""
    beside = session_of(own, "an", "desk-only")
    own(
        """UPDATE clinic_session SET start_minute = 485, start_at = :start, end_at = :end, slot_count = 6
            WHERE id = :id""",
        start=at_local(TUESDAY, 485),
        end=at_local(TUESDAY, 545),
        id=beside,
    )
    return beside


def test_of_those_who_want_times_that_overlap_one_gets_hers(race: Race, crowd: list[Person], own, an: UUID):
    beside = shifted(own, an)
    slots = [f"{an}.490", f"{beside}.485", f"{beside}.495"]
    calls = [race.booking(person, slots[n % 3], Channel.DESK) for n, person in enumerate(crowd)]
    told = race.run(calls)
    assert told["ok"] in (1, 2)  # 08:10 alone, or 08:05 and 08:15
    assert told["ok"] + told["slot-taken"] == RACERS
    assert race.flaws() == []


def test_without_the_constraint_times_overlap(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine
):
    beside = shifted(own, an)
    slots = [f"{an}.490", f"{beside}.485", f"{beside}.495"]
    with unguarded(owner_engine):
        race.run([race.booking(person, slots[n % 3], Channel.DESK) for n, person in enumerate(crowd)])
        assert "claims overlap" in race.flaws()


def share(own, engine: Engine, an: UUID) -> list[str]:
    """Have An and Bình need one room and one device, given in the order that would deadlock."""
    things = [new_id() for _ in range(2)]
    for thing, kind in zip(things, ("room", "device"), strict=True):
        own(
            "INSERT INTO resource VALUES (:id, :at, :kind, :kind, :kind, 1)",
            id=thing, at=FACILITIES["77001"], kind=kind,
        )  # fmt: skip
    binh = session_of(own, "binh")
    own("UPDATE clinic_session SET resource_ids = :ids WHERE id = :id", ids=things, id=an)
    own("UPDATE clinic_session SET resource_ids = :ids WHERE id = :id", ids=things[::-1], id=binh)
    return [f"{an}.480", f"{binh}.480"]


def test_one_room_and_one_device_go_to_one_patient_and_nobody_deadlocks(
    race: Race, crowd: list[Person], own, an: UUID, engine: Engine
):
    slots = share(own, engine, an)
    told = race.run([race.booking(person, slots[n % 2], Channel.DESK) for n, person in enumerate(crowd)])
    assert told["ok"] == 1
    assert set(told) <= {"ok", "slot-taken", "resource-busy"}
    assert race.count("claim WHERE active") == 4
    assert race.flaws() == []


def test_without_the_constraint_a_room_is_given_twice(
    race: Race, crowd: list[Person], own, an: UUID, engine: Engine, owner_engine: Engine
):
    slots = share(own, engine, an)
    with unguarded(owner_engine):
        told = race.run([race.booking(person, slots[n % 2], Channel.DESK) for n, person in enumerate(crowd)])
        assert told["ok"] > 1
        assert "claims overlap" in race.flaws()


def window(own, an: UUID, seats: int) -> str:
    own(
        """UPDATE clinic_session SET mode = 'session', slot_minutes = 60, slot_count = 1, capacity = :seats,
                  online_quota = :seats WHERE id = :id""",
        seats=seats,
        id=an,
    )
    return f"{an}.480"


def test_an_arrival_window_is_given_to_as_many_as_it_seats(race: Race, crowd: list[Person], own, an: UUID):
    slot = window(own, an, 7)
    told = race.run([race.booking(person, slot) for person in crowd])
    assert told == {"ok": 7, "slot-taken": RACERS - 7}
    assert race.count("(SELECT DISTINCT lane FROM claim WHERE resource_kind = 'practitioner') x") == 7
    assert race.flaws() == []


def test_without_lanes_and_counters_a_window_overflows(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine
):
    slot = window(own, an, 3)
    own("ALTER TABLE clinic_session DROP CONSTRAINT ck_clinic_session_booked")
    try:
        check = "AND (d.total <= 0 OR c.booked + d.total <= c.slot_count * c.capacity)"
        own("UPDATE clinic_session SET online_quota = 99 WHERE id = :id", id=an)
        left = "AND NOT p_over AND v_left < ("
        with (
            unguarded(owner_engine),
            planted(owner_engine, "count_places", check, ""),
            planted(owner_engine, "count_places", left, "AND false AND v_left < ("),
        ):
            told = race.run([race.booking(person, slot) for person in crowd])
            assert told["ok"] > 3
    finally:
        own("UPDATE clinic_session SET booked = 0")
        own(
            """ALTER TABLE clinic_session ADD CONSTRAINT ck_clinic_session_booked
               CHECK (booked BETWEEN 0 AND slot_count * capacity)"""
        )


def reserved(own, an: UUID) -> None:
    """Keep one of An's four places for referrals."""
    own("UPDATE clinic_session SET slot_count = 4, online_quota = 4 WHERE id = :id", id=an)
    own(
        "INSERT INTO session_quota VALUES (:id, 'referral-initial', 1, 0, :falls)",
        id=an, falls=NOW + timedelta(days=2),
    )  # fmt: skip


def test_the_last_place_of_a_reserve_is_nobody_elses(race: Race, crowd: list[Person], own, an: UUID):
    reserved(own, an)
    calls = [race.booking(person, f"{an}.{480 + n % 4 * 10}") for n, person in enumerate(crowd)]
    told = race.run(calls)
    assert told["ok"] == 3
    assert told["door-quota-full"] >= 1
    assert race.flaws() == []


def test_without_the_doors_check_a_reserve_is_given_away(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine
):
    reserved(own, an)
    with planted(
        owner_engine, "count_places", "AND q.door <> p_door AND q.falls_at", "AND false AND q.falls_at"
    ):
        calls = [race.booking(person, f"{an}.{480 + n % 4 * 10}") for n, person in enumerate(crowd)]
        assert race.run(calls)["ok"] == 4


def test_a_doctors_day_is_full_at_its_limit_whatever_the_session(
    race: Race, crowd: list[Person], own, an: UUID
):
    own("INSERT INTO practitioner_limit VALUES (:id, 5)", id=DOCTORS["an"])
    other = session_of(own, "an", "desk-only")
    places = [f"{an}.{480 + n * 10}" for n in range(6)] + [f"{other}.{840 + n * 10}" for n in range(6)]
    calls = [race.booking(person, place, Channel.DESK) for person, place in zip(crowd, places, strict=True)]
    assert race.run(calls) == {"ok": 5, "practitioner-day-full": RACERS - 5}
    assert race.flaws() == []


def test_without_its_check_a_doctors_day_overflows(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine
):
    own("INSERT INTO practitioner_limit VALUES (:id, 5)", id=DOCTORS["an"])
    with planted(owner_engine, "count_places", "IF v_day > (", "IF false AND v_day > ("):
        calls = [race.booking(person, f"{an}.{480 + n * 10}", Channel.DESK) for n, person in enumerate(crowd)]
        assert race.run(calls)["ok"] == RACERS
        assert race.flaws() == ["a practitioner has too many that day"]


def held(race: Race, slot: str) -> UUID:
    with system_unit_of_work(race.engine) as session:
        return services.hold(session, CLERK, slot, now=NOW, policies=FREELY).id


def test_two_clerks_who_confirm_one_hold_for_two_people_book_one(race: Race, crowd: list[Person], an: UUID):
    hold = held(race, f"{an}.480")
    told = Counter(together([race.confirming(person, hold) for person in crowd[:2]]))
    assert told == {"ok": 1, "hold-expired": 1}
    assert race.flaws() == []


def test_without_the_swap_both_clerks_are_told_that_they_booked(
    race: Race, crowd: list[Person], an: UUID, owner_engine: Engine
):
    hold = held(race, f"{an}.480")
    swap = "WHERE a.id = p_id AND a.status = 'held' AND a.hold_until > app_clock()"
    given_on = ("keep_patient", "RAISE", "RETURN NEW; RAISE")  # the guard behind it
    with (
        planted(owner_engine, "book_appointment", swap, "WHERE a.id = p_id"),
        planted(owner_engine, *given_on),
    ):
        assert race.run([race.confirming(person, hold) for person in crowd[:2]], waiting=1)["ok"] == 2
        assert race.count("appointment WHERE status = 'booked'") == 1


def test_without_the_swap_a_cancelled_appointment_is_moved(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine
):
    """The control of the race of cancelling and moving in test_races.py."""
    assert race.booking(crowd[0], f"{an}.480")() == "ok"
    assert race.booking(crowd[1], f"{an}.540")() == "ok"  # so that no counter falls below nothing
    booked = own("SELECT id FROM appointment ORDER BY start_at LIMIT 1")
    swap = "WHERE x.id = p_id AND x.status = 'booked' AND x.version = p_appointment_version FOR UPDATE"
    with planted(owner_engine, "move_appointment", swap, "WHERE x.id = p_id FOR UPDATE"):
        moving = race.after_another(race.moving(booked, f"{an}.500"))
        told = race.run([race.cancelling(booked), moving], where=AT_ANY_LOCK)
    assert told["ok"] == 2
    assert race.flaws() != []


def closing(race: Race, own, an: UUID, person: Person, change: str) -> str:
    """Let a booking read an open session, change it before anything is written, and let the booking go on."""
    with ThreadPoolExecutor(1) as pool, race.owner_engine.connect() as keeper:
        keeper.execute(text("LOCK TABLE appointment IN EXCLUSIVE MODE"))
        told = pool.submit(race.booking(person, f"{an}.480"))
        assert race.waits(AT_THE_APPOINTMENT), "the booking has read the session"
        own(change, id=an)
        keeper.rollback()
        return told.result()


_CLOSE = "UPDATE clinic_session SET status = 'closed', version = version + 1 WHERE id = :id"
_BLOCK = """INSERT INTO blocking (id, facility_id, practitioner_id, from_at, to_at, reason, created_at)
    SELECT gen_random_uuid(), facility_id, practitioner_id, start_at, end_at, 'Họp', start_at
      FROM clinic_session WHERE id = :id"""


@pytest.mark.parametrize("change", [_CLOSE, _BLOCK], ids=["closed", "blocked"])
def test_who_books_while_a_session_is_changed_is_refused(
    race: Race, crowd: list[Person], own, an: UUID, change: str
):
    assert closing(race, own, an, crowd[0], change) == "slot-closed"
    assert race.count("appointment") == 0


@pytest.mark.parametrize("change", [_CLOSE, _BLOCK], ids=["closed", "blocked"])
def test_without_the_sessions_version_it_is_booked_all_the_same(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine, change: str
):
    version = "c.status = 'open' AND c.version = p_version\n               AND (d.online"
    with planted(owner_engine, "count_places", version, "(d.online"):
        assert closing(race, own, an, crowd[0], change) == "ok"
    assert race.count("appointment") == 1


def test_without_the_memory_of_keys_one_press_books_twice(
    race: Race, crowd: list[Person], own, an: UUID, owner_engine: Engine
):
    """The control of the replays in test_races.py: two presses, and a patient who may be in two places."""
    with (
        planted(owner_engine, "remember_request", "IF FOUND THEN", "IF true THEN"),
        planted(owner_engine, "take_place", "WHERE p_patient IS NOT NULL", "WHERE false"),
    ):
        told = Counter(together([race.pressing(crowd[0], f"{an}.{480 + n * 10}") for n in range(4)]))
    assert told["ok"] > 1
    assert race.count("appointment") == told["ok"]


def test_forty_people_at_once_get_forty_places_with_whichever_doctor(
    race: Race, crowd: list[Person], own, engine: Engine, settings: Settings
):
    own("UPDATE clinic_session SET status = 'closed', version = version + 1")
    add_doctors(engine, own, doctors=8, places=5)
    with system_unit_of_work(engine) as session:
        everybody = crowd + [
            add_person(session, settings.cipher, number) for number in range(600, 640 - RACERS)
        ]
    told: Counter[str] = Counter()
    for first in range(0, 40, 10):  # as many at once as there are connections
        told += Counter(together([race.any_doctor(person) for person in everybody[first : first + 10]]))
    assert told == {"ok": 40}
    assert race.any_doctor(everybody[0])() in ("nobody-free", "patient-busy")
    assert race.flaws() == []
    spread = own("SELECT min(booked) * 100 + max(booked) FROM practitioner_day")
    assert spread == 505  # the fewest first: five each


def test_whoever_wants_any_doctor_at_once_is_each_held_a_place_of_their_own(
    race: Race, crowd: list[Person], own, engine: Engine
):
    own("UPDATE clinic_session SET status = 'closed', version = version + 1")
    add_doctors(engine, own, doctors=RACERS, places=1)
    own("UPDATE clinic_session SET online_quota = 1 WHERE status = 'open'")
    assert Counter(together([race.holding_any(person) for person in crowd])) == {"ok": RACERS}
    assert own("SELECT count(DISTINCT practitioner_id) FROM appointment WHERE status = 'held'") == RACERS
    assert race.flaws() == []


def test_who_presses_any_doctor_many_times_at_once_holds_one_place(race: Race, crowd: list[Person], own):
    assert Counter(together([race.holding_any(crowd[0]) for _ in range(RACERS)])) == {"ok": RACERS}
    assert own("SELECT count(*) FROM appointment WHERE status = 'held'") == 1


def add_doctors(engine: Engine, own, *, doctors: int, places: int) -> None:
    for number in range(doctors):
        with system_unit_of_work(engine) as session:
            session.add(
                Practitioner(
                    id=derived_id("racing-doctor", number),
                    licence_no=f"racing-{number}",
                    name=f"Bác sĩ {number}",
                    name_search=f"bac si {number}",
                    name_sort=f"{number}",
                    title="BS",
                    specialty="internal",
                    facility_id=FACILITIES["77001"],
                )
            )
        own(
            """INSERT INTO clinic_session (id, facility_id, practitioner_id, service_id, service_code,
                    modality, business_date, start_at, end_at, start_minute, slot_minutes, slot_count,
                    capacity, room, online_quota, online_booked, booked, status, version)
               VALUES (:id, :facility, :doctor, :service, 'internal', 'in-person', :day, :start, :end, 480,
                       10, :places, 1, 'P1', 0, 0, 0, 'open', 1)""",
            id=derived_id("racing-session", number),
            facility=FACILITIES["77001"],
            doctor=derived_id("racing-doctor", number),
            service=service_id("77001", "internal"),
            day=TUESDAY,
            start=at_local(TUESDAY, 480),
            end=at_local(TUESDAY, 480 + 10 * places),
            places=places,
        )
