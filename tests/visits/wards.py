"""A hospital with every station, its clerk, its information system, and what a person does there."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from telehealth.accounts.models import Account, IntegratorClient
from telehealth.core.crypto import token_hash
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.directory.models import ServicePoint
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PriorityClass, Purpose
from telehealth.queueing.models import Ticket
from telehealth.settings import Settings
from telehealth.visits import queries, services
from telehealth.visits.codes import Category, EventKind
from telehealth.visits.queries import Leg, VisitView
from telehealth.visits.services import Answer, NewEvent, OrderRef
from tests.conftest import MONDAY_8AM, MovableClock
from tests.queueing.hospital import Begin, Hospital, bearer

SYSTEM_OF_ORDERS = "urn:oid:1.2.3"
SCOPES = ["visit.tell"]


@dataclass
class Wards:
    """A hospital's whole day; each method commits."""

    hospital: Hospital
    clock: MovableClock
    client_id: UUID = field(default_factory=uuid4)
    clerk_id: UUID = field(default_factory=uuid4)

    @classmethod
    def build(cls, begin: Begin, settings: Settings, clock: MovableClock, code: str, name: str) -> "Wards":
        wards = cls(Hospital(begin, settings.cipher, code, name).build(), clock)
        with begin() as session:
            points = [("Q20", "Lấy mẫu 1", "sampling"), ("Q30", "X-quang 1", "imaging"),
                      ("Q40", "Trả kết quả", "results"), ("Q50", "Phát thuốc 1", "pharmacy")]  # fmt: skip
            session.add_all(
                ServicePoint(id=uuid4(), facility_id=wards.id, code=point, name=text, kind=kind)
                for point, text, kind in points
            )
            session.flush()
            queueing.ensure_queues(session, wards.id)
            wards._people(session)
        return wards

    def _people(self, session: Any) -> None:
        session.add(
            IntegratorClient(
                id=self.client_id, name="HIS", facility_id=self.id, scopes=SCOPES, created_at=MONDAY_8AM,
                secret_hash=token_hash("secret"),
            )
        )  # fmt: skip
        session.flush()
        session.add(bearer(self.system_token, client_id=self.client_id))
        clerk = Account(id=self.clerk_id, login=f"letan.{self.code}", display_name="Lễ tân Hoa")
        self.hospital.employ(session, clerk, self.clerk_token, Role.DESK, Role.FACILITY_ADMIN)

    @property
    def id(self) -> UUID:
        return self.hospital.id

    @property
    def code(self) -> str:
        return self.hospital.code

    @property
    def clerk_token(self) -> str:
        return f"clerk token of {self.code}"

    @property
    def system_token(self) -> str:
        return f"system token of {self.code}"

    @property
    def his(self) -> Principal:
        return Principal(
            kind=PrincipalKind.INTEGRATOR, id=self.client_id, scopes=frozenset(SCOPES),
            grants=frozenset({Grant(Role.INTEGRATOR, self.id)}),
        )  # fmt: skip

    def now(self) -> datetime:
        """A few seconds pass between any two things."""
        return self.clock.forward(seconds=5)

    def arrive(
        self,
        queue: str = "P001",
        *,
        insured: bool = False,
        priority: PriorityClass = PriorityClass.NONE,
        patient_id: UUID | None = None,
        now: datetime | None = None,
    ) -> UUID:
        """Give somebody a number and return the visit that begins with it."""
        queue_id = self.hospital.queue(queue)
        with self.hospital.begin() as session:
            ticket = queueing.take_number(
                session, self.hospital.kiosk, queue_id, priority=priority, press_key=uuid4().hex,
                now=now or self.now(), cipher=self.hospital.cipher, patient_id=patient_id,
                purpose=Purpose.INSURED if insured else Purpose.SELF_PAY,
            )  # fmt: skip
        with self.hospital.begin() as session:
            return session.scalars(select(Ticket.visit_id).where(Ticket.id == ticket.id)).one()

    def visit(self, visit_id: UUID) -> VisitView:
        with self.hospital.begin() as session:
            return queries.visit_view(session, visit_id)

    def standing(self, visit_id: UUID) -> Leg:
        leg = self.visit(visit_id).standing
        assert leg is not None
        return leg

    def serve(self, queue: str, now: datetime | None = None) -> UUID:
        """Call whoever is next and begin with them; return the number's id."""
        called = self.hospital.call(queue, now or self.now())
        self.step(called.id, "start", now)
        return called.id

    def step(self, ticket_id: UUID, step: str, now: datetime | None = None) -> None:
        with self.hospital.begin() as session:
            queueing.take(
                session,
                self.hospital.doctor,
                ticket_id,
                step,
                now=now or self.now(),
                cipher=self.hospital.cipher,
            )

    def pass_by(self, queue: str, now: datetime | None = None) -> None:
        """Be called, served and done at a station."""
        self.step(self.serve(queue, now), "done", now)

    def event(
        self,
        visit_id: UUID,
        kind: EventKind,
        *orders: str,
        event_id: str | None = None,
        category: Category = Category.LABORATORY,
        now: datetime | None = None,
        **more: Any,
    ) -> NewEvent:
        code = self.visit(visit_id).code
        return NewEvent(
            source="his", event_id=event_id or uuid4().hex, kind=kind,
            occurred_at=now or self.now(), code=code,
            orders=tuple(OrderRef(SYSTEM_OF_ORDERS, order, category) for order in orders), **more,
        )  # fmt: skip

    def say(self, event: NewEvent, now: datetime | None = None) -> Answer:
        with self.hospital.begin() as session:
            return services.receive(
                session, self.his, self.id, event, now=now or self.now(), cipher=self.hospital.cipher
            )

    def tell(self, visit_id: UUID, kind: EventKind, *orders: str, **more: Any) -> Answer:
        return self.say(self.event(visit_id, kind, *orders, **more))
