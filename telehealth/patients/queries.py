"""Reading people. Row-level security lets each see only theirs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.orm import Session

from notifications import Recipient
from telehealth.accounts.contacts import Contact, opened_contact
from telehealth.accounts.queries import contact_of_account
from telehealth.core.crypto import FieldCipher
from telehealth.core.phone import normalise_phone
from telehealth.core.principal import Principal
from telehealth.core.text import search_form
from telehealth.identification.numbers import compact, masked
from telehealth.patients.models import (
    AccountPatient,
    Consent,
    IdentifierSystem,
    Patient,
    PatientFacility,
    PatientIdentifier,
    Relation,
)
from telehealth.patients.policies import PatientScope

PHONE_INDEX = "patient.phone"
MOST_FOUND = 20
DELEGATE = "delegate"  # what an account is to whom it acts for by delegation
_SAID_FOR = timedelta(days=183)
_GROWN_UP = text("SELECT full_name, since FROM grown_up(:since, :now)")


@dataclass(frozen=True, slots=True)
class PatientView:
    """A person, as pages and the API show them. Numbers are masked but for the last four."""

    id: UUID
    full_name: str
    birth_date: str | None
    sex: str
    phone: str | None
    email: str | None
    national_id_masked: str | None
    insurance_no_masked: str | None
    passport_no_masked: str | None
    nationality: str
    address: str | None
    guardian_id: UUID | None
    unidentified: bool
    language: str
    relation: str | None
    version: int
    facility_ids: frozenset[UUID]

    @property
    def scope(self) -> PatientScope:
        """Return what the policy needs to know."""
        return PatientScope(self.id, self.facility_ids)


def patient(session: Session, patient_id: UUID, cipher: FieldCipher) -> PatientView | None:
    """Return a person the entered principal may see; one that was merged gives the person it became."""
    row = session.get(Patient, patient_id)
    if row is not None and row.merged_into is not None:
        row = session.get(Patient, row.merged_into)
    return None if row is None else _views(session, [row], {}, cipher)[0]


def patients_of(session: Session, principal: Principal, cipher: FieldCipher) -> list[PatientView]:
    """Return the people an account acts for: the account's owner first, then by name."""
    rows = session.execute(
        select(Patient, AccountPatient.relation)
        .join(AccountPatient, AccountPatient.patient_id == Patient.id)
        .where(
            AccountPatient.account_id == principal.id,
            Patient.merged_into.is_(None),
            or_(AccountPatient.valid_to.is_(None), AccountPatient.valid_to > func.app_clock()),
        )
        .order_by(AccountPatient.relation != "self", Patient.name_sort)
    ).all()
    relations = {row.Patient.id: row.relation for row in rows}
    return _views(session, [row.Patient for row in rows], relations, cipher)


def delegated_people(
    session: Session, principal: Principal, action: str, cipher: FieldCipher
) -> list[PatientView]:
    """Return whom the principal acts for in an action by their delegation: names, and no more than needed."""
    ids = principal.people(action) - principal.patient_ids
    rows = session.execute(select(Patient).where(Patient.id.in_(ids)).order_by(Patient.name_sort))
    views = _views(session, rows.scalars().all(), dict.fromkeys(ids, DELEGATE), cipher)
    return [replace(view, phone=None, email=None, address=None) for view in views]


def patients_by_ids(
    session: Session, patient_ids: Iterable[UUID], cipher: FieldCipher
) -> dict[UUID, PatientView]:
    """Return several people at once, by id; those the principal may not see are left out."""
    rows = session.execute(select(Patient).where(Patient.id.in_(list(patient_ids)))).scalars().all()
    return {view.id: view for view in _views(session, rows, {}, cipher)}


def search_patients(
    session: Session,
    facility_id: UUID,
    *,
    name: str | None = None,
    phone: str | None = None,
    birth_year: int | None = None,
    cipher: FieldCipher,
) -> list[PatientView]:
    """Return people the facility knows, by parts of the name, by phone and by year of birth."""
    conditions = _conditions(name, phone, birth_year, cipher)
    if not conditions:
        return []
    rows = session.execute(
        select(Patient)
        .join(
            PatientFacility,
            and_(PatientFacility.patient_id == Patient.id, PatientFacility.facility_id == facility_id),
        )
        .where(Patient.merged_into.is_(None), *conditions)
        .order_by(Patient.name_sort, Patient.birth_date)
        .limit(MOST_FOUND)
    )
    return _views(session, rows.scalars().all(), {}, cipher)


def known_by_number(session: Session, system: str, value: str, cipher: FieldCipher) -> list[UUID]:
    """Return who of the people that the entered principal sees has exactly this number."""
    if system not in set(IdentifierSystem):
        return []
    index = cipher.index_text(compact(value), f"patient_identifier.{system}")
    rows = session.scalars(
        select(PatientIdentifier.patient_id)
        .where(PatientIdentifier.system == system, PatientIdentifier.value_index == index)
        .where(PatientIdentifier.active)
        .order_by(PatientIdentifier.patient_id)
        .limit(MOST_FOUND)
    )
    return list(rows)


def recipient_of(
    session: Session, patient_id: UUID, account_id: UUID | None, cipher: FieldCipher
) -> Recipient | None:
    """Return who hears of a person's appointments: themselves, a child's guardian, or the account.

    `account_id` is the one that booked, as long as it acts for them; when that cannot be reached (staff), the
    account that looks after them, whose browsers get a copy in any case. Of one person the telephone and the
    e-mail address are both told: whichever carries the message.
    """
    row = session.get(Patient, patient_id)
    if row is not None and row.merged_into is not None:
        row = session.get(Patient, row.merged_into)
    if row is None:
        return None
    family = _family_account(session, row.id)
    for contact in _contacts(session, row, account_id, family, cipher):
        if contact is not None:
            phone, email = (contact.value, None) if contact.kind == "phone" else (None, contact.value)
            email = email or cipher.open_text(row.email_sealed, f"patient.email:{row.id}")
            return Recipient(phone=phone, email=email, language=row.language, owner=family)
    return None


def _contacts(
    session: Session, row: Patient, account_id: UUID | None, family: UUID | None, cipher: FieldCipher
) -> Iterator[Contact | None]:
    """Yield where a person's messages may go, in order; each is read only when those before are missing."""
    yield opened_contact(row.phone_sealed, row.email_sealed, "patient", row.id, cipher)
    guardian_id = session.scalar(select(func.guardian_of(row.id, func.app_clock())))
    guardian = None if guardian_id is None else session.get(Patient, guardian_id)
    if guardian is not None:
        yield opened_contact(guardian.phone_sealed, guardian.email_sealed, "patient", guardian.id, cipher)
    hears = func.hears_of(account_id, row.id, func.app_clock())
    if account_id is not None and session.scalar(select(hears)):
        yield contact_of_account(session, account_id, cipher)
    if family is not None:
        yield contact_of_account(session, family, cipher)


@dataclass(frozen=True, slots=True)
class GrownUp:
    """Somebody the account looked after as a child, who is of age now."""

    full_name: str
    since: datetime


def grown_up(session: Session, now: datetime) -> list[GrownUp]:
    """Return whom the entered account looked after until they came of age in the last half year."""
    rows = session.execute(_GROWN_UP, {"since": now - _SAID_FOR, "now": now})
    return [GrownUp(row.full_name, row.since) for row in rows]


def _family_account(session: Session, patient_id: UUID) -> UUID | None:
    """Return the account that looks after a person, their own first."""
    return session.scalar(
        select(AccountPatient.account_id)
        .where(
            AccountPatient.patient_id == patient_id,
            or_(AccountPatient.valid_to.is_(None), AccountPatient.valid_to > func.app_clock()),
        )
        .order_by(AccountPatient.relation != Relation.SELF, AccountPatient.valid_from)
        .limit(1)
    )


def matching_in_account(
    session: Session, account_id: UUID, name_search: str, birth_date: str | None, now: datetime
) -> UUID | None:
    """Return the person of the same name and birth date that the account already looks after."""
    return session.execute(
        select(Patient.id)
        .join(AccountPatient, AccountPatient.patient_id == Patient.id)
        .where(
            AccountPatient.account_id == account_id,
            or_(AccountPatient.valid_to.is_(None), AccountPatient.valid_to > now),
            Patient.name_search == name_search,
            Patient.birth_date == birth_date,
            Patient.merged_into.is_(None),
        )
        .order_by(Patient.created_at)
        .limit(1)
    ).scalar_one_or_none()


def _conditions(
    name: str | None, phone: str | None, birth_year: int | None, cipher: FieldCipher
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    words = search_form(name or "").split(" ")
    conditions += [Patient.name_search.contains(word, autoescape=True) for word in words if word]
    if phone:
        number = normalise_phone(phone)
        index = b"" if number is None else cipher.index_text(number, PHONE_INDEX)
        conditions.append(Patient.phone_index == index)
    if birth_year is not None:
        conditions.append(Patient.birth_date.startswith(f"{birth_year:04d}"))
    return conditions


def _views(
    session: Session, rows: Sequence[Patient], relations: dict[UUID, str], cipher: FieldCipher
) -> list[PatientView]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    identifiers = session.execute(
        select(PatientIdentifier).where(PatientIdentifier.patient_id.in_(ids), PatientIdentifier.active)
    )
    numbers = {
        (item.patient_id, item.system): masked(_opened(item, cipher)) for item in identifiers.scalars()
    }
    known: dict[UUID, set[UUID]] = {}
    for patient_id, facility_id in session.execute(
        select(PatientFacility.patient_id, PatientFacility.facility_id).where(
            PatientFacility.patient_id.in_(ids)
        )
    ):
        known.setdefault(patient_id, set()).add(facility_id)
    return [
        PatientView(
            **_plain(row, cipher),
            national_id_masked=numbers.get((row.id, IdentifierSystem.NATIONAL_ID.value)),
            insurance_no_masked=numbers.get((row.id, IdentifierSystem.INSURANCE.value)),
            passport_no_masked=numbers.get((row.id, IdentifierSystem.PASSPORT.value)),
            relation=relations.get(row.id),
            facility_ids=frozenset(known.get(row.id, ())),
        )
        for row in rows
    ]


def _plain(row: Patient, cipher: FieldCipher) -> dict[str, Any]:
    return {
        "id": row.id,
        "full_name": row.full_name,
        "birth_date": row.birth_date,
        "sex": row.sex,
        "phone": _phone(row, cipher),
        "email": cipher.open_text(row.email_sealed, f"patient.email:{row.id}"),
        "nationality": row.nationality,
        "address": cipher.open_text(row.address_sealed, f"patient.address:{row.id}"),
        "guardian_id": row.guardian_id,
        "unidentified": row.unidentified,
        "language": row.language,
        "version": row.version,
    }


def _phone(row: Patient, cipher: FieldCipher) -> str | None:
    return cipher.open_text(row.phone_sealed, f"patient.phone:{row.id}")


def _opened(item: PatientIdentifier, cipher: FieldCipher) -> str | None:
    return cipher.open_text(item.value_sealed, f"patient_identifier.value:{item.id}")


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """Who asked staff for an appointment, how, in which wording it was agreed to, and who wrote it down."""

    asked_by: str
    asked_how: str
    text_version: str
    given_at: datetime
    written_by: UUID | None


def on_behalf(session: Session, appointment_id: UUID) -> OnBehalf | None:
    """Return by whose word staff made an appointment, or None for one that the family made."""
    row = session.execute(
        select(Consent)
        .where(Consent.appointment_id == appointment_id, Consent.asked_by.is_not(None))
        .order_by(Consent.given_at)
        .limit(1)
    ).scalar_one_or_none()
    if row is None or row.asked_by is None or row.asked_how is None:
        return None
    return OnBehalf(row.asked_by, row.asked_how, row.text_version, row.given_at, row.given_by)
