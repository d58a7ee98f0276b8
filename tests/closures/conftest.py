"""The clinic of the booking tests, a desk that closes sessions, and the worker that cares for the people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from telehealth.closures import queries, services
from telehealth.closures.codes import ClosureKind, ClosurePlan
from telehealth.closures.queries import ItemView, Progress
from telehealth.closures.rules import Span
from telehealth.closures.services import Order
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import closures as closures_job
from telehealth.jobs import disruptions as disruptions_job
from telehealth.jobs.work import Work, work
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, TUESDAY, Employee, Person, add_employee, add_person
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.conftest import MovableClock
from tests.reminders.appointments import Appointments
from tests.reminders.conftest import appointments

__all__ = ["appointments", "clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]

MORNING = Span(TUESDAY, TUESDAY, 480, 600)


@dataclass
class Closing:
    """Closes, lets the worker go on, looks. Everything in transactions of its own."""

    work: Work
    appointments: Appointments

    def close(
        self,
        doctor: str | None = "an",
        *,
        span: Span = MORNING,
        plan: ClosurePlan = ClosurePlan.OFFER,
        kind: ClosureKind = ClosureKind.PRACTITIONER,
        facility: str | None = "77001",
    ) -> UUID:
        order = self.order(doctor, span=span, plan=plan, kind=kind, facility=facility)
        with self.appointments.work() as session:
            return services.close(session, SYSTEM, order, now=self.now)

    def order(
        self,
        doctor: str | None = "an",
        *,
        span: Span = MORNING,
        plan: ClosurePlan = ClosurePlan.OFFER,
        kind: ClosureKind = ClosureKind.PRACTITIONER,
        facility: str | None = "77001",
    ) -> Order:
        return Order(
            kind,
            None if facility is None else FACILITIES[facility],
            DOCTORS[doctor] if doctor else None,
            span,
            plan,
            "called-away",
        )

    def undo(self, closure_id: UUID) -> None:
        with self.appointments.work() as session:
            services.undo(session, SYSTEM, closure_id, now=self.now)

    def run(self) -> None:
        """What the worker does in a tick: the closures, then who else has lost a time."""
        closures_job.run(self.work, self.now)
        disruptions_job.run(self.work, self.now)

    def items(self, closure_id: UUID) -> list[ItemView]:
        with self.appointments.work() as session:
            return list(queries.items(session, closure_id, limit=500).items)

    def item_of(self, closure_id: UUID, appointment_id: UUID) -> ItemView:
        return next(item for item in self.items(closure_id) if item.appointment_id == appointment_id)

    def progress(self, closure_id: UUID) -> Progress:
        with self.appointments.work() as session:
            return queries.progress(session, closure_id)

    def sessions(self, doctor: str, day: date = TUESDAY) -> list[str]:
        with self.appointments.work() as session:
            return list(
                session.execute(
                    text(
                        """SELECT status FROM clinic_session WHERE practitioner_id = :doctor
                              AND business_date = :day ORDER BY start_minute"""
                    ),
                    {"doctor": DOCTORS[doctor], "day": day},
                ).scalars()
            )

    @property
    def now(self) -> datetime:
        return self.appointments.clock.now


@pytest.fixture
def own_work(app: object, settings: Settings, clock: MovableClock) -> Iterator[Work]:
    """A worker's means, at the tests' clock."""
    mine = replace(work(settings), clock=clock)
    yield mine
    mine.engine.dispose()


@pytest.fixture
def closing(own_work: Work, appointments: Appointments) -> Closing:
    """Whoever closes sessions."""
    return Closing(own_work, appointments)


@pytest.fixture
def people(engine: Engine, clinic: None, settings: Settings) -> Callable[[int], list[Person]]:
    """Return so many further patients with telephones."""

    def made(count: int) -> list[Person]:
        with system_unit_of_work(engine) as session:
            return [
                add_person(session, settings.cipher, 100 + number, name=f"Người Thứ {number}")
                for number in range(count)
            ]

    return made


@pytest.fixture
def admin(engine: Engine, clinic: None) -> Employee:
    """The administrator of 77001."""
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")
