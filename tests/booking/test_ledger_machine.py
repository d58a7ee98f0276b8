"""The ledger against a model of it: any sequence of holds, bookings, cancellations and waiting.

Runs the services on real PostgreSQL in transactions of their own; a dictionary says what should be.
"""

from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import services
from telehealth.booking.errors import HoldExpired, HoldUnknown, PatientBusy, SlotTaken
from telehealth.booking.rules import BookingPolicy, Policies
from telehealth.booking.services import BookingRequest
from telehealth.core.errors import DomainError
from telehealth.core.uow import system_unit_of_work, unit_of_work
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, earliest_slots, slot_by_id
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, NOW, TUESDAY, Person, add_person

NO_LIMITS = Policies(booking={Channel.ONLINE: BookingPolicy(None, None, None, holds_per_account=99)})
PEOPLE = 3
DOCTORS_USED = ("an", "binh")
LANES = {"an": 1, "binh": 2}
MINUTES = {"an": 10, "binh": 15}
SLOTS = 3

_WHO = st.integers(0, PEOPLE - 1)
_DOCTOR = st.sampled_from(DOCTORS_USED)
_INDEX = st.integers(0, SLOTS - 1)


class Ledger(RuleBasedStateMachine):
    """Doctor An has one lane and 10-minute slots, Bình two lanes and 15-minute slots."""

    engine: Engine
    owner_engine: Engine
    settings: Settings
    people: list[Person]
    sessions: dict[str, UUID]
    set_clock: Callable[[datetime], None]

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.made = 0
        self.rows: dict[UUID, dict] = {}
        self.set_clock(self.now)
        with self.owner_engine.begin() as connection:
            for table in ("claim", "appointment"):
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(
                text("UPDATE clinic_session SET booked = 0, online_booked = 0, online_quota = 99")
            )

    @contextmanager
    def acting(self, person: Person):
        with Session(self.engine, expire_on_commit=False) as raw, unit_of_work(raw) as session:
            session.execute(
                text("SELECT set_config('app.kind', 'patient', true), set_config('app.account', :id, true)"),
                {"id": str(person.account_id)},
            )
            yield session

    def live(self, row: dict) -> bool:
        return row["state"] == "booked" or (row["state"] == "held" and row["until"] > self.now)

    def slot(self, doctor: str, index: int) -> tuple[str, int, int]:
        minute = 480 + index * MINUTES[doctor]
        return f"{self.sessions[doctor]}.{minute}", minute, minute + MINUTES[doctor]

    def taken(self, doctor: str, index: int) -> int:
        return sum(
            self.live(row) and (row["doctor"], row["index"]) == (doctor, index) for row in self.rows.values()
        )

    def busy(self, who: int, start: int, end: int) -> bool:
        return any(
            row["state"] == "booked" and row["who"] == who and row["start"] < end and start < row["end"]
            for row in self.rows.values()
        )

    def own_hold(self, who: int, doctor: str, index: int) -> UUID | None:
        return next(
            (
                key
                for key, row in self.rows.items()
                if row["state"] == "held"
                and self.live(row)
                and (row["who"], row["doctor"], row["index"]) == (who, doctor, index)
            ),
            None,
        )

    @rule(
        who=st.integers(0, PEOPLE - 1), doctor=st.sampled_from(DOCTORS_USED), index=st.integers(0, SLOTS - 1)
    )
    def hold(self, who: int, doctor: str, index: int) -> None:
        slot, start, end = self.slot(doctor, index)
        own = self.own_hold(who, doctor, index)
        person = self.people[who]
        try:
            with self.acting(person) as session:
                held = services.hold(session, person.principal, slot, now=self.now, policies=NO_LIMITS)
        except SlotTaken:
            assert own is None
            assert self.taken(doctor, index) >= LANES[doctor]
            return
        if own is not None:
            assert held.id == own
            return
        assert self.taken(doctor, index) < LANES[doctor]
        self.rows[held.id] = {
            "state": "held", "who": who, "doctor": doctor, "index": index, "start": start, "end": end,
            "until": self.now + timedelta(seconds=300),
        }  # fmt: skip

    @rule(
        who=st.integers(0, PEOPLE - 1), doctor=st.sampled_from(DOCTORS_USED), index=st.integers(0, SLOTS - 1)
    )
    def book(self, who: int, doctor: str, index: int) -> None:
        slot, start, end = self.slot(doctor, index)
        own = self.own_hold(who, doctor, index)
        refusal = self._book(who, BookingRequest(self.people[who].patient_id, slot_id=slot), doctor, index)
        full = own is None and self.taken(doctor, index) >= LANES[doctor] + (refusal is None)
        clash = self.busy_but(who, start, end, refusal is None)
        assert (refusal is not None) == (full or clash), (refusal, full, clash)

    def busy_but(self, who: int, start: int, end: int, just_booked: bool) -> bool:
        found = sum(
            row["state"] == "booked" and row["who"] == who and row["start"] < end and start < row["end"]
            for row in self.rows.values()
        )
        return found > int(just_booked)

    def _book(self, who: int, request: BookingRequest, doctor: str, index: int) -> DomainError | None:
        person = self.people[who]
        try:
            with self.acting(person) as session:
                view = services.book(
                    session,
                    person.principal,
                    request,
                    now=self.now,
                    cipher=self.settings.cipher,
                    outbox=Outbox(self.settings.cipher),
                    links=self.settings.answer_links,
                    policies=NO_LIMITS,
                )
        except (SlotTaken, PatientBusy) as refusal:
            return refusal
        _slot, start, end = self.slot(doctor, index)
        self.rows[view.id] = {
            "state": "booked", "who": who, "doctor": doctor, "index": index, "start": start, "end": end,
            "version": view.version,
        }  # fmt: skip
        return None

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.rows)))
        row = self.rows[key]
        request = BookingRequest(self.people[row["who"]].patient_id, hold_id=key)
        able = row["state"] == "held" and self.live(row)
        clash = self.busy(row["who"], row["start"], row["end"])
        try:
            refusal = self._book(row["who"], request, row["doctor"], row["index"])
        except (HoldExpired, HoldUnknown):
            refusal = HoldExpired()
        assert (refusal is None) == (able and not clash)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.rows)))
        row = self.rows[key]
        person = self.people[row["who"]]
        with self.acting(person) as session:
            if row["state"] == "booked":
                services.cancel(
                    session,
                    person.principal,
                    key,
                    version=row["version"],
                    reason_code="patient",
                    now=self.now,
                    cipher=self.settings.cipher,
                    outbox=Outbox(self.settings.cipher),
                )
            else:
                services.release(session, person.principal, key, now=self.now)
        row["state"] = "gone"

    # No sum of these is 300, the moment when a hold ends: the database's clock runs on between two rules.
    @rule(seconds=st.sampled_from([7, 148, 299, 301]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.set_clock(self.now)

    @rule()
    def tidy(self) -> None:
        with system_unit_of_work(self.engine) as session:
            services.expire_overdue_holds(session)

    @invariant()
    def nothing_overlaps_and_every_place_is_counted(self) -> None:
        if not hasattr(self, "rows"):
            return
        with system_unit_of_work(self.engine) as session:
            overlapping, miscounted = session.execute(
                text(
                    """SELECT (SELECT count(*) FROM claim a JOIN claim b ON b.resource_id = a.resource_id
                                  AND b.lane = a.lane AND b.id > a.id AND b.during && a.during
                                WHERE a.active AND b.active),
                              (SELECT count(*) FROM clinic_session s WHERE s.booked <> (
                                 SELECT count(*) FROM appointment x WHERE x.clinic_session_id = s.id
                                    AND x.status IN ('held', 'booked')))"""
                )
            ).one()
            offered = {
                slot.id: slot.free
                for doctor in DOCTORS_USED
                for slot in earliest_slots(
                    session,
                    SlotQuery(
                        "internal",
                        practitioner_id=DOCTORS[doctor],
                        from_=datetime.fromisoformat(f"{TUESDAY}T00:00:00+07:00"),
                        to=datetime.fromisoformat(f"{TUESDAY + timedelta(days=1)}T00:00:00+07:00"),
                        limit=50,
                    ),
                    now=self.now,
                )
            }
            one = slot_by_id(session, self.slot("an", 0)[0], self.now)
        assert (overlapping, miscounted) == (0, 0)
        expected = {
            self.slot(doctor, index)[0]: LANES[doctor] - self.taken(doctor, index)
            for doctor in DOCTORS_USED
            for index in range(SLOTS)
        }
        assert {slot: offered.get(slot, 0) for slot in expected} == expected
        assert one is not None
        assert one.free == expected[one.id]


@pytest.fixture
def machine(
    engine: Engine,
    owner_engine: Engine,
    clinic: None,
    settings: Settings,
    set_database_clock: Callable[[datetime], None],
) -> type[Ledger]:
    with system_unit_of_work(engine) as session:
        people = [add_person(session, settings.cipher, 200 + number) for number in range(PEOPLE)]
        found = session.execute(
            text(
                "SELECT practitioner_id, id FROM clinic_session"
                " WHERE business_date = :day AND service_code = 'internal'"
            ),
            {"day": TUESDAY},
        ).all()
    by_doctor = {row.practitioner_id: row.id for row in found}
    Ledger.engine, Ledger.owner_engine = engine, owner_engine
    Ledger.settings, Ledger.people = settings, people
    Ledger.sessions = {name: by_doctor[DOCTORS[name]] for name in DOCTORS_USED}
    Ledger.set_clock = staticmethod(set_database_clock)
    return Ledger


def play(machine: type[Ledger], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=examples < 50,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_ledger_does_what_its_model_does(machine: type[Ledger]):
    play(machine, examples=8, steps=20)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_ledger_does_what_its_model_does_for_long(machine: type[Ledger]):
    play(machine, examples=200, steps=40)
