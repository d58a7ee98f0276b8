"""A video appointment and the people around it. All of them are made up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from telehealth.accounts.models import AccessSession, Account, Membership
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import token_hash
from telehealth.core.ids import new_code, new_secret
from telehealth.core.principal import Role
from telehealth.directory.models import Facility, HealthcareService, Practitioner
from telehealth.patients.models import AccountPatient, Patient, PatientFacility, Relation
from telehealth.scheduling.models import ClinicSession


@dataclass(frozen=True)
class Cast:
    """Ids, and a sign-in token for each person."""

    appointment_id: UUID
    facility_id: UUID
    practitioner_id: UUID
    patient_id: UUID
    doctor: str
    patient: str
    parent: str
    parent_id: UUID
    stranger: str
    other_doctor: str


def a_consultation(
    session: Session, start_at: datetime, now: datetime, *, modality: str = "video", status: str = "booked"
) -> Cast:
    """Write a facility, two doctors, a patient with a parent, a stranger, and a booked appointment."""
    facility = _facility(session)
    doctor = _practitioner(session, facility, "Lê Minh Tâm", "BSCKI")
    other = _practitioner(session, facility, "Trần Văn Khoa", "BS")
    service = HealthcareService(
        id=uuid4(),
        facility_id=facility.id,
        code="internal",
        name_vi="Khám nội",
        name_en="Internal medicine",
        name_search="kham noi",
        duration_minutes=15,
        modalities=["video", "in-person"],
        online_booking=True,
        online_share_percent=100,
    )
    patient = Patient(
        full_name="Nguyễn Thị Hoa",
        name_search="nguyen thi hoa",
        name_sort="hoa",
        birth_date="2015-04-02",
        sex="female",
        created_at=now,
        updated_at=now,
    )
    session.add_all([service, patient])
    session.flush()
    session.add(PatientFacility(patient_id=patient.id, facility_id=facility.id, created_at=now))
    patient_account = _patient_account(session, "Hoa", now)
    parent_account = _patient_account(session, "Nguyễn Văn Bình", now)
    stranger_account = _patient_account(session, "Người lạ", now)
    for account, relation in ((patient_account, Relation.SELF), (parent_account, Relation.PARENT)):
        session.add(
            AccountPatient(account_id=account.id, patient_id=patient.id, relation=relation, valid_from=now)
        )
    appointment = _appointment(session, facility, doctor, service, patient, start_at, modality, status)
    session.flush()
    return Cast(
        appointment_id=appointment.id,
        facility_id=facility.id,
        practitioner_id=doctor.id,
        patient_id=patient.id,
        doctor=_staff(session, doctor, facility, now),
        patient=_sign_in(session, patient_account, now),
        parent=_sign_in(session, parent_account, now),
        parent_id=parent_account.id,
        stranger=_sign_in(session, stranger_account, now),
        other_doctor=_staff(session, other, facility, now),
    )


def _facility(session: Session) -> Facility:
    facility = Facility(
        id=uuid4(),
        code=f"F{new_code(6)}",
        national_code=new_code(8),
        name="Trung tâm Y tế Long Điền",
        name_search="trung tam y te long dien",
        name_sort="trung tam y te long dien",
        kind="centre",
        care_level="basic",
        address="",
        area="",
        province="",
        hotline="0254 3862 115",
        hours=[],
        after_hours=[],
    )
    session.add(facility)
    session.flush()
    return facility


def _practitioner(session: Session, facility: Facility, name: str, title: str) -> Practitioner:
    practitioner = Practitioner(
        id=uuid4(),
        licence_no=f"{new_code(6)}/77-CCHN",
        name=name,
        name_search=name.lower(),
        name_sort=name.lower(),
        title=title,
        specialty="internal",
        facility_id=facility.id,
    )
    session.add(practitioner)
    session.flush()
    return practitioner


def _appointment(
    session: Session,
    facility: Facility,
    doctor: Practitioner,
    service: HealthcareService,
    patient: Patient,
    start_at: datetime,
    modality: str,
    status: str,
) -> Appointment:
    end_at = start_at + timedelta(minutes=15)
    day = ClinicSession(
        id=uuid4(),
        facility_id=facility.id,
        practitioner_id=doctor.id,
        service_id=service.id,
        service_code=service.code,
        modality=modality,
        business_date=business_date(start_at),
        start_at=start_at,
        end_at=end_at,
        start_minute=0,
        slot_minutes=15,
        slot_count=1,
        capacity=1,
        room="",
        online_quota=1,
    )
    session.add(day)
    session.flush()
    appointment = Appointment(
        code=new_code(8),
        status=status,
        clinic_session_id=day.id,
        facility_id=facility.id,
        practitioner_id=doctor.id,
        service_id=service.id,
        modality=modality,
        start_at=start_at,
        end_at=end_at,
        lane=1,
        channel="online",
        patient_id=patient.id,
        created_at=patient.created_at,
        updated_at=patient.created_at,
    )
    session.add(appointment)
    session.flush()
    return appointment


def _patient_account(session: Session, name: str, now: datetime) -> Account:
    account = Account(kind="patient", phone_index=uuid4().bytes, display_name=name, created_at=now)
    session.add(account)
    session.flush()
    return account


def _staff(session: Session, practitioner: Practitioner, facility: Facility, now: datetime) -> str:
    account = Account(
        kind="staff",
        login=new_code(8).lower(),
        display_name=practitioner.name,
        practitioner_id=practitioner.id,
        created_at=now,
    )
    session.add(account)
    session.flush()
    session.add(
        Membership(
            account_id=account.id, role=Role.PRACTITIONER, facility_id=facility.id, valid_from=_before(now)
        )
    )
    return _sign_in(session, account, now)


def _sign_in(session: Session, account: Account, now: datetime) -> str:
    token = new_secret()
    session.add(
        AccessSession(
            token_hash=token_hash(token),
            kind=account.kind,
            account_id=account.id,
            mfa=True,
            created_at=now,
            expires_at=now + timedelta(days=1),
            last_seen_at=now,
        )
    )
    session.flush()
    return token


def _before(now: datetime) -> datetime:
    return now - timedelta(days=1)
