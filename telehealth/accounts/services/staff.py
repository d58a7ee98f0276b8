"""Staff accounts: made singly or in bulk, given roles, closed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from telehealth.accounts.errors import LoginTaken
from telehealth.accounts.models import Account, AccountKind, Membership
from telehealth.accounts.passwords import hash_password
from telehealth.accounts.rules import IDLE_STAFF, clean_login, valid_login
from telehealth.accounts.services.sessions import sign_out_everywhere
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import Unprocessable
from telehealth.core.ids import new_id
from telehealth.core.phone import normalise_phone
from telehealth.core.principal import Role
from telehealth.core.text import clean

STAFF_ROLES = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER)


@dataclass(frozen=True, slots=True)
class GrantSpec:
    """A role and where it holds (None: the whole province)."""

    role: Role
    facility_id: UUID | None


@dataclass(frozen=True, slots=True)
class NewStaff:
    """An account to make. Without a password its owner chooses one with a code sent to the phone."""

    login: str
    display_name: str
    grants: Sequence[GrantSpec]
    phone: str | None = None
    practitioner_id: UUID | None = None
    language: str = "vi"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import of accounts did."""

    created: tuple[UUID, ...]
    existing: tuple[UUID, ...]


def create_staff(
    session: Session,
    new: NewStaff,
    *,
    now: datetime,
    cipher: FieldCipher,
    password: str | None = None,
    totp_secret: str | None = None,
) -> UUID:
    """Make an account and give it its roles. Raises LoginTaken, Unprocessable.

    `password` and `totp_secret` (base32, counts as confirmed) are for demonstrations and tests.
    """
    login, phone = _checked(new)
    account_id = new_id()
    inserted = session.execute(
        upsert(Account)
        .values(
            id=account_id,
            kind=AccountKind.STAFF,
            login=login,
            display_name=clean(new.display_name),
            language=new.language,
            practitioner_id=new.practitioner_id,
            phone_sealed=cipher.seal_text(phone, f"account.phone:{account_id}"),
            password_hash=None if password is None else hash_password(password),
            totp_secret_sealed=cipher.seal_text(totp_secret, f"account.totp_secret:{account_id}"),
            totp_confirmed_at=None if totp_secret is None else now,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["login"])
        .returning(Account.id)
    )
    if inserted.first() is None:
        raise LoginTaken
    for grant in new.grants:
        grant_role(session, account_id, grant, now=now)
    return account_id


def import_staff(
    session: Session, people: Iterable[NewStaff], *, now: datetime, cipher: FieldCipher
) -> Imported:
    """Make the accounts that do not exist and add missing roles to those that do; all or nothing."""
    created, existing = [], []
    for person in people:
        known = session.execute(
            select(Account.id).where(Account.login == clean_login(person.login))
        ).scalar_one_or_none()
        if known is None:
            created.append(create_staff(session, person, now=now, cipher=cipher))
            continue
        existing.append(known)
        for grant in person.grants:
            grant_role(session, known, grant, now=now)
    return Imported(tuple(created), tuple(existing))


def grant_role(session: Session, account_id: UUID, grant: GrantSpec, *, now: datetime) -> None:
    """Give a role from now on; one that holds already is left alone."""
    holds = session.execute(
        select(Membership.id).where(
            Membership.account_id == account_id,
            Membership.role == grant.role.value,
            Membership.facility_id.is_not_distinct_from(grant.facility_id),
            or_(Membership.valid_to.is_(None), Membership.valid_to > now),
        )
    )
    if holds.first() is not None:
        return
    session.execute(
        insert(Membership).values(
            id=new_id(),
            account_id=account_id,
            role=grant.role.value,
            facility_id=grant.facility_id,
            valid_from=now,
        )
    )


def withdraw_role(session: Session, account_id: UUID, grant: GrantSpec, *, now: datetime) -> None:
    """End a role at once; the row stays, to say who could do what when."""
    session.execute(
        update(Membership)
        .where(
            Membership.account_id == account_id,
            Membership.role == grant.role.value,
            Membership.facility_id.is_not_distinct_from(grant.facility_id),
            or_(Membership.valid_to.is_(None), Membership.valid_to > now),
        )
        .values(valid_to=now)
    )


def disable_staff(session: Session, account_id: UUID, *, now: datetime) -> None:
    """Close an account and end its sign-ins at once."""
    session.execute(
        update(Account).where(Account.id == account_id, Account.disabled_at.is_(None)).values(disabled_at=now)
    )
    sign_out_everywhere(session, account_id, now)


def enable_staff(session: Session, account_id: UUID, *, now: datetime) -> None:
    """Open a closed account again; its owner chooses a new password."""
    session.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(disabled_at=None, enabled_at=now, password_hash=None, pin_hash=None)
    )


def disable_idle_staff(session: Session, *, now: datetime) -> int:
    """Close staff accounts that nobody used for 45 days; return how many."""
    last_sign_of_life = func.greatest(Account.last_login_at, Account.enabled_at, Account.created_at)
    idle = session.execute(
        update(Account)
        .where(
            Account.kind == AccountKind.STAFF.value,
            Account.disabled_at.is_(None),
            last_sign_of_life < now - IDLE_STAFF,
        )
        .values(disabled_at=now)
        .returning(Account.id)
        .execution_options(synchronize_session=False)
    )
    ids = idle.scalars().all()
    for account_id in ids:
        sign_out_everywhere(session, account_id, now)
    return len(ids)


def staff_rows(
    rows: Iterable[Mapping[str, str]],
    facilities: Mapping[str, UUID],
    practitioners: Mapping[str, UUID],
    *,
    roles: Sequence[Role] = STAFF_ROLES,
) -> tuple[list[NewStaff], list[tuple[int, str, str]]]:
    """Read rows of a table (login, full_name, phone, role, facility_code, licence_no).

    Returns the people, and the faults as (row, column, message key); rows count from 2, as in a sheet.
    Only `roles` may be given. Several rows of one login give one person with several roles.
    """
    people: dict[str, NewStaff] = {}
    faults: list[tuple[int, str, str]] = []
    for number, row in enumerate(rows, start=2):
        person, wrong = _staff_row(row, facilities, practitioners, roles)
        faults += [(number, column, key) for column, key in wrong]
        if person is None:
            continue
        earlier = people.get(person.login)
        grants = [*(earlier.grants if earlier else ()), *person.grants]
        people[person.login] = NewStaff(
            person.login, person.display_name, grants, person.phone, person.practitioner_id
        )
    return list(people.values()), faults


def _staff_row(
    row: Mapping[str, str],
    facilities: Mapping[str, UUID],
    practitioners: Mapping[str, UUID],
    roles: Sequence[Role],
) -> tuple[NewStaff | None, list[tuple[str, str]]]:
    values = {name: clean(str(row.get(name) or "")) for name in STAFF_COLUMNS}
    wrong = []
    login = clean_login(values["login"])
    if not valid_login(login):
        wrong.append(("login", "accounts-import-login-wrong"))
    if not values["full_name"]:
        wrong.append(("full_name", "accounts-import-name-missing"))
    if values["phone"] and normalise_phone(values["phone"]) is None:
        wrong.append(("phone", "accounts-phone-wrong"))
    role = next((known for known in roles if known.value == values["role"]), None)
    if role is None:
        wrong.append(("role", "accounts-import-role-wrong"))
    facility_id = facilities.get(values["facility_code"])
    if facility_id is None and role is not Role.PROVINCE_OFFICER:
        wrong.append(("facility_code", "accounts-import-facility-unknown"))
    practitioner_id = practitioners.get(values["licence_no"])
    if values["licence_no"] and practitioner_id is None:
        wrong.append(("licence_no", "accounts-import-licence-unknown"))
    if wrong or role is None:
        return None, wrong
    grant = GrantSpec(role, None if role is Role.PROVINCE_OFFICER else facility_id)
    return NewStaff(login, values["full_name"], [grant], values["phone"] or None, practitioner_id), []


STAFF_COLUMNS = ("login", "full_name", "phone", "role", "facility_code", "licence_no")


def _checked(new: NewStaff) -> tuple[str, str | None]:
    login = clean_login(new.login)
    faults = {}
    if not valid_login(login):
        faults["login"] = ["accounts-import-login-wrong"]
    phone = normalise_phone(new.phone) if new.phone else None
    if new.phone and phone is None:
        faults["phone"] = ["accounts-phone-wrong"]
    if not clean(new.display_name):
        faults["full_name"] = ["accounts-import-name-missing"]
    if faults:
        raise Unprocessable(faults)
    return login, phone
