"""Whatever happens in whatever order, what waits is what the plan says: no more, no less, nothing twice."""

from datetime import timedelta
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

from telehealth.booking.plan import REMINDERS, Standing, plan
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import NOW, TUESDAY, Person
from tests.reminders.appointments import Appointments

DAYS = (TUESDAY, TUESDAY + timedelta(days=1), TUESDAY + timedelta(days=2))
PLACES = [
    (doctor, day, minute) for doctor, minute in (("an", 480), ("an", 580), ("binh", 480)) for day in DAYS
]
MOST_PASSED = timedelta(hours=22)  # until before the first appointment


class Following(RuleBasedStateMachine):
    """A model of two people's appointments beside the real ones."""

    appointments: Appointments
    people: list[Person]

    @initialize()
    def begin(self) -> None:
        self.appointments.at(NOW)
        self.made: dict[UUID, dict] = {}
        self.leaves: dict[tuple, UUID] = {}
        with self.appointments.work() as session:
            session.execute(text("DELETE FROM notifications.outbox"))
            session.execute(text("UPDATE schedule_exception SET active = false"))
            session.execute(text("UPDATE claim SET active = false"))
            session.execute(text("UPDATE appointment SET status = 'expired'"))
            session.execute(text("UPDATE appointment_disruption SET resolved_at = found_at"))
            session.execute(text("UPDATE clinic_session SET booked = 0, online_booked = 0"))
        self.appointments.follow_rosters()

    def taken(self) -> set[tuple]:
        return {row["place"] for row in self.made.values() if row["status"] == "booked"}

    def free(self, who: int) -> list[tuple]:
        mine = {(row["place"][1], row["place"][2]) for row in self.standing().values() if row["who"] == who}
        return [
            place
            for place in PLACES
            if place not in self.taken() and place[1:] not in mine and place[:2] not in self.leaves
        ]

    def standing(self) -> dict[UUID, dict]:
        return {key: row for key, row in self.made.items() if row["status"] == "booked"}

    @rule(who=st.integers(0, 1), data=st.data())
    def book(self, who: int, data: st.DataObject) -> None:
        places = self.free(who)
        if not places or len(self.standing()) >= 4:
            return
        place = data.draw(st.sampled_from(places))
        view = self.appointments.book(self.people[who], *place)
        self.made[view.id] = {
            "who": who, "place": place, "start": view.start, "status": "booked", "lost": False,
            "agreed": self.appointments.clock.now, "moves": 0, "lost_times": 0,
        }  # fmt: skip

    @precondition(lambda self: self.standing())
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.standing())))
        row = self.made[key]
        places = self.free(row["who"])
        if not places:
            return
        place = data.draw(st.sampled_from(places))
        view = self.appointments.move(key, *place)
        row |= {"place": place, "start": view.start, "lost": False, "agreed": self.appointments.clock.now}
        row["moves"] += 1

    @precondition(lambda self: self.standing())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.standing())))
        self.appointments.cancel(key)
        self.made[key]["status"] = "cancelled"

    @precondition(lambda self: self.standing())
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        doctor, day, _ = data.draw(st.sampled_from([row["place"] for row in self.standing().values()]))
        if (doctor, day) in self.leaves:
            return
        self.leaves[doctor, day] = self.appointments.away(doctor, day)
        for row in self.standing().values():
            if row["place"][:2] == (doctor, day):
                row["lost"] = True
                row["lost_times"] += 1

    @precondition(lambda self: self.leaves)
    @rule(data=st.data())
    def open(self, data: st.DataObject) -> None:
        closed = data.draw(st.sampled_from(sorted(self.leaves)))
        self.appointments.back(self.leaves.pop(closed))
        for row in self.standing().values():
            if row["place"][:2] == closed:
                row |= {"lost": False, "agreed": self.appointments.clock.now}

    @rule(minutes=st.sampled_from([1, 40, 200, 700]))
    def wait(self, minutes: int) -> None:
        later = self.appointments.clock.now + timedelta(minutes=minutes)
        if later <= NOW + MOST_PASSED:
            self.appointments.at(later)
        self.appointments.send_due()

    @rule()
    def look_again(self) -> None:
        assert self.appointments.follow_rosters() == 0

    @invariant()
    def what_waits_is_the_plan(self) -> None:
        if not hasattr(self, "made"):
            return
        now = self.appointments.clock.now
        for key, row in self.made.items():
            standing = Standing(row["status"], row["start"], row["agreed"], row["lost"])
            expected = {(notice.kind, notice.not_before) for notice in plan(standing, now)}
            assert self.reminders(key, now) == expected

    @invariant()
    def nothing_is_said_twice(self) -> None:
        if not hasattr(self, "made") or not self.made:
            return
        with self.appointments.work() as session:
            said = session.execute(
                text(
                    """SELECT subject, kind, expires_at, count(*) AS times FROM notifications.notification
                        WHERE subject = ANY(:ids) AND state <> 'cancelled' GROUP BY 1, 2, 3"""
                ),
                {"ids": list(self.made)},
            ).all()
        for row in said:
            made = self.made[row.subject]
            often = {
                "appointment-moved": made["moves"],
                "appointment-disrupted": made["lost_times"],
                "appointment-stands": made["lost_times"],
            }
            assert row.times <= often.get(row.kind, 1), row

    def reminders(self, key: UUID, now) -> set[tuple]:
        with self.appointments.work() as session:
            rows = session.execute(
                text(
                    """SELECT n.kind, n.not_before FROM notifications.outbox o
                         JOIN notifications.notification n ON n.id = o.notification_id
                        WHERE n.subject = :id AND n.kind = ANY(:kinds) AND n.not_before > :now"""
                ),
                {"id": key, "kinds": list(REMINDERS), "now": now},
            ).all()
        found = [tuple(row) for row in rows]
        assert len(found) == len(set(found))
        return set(found)


@pytest.fixture
def machine(appointments: Appointments, lan: Person, minh: Person, engine: Engine) -> type[Following]:
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET online_quota = 0"))
    Following.appointments, Following.people = appointments, [lan, minh]
    return Following


def play(machine: type[Following], examples: int, steps: int) -> None:
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


def test_what_waits_is_always_what_the_plan_says(machine: type[Following]):
    play(machine, examples=12, steps=20)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_waits_is_always_what_the_plan_says_for_long(machine: type[Following]):
    play(machine, examples=150, steps=30)
