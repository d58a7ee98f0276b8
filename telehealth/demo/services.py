"""Filling an empty installation with a province to try things on. Doing it again changes nothing."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifications.sandbox.bank import SECRET
from telehealth.accounts.errors import LoginTaken
from telehealth.accounts.services import GrantSpec, NewStaff, create_staff, enrol_device
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher, derive_key
from telehealth.core.principal import SYSTEM
from telehealth.demo.people import KIOSKS, PATIENTS, STAFF, DemoPatient, DemoStaff
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.keys import facility_key, practitioner_key, service_key
from telehealth.directory.models import Facility, HealthcareService
from telehealth.directory.queries import facility_by_code
from telehealth.patients.services import NewPatient, find_by_identifier, link_facility, register
from telehealth.payments.queries import DepositTerms, account_of
from telehealth.payments.rules import Account
from telehealth.payments.services import AccountSettings, set_account, set_terms
from telehealth.provincial_import.services import ImportReport, import_province, moved_to
from telehealth.queueing.queries import queues_of
from telehealth.queueing.services.arranging import configure

PROVINCE = Path(__file__).parent / "province"

KIOSK = "kiosk"
DEPOSIT_FACILITY, DEPOSIT_SERVICE = "77001", "endocrinology"
WEB_NUMBERS, WEB_UNTIL_MINUTE = 30, 15 * 60 + 30
NATIONAL_ID = "national-id"


class BadDemoFiles(Exception):
    """The files that ship with the product were changed and are refused."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the loader needs of the installation it fills."""

    secret_key: str
    cipher: FieldCipher
    now: datetime


def load_province(session: Session, demo: Demo, source: Path = PROVINCE) -> ImportReport:
    """Import the made-up province, its dated lines moved to these days. Raises BadDemoFiles."""
    move = moved_to(business_date(demo.now))
    report = import_province(session, source, now=demo.now, cipher=demo.cipher, move=move)
    if report.refused:
        raise BadDemoFiles(report.findings[0])
    return report


def load_people(session: Session, demo: Demo, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make staff, kiosks and patients that are not there; return who can sign in, and how.

    `known` is what an earlier load returned: the tokens of its kiosks are kept.
    """
    staff = [_staff(session, demo, person) for person in STAFF]
    kiosks = list(_kiosks(session, demo, known))
    patients = [_patient(session, demo, person) for person in PATIENTS]
    return [*staff, *kiosks, *[entry for entry in patients if entry["phone"]]]


def load_deposits(session: Session, demo: Demo) -> None:
    """Let one service ask for a deposit, paid to the demonstration's bank."""
    facility = facility_key(DEPOSIT_FACILITY)
    if account_of(session, facility) is not None:
        return
    account = AccountSettings(Account("970436", "1903512345678", "BENH VIEN BA RIA"), "sepay", SECRET, True)
    set_account(session, SYSTEM, facility, account, version=0, now=demo.now, cipher=demo.cipher)
    service = session.get_one(HealthcareService, service_key(DEPOSIT_FACILITY, DEPOSIT_SERVICE))
    set_terms(session, SYSTEM, service, DepositTerms(50_000, 60, 1440, 50), version=0, now=demo.now)


def load_web_numbers(session: Session, demo: Demo) -> None:
    """Let every reception give numbers to the web; what a facility has set itself stays."""
    for facility_id in session.scalars(select(Facility.id)):
        for queue in queues_of(session, facility_id):
            if queue.kind is ServicePointKind.REGISTRATION and queue.version == 1:
                wished = replace(queue.settings, web_limit=WEB_NUMBERS, web_until_minute=WEB_UNTIL_MINUTE)
                configure(session, SYSTEM, queue.id, wished, version=1, now=demo.now)


def _staff(session: Session, demo: Demo, person: DemoStaff) -> dict[str, Any]:
    secret = _totp_secret(demo.secret_key, person.login)
    facility = facility_key(person.facility_code) if person.facility_code else None
    new = NewStaff(
        login=person.login,
        display_name=person.name,
        grants=[GrantSpec(person.role, facility)],
        practitioner_id=practitioner_key(person.licence_no) if person.licence_no else None,
    )
    with suppress(LoginTaken):
        create_staff(
            session, new, now=demo.now, cipher=demo.cipher, password=person.password, totp_secret=secret
        )
    return {
        "login": person.login,
        "password": person.password,
        "totp_secret": secret,
        "roles": [person.role.value],
        "facility": person.facility_code or None,
    }


def _kiosks(session: Session, demo: Demo, known: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    earlier = {entry["facility"]: entry for entry in known if "device_token" in entry}
    for code in KIOSKS:
        if code in earlier:
            yield earlier[code]
            continue
        facility = facility_by_code(session, code)
        device = enrol_device(
            session,
            kind=KIOSK,
            facility_id=facility.id,
            name=facility.short_name,
            enrolled_by=None,
            now=demo.now,
        )
        yield {"device_token": device.token, "facility": code, "roles": [KIOSK]}


def _patient(session: Session, demo: Demo, person: DemoPatient) -> dict[str, Any]:
    facility = facility_key(person.facility_code)
    there = find_by_identifier(
        session,
        SYSTEM,
        NATIONAL_ID,
        person.national_id,
        facility_id=facility,
        now=demo.now,
        cipher=demo.cipher,
    )
    if not there:
        new = NewPatient(
            full_name=person.name,
            sex=person.sex,
            birth_date=person.birth_date,
            phone=person.phone or None,
            national_id=person.national_id,
            insurance_no=person.insurance_no,
        )
        patient_id = register(session, SYSTEM, new, now=demo.now, cipher=demo.cipher)
        link_facility(session, patient_id, facility, demo.now)
    return {
        "phone": person.phone,
        "name": person.name,
        "national_id": person.national_id,
        "roles": ["patient"],
        "facility": person.facility_code,
    }


def _totp_secret(secret_key: str, login: str) -> str:
    """Return the same base32 secret for a login at each load of one installation."""
    return base64.b32encode(derive_key(secret_key.encode(), f"demo-totp:{login}")[:20]).decode()
