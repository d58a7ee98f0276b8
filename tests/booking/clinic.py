"""A small clinic to book at: two facilities, three doctors, and people with telephones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from telehealth.accounts.models import AccessSession, Account, Membership
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.ids import derived_id, new_id
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.text import person_sort_key, search_form
from telehealth.directory.models import Facility, HealthcareService, Practitioner
from telehealth.patients.models import AccountPatient, Patient, PatientFacility
from telehealth.scheduling.models import Schedule
from telehealth.scheduling.services import materialise

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)  # Monday, 08:00 in the province
TUESDAY = date(2026, 12, 1)
HOURS = [{"weekday": day, "start": 420, "end": 990} for day in range(6)]


@dataclass(frozen=True)
class Person:
    """An account, its token, and the patient it stands for."""

    account_id: UUID
    patient_id: UUID
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def principal(self) -> Principal:
        return Principal(
            kind=PrincipalKind.PATIENT,
            id=self.account_id,
            session_id=derived_id("session", self.token),
            grants=frozenset({Grant(Role.PATIENT), Grant(Role.GUARDIAN)}),
            patient_ids=frozenset({self.patient_id}),
        )


@dataclass(frozen=True)
class Employee:
    """A member of staff and their token."""

    account_id: UUID
    token: str
    principal: Principal

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


FACILITIES = {code: derived_id("test-facility", code) for code in ("77001", "77002")}
DOCTORS = {name: derived_id("test-doctor", name) for name in ("an", "binh", "chi")}


def service_id(facility: str, code: str) -> UUID:
    """Return the id of a service of a facility."""
    return derived_id("test-service", facility, code)


def add_clinic(session: Session) -> None:
    """An and Bình (two lanes) see patients at 77001, Chi by video at 77002."""
    for code, facility_id in FACILITIES.items():
        session.add(
            Facility(
                id=facility_id,
                code=code,
                national_code=f"89300000{code}",
                name=f"Bệnh viện Thử {code}",
                name_search=f"benh vien thu {code}",
                name_sort=code,
                kind="hospital",
                care_level="basic",
                address="1 Đường Thử",
                area="Bà Rịa",
                province="Thử",
                hotline="19009095",
                hours=HOURS,
                after_hours=[],
            )
        )
    session.flush()
    _service(session, "77001", "internal", "Khám nội", share=50)
    _service(session, "77001", "desk-only", "Khám đặc biệt", share=50, online=False)
    _service(session, "77002", "internal", "Khám nội", share=100)
    for name, facility in (("an", "77001"), ("binh", "77001"), ("chi", "77002")):
        session.add(
            Practitioner(
                id=DOCTORS[name],
                licence_no=f"{name}/77-CCHN",
                name=f"Bác sĩ {name}",
                name_search=f"bac si {name}",
                name_sort=name,
                title="BS",
                specialty="internal",
                facility_id=FACILITIES[facility],
            )
        )
    session.flush()
    add_schedule(session, "an", "77001", start=480, end=600)
    add_schedule(session, "binh", "77001", start=480, end=540, capacity=2, slot_minutes=15)
    add_schedule(session, "chi", "77002", start=1020, end=1080, modality="video")
    add_schedule(session, "an", "77001", service="desk-only", start=840, end=900)
    session.flush()
    materialise(session, [NOW.date() + timedelta(days=offset) for offset in range(4)], NOW)


def _service(
    session: Session, facility: str, code: str, name: str, *, share: int, online: bool = True
) -> None:
    session.add(
        HealthcareService(
            id=service_id(facility, code),
            facility_id=FACILITIES[facility],
            code=code,
            name_vi=name,
            name_en=f"{code} medicine",
            name_search=search_form(name),
            duration_minutes=10,
            price_insured_vnd=45_000,
            price_self_vnd=45_000,
            price_on_request_vnd=135_000,
            price_after_hours_vnd=None,
            modalities=["in-person", "video"],
            online_booking=online,
            online_share_percent=share,
        )
    )


def add_schedule(
    session: Session,
    doctor: str,
    facility: str,
    *,
    start: int,
    end: int,
    service: str = "internal",
    **changes: Any,
) -> UUID:
    """Add a roster line for every weekday."""
    values = {
        "modality": "in-person",
        "weekdays": list(range(7)),
        "slot_minutes": 10,
        "capacity": 1,
        "room": "P1",
        "valid_from": date(2026, 1, 1),
    } | changes
    schedule_id = derived_id("test-schedule", doctor, facility, service, start)
    session.add(
        Schedule(
            id=schedule_id,
            facility_id=FACILITIES[facility],
            practitioner_id=DOCTORS[doctor],
            service_id=service_id(facility, service),
            start_minute=start,
            end_minute=end,
            **values,
        )
    )
    return schedule_id


def add_person(
    session: Session, cipher: FieldCipher, number: int = 1, *, name: str = "Nguyễn Văn Thử"
) -> Person:
    """Add a patient with a telephone account and a token that opens it."""
    account_id, patient_id = derived_id("test-account", number), derived_id("test-patient", number)
    token = f"token-of-person-{number}"
    phone = f"+84912{number:06d}"
    session.add(
        Account(
            id=account_id,
            kind="patient",
            phone_sealed=cipher.seal_text(phone, f"account.phone:{account_id}"),
            phone_index=cipher.index_text(phone, "account.phone"),
            created_at=NOW,
        )
    )
    session.add(
        Patient(
            id=patient_id,
            full_name=name,
            name_search=search_form(name),
            name_sort=person_sort_key(name),
            birth_date="1980",
            sex="male",
            created_at=NOW,
            updated_at=NOW,
        )
    )
    session.flush()
    session.add(AccountPatient(account_id=account_id, patient_id=patient_id, relation="self", valid_from=NOW))
    _add_session(session, token, account_id, "patient")
    session.flush()
    return Person(account_id, patient_id, token)


def add_employee(session: Session, role: Role, facility: str, number: int = 1) -> Employee:
    """Add a member of staff of a facility with a token."""
    account_id = derived_id("test-staff", role, facility, number)
    token = f"token-of-{role}-{facility}-{number}"
    session.add(
        Account(
            id=account_id,
            kind="staff",
            login=f"{role}.{facility}.{number}",
            created_at=NOW,
            enabled_at=NOW,
        )
    )
    session.flush()
    session.add(
        Membership(account_id=account_id, role=role, facility_id=FACILITIES[facility], valid_from=NOW)
    )
    _add_session(session, token, account_id, "staff")
    session.flush()
    principal = Principal(
        kind=PrincipalKind.STAFF,
        id=account_id,
        session_id=derived_id("session", token),
        grants=frozenset({Grant(role, FACILITIES[facility])}),
    )
    return Employee(account_id, token, principal)


def known_at(session: Session, person: Person, facility: str) -> None:
    """Let a facility know a person."""
    session.merge(
        PatientFacility(patient_id=person.patient_id, facility_id=FACILITIES[facility], created_at=NOW)
    )
    session.flush()


def _add_session(session: Session, token: str, account_id: UUID, kind: str) -> None:
    session.add(
        AccessSession(
            id=derived_id("session", token),
            token_hash=token_hash(token),
            kind=kind,
            account_id=account_id,
            mfa=True,
            created_at=NOW - timedelta(days=1),
            proven_at=NOW,
            expires_at=NOW + timedelta(days=3000),
            last_seen_at=NOW + timedelta(days=3000),
        )
    )


def new_key() -> str:
    """Return an idempotency key."""
    return str(new_id())


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect what is sent to the database: each is a round trip, and so are BEGIN and COMMIT."""
    seen: list[str] = []

    class Counting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *rest: Any, **options: Any) -> Any:
            seen.append(str(query))
            return super().execute(query, *rest, **options)

    def count(connection: psycopg.Connection[Any], *_rest: Any) -> None:
        connection.cursor_factory = Counting

    def leave(connection: psycopg.Connection[Any], *_rest: Any) -> None:
        connection.cursor_factory = psycopg.Cursor

    event.listen(engine, "checkout", count)
    event.listen(engine, "checkin", leave)
    try:
        yield seen
    finally:
        event.remove(engine, "checkout", count)
        event.remove(engine, "checkin", leave)
