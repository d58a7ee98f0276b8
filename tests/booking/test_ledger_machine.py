"""The ledger against a model of it: any sequence of everything that can be done with places.

Runs the services on real PostgreSQL in transactions of their own; a dictionary says what should be. The same
machine then plays against ledgers with a planted bug, and must see each of them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase
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
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.rules import BookingPolicy, Policies
from telehealth.booking.services import AnyPractitioner, BookingRequest, Bound, Move, Once
from telehealth.core.clock import at_local
from telehealth.core.errors import DomainError
from telehealth.core.ids import derived_id
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work, unit_of_work
from telehealth.scheduling.codes import Channel, Door
from telehealth.scheduling.queries import SlotQuery, earliest_slots
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, TUESDAY, Person, add_person

FREELY = BookingPolicy(None, None, None, holds_per_account=99)
NO_LIMITS = Policies(booking=dict.fromkeys((Channel.ONLINE, Channel.DESK, Channel.REFERRAL), FREELY))
PEOPLE = 6
DAY_LIMIT = {"binh": 3}
ROOM, ROOM_LANES = derived_id("machine-room"), 2
OVERBOOK_MOST = 1
SLOTS = 3


@dataclass(frozen=True)
class Grid:
    """A session of the machine's clinic: minutes of day, and what is kept for whom for how long."""

    doctor: str
    start: int
    step: int
    lead: int
    tail: int
    capacity: int
    quota: int
    room: bool
    door: Door
    reserved: int
    falls: timedelta
    online: bool = True

    @property
    def places(self) -> int:
        return SLOTS * self.capacity


# An has buffers, a room, a reserve that falls while the machine plays, and a second service whose slots begin
# in the middle of the first one's. Bình has two lanes, shares the room, and may see three people, of whom one
# comes online: of two the third would be too rare to see that the share is asked.
GRIDS = {
    "an": Grid("an", 480, 20, 3, 2, 1, 2, True, Door.REFERRAL_INITIAL, 2, timedelta(seconds=600)),
    "binh": Grid("binh", 480, 15, 0, 0, 2, 1, True, Door.COUNTER, 3, timedelta(days=1)),
    "beside": Grid("an", 490, 20, 0, 0, 1, 0, False, Door.ONLINE, 1, timedelta(0), online=False),
}
DOORS = {
    Door.ONLINE: (Channel.ONLINE, None),
    Door.COUNTER: (Channel.DESK, None),
    Door.REFERRAL_INITIAL: (Channel.REFERRAL, "initial"),
}
INTERNAL = ("an", "binh")
CLERK = Principal(kind=PrincipalKind.SYSTEM, grants=frozenset({Grant(Role.DESK, FACILITIES["77001"])}))

_WHO = st.integers(0, PEOPLE - 1)
_SLOT = st.tuples(st.sampled_from(list(GRIDS)), st.integers(0, SLOTS - 1))
_SLOT_ONLINE = st.tuples(st.sampled_from(INTERNAL), st.integers(0, SLOTS - 1))
_DOOR = st.sampled_from(list(DOORS))


@dataclass
class Row:
    """What the model knows of an appointment. `lanes`: of the practitioner and the room."""

    state: str
    who: int
    slot: tuple[str, int]
    door: Door
    lanes: dict[object, int]
    over: bool = False
    version: int = 1
    until: datetime | None = None
    bound: tuple[int, int] | None = None

    @property
    def grid(self) -> Grid:
        return GRIDS[self.slot[0]]


def step_of(slot: tuple[str, int]) -> tuple[int, int]:
    """Return the minutes of day that a slot takes of the doctor."""
    grid = GRIDS[slot[0]]
    start = grid.start + slot[1] * grid.step
    return start, start + grid.step


def visit_of(slot: tuple[str, int]) -> tuple[int, int]:
    """Return the minutes of day that a slot takes of the patient."""
    grid = GRIDS[slot[0]]
    start, end = step_of(slot)
    return start + grid.lead, end - grid.tail


def crossing(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


class Ledger(RuleBasedStateMachine):
    """See GRIDS. The clock of the database is set before every step, so that it does not run away."""

    engine: Engine
    owner_engine: Engine
    settings: Settings
    people: list[Person]
    sessions: dict[str, UUID]
    set_clock: Callable[[datetime], None]

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.rows: dict[UUID, Row] = {}
        self.closed: set[str] = set()
        self.blocked: list[tuple[UUID, str | None, tuple[int, int]]] = []
        self.presses = self.looks = 0
        with self.owner_engine.begin() as connection:
            for table in (
                "claim", "appointment_offer", "appointment", "blocking", "practitioner_day", "idempotency",
            ):  # fmt: skip
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text("UPDATE session_quota SET booked = 0"))
            connection.execute(
                text(
                    """UPDATE clinic_session
                          SET booked = 0, online_booked = 0, overbooked = 0, status = 'open'
                        WHERE id = ANY(:ids)"""
                ),
                {"ids": list(self.sessions.values())},
            )
        self.set_clock(self.now)

    # The model

    def live(self, row: Row) -> bool:
        return row.state == "booked" or (
            row.state == "held" and row.until is not None and row.until > self.now
        )

    def alive(self, leaving: UUID | None = None) -> list[Row]:
        return [row for key, row in self.rows.items() if key != leaving and self.live(row)]

    def lane(self, resource: object, span: tuple[int, int], lanes: range, rows: Sequence[Row]) -> int | None:
        taken = {
            row.lanes[resource] for row in rows if resource in row.lanes and crossing(step_of(row.slot), span)
        }
        return next((lane for lane in lanes if lane not in taken), None)

    def lanes(self, slot: tuple[str, int], over: bool, rows: Sequence[Row]) -> dict[object, int | None]:
        grid, span = GRIDS[slot[0]], step_of(slot)
        own = (
            range(grid.capacity + 1, grid.capacity + OVERBOOK_MOST + 1)
            if over
            else range(1, grid.capacity + 1)
        )
        found = {grid.doctor: self.lane(grid.doctor, span, own, rows)}
        if grid.room:
            found[ROOM] = self.lane(ROOM, span, range(1, ROOM_LANES + over * OVERBOOK_MOST + 1), rows)
        return found

    def refusals(
        self,
        slot: tuple[str, int],
        door: Door,
        *,
        who: int | None = None,
        over: bool = False,
        leaving: UUID | None = None,
    ) -> set[str]:
        """Return every code that may be said of a slot; none: it can be had."""
        name, grid, rows = slot[0], GRIDS[slot[0]], self.alive(leaving)
        found = self._of_the_time(slot)
        if door == Door.ONLINE and not grid.online:
            found.add("not-bookable-online")
        lanes = self.lanes(slot, over, rows)
        if lanes[grid.doctor] is None:
            found.add("overbook-full" if over else "slot-taken")
        if grid.room and lanes[ROOM] is None:
            found.add("resource-busy")
        if who is not None and any(
            row.state == "booked" and row.who == who and crossing(visit_of(row.slot), visit_of(slot))
            for row in rows
        ):
            found.add("patient-busy")
        here = [row for row in rows if row.slot[0] == name and not row.over]
        if not over:
            found |= self._of_the_doors(grid, door, here)
        elif sum(row.slot[0] == name and row.over for row in rows) >= SLOTS * OVERBOOK_MOST:
            found.add("overbook-full")
        if sum(row.grid.doctor == grid.doctor for row in rows) >= DAY_LIMIT.get(grid.doctor, 99):
            found.add("practitioner-day-full")
        return found

    def _of_the_time(self, slot: tuple[str, int]) -> set[str]:
        found = {"slot-closed"} & ({"slot-closed"} if slot[0] in self.closed else set())
        if any(
            doctor in (None, GRIDS[slot[0]].doctor) and crossing(span, step_of(slot))
            for _key, doctor, span in self.blocked
        ):
            found.add("time-blocked")
        return found

    def _of_the_doors(self, grid: Grid, door: Door, here: list[Row]) -> set[str]:
        found = set()
        if len(here) >= grid.places:
            found.add("slot-taken")
        if door == Door.ONLINE and sum(row.door == Door.ONLINE for row in here) >= grid.quota:
            found.add("online-quota-full")
        kept = 0
        if door != grid.door and self.now < NOW + grid.falls:
            kept = max(0, grid.reserved - sum(row.door == grid.door for row in here))
        if grid.places - len(here) - 1 < kept:
            found.add("door-quota-full")
        return found

    def own_hold(self, who: int, slot: tuple[str, int]) -> UUID | None:
        return next(
            (
                key
                for key, row in self.rows.items()
                if row.state == "held" and self.live(row) and (row.who, row.slot) == (who, slot)
            ),
            None,
        )

    # The ledger

    @contextmanager
    def work(self, person: Person | None = None) -> Iterator[Session]:
        self.set_clock(self.now)
        if person is None:
            with system_unit_of_work(self.engine) as session:
                yield session
            return
        with Session(self.engine, expire_on_commit=False) as raw, unit_of_work(raw) as session:
            session.execute(
                text("SELECT set_config('app.kind', 'patient', true), set_config('app.account', :id, true)"),
                {"id": str(person.account_id)},
            )
            yield session

    @property
    def means(self) -> dict:
        return {
            "now": self.now,
            "cipher": self.settings.cipher,
            "outbox": Outbox(self.settings.cipher),
            "links": self.settings.answer_links,
        }

    def slot_id(self, slot: tuple[str, int]) -> str:
        return f"{self.sessions[slot[0]]}.{visit_of(slot)[0]}"

    def slot_of(self, slot_id: str) -> tuple[str, int]:
        return next(
            (name, index)
            for name in GRIDS
            for index in range(SLOTS)
            if self.slot_id((name, index)) == slot_id
        )

    def acting(self, who: int, door: Door) -> tuple[Person | None, object]:
        person = self.people[who]
        return (person, person.principal) if door == Door.ONLINE else (None, CLERK)

    def asked(self, who: int, door: Door, **more) -> BookingRequest:
        channel, level = DOORS[door]
        return BookingRequest(
            self.people[who].patient_id, channel=channel, referring_level=level, **more
        )  # fmt: skip

    def judged(self, refusal: DomainError | None, expected: set[str]) -> None:
        """The ledger refuses exactly when the model does, and for one of its reasons."""
        if refusal is None:
            assert not expected, expected
        else:
            assert refusal.code in expected, (refusal.code, expected)

    # What can be done

    @rule(who=_WHO, slot=_SLOT_ONLINE)
    def hold_and_let_it_lapse(self, who: int, slot: tuple[str, int]) -> None:
        self.hold_slot(who, slot)
        self.now += timedelta(seconds=310)

    @rule(who=_WHO, slot=_SLOT_ONLINE)
    def hold(self, who: int, slot: tuple[str, int]) -> None:
        self.hold_slot(who, slot)

    def hold_slot(self, who: int, slot: tuple[str, int]) -> None:
        own, expected = self.own_hold(who, slot), self.refusals(slot, Door.ONLINE)
        lanes = self.lanes(slot, False, self.alive())
        person = self.people[who]
        refusal, held = None, None
        try:
            with self.work(person) as session:
                held = services.hold(
                    session, person.principal, self.slot_id(slot), now=self.now, policies=NO_LIMITS
                )
        except DomainError as error:
            refusal = error
        if own is not None:
            assert held is not None
            assert held.id == own
            return
        self.judged(refusal, expected)
        if held is not None:
            self.rows[held.id] = Row(
                "held", who, slot, Door.ONLINE, lanes, until=self.now + timedelta(seconds=300)
            )

    @rule(who=_WHO, slot=_SLOT, door=_DOOR, over=st.booleans(), bound=st.booleans(), twice=st.booleans())
    def book(self, who: int, slot: tuple[str, int], door: Door, over: bool, bound: bool, twice: bool) -> None:
        over = over and door == Door.COUNTER
        own = self.own_hold(who, slot) if door == Door.ONLINE else None
        expected = self.refusals(slot, door, who=who, over=over)
        lanes = self.lanes(slot, over, self.alive())
        if own is not None:
            expected = self._of_confirming(own)
        allowed = (500, 520) if bound else None
        if allowed and not allowed[0] <= visit_of(slot)[0] < allowed[1]:
            expected.add("outside-validity")
        request = self.asked(
            who,
            door,
            slot_id=self.slot_id(slot),
            bound=Bound(*(at_local(TUESDAY, minute) for minute in allowed)) if allowed else None,
            overbook="the doctor agreed" if over else None,
        )
        refusal, key = self._pressed(who, door, request, twice)
        self.judged(refusal, expected)
        if key is not None:
            known = self.rows.get(key)
            version = 1 if known is None else known.version + 1
            taken = lanes if known is None else known.lanes
            self.rows[key] = Row("booked", who, slot, door, taken, over, version, bound=allowed)

    def _pressed(
        self, who: int, door: Door, request: BookingRequest, twice: bool
    ) -> tuple[DomainError | None, UUID | None]:
        """Book under a key; pressed twice, it is one booking and one answer."""
        person, principal = self.acting(who, door)
        self.presses += 1
        key = RequestKey.of(principal, "POST machine", f"press-{self.presses}", b"")
        told = []
        for _press in range(1 + twice):
            try:
                with self.work(person) as session:
                    once = Once(key, lambda view: str(view.id).encode())
                    told.append(
                        services.book_once(
                            session, principal, request, once, **self.means, policies=NO_LIMITS
                        )
                    )
            except DomainError as refusal:
                assert not told
                return refusal, None
        assert len(set(told)) == 1
        return None, UUID(told[0].decode())

    def _of_confirming(self, key: UUID) -> set[str]:
        row = self.rows[key]
        if not (row.state == "held" and self.live(row)):
            return {"hold-expired", "hold-unknown", "hold-not-yours"}
        busy = any(
            other.state == "booked"
            and other.who == row.who
            and crossing(visit_of(other.slot), visit_of(row.slot))
            for other in self.alive()
        )
        return self._of_the_time(row.slot) | ({"patient-busy"} if busy else set())

    @precondition(lambda self: any(row.door == Door.ONLINE for row in self.rows.values()))
    @rule(data=st.data(), twice=st.booleans())
    def confirm(self, data: st.DataObject, twice: bool) -> None:
        key = data.draw(st.sampled_from([k for k, row in self.rows.items() if row.door == Door.ONLINE]))
        row = self.rows[key]
        expected = self._of_confirming(key)
        refusal, booked = self._pressed(
            row.who, Door.ONLINE, self.asked(row.who, Door.ONLINE, hold_id=key), twice
        )
        self.judged(refusal, expected)
        if booked is not None:
            assert booked == key
            row.state, row.version, row.until = "booked", row.version + 1, None

    @rule(who=_WHO, door=_DOOR)
    def any_doctor(self, who: int, door: Door) -> None:
        able = [
            (name, index)
            for name in INTERNAL
            for index in range(SLOTS)
            if not self.refusals((name, index), door, who=who)
            and (door != Door.ONLINE or self.own_hold(who, (name, index)) is None)
        ]
        lanes = {slot: self.lanes(slot, False, self.alive()) for slot in able}
        person, principal = self.acting(who, door)
        wanted = AnyPractitioner(
            "internal", FACILITIES["77001"], at_local(TUESDAY, 0), at_local(TUESDAY, 1440)
        )
        try:
            with self.work(person) as session:
                session.execute(
                    text("SELECT setseed(0.5)")
                )  # equals come in one order: examples can be replayed
                view = services.book_any(
                    session, principal, self.asked(who, door), wanted, **self.means, policies=NO_LIMITS
                )
        except DomainError:
            view = None
        assert (view is None) == (not able), able
        if view is None:
            return
        slot = self.slot_of(view.slot_id)
        assert slot in able, (slot, able)
        self.rows[view.id] = Row("booked", who, slot, door, lanes[slot])

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), slot=_SLOT, door=_DOOR, over=st.booleans())
    def move(self, data: st.DataObject, slot: tuple[str, int], door: Door, over: bool) -> None:
        key = data.draw(st.sampled_from(list(self.rows)))
        row = self.rows[key]
        over = over and door == Door.COUNTER
        expected = self._of_moving(key, slot, door, over=over)
        before = self.stored(key)
        channel, level = DOORS[door]
        move = Move(
            self.slot_id(slot), row.version, channel, referring_level=level,
            overbook="the doctor agreed" if over else None,
        )  # fmt: skip
        person, principal = self.acting(row.who, door)
        refusal = None
        lanes = self.lanes(slot, over, self.alive(key))
        try:
            with self.work(person) as session:
                services.reschedule(session, principal, key, move, **self.means, policies=NO_LIMITS)
        except DomainError as error:
            refusal = error
            assert self.stored(key) == before
        self.judged(refusal, expected)
        if refusal is None:
            row.slot, row.door, row.over, row.lanes, row.version = slot, door, over, lanes, row.version + 1

    def _of_moving(self, key: UUID, slot: tuple[str, int], door: Door, *, over: bool = False) -> set[str]:
        row = self.rows[key]
        if row.state != "booked":
            return {"appointment-over", "not-found", "stale-version"}
        expected = self.refusals(slot, door, who=row.who, over=over, leaving=key)
        if (slot[0] == "beside") != (row.slot[0] == "beside"):
            expected.add("other-service")
        if slot == row.slot and over == row.over:
            expected.add("slot-taken")
        if row.bound and not row.bound[0] <= visit_of(slot)[0] < row.bound[1]:
            expected.add("outside-validity")
        return expected

    @precondition(lambda self: any(row.state == "booked" for row in self.rows.values()))
    @rule(data=st.data(), slot=_SLOT)
    def offer_and_accept(self, data: st.DataObject, slot: tuple[str, int]) -> None:
        key = data.draw(st.sampled_from([k for k, row in self.rows.items() if row.state == "booked"]))
        row = self.rows[key]
        expected = self._of_moving(key, slot, Door.COUNTER)
        lanes = self.lanes(slot, False, self.alive(key))
        refusal = None
        try:
            with self.work() as session:
                made = services.offer(session, CLERK, key, self.slot_id(slot), **self.means)
            with self.work(self.people[row.who]) as session:
                services.accept_offer(session, self.people[row.who].principal, made.id, **self.means)
        except DomainError as error:
            refusal = error
        if (
            refusal is not None
            and refusal.code == "slot-taken"
            and crossing(step_of(slot), step_of(row.slot))
        ):
            return  # an offer looks at the lanes alone, where the appointment itself may stand
        self.judged(refusal, expected)
        if refusal is None:
            row.slot, row.door, row.over, row.lanes = slot, Door.COUNTER, False, lanes
            row.version += 1

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(list(self.rows)))
        row, person = self.rows[key], self.people[self.rows[key].who]
        means = {name: value for name, value in self.means.items() if name != "links"}
        with self.work(person) as session:
            if row.state == "booked":
                services.cancel(
                    session, person.principal, key, version=row.version, reason_code="patient", **means
                )
            elif row.state == "held":
                services.release(session, person.principal, key, now=self.now)
        row.state = "gone"

    @rule(name=st.sampled_from(list(GRIDS)))
    def close_or_open(self, name: str) -> None:
        if self.closed:
            name = self.closed.pop()
            status = "open"
        else:
            self.closed.add(name)
            status = "closed"
        with self.work() as session:
            session.execute(
                text("UPDATE clinic_session SET status = :status, version = version + 1 WHERE id = :id"),
                {"status": status, "id": self.sessions[name]},
            )

    @rule(who=st.sampled_from([None, "an", "binh"]), start=st.sampled_from([480, 500, 515]))
    def block(self, who: str | None, start: int) -> None:
        if self.blocked:
            self._lift()
            return
        key = derived_id("machine-blocking", len(self.blocked), self.now, start, who)
        if any(known == key for known, _who, _span in self.blocked):
            return
        with self.work() as session:
            session.execute(
                text(
                    """INSERT INTO blocking
                           (id, facility_id, practitioner_id, from_at, to_at, reason, created_at)
                       VALUES (:id, :facility, :doctor, :from, :to, 'Họp', :from)
                       ON CONFLICT (id) DO UPDATE SET lifted_at = NULL"""
                ),
                {
                    "id": key, "facility": FACILITIES["77001"], "doctor": who and DOCTORS[who],
                    "from": at_local(TUESDAY, start), "to": at_local(TUESDAY, start + 10),
                },
            )  # fmt: skip
        self.blocked.append((key, who, (start, start + 10)))

    def _lift(self) -> None:
        with self.work() as session:
            session.execute(text("UPDATE blocking SET lifted_at = :now"), {"now": self.now})
        self.blocked.clear()

    # No sum of these comes within seconds of 300, when a hold ends: the database's clock runs on.
    @rule(seconds=st.sampled_from([7, 148, 290, 310]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def tidy(self) -> None:
        with self.work() as session:
            services.expire_overdue_holds(session)

    # What must always be true

    def stored(self, key: UUID) -> tuple:
        with system_unit_of_work(self.engine) as session:
            return tuple(
                session.execute(
                    text(
                        """SELECT a.*, (SELECT array_agg(k::text ORDER BY k.id) FROM claim k
                                         WHERE k.appointment_id = a.id AND k.active)
                             FROM appointment a WHERE a.id = :id"""
                    ),
                    {"id": key},
                ).one()
            )

    @invariant()
    def every_place_is_counted_once_and_nothing_overlaps(self) -> None:
        if hasattr(self, "rows"):
            with system_unit_of_work(self.engine) as session:
                assert flaws(session) == []

    @invariant()
    def what_the_model_has_is_what_is_claimed(self) -> None:
        if not hasattr(self, "rows"):
            return
        expected = sorted(
            (str(key), kind, *span, lane)
            for key, row in self.rows.items()
            if self.live(row)
            for kind, span, lane in self._claims(row)
        )
        with self.work() as session:
            found = session.execute(
                text(
                    """SELECT k.appointment_id::text, k.resource_kind,
                              extract(epoch FROM lower(k.during) - :midnight)::int / 60,
                              extract(epoch FROM upper(k.during) - :midnight)::int / 60, k.lane
                         FROM claim k
                        WHERE k.active AND (k.hold_until IS NULL OR k.hold_until > app_clock())"""
                ),
                {"midnight": at_local(TUESDAY, 0)},
            ).all()
        assert sorted(map(tuple, found)) == expected

    def _claims(self, row: Row) -> list[tuple[str, tuple[int, int], int]]:
        claims = [("practitioner", step_of(row.slot), row.lanes[row.grid.doctor])]
        if ROOM in row.lanes:
            claims.append(("room", step_of(row.slot), row.lanes[ROOM]))
        if row.state == "booked":
            claims.append(("patient", visit_of(row.slot), 1))
        return claims

    @invariant()
    def what_is_offered_is_what_can_be_booked(self) -> None:
        if not hasattr(self, "rows"):
            return
        self.looks += 1
        door = list(DOORS)[self.looks % len(DOORS)]  # one door a step: searching is what takes the time
        channel, level = DOORS[door]
        query = SlotQuery(
            facility_id=FACILITIES["77001"],
            from_=at_local(TUESDAY, 0),
            to=at_local(TUESDAY, 1440),
            limit=50,
            channel=channel,
            care_level=level,
        )
        with self.work() as session:
            offered = {slot.id for slot in earliest_slots(session, query, now=self.now)}
        able = {
            self.slot_id((name, index))
            for name in GRIDS
            for index in range(SLOTS)
            if not self.refusals((name, index), door)
        }
        assert offered == able, (door, offered ^ able)


FLAWS = {
    "claims overlap": """SELECT 1 FROM claim a
        JOIN claim b ON b.resource_id = a.resource_id AND b.lane = a.lane AND b.id > a.id
         AND b.during && a.during WHERE a.active AND b.active""",
    "a session's counters drift": """SELECT 1 FROM clinic_session s
        LEFT JOIN appointment a ON a.clinic_session_id = s.id AND a.status NOT IN ('expired', 'cancelled')
        GROUP BY s.id HAVING s.booked <> count(a.id) FILTER (WHERE NOT a.overbooked)
            OR s.overbooked <> count(a.id) FILTER (WHERE a.overbooked)
            OR s.online_booked <> count(a.id) FILTER (WHERE a.door = 'online' AND NOT a.overbooked)""",
    "a door's counter drifts": """SELECT 1 FROM session_quota q LEFT JOIN appointment a
          ON a.clinic_session_id = q.clinic_session_id AND a.door = q.door AND NOT a.overbooked
         AND a.status NOT IN ('expired', 'cancelled')
        GROUP BY q.clinic_session_id, q.door HAVING q.booked <> count(a.id)""",
    "a practitioner's day drifts": """SELECT 1 FROM
        (SELECT s.practitioner_id, s.business_date, count(a.id) AS live
           FROM clinic_session s JOIN appointment a ON a.clinic_session_id = s.id
          WHERE a.status NOT IN ('expired', 'cancelled') GROUP BY 1, 2) x
        FULL JOIN practitioner_day y USING (practitioner_id, business_date)
        WHERE coalesce(x.live, 0) <> coalesce(y.booked, 0)""",
    "a practitioner has too many that day": """SELECT 1 FROM practitioner_day y JOIN practitioner_limit l
        USING (practitioner_id) WHERE y.booked > l.per_day""",
    "somebody's claims outlive the appointment": """SELECT 1 FROM claim k JOIN appointment a
          ON a.id = k.appointment_id WHERE k.active AND a.status IN ('expired', 'cancelled')""",
    "a slip is overstepped": """SELECT 1 FROM appointment a WHERE a.status = 'booked'
        AND NOT coalesce(a.start_at <@ a.bound, true)""",
}


def flaws(session: Session) -> list[str]:
    """Return which invariants of the ledger are broken, by name; races and crashes ask it too."""
    asked = " UNION ALL ".join(f"SELECT $${name}$$ WHERE EXISTS ({sql})" for name, sql in FLAWS.items())
    return list(session.execute(text(asked)).scalars())


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
                "SELECT practitioner_id, service_code, id FROM clinic_session"
                " WHERE business_date = :day AND service_code IN ('internal', 'desk-only')"
            ),
            {"day": TUESDAY},
        ).all()
    ids = {(row.practitioner_id, row.service_code): row.id for row in found}
    sessions = {
        "an": ids[DOCTORS["an"], "internal"],
        "binh": ids[DOCTORS["binh"], "internal"],
        "beside": ids[DOCTORS["an"], "desk-only"],
    }
    with owner_engine.begin() as connection:
        connection.execute(
            text("DELETE FROM clinic_session WHERE NOT id = ANY(:ids)"), {"ids": list(sessions.values())}
        )
        connection.execute(
            text("INSERT INTO resource VALUES (:id, :at, 'room', 'P1', 'Phòng 1', :lanes)"),
            {"id": ROOM, "at": FACILITIES["77001"], "lanes": ROOM_LANES},
        )
        for name, limit in DAY_LIMIT.items():
            connection.execute(
                text("INSERT INTO practitioner_limit VALUES (:id, :most)"),
                {"id": DOCTORS[name], "most": limit},
            )
        for name, grid in GRIDS.items():
            connection.execute(text(_SHAPED), _shape(sessions[name], grid))
            connection.execute(
                text("INSERT INTO session_quota VALUES (:id, :door, :reserved, 0, :falls)"),
                {
                    "id": sessions[name],
                    "door": grid.door,
                    "reserved": grid.reserved,
                    "falls": NOW + grid.falls,
                },
            )
    Ledger.engine, Ledger.owner_engine = engine, owner_engine
    Ledger.settings, Ledger.people, Ledger.sessions = settings, people, sessions
    Ledger.set_clock = staticmethod(set_database_clock)
    return Ledger


_SHAPED = """UPDATE clinic_session SET start_minute = :start, start_at = :start_at, end_at = :end_at,
    slot_minutes = :step, slot_count = :slots, lead_minutes = :lead, tail_minutes = :tail,
    capacity = :capacity, online_quota = :quota, overbook_most = :most,
    resource_ids = :resources WHERE id = :id"""


def _shape(session_id: UUID, grid: Grid) -> dict:
    return {
        "id": session_id, "start": grid.start, "start_at": at_local(TUESDAY, grid.start),
        "end_at": at_local(TUESDAY, grid.start + SLOTS * grid.step), "step": grid.step, "slots": SLOTS,
        "lead": grid.lead, "tail": grid.tail, "capacity": grid.capacity, "quota": grid.quota,
        "most": OVERBOOK_MOST, "resources": [ROOM] if grid.room else [],
    }  # fmt: skip


def play(machine: type[Ledger], examples: int, steps: int, *, shrink: bool = True) -> None:
    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=examples < 50,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            report_multiple_bugs=False,
        ),
    )


def test_the_ledger_does_what_its_model_does(machine: type[Ledger]):
    play(machine, examples=10, steps=25)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_ledger_does_what_its_model_does_for_long(machine: type[Ledger]):
    play(machine, examples=300, steps=50)
