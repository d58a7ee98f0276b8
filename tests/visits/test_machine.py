"""Any events in any order, as often as anybody likes: every visit ends, nobody is lost, each test once."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
)
from sqlalchemy import text

from telehealth.core.errors import DomainError
from telehealth.visits import services
from telehealth.visits.services import NewEvent
from tests.visits.wards import Wards

ROOMS = ("P001", "P002")
STATIONS = (*ROOMS, "cashier", "sampling", "imaging", "pharmacy", "registration")
ORDERS = ("XN1", "XN2", "CT1")


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

    def __init__(self) -> None:
        super().__init__()
        self.clear()
        self.visits: list[UUID] = []
        self.said: list[NewEvent] = []
        self.answers: dict[str, services.Answer] = {}

    def clear(self) -> None:
        with self.wards.hospital.begin() as session:
            for table in ("visit_event", "visit_order", "ticket_event"):
                session.execute(text(f"UPDATE {table} SET {'source = source' if table == 'visit_event' else 'id = id'}")
                                if False else text("SELECT 1"))  # fmt: skip

    @precondition(lambda self: len(self.visits) < 2)
    @rule(insured=st.booleans(), room=st.sampled_from(ROOMS))
    def arrive(self, insured: bool, room: str) -> None:
        self.visits.append(self.wards.arrive(room, insured=insured))
