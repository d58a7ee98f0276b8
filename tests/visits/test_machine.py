"""Any events in any order, as often as anybody likes: every visit ends, nobody is lost, each test once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from telehealth.core.errors import DomainError
from telehealth.queueing.codes import TicketStatus
from telehealth.visits import queries, services
from telehealth.visits.codes import Category, EventKind
from telehealth.visits.queries import OPEN, Leg
from telehealth.visits.services import NewEvent
from tests.visits.wards import Wards

ROOMS = ("P001", "P002")
STATIONS = (*ROOMS, "registration", "cashier", "sampling", "imaging", "pharmacy")
TESTS = {"XN1": Category.LABORATORY, "XN2": Category.LABORATORY, "CT1": Category.IMAGING}
ABOUT_TESTS = (EventKind.TESTS_ORDERED, EventKind.PERFORMED, EventKind.RESULT_READY)
ACTIVE = (TicketStatus.CALLED, TicketStatus.SERVING)
MOST_STEPS = 60
WHO = st.integers(0, 1)


@contextmanager
def refusable() -> Iterator[None]:
    """A refusal is an answer; what must hold is said by the invariants."""
    try:
        yield
    except DomainError:
        return


class Day(RuleBasedStateMachine):
    """Two people at most, three tests each, one hospital."""

    wards: Wards

    @initialize()
    def morning(self) -> None:
        self.visits: list[UUID] = []
        self.said: list[tuple[NewEvent, services.Answer]] = []
        self.performed: dict[UUID, datetime] = {}

    @precondition(lambda self: len(self.visits) < 2)
    @rule(insured=st.booleans(), queue=st.sampled_from((*ROOMS, "registration")))
    def arrive(self, insured: bool, queue: str) -> None:
        self.visits.append(self.wards.arrive(queue, insured=insured))

    @precondition(lambda self: self.visits)
    @rule(who=WHO, kind=st.sampled_from(EventKind), tests=st.sets(st.sampled_from(sorted(TESTS)), min_size=1))
    def say(self, who: int, kind: EventKind, tests: set[str]) -> None:
        visit = self.visits[who % len(self.visits)]
        named = sorted(tests) if kind in ABOUT_TESTS else []
        orders = tuple(services.OrderRef("urn:machine", f"{visit}.{test}", TESTS[test]) for test in named)
        plain = self.wards.event(visit, kind)
        event = NewEvent("his", plain.event_id, kind, plain.occurred_at, code=plain.code, orders=orders)
        self.said.append((event, self.wards.say(event)))

    @precondition(lambda self: self.said)
    @rule(which=st.integers(0, 99))
    def say_again(self, which: int) -> None:
        event, answer = self.said[which % len(self.said)]
        before = [self.wards.visit(visit).legs for visit in self.visits]
        assert self.wards.say(event) == answer, "the same answer"
        assert [self.wards.visit(visit).legs for visit in self.visits] == before, "and nothing moved"

    @rule(queue=st.sampled_from(STATIONS))
    def call(self, queue: str) -> None:
        with refusable():
            self.wards.hospital.call(queue, self.wards.now())

    @precondition(lambda self: self.visits)
    @rule(who=WHO, step=st.sampled_from(("start", "done", "done", "skip", "park", "return", "recall")))
    def step(self, who: int, step: str) -> None:
        leg = self.wards.visit(self.visits[who % len(self.visits)]).standing
        if leg is not None and leg.ticket_id is not None:
            with refusable():
                self.wards.step(leg.ticket_id, step)

    @precondition(lambda self: self.visits)
    @rule(who=WHO, queue=st.sampled_from(STATIONS))
    def send(self, who: int, queue: str) -> None:
        self.by_hand(self.visits[who % len(self.visits)], queue)

    def by_hand(self, visit: UUID, queue: str) -> None:
        hospital = self.wards.hospital
        with refusable(), hospital.begin() as session:
            services.move(
                session, hospital.doctor, visit, hospital.queue(queue), now=self.wards.now(),
                cipher=hospital.cipher,
            )  # fmt: skip

    @invariant()
    def one_place_at_a_time(self) -> None:
        for visit in getattr(self, "visits", []):
            legs = self.wards.visit(visit).legs
            assert sum(leg.status in ACTIVE for leg in legs) <= 1
            assert sum(leg.status in OPEN for leg in legs) <= 1

    @invariant()
    def nobody_is_lost(self) -> None:
        with self.wards.hospital.begin() as session:
            stranded = queries.nowhere(session, self.wards.id, self.wards.clock.now)
        assert [each for each in stranded if each.next is None or each.next.why != "no-room"] == []

    @invariant()
    def a_test_is_performed_once(self) -> None:
        for visit in getattr(self, "visits", []):
            for order in self.wards.visit(visit).orders:
                if order.performed_at is not None:
                    first = self.performed.setdefault(order.id, order.performed_at)
                    assert first == order.performed_at

    def teardown(self) -> None:
        """Let everybody do their work: results come, people are called, and every visit ends."""
        for visit in getattr(self, "visits", []):
            for _ in range(MOST_STEPS):
                view = self.wards.visit(visit)
                if view.ended_at is not None:
                    break
                if view.standing is not None:
                    self.serve(view.standing)
                elif view.next is not None and view.next.why == "no-room":
                    self.by_hand(visit, "P001")
                else:
                    late = [each for each in view.orders if not each.ready_at and not each.revoked_at]
                    refs = tuple(
                        services.OrderRef(each.identifier_system, each.identifier_value) for each in late
                    )
                    plain = self.wards.event(visit, EventKind.RESULT_READY)
                    self.wards.say(
                        NewEvent(
                            "lis", plain.event_id, plain.kind, plain.occurred_at, plain.code, orders=refs
                        )
                    )
            assert self.wards.visit(visit).ended_at is not None, self.wards.visit(visit)

    def serve(self, leg: Leg) -> None:
        assert leg.ticket_id is not None
        if leg.status in (TicketStatus.MISSED, TicketStatus.PARKED):
            self.wards.step(leg.ticket_id, "return")
        elif leg.status is TicketStatus.WAITING:
            code = next(code for code in STATIONS if self.wards.hospital.queue(code) == leg.queue_id)
            with refusable():
                self.wards.hospital.call(code, self.wards.now())
        elif leg.status is TicketStatus.CALLED:
            self.wards.step(leg.ticket_id, "start")
        else:
            self.wards.step(leg.ticket_id, "done")


def test_every_visit_ends_whatever_is_said_and_done_in_whatever_order(wards: Wards):
    machine = type("HospitalDay", (Day,), {"wards": wards})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=18,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_visit_ends_in_many_more_days(wards: Wards):
    machine = type("HospitalDay", (Day,), {"wards": wards})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
