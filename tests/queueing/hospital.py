"""A hospital with rooms, people who come to it, and the principals who serve them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.accounts.models import AccessSession, Account, Device, Membership
from telehealth.booking.models import Appointment
from telehealth.core.clock import at_local, business_date
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.text import search_form, sort_key
from telehealth.directory.models import Facility, HealthcareService, Practitioner, ServicePoint
from telehealth.patients.models import Patient, PatientFacility
from telehealth.queueing import services
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.models import Queue
from telehealth.scheduling.models import ClinicSession
from tests.conftest import MONDAY_8AM

POINTS = [
    ("Q01", "Quầy đăng ký 1", "registration"),
    ("Q02", "Quầy đăng ký 2", "registration"),
    ("Q07", "Quầy thu phí 1", "cashier"),
    ("Q18", "Cấp cứu 1", "emergency"),
    ("P001", "Phòng khám 1", "clinic"),
    ("P002", "Phòng khám 2", "clinic"),
]

Begin = Callable[[], AbstractContextManager[Session]]


def bearer(token: str, **owner: UUID) -> AccessSession:
    """A sign-in by a token that lasts."""
    return AccessSession(
        token_hash=token_hash(token), kind="bearer", created_at=MONDAY_8AM, last_seen_at=MONDAY_8AM,
        expires_at=MONDAY_8AM + timedelta(days=365), **owner,
    )  # fmt: skip


@dataclass
class Hospital:
    """A facility that is open, with its staff; every method writes what a test needs and commits."""

    begin: Begin
    cipher: FieldCipher
    code: str
    name: str
    id: UUID = field(default_factory=uuid4)
    practitioner_id: UUID = field(default_factory=uuid4)
    service_id: UUID = field(default_factory=uuid4)
    account_id: UUID = field(default_factory=uuid4)
    device_id: UUID = field(default_factory=uuid4)
    admin_id: UUID = field(default_factory=uuid4)

    def build(self) -> "Hospital":
        with self.begin() as session:
            session.add(
                Facility(
                    id=self.id, code=self.code, national_code=f"89300{self.code}", name=self.name,
                    name_search=search_form(self.name), name_sort=sort_key(self.name), kind="hospital",
                    care_level="basic", address="1 Trần Phú", area="Bà Rịa", province="Bà Rịa",
                    hotline="1900", hours=[], after_hours=[],
                )
            )  # fmt: skip
            session.flush()
            session.add_all(
                ServicePoint(id=uuid4(), facility_id=self.id, code=code, name=name, kind=kind)
                for code, name, kind in POINTS
            )
            session.add(
                HealthcareService(
                    id=self.service_id, facility_id=self.id, code="internal", name_vi="Khám nội",
                    name_en="General", name_search="kham noi", duration_minutes=10,
                    modalities=["in-person", "video"], online_booking=True, online_share_percent=70,
                )
            )  # fmt: skip
            session.add(
                Practitioner(
                    id=self.practitioner_id, licence_no=f"{self.code}/CCHN", name="Trần Văn Bình",
                    name_search="tran van binh", name_sort="b", title="BS", specialty="internal",
                    facility_id=self.id,
                )
            )  # fmt: skip
            session.flush()
            services.ensure_queues(session, self.id)
            self._staff(session)
        return self

    def _staff(self, session: Session) -> None:
        session.add(
            Device(
                id=self.device_id, kind="kiosk", facility_id=self.id, name="Kiosk sảnh A",
                token_hash=token_hash(self.kiosk_token), enrolled_at=MONDAY_8AM,
            )
        )  # fmt: skip
        doctor = Account(
            id=self.account_id, login=f"bs.{self.code}", display_name="BS. Bình",
            practitioner_id=self.practitioner_id,
        )  # fmt: skip
        self.employ(session, doctor, self.staff_token, Role.PRACTITIONER)
        admin = Account(id=self.admin_id, login=f"admin.{self.code}", display_name="Quản trị")
        self.employ(session, admin, self.admin_token, Role.FACILITY_ADMIN)
        session.add(bearer(self.kiosk_token, device_id=self.device_id))

    def employ(self, session: Session, account: Account, token: str, *roles: Role) -> None:
        """Let somebody work here from yesterday on, signed in by a token."""
        account.kind, account.created_at = "staff", MONDAY_8AM
        session.add(account)
        session.flush()
        session.add_all(
            Membership(
                account_id=account.id, role=role.value, facility_id=self.id,
                valid_from=MONDAY_8AM - timedelta(days=1),
            )
            for role in roles
        )  # fmt: skip
        session.add(bearer(token, account_id=account.id))

    @property
    def staff_token(self) -> str:
        return f"staff token of {self.code}"

    @property
    def admin_token(self) -> str:
        return f"admin token of {self.code}"

    @property
    def kiosk_token(self) -> str:
        return f"kiosk token of {self.code}"

    @property
    def doctor(self) -> Principal:
        return Principal(
            kind=PrincipalKind.STAFF, id=self.account_id, practitioner_id=self.practitioner_id,
            grants=frozenset({Grant(Role.PRACTITIONER, self.id)}),
        )  # fmt: skip

    @property
    def admin(self) -> Principal:
        return Principal(
            kind=PrincipalKind.STAFF, id=self.admin_id,
            grants=frozenset({Grant(Role.FACILITY_ADMIN, self.id)}),
        )  # fmt: skip

    @property
    def kiosk(self) -> Principal:
        return Principal(
            kind=PrincipalKind.KIOSK, id=self.device_id, device_id=self.device_id,
            display_name="Kiosk sảnh A", grants=frozenset({Grant(Role.KIOSK, self.id)}),
        )  # fmt: skip

    def queue(self, code: str) -> UUID:
        with self.begin() as session:
            return session.scalars(
                select(Queue.id).where(Queue.facility_id == self.id, Queue.code == code)
            ).one()

    def limit(self, code: str, daily_limit: int | None, *, active: bool = True) -> None:
        with self.begin() as session:
            queue = session.get_one(Queue, self.queue(code))
            queue.daily_limit, queue.active = daily_limit, active

    def settle(self, code: str, **settings: object) -> None:
        with self.begin() as session:
            queue = session.get_one(Queue, self.queue(code))
            for name, value in settings.items():
                setattr(queue, name, value)

    def point(self, code: str) -> UUID:
        with self.begin() as session:
            return session.scalars(
                select(ServicePoint.id).where(ServicePoint.facility_id == self.id, ServicePoint.code == code)
            ).one()

    def patient(self, birth_date: str = "1980", phone: str | None = None) -> UUID:
        patient_id = uuid4()
        with self.begin() as session:
            session.add(
                Patient(
                    id=patient_id, full_name="Lê Thị Mơ", name_search="le thi mo", name_sort="m",
                    birth_date=birth_date, sex="female", created_at=MONDAY_8AM, updated_at=MONDAY_8AM,
                    phone_sealed=self.cipher.seal_text(phone, f"patient.phone:{patient_id}"),
                )
            )  # fmt: skip
            session.flush()
            session.add(PatientFacility(patient_id=patient_id, facility_id=self.id, created_at=MONDAY_8AM))
        return patient_id

    def appointment(
        self,
        start: datetime,
        *,
        room: str = "P001",
        modality: str = "in-person",
        status: str = "booked",
        patient_id: UUID | None = None,
        code: str | None = None,
    ) -> Appointment:
        patient_id = patient_id or self.patient()
        with self.begin() as session:
            day = business_date(start)
            clinic_session = ClinicSession(
                id=uuid4(), facility_id=self.id, practitioner_id=self.practitioner_id,
                service_id=self.service_id, service_code="internal", modality=modality, business_date=day,
                start_at=at_local(day, 420), end_at=at_local(day, 690), start_minute=420, slot_minutes=10,
                slot_count=27, capacity=1, room=room, online_quota=18,
            )  # fmt: skip
            session.add(clinic_session)
            session.flush()
            appointment = Appointment(
                id=uuid4(), code=code or uuid4().hex[:8].upper().translate(str.maketrans("01", "XY")),
                status=status,
                clinic_session_id=clinic_session.id, facility_id=self.id,
                practitioner_id=self.practitioner_id, service_id=self.service_id, modality=modality,
                start_at=start, end_at=start + timedelta(minutes=10), lane=1, channel="online",
                patient_id=patient_id, created_at=MONDAY_8AM, updated_at=MONDAY_8AM,
            )  # fmt: skip
            session.add(appointment)
        return appointment

    def status_of(self, appointment: Appointment) -> str:
        with self.begin() as session:
            return session.scalars(select(Appointment.status).where(Appointment.id == appointment.id)).one()

    def number(
        self,
        code: str = "P001",
        *,
        now: datetime = MONDAY_8AM,
        priority: PriorityClass = PriorityClass.NONE,
        press_key: str | None = None,
        patient_id: UUID | None = None,
    ) -> services.TicketView:
        queue_id = self.queue(code)
        with self.begin() as session:
            return services.take_number(
                session, self.kiosk, queue_id, priority=priority, press_key=press_key or uuid4().hex, now=now,
                cipher=self.cipher, patient_id=patient_id,
            )  # fmt: skip

    def check_in(
        self, appointment: Appointment, now: datetime = MONDAY_8AM, press_key: str | None = None
    ) -> services.TicketView:
        with self.begin() as session:
            return services.check_in(
                session, self.kiosk, appointment.id, press_key=press_key or uuid4().hex, now=now,
                cipher=self.cipher,
            )  # fmt: skip

    def call(self, code: str = "P001", now: datetime = MONDAY_8AM) -> services.TicketState:
        queue_id = self.queue(code)
        with self.begin() as session:
            return services.call_next(
                session, self.doctor, queue_id, now=now, cipher=self.cipher, outbox=Outbox(self.cipher)
            )

    def count(self, model: type) -> int:
        with self.begin() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0


@dataclass(frozen=True)
class Caller:
    """A program with a token."""

    client: FlaskClient
    token: str

    def post(self, path: str, body: object = None, **headers: str):
        return self.client.post(path, json=body or {}, headers=self._headers(headers))

    def get(self, path: str):
        return self.client.get(path, headers=self._headers({}))

    def delete(self, path: str):
        return self.client.delete(path, headers=self._headers({}))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.token}"} | named
