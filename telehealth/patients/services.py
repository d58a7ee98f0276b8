"""Registering and changing people, their families and their consents."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from telehealth.accounts.contacts import Contact
from telehealth.accounts.queries import contact_of_account
from telehealth.accounts.rules import code_phone_fault
from telehealth.accounts.services.fresh import require_fresh
from telehealth.accounts.services.limits import spend
from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.email import normalise_email
from telehealth.core.ids import new_id
from telehealth.core.phone import normalise_phone
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.text import person_sort_key, search_form
from telehealth.identification.numbers import (
    clean_name,
    compact,
    insurance_number,
    passport_number,
    valid_birth_date,
    valid_national_id,
)
from telehealth.patients.errors import (
    BadPatient,
    BirthDateAtDesk,
    NotOfAge,
    OwnRecordUnknown,
    PatientChanged,
    PatientNotFound,
    TooManyRelatives,
)
from telehealth.patients.models import (
    ENDS_AT_MAJORITY,
    AccountPatient,
    AskedBy,
    AskedHow,
    Consent,
    ContactChange,
    IdentifierSystem,
    Patient,
    PatientFacility,
    PatientIdentifier,
    Relation,
    Sex,
)
from telehealth.patients.queries import (
    PHONE_INDEX,
    PatientView,
    matching_in_account,
    patient,
    patients_by_ids,
    patients_of,
)
from telehealth.patients.rules import (
    adult_from,
    birth_date_fault,
    is_adult,
    is_child,
    name_fault,
    own_record_limits,
)

MOST_RELATIVES = 20
_REACHED_BY = frozenset({"phone", "email"})
_CONTACT = _REACHED_BY | {"language", "guardian_id"}
_OWN_RECORD = text("SELECT own_record(:phone_index, :name, :birth_date, :now)")
_BY_IDENTIFIER = text("SELECT patients_by_identifier(:system, :value_index)")


@dataclass(frozen=True, slots=True)
class NewPatient:
    """A person to register. Either `birth_date` (YYYY, YYYY-MM, YYYY-MM-DD) or `birth_year`.

    An unidentified person has neither; `relation` is what the registering account is to them.
    """

    full_name: str
    sex: str = Sex.UNKNOWN.value
    birth_date: str | None = None
    birth_year: int | None = None
    phone: str | None = None
    email: str | None = None
    national_id: str | None = None
    insurance_no: str | None = None
    passport_no: str | None = None
    old_national_id: str | None = None
    nationality: str = "VN"
    guardian_id: UUID | None = None
    address: str | None = None
    language: str = "vi"
    unidentified: bool = False
    relation: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked staff to act for a person, how, and for which appointment."""

    by: AskedBy
    how: AskedHow
    appointment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Clean:
    """A person whose every value was checked; only what is to be written is there."""

    columns: Mapping[str, Any]
    phone: str | None
    email: str | None
    address: str | None
    identifiers: Mapping[IdentifierSystem, str] = field(default_factory=dict)


def register(
    session: Session, principal: Principal, new: NewPatient, *, now: datetime, cipher: FieldCipher
) -> UUID:
    """Register a person and return their id; one the account already looks after is the same person.

    Who registers themselves is reached where they sign in, unless they say otherwise. Raises BadPatient,
    TooManyRelatives. Staff call link_facility afterwards.
    """
    cleaned = _cleaned(new, now)
    _check_guardian(session, principal, new.guardian_id, patient_id=None)
    by_account = principal.kind is PrincipalKind.PATIENT and principal.id is not None
    if by_account:
        known = matching_in_account(
            session,
            principal.id,  # type: ignore[arg-type]
            cleaned.columns["name_search"],
            cleaned.columns["birth_date"],
            now,
        )
        if known is not None:
            return known
        relation = new.relation or _default_relation(session, principal, cleaned, now)
        if relation == Relation.SELF:
            if is_child(cleaned.columns["birth_date"], business_date(now)):
                raise BadPatient({"relation": ["patients-relation-child"]})
            cleaned = _reached_as_the_account(session, principal, cleaned, cipher)
    patient_id = new_id()
    session.execute(
        insert(Patient).values(
            id=patient_id,
            **cleaned.columns,
            **_sealed(patient_id, cleaned, cipher),
            version=1,
            created_at=now,
            updated_at=now,
        )
    )
    _add_identifiers(session, patient_id, cleaned.identifiers, now=now, cipher=cipher)
    if by_account:
        _relate(session, principal, patient_id, relation, now)
    record(
        session,
        principal,
        Entry(
            "patient.register", "Patient", patient_id, patient_id, details={"unidentified": new.unidentified}
        ),
        now=now,
    )
    return patient_id


def change(
    session: Session,
    principal: Principal,
    patient_id: UUID,
    changes: Mapping[str, Any],
    *,
    version: int,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Change what is named in `changes` (fields of NewPatient).

    Raises PatientChanged, BadPatient, BirthDateAtDesk; FreshCodeNeeded of a family's new address.
    """
    if principal.kind is PrincipalKind.PATIENT and _REACHED_BY & set(changes):
        require_fresh(session, principal, now)
        _check_reachable(changes.get("phone"))
    current = session.get(Patient, patient_id)
    if current is None:
        raise PatientNotFound
    whole = replace(_as_new(current), **changes)
    cleaned = _cleaned(whole, now)
    if "guardian_id" in changes:
        _check_guardian(session, principal, whole.guardian_id, patient_id=patient_id)
    if cleaned.columns["birth_date"] != current.birth_date:
        _check_birth_date(session, principal, current, cleaned.columns["birth_date"], now)
    values = dict(cleaned.columns)
    sealed = _sealed(patient_id, cleaned, cipher)
    if "phone" in changes:
        values |= {name: sealed[name] for name in ("phone_sealed", "phone_index")}
    if "email" in changes:
        values["email_sealed"] = sealed["email_sealed"]
    if "address" in changes:
        values["address_sealed"] = sealed["address_sealed"]
    done = session.execute(
        update(Patient)
        .where(Patient.id == patient_id, Patient.version == version)
        .values(**values, version=version + 1, updated_at=now)
        .returning(Patient.id)
        .execution_options(synchronize_session=False)
    )
    if done.first() is None:
        raise PatientChanged
    session.expire(current)
    _add_identifiers(session, patient_id, cleaned.identifiers, now=now, cipher=cipher)
    if _CONTACT & set(changes):
        session.execute(insert(ContactChange).values(patient_id=patient_id, changed_at=now))
    record(
        session,
        principal,
        Entry("patient.change", "Patient", patient_id, patient_id, details={"fields": sorted(changes)}),
        now=now,
    )


def family(
    session: Session, principal: Principal, *, now: datetime, cipher: FieldCipher
) -> list[PatientView]:
    """Return the people an account acts for, to be shown; that they were is in the trail."""
    found = patients_of(session, principal, cipher)
    note_read(session, principal, *[view.id for view in found], now=now)
    return found


def shown(
    session: Session, principal: Principal, patient_id: UUID, *, now: datetime, cipher: FieldCipher
) -> PatientView | None:
    """Return a person the entered principal may see, to be shown; that they were is in the trail."""
    view = patient(session, patient_id, cipher)
    if view is not None:
        note_read(session, principal, view.id, now=now)
    return view


def note_read(
    session: Session,
    principal: Principal,
    *patient_ids: UUID,
    now: datetime,
    facility_id: UUID | None = None,
    why: str = "patient.read",
) -> None:
    """Write that somebody looked at these people."""
    entries = [Entry(why, "Patient", patient_id, patient_id, facility_id) for patient_id in patient_ids]
    record(session, principal, *entries, now=now)


def link_facility(session: Session, patient_id: UUID, facility_id: UUID, now: datetime) -> None:
    """Let a facility know a person: its staff see them from now on."""
    session.execute(
        upsert(PatientFacility)
        .values(patient_id=patient_id, facility_id=facility_id, created_at=now)
        .on_conflict_do_nothing(index_elements=["patient_id", "facility_id"])
    )


def find_by_identifier(
    session: Session,
    principal: Principal,
    system: str,
    value: str,
    *,
    facility_id: UUID,
    now: datetime,
    cipher: FieldCipher,
) -> list[PatientView]:
    """Return the people with a number they have shown at a facility, which knows them from now on.

    A person has been met who holds the card; each finding is in the audit trail.
    """
    index = cipher.index_text(compact(value), f"patient_identifier.{system}")
    found = session.execute(_BY_IDENTIFIER, {"system": system, "value_index": index}).scalars().all()
    for patient_id in found:
        link_facility(session, patient_id, facility_id, now)
    note_read(session, principal, *found, now=now, facility_id=facility_id, why="patient.find-by-card")
    views = patients_by_ids(session, found, cipher)
    return [views[patient_id] for patient_id in found if patient_id in views]


def leave(session: Session, principal: Principal, patient_id: UUID, *, now: datetime) -> None:
    """End an account's right to act for a person, at once; nothing of the person is deleted."""
    session.execute(
        update(AccountPatient)
        .where(AccountPatient.account_id == principal.id, AccountPatient.patient_id == patient_id)
        .values(valid_to=now)
    )
    record(session, principal, Entry("patient.leave", "Patient", patient_id, patient_id), now=now)


def take_over(
    session: Session,
    principal: Principal,
    contact: Contact | None,
    *,
    full_name: str,
    birth_date: str,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Give a grown person the record that others kept for them as a child; return whose it is.

    They have proven the telephone that stands in it (`contact`), and know the name and date of birth. Raises
    OwnRecordUnknown, whatever does not fit, and TooMany.
    """
    spend(session, own_record_limits(str(principal.id)), now=now)
    if contact is None or contact.kind != "phone" or not valid_birth_date(birth_date):
        raise OwnRecordUnknown
    parameters = {
        "phone_index": cipher.index_text(contact.value, PHONE_INDEX),
        "name": search_form(clean_name(full_name)),
        "birth_date": birth_date,
        "now": now,
    }
    patient_id = session.execute(_OWN_RECORD, parameters).scalar_one()
    if patient_id is None:
        raise OwnRecordUnknown
    _relate(session, principal, patient_id, Relation.SELF.value, now)
    _end_other_links(session, patient_id, principal.id, now)
    record(session, principal, Entry("patient.take-over", "Patient", patient_id, patient_id), now=now)
    return UUID(str(patient_id))


def hand_over(
    session: Session,
    principal: Principal,
    patient_id: UUID,
    account_id: UUID,
    *,
    facility_id: UUID,
    now: datetime,
) -> None:
    """Give a grown person their own record at a desk that has seen their papers. Raises NotOfAge."""
    birth_date = session.execute(select(Patient.birth_date).where(Patient.id == patient_id)).scalar_one()
    if not is_adult(birth_date, business_date(now)):
        raise NotOfAge
    own = {"relation": Relation.SELF.value, "valid_from": now, "valid_to": None}
    session.execute(
        upsert(AccountPatient)
        .values(account_id=account_id, patient_id=patient_id, **own)
        .on_conflict_do_update(index_elements=["account_id", "patient_id"], set_=own)
    )
    _end_other_links(session, patient_id, account_id, now)
    entry = Entry("patient.hand-over", "Patient", patient_id, patient_id, facility_id)
    record(session, principal, entry, now=now)


def fill_contact(
    session: Session, kept_id: UUID, merged_id: UUID, *, now: datetime, cipher: FieldCipher
) -> None:
    """Give a record the telephone, e-mail, address and guardian that only its double has."""
    kept, merged = session.get(Patient, kept_id), session.get(Patient, merged_id)
    if kept is None or merged is None:
        return
    taken: dict[str, Any] = {}
    for name in ("phone", "email", "address"):
        column = f"{name}_sealed"
        value = cipher.open_text(getattr(merged, column), f"patient.{name}:{merged_id}")
        if getattr(kept, column) is None and value is not None:
            taken[column] = cipher.seal_text(value, f"patient.{name}:{kept_id}")
    if "phone_sealed" in taken:
        taken["phone_index"] = merged.phone_index
    if kept.guardian_id is None and merged.guardian_id not in (None, kept_id):
        taken["guardian_id"] = merged.guardian_id
    if taken:
        session.execute(
            update(Patient)
            .where(Patient.id == kept_id)
            .values(**taken, version=Patient.version + 1, updated_at=now)
            .execution_options(synchronize_session=False)
        )


def consent(
    session: Session,
    principal: Principal,
    patient_id: UUID,
    *,
    purpose: str,
    text_version: str,
    channel: str,
    now: datetime,
    asked: Asked | None = None,
) -> None:
    """Keep what a person agreed to, in which words, when and how, and who asked staff to act for them."""
    session.execute(
        insert(Consent).values(
            id=new_id(),
            patient_id=patient_id,
            purpose=purpose,
            text_version=text_version,
            channel=channel,
            given_by=principal.id,
            given_at=now,
            asked_by=asked.by if asked else None,
            asked_how=asked.how if asked else None,
            appointment_id=asked.appointment_id if asked else None,
        )
    )
    details = {"purpose": purpose, "text": text_version, "channel": channel}
    if asked is not None:
        details |= {"asked": asked.by, "how": asked.how}
    record(
        session,
        principal,
        Entry("consent.give", "Consent", None, patient_id, details=details),
        now=now,
    )


def _cleaned(new: NewPatient, now: datetime) -> _Clean:
    faults: dict[str, list[str]] = {}
    name = clean_name(new.full_name)
    birth = new.birth_date or (f"{new.birth_year:04d}" if new.birth_year else None)
    _note(faults, "full_name", name_fault(name))
    if birth is not None:
        _note(faults, "birth_date", birth_date_fault(birth, business_date(now)))
    elif not new.unidentified:
        _note(faults, "birth_date", "patients-birth-date-missing")
    if new.sex not in {sex.value for sex in Sex}:
        _note(faults, "sex", "patients-sex-wrong")
    phone = normalise_phone(new.phone) if new.phone else None
    if new.phone and phone is None:
        _note(faults, "phone", "patients-phone-wrong")
    email = normalise_email(new.email) if new.email else None
    if new.email and email is None:
        _note(faults, "email", "patients-email-wrong")
    identifiers = _identifiers(new, faults)
    if faults:
        raise BadPatient(faults)
    return _Clean(
        columns={
            "full_name": name,
            "name_search": search_form(name),
            "name_sort": person_sort_key(name),
            "birth_date": birth,
            "sex": new.sex,
            "nationality": new.nationality,
            "language": new.language,
            "guardian_id": new.guardian_id,
            "unidentified": new.unidentified,
        },
        phone=phone,
        email=email,
        address=new.address or None,
        identifiers=identifiers,
    )


def _check_guardian(
    session: Session, principal: Principal, guardian_id: UUID | None, *, patient_id: UUID | None
) -> None:
    """A guardian is another person whom the principal sees, of one's own for a family.

    Foreign keys look past the walls, and a delegate sees names of people who are not their own.
    """
    if guardian_id is None:
        return
    if principal.kind is PrincipalKind.PATIENT and guardian_id not in principal.patient_ids:
        raise BadPatient({"guardian_id": ["patients-guardian-wrong"]})
    seen = session.execute(
        select(Patient.id).where(Patient.id == guardian_id, Patient.merged_into.is_(None))
    ).first()
    if seen is None or guardian_id == patient_id:
        raise BadPatient({"guardian_id": ["patients-guardian-wrong"]})


def _check_reachable(phone: str | None) -> None:
    """Raise BadPatient of a landline: a family that asks for messages there would never get one.

    A desk may note one down, to call.
    """
    fault = code_phone_fault(normalise_phone(phone)) if phone else None
    if fault:
        raise BadPatient({"phone": [fault]})


def _check_birth_date(
    session: Session, principal: Principal, current: Patient, new: str | None, now: datetime
) -> None:
    """Nobody lengthens their own right over a child, nor becomes a child by it: the desk sees papers."""
    if principal.kind is not PrincipalKind.PATIENT or current.birth_date is None:
        return
    relation = session.execute(
        select(AccountPatient.relation).where(
            AccountPatient.account_id == principal.id, AccountPatient.patient_id == current.id
        )
    ).scalar_one_or_none()
    today = business_date(now)
    if relation == Relation.SELF:
        if is_child(new, today) and not is_child(current.birth_date, today):
            raise BirthDateAtDesk
        return
    if relation not in ENDS_AT_MAJORITY or is_adult(current.birth_date, today):
        return
    if new is None or is_adult(new, today) or adult_from(new) > adult_from(current.birth_date):
        raise BirthDateAtDesk


def _identifiers(new: NewPatient, faults: dict[str, list[str]]) -> dict[IdentifierSystem, str]:
    found: dict[IdentifierSystem, str] = {}
    if new.national_id:
        number = compact(new.national_id)
        if valid_national_id(number):
            found[IdentifierSystem.NATIONAL_ID] = number
        else:
            _note(faults, "national_id", "patients-national-id-wrong")
    if new.old_national_id:
        found[IdentifierSystem.OLD_NATIONAL_ID] = compact(new.old_national_id)
    for system, name, value, read in (
        (IdentifierSystem.INSURANCE, "insurance_no", new.insurance_no, insurance_number),
        (IdentifierSystem.PASSPORT, "passport_no", new.passport_no, passport_number),
    ):
        if not value:
            continue
        checked = read(value)
        if checked is None:
            _note(faults, name, f"patients-{name.replace('_', '-')}-wrong")
        else:
            found[system] = checked
    return found


def _note(faults: dict[str, list[str]], name: str, key: str | None) -> None:
    if key is not None:
        faults.setdefault(name, []).append(key)


def _sealed(patient_id: UUID, cleaned: _Clean, cipher: FieldCipher) -> dict[str, bytes | None]:
    return {
        "phone_sealed": cipher.seal_text(cleaned.phone, f"patient.phone:{patient_id}"),
        "email_sealed": cipher.seal_text(cleaned.email, f"patient.email:{patient_id}"),
        "phone_index": None if cleaned.phone is None else cipher.index_text(cleaned.phone, PHONE_INDEX),
        "address_sealed": cipher.seal_text(cleaned.address, f"patient.address:{patient_id}"),
    }


def _add_identifiers(
    session: Session,
    patient_id: UUID,
    identifiers: Mapping[IdentifierSystem, str],
    *,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Write numbers as the active ones of their kind; older ones stay, inactive."""
    if not identifiers:
        return
    session.execute(
        update(PatientIdentifier)
        .where(
            PatientIdentifier.patient_id == patient_id,
            PatientIdentifier.system.in_([system.value for system in identifiers]),
            PatientIdentifier.active,
        )
        .values(active=False)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        insert(PatientIdentifier),
        [_identifier_row(patient_id, *item, now=now, cipher=cipher) for item in identifiers.items()],
    )


def _identifier_row(
    patient_id: UUID, system: IdentifierSystem, value: str, *, now: datetime, cipher: FieldCipher
) -> dict[str, Any]:
    identifier_id = new_id()
    return {
        "id": identifier_id,
        "patient_id": patient_id,
        "system": system.value,
        "value_sealed": cipher.seal_text(value, f"patient_identifier.value:{identifier_id}"),
        "value_index": cipher.index_text(value, f"patient_identifier.{system.value}"),
        "active": True,
        "created_at": now,
    }


def _relate(session: Session, principal: Principal, patient_id: UUID, relation: str, now: datetime) -> None:
    if relation not in {known.value for known in Relation}:
        raise BadPatient({"relation": ["patients-relation-wrong"]})
    count = session.execute(
        select(func.count())
        .select_from(AccountPatient)
        .where(AccountPatient.account_id == principal.id, _valid(now))
    ).scalar_one()
    if count >= MOST_RELATIVES:
        raise TooManyRelatives(most=MOST_RELATIVES)
    session.execute(
        upsert(AccountPatient)
        .values(
            account_id=principal.id, patient_id=patient_id, relation=relation, valid_from=now, valid_to=None
        )
        .on_conflict_do_update(
            index_elements=["account_id", "patient_id"],
            set_={"relation": relation, "valid_from": now, "valid_to": None},
        )
    )


def _end_other_links(session: Session, patient_id: UUID, keeper: UUID | None, now: datetime) -> None:
    """Leave a grown person's record to its keeper alone."""
    session.execute(
        update(AccountPatient)
        .where(AccountPatient.patient_id == patient_id, AccountPatient.account_id != keeper, _valid(now))
        .values(valid_to=now)
        .execution_options(synchronize_session=False)
    )


def _reached_as_the_account(
    session: Session, principal: Principal, cleaned: _Clean, cipher: FieldCipher
) -> _Clean:
    """Give one's own record the address one has proven, unless another was named: desks look for it."""
    contact = contact_of_account(session, principal.id, cipher) if principal.id is not None else None
    if contact is None or cleaned.phone is not None or cleaned.email is not None:
        return cleaned
    return replace(
        cleaned,
        phone=contact.value if contact.kind == "phone" else None,
        email=contact.value if contact.kind == "email" else None,
    )


def _default_relation(session: Session, principal: Principal, cleaned: _Clean, now: datetime) -> str:
    """The first grown person of an account is its owner; a child never is unless they say so."""
    if not is_adult(cleaned.columns["birth_date"], business_date(now)):
        return Relation.RELATIVE.value
    has_self = session.execute(
        select(AccountPatient.patient_id).where(
            AccountPatient.account_id == principal.id,
            AccountPatient.relation == Relation.SELF.value,
            _valid(now),
        )
    ).first()
    return Relation.SELF.value if has_self is None else Relation.RELATIVE.value


def _valid(now: datetime) -> ColumnElement[bool]:
    return or_(AccountPatient.valid_to.is_(None), AccountPatient.valid_to > now)


def _as_new(row: Patient) -> NewPatient:
    return NewPatient(
        full_name=row.full_name,
        sex=row.sex,
        birth_date=row.birth_date,
        nationality=row.nationality,
        guardian_id=row.guardian_id,
        language=row.language,
        unidentified=row.unidentified,
    )
