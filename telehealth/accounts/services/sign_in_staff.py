"""Staff sign in: password, then the authenticator; on an enrolled computer that stands for it.

Which step comes next is decided here from what is stored, never from what a browser says it did.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import pyotp
from sqlalchemy import exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from telehealth.accounts.errors import (
    BadPassword,
    SecondFactorNeeded,
    SetUpNeeded,
    StepExpired,
    TooManySignIns,
    WrongCredentials,
)
from telehealth.accounts.models import Account, Device, DeviceUser, Membership
from telehealth.accounts.passwords import hash_password, matches
from telehealth.accounts.rules import (
    STAFF_LIFETIME,
    address_key,
    clean_code,
    clean_login,
    password_fault,
    password_limits,
    second_factor_limits,
    totp_steps,
)
from telehealth.accounts.services.devices import computer_of
from telehealth.accounts.services.limits import forget, spend
from telehealth.accounts.services.sessions import (
    Holder,
    SignedIn,
    note_login,
    open_session,
    sign_out_everywhere,
)
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import PrincipalKind, Role
from telehealth.core.uow import beside

_ALWAYS_TWO_FACTORS = (Role.FACILITY_ADMIN.value, Role.PROVINCE_OFFICER.value)


class Needs(StrEnum):
    """What is missing after the right password."""

    NEW_PASSWORD = "new-password"  # noqa: S105
    TOTP_ENROLMENT = "totp-enrolment"
    TOTP = "totp"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class StaffStep:
    """Whose password was right, and what comes next."""

    account_id: UUID
    needs: Needs


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Whose authenticator has just shown its first right code: only confirm_totp gives this out."""

    account_id: UUID


@dataclass(frozen=True, slots=True)
class Where:
    """From where somebody signs in."""

    ip: str | None = None
    user_agent: str | None = None
    device_token: str | None = None
    source_port: int | None = None


def check_password(session: Session, *, login: str, password: str, where: Where, now: datetime) -> StaffStep:
    """Check a password and say what comes next. Raises WrongCredentials, TooManySignIns, Unavailable.

    Unknown, closed and not yet activated logins cost the same work as known ones.
    """
    known = clean_login(login)
    computer = computer_of(session, where.device_token)
    limits = password_limits(known[:64], address_key(where.ip), enrolled_device=computer is not None)
    spend(session, limits, now=now, refusal=TooManySignIns)
    account = session.execute(
        select(Account).where(Account.login == known, Account.kind == "staff")
    ).scalar_one_or_none()
    right = matches(account.password_hash if account else None, password)
    if account is None or not right or account.disabled_at is not None:
        _note_refusal(session, account, "password", where, now)
        raise WrongCredentials
    forget(session, [limits[0].name])
    return StaffStep(account.id, _needs(session, account, computer, now))


def next_step(session: Session, account_id: UUID, *, device_token: str | None, now: datetime) -> StaffStep:
    """Return what is missing for somebody whose password was right a moment ago. Raises StepExpired."""
    account = _open_account(session, account_id)
    return StaffStep(account_id, _needs(session, account, computer_of(session, device_token), now))


def prepare_totp(session: Session, account_id: UUID, *, cipher: FieldCipher) -> None:
    """Draw the secret of an authenticator to enrol; one drawn before stays, it may be scanned already."""
    secret = cipher.seal_text(pyotp.random_base32(), _totp_context(account_id))
    session.execute(
        update(Account)
        .where(
            Account.id == account_id,
            Account.totp_confirmed_at.is_(None),
            Account.totp_secret_sealed.is_(None),
        )
        .values(totp_secret_sealed=secret)
        .execution_options(synchronize_session=False)
    )


def totp_to_enrol(session: Session, account_id: UUID, *, cipher: FieldCipher) -> tuple[str, str]:
    """Return the secret to enrol and its `otpauth://` address. Raises StepExpired."""
    account = _open_account(session, account_id)
    secret = _secret(account, cipher)
    if account.totp_confirmed_at is not None or secret is None:
        raise StepExpired
    return secret, pyotp.TOTP(secret).provisioning_uri(name=account.login, issuer_name="Y te tinh")


def confirm_totp(
    session: Session, account_id: UUID, code: str, *, where: Where, now: datetime, cipher: FieldCipher
) -> Enrolled:
    """Enrol the authenticator that shows this code. Raises WrongCredentials, StepExpired."""
    account = _open_account(session, account_id)
    if account.totp_confirmed_at is not None:
        raise StepExpired
    _spend_totp(session, account, code, where=where, now=now, cipher=cipher)
    session.execute(
        update(Account)
        .where(Account.id == account_id, Account.totp_confirmed_at.is_(None))
        .values(totp_confirmed_at=now)
    )
    session.expire(account)
    return Enrolled(account_id)


def set_own_password(
    session: Session, account_id: UUID, password: str, *, now: datetime, but: UUID | None = None
) -> None:
    """Set a new password and end other sign-ins. Raises BadPassword."""
    account = _open_account(session, account_id)
    fault = password_fault(password, account.login or "")
    if fault is None and matches(account.password_hash, password):
        fault = "accounts-password-same"
    if fault is not None:
        raise BadPassword({"password": [fault]})
    session.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(password_hash=hash_password(password), must_change_password=False)
    )
    session.expire(account)
    sign_out_everywhere(session, account_id, now, but=but)


def change_own_password(
    session: Session,
    account_id: UUID,
    *,
    old: str,
    new: str,
    where: Where,
    now: datetime,
    but: UUID | None,
) -> None:
    """Change the password of somebody who shows the old one. Raises WrongCredentials, BadPassword."""
    account = _open_account(session, account_id)
    step = check_password(session, login=account.login or "", password=old, where=where, now=now)
    set_own_password(session, step.account_id, new, now=now, but=but)


def finish_with_totp(
    session: Session, account_id: UUID, code: str, *, where: Where, now: datetime, cipher: FieldCipher
) -> SignedIn:
    """Sign in with the authenticator, after the password. Raises WrongCredentials, StepExpired."""
    account = _open_account(session, account_id)
    if account.totp_confirmed_at is None or account.must_change_password:
        raise StepExpired
    _spend_totp(session, account, code, where=where, now=now, cipher=cipher)
    return _open(session, account, method="password+totp", mfa=True, where=where, now=now)


def finish_after_enrolment(session: Session, enrolled: Enrolled, *, where: Where, now: datetime) -> SignedIn:
    """Sign in right after the authenticator was set up, in the same transaction. Raises StepExpired."""
    account = _open_account(session, enrolled.account_id)
    if account.must_change_password:
        raise StepExpired
    return _open(session, account, method="password+totp", mfa=True, where=where, now=now)


def finish_with_device(session: Session, account_id: UUID, *, where: Where, now: datetime) -> SignedIn:
    """Sign in on an enrolled computer, after the password. Raises SecondFactorNeeded."""
    account = _open_account(session, account_id)
    if _needs(session, account, computer_of(session, where.device_token), now) is not Needs.NOTHING:
        raise SecondFactorNeeded
    return _open(session, account, method="password+device", mfa=False, where=where, now=now)


def sign_in_staff(
    session: Session,
    *,
    login: str,
    password: str,
    totp: str | None = None,
    where: Where,
    now: datetime,
    cipher: FieldCipher,
) -> SignedIn:
    """Sign in in one go, for programs. Raises WrongCredentials, SecondFactorNeeded, SetUpNeeded."""
    step = check_password(session, login=login, password=password, where=where, now=now)
    if step.needs in (Needs.NEW_PASSWORD, Needs.TOTP_ENROLMENT):
        raise SetUpNeeded
    if step.needs is Needs.NOTHING:
        return finish_with_device(session, step.account_id, where=where, now=now)
    if not totp:
        raise SecondFactorNeeded
    return finish_with_totp(session, step.account_id, totp, where=where, now=now, cipher=cipher)


def _needs(session: Session, account: Account, computer: Device | None, now: datetime) -> Needs:
    if account.must_change_password:
        return Needs.NEW_PASSWORD
    if computer is not None and _device_suffices(session, account.id, computer, now):
        return Needs.NOTHING
    return Needs.TOTP if account.totp_confirmed_at is not None else Needs.TOTP_ENROLMENT


def _device_suffices(session: Session, account_id: UUID, computer: Device, now: datetime) -> bool:
    """The computer is the second factor for its own facility's staff, never for administration."""
    if not belongs_to(session, account_id, computer.facility_id, now):
        return False
    powerful = session.execute(
        select(
            exists().where(
                Membership.account_id == account_id,
                Membership.role.in_(_ALWAYS_TWO_FACTORS),
                or_(Membership.valid_to.is_(None), Membership.valid_to > now),
            )
        )
    ).scalar_one()
    return not powerful


def belongs_to(session: Session, account_id: UUID, facility_id: UUID, now: datetime) -> bool:
    """Tell whether somebody has a role at the facility now."""
    return bool(
        session.execute(
            select(
                exists().where(
                    Membership.account_id == account_id,
                    Membership.facility_id == facility_id,
                    Membership.valid_from <= now,
                    or_(Membership.valid_to.is_(None), Membership.valid_to > now),
                )
            )
        ).scalar_one()
    )


def _spend_totp(
    session: Session, account: Account, code: str, *, where: Where, now: datetime, cipher: FieldCipher
) -> None:
    limits = second_factor_limits(account.id.hex, address_key(where.ip))
    spend(session, limits, now=now, refusal=TooManySignIns)
    step = _matching_step(_secret(account, cipher), clean_code(code), now)
    used = (
        step is not None
        and session.execute(
            update(Account)
            .where(
                Account.id == account.id,
                or_(Account.totp_last_step.is_(None), Account.totp_last_step < step),
            )
            .values(totp_last_step=step)
            .returning(Account.id)
            .execution_options(synchronize_session=False)
        ).first()
    )
    if not used:
        _note_refusal(session, account, "totp", where, now)
        raise WrongCredentials
    forget(session, [limit.name for limit in limits])


def _matching_step(secret: str | None, code: str, now: datetime) -> int | None:
    if secret is None:
        return None
    authenticator = pyotp.TOTP(secret)
    matching = [
        step
        for step in totp_steps(now)
        if hmac.compare_digest(authenticator.generate_otp(step).encode(), code.encode())
    ]
    return matching[-1] if matching else None


def _open(
    session: Session, account: Account, *, method: str, mfa: bool, where: Where, now: datetime
) -> SignedIn:
    session.execute(update(Account).where(Account.id == account.id).values(last_login_at=now))
    _remember_on_device(session, account.id, mfa=mfa, where=where, now=now)
    note_login(
        session,
        account_id=account.id,
        outcome="ok",
        method=method,
        now=now,
        ip=where.ip,
        user_agent=where.user_agent,
        source_port=where.source_port,
    )
    return open_session(
        session,
        Holder(PrincipalKind.STAFF, account_id=account.id),
        STAFF_LIFETIME,
        now=now,
        mfa=mfa,
        ip=where.ip,
        user_agent=where.user_agent,
    )


def _remember_on_device(
    session: Session, account_id: UUID, *, mfa: bool, where: Where, now: datetime
) -> None:
    computer = computer_of(session, where.device_token)
    if computer is None or not belongs_to(session, account_id, computer.facility_id, now):
        return
    fresh = {"signed_in_at": now, "mfa": mfa, "pin_failures": 0}
    session.execute(
        upsert(DeviceUser)
        .values(device_id=computer.id, account_id=account_id, **fresh)
        .on_conflict_do_update(index_elements=["device_id", "account_id"], set_=fresh)
    )


def _open_account(session: Session, account_id: UUID) -> Account:
    statement = select(Account).where(Account.id == account_id).execution_options(populate_existing=True)
    account = session.execute(statement).scalar_one_or_none()
    if account is None or account.disabled_at is not None or account.kind != "staff":
        raise StepExpired
    return account


def _secret(account: Account, cipher: FieldCipher) -> str | None:
    return cipher.open_text(account.totp_secret_sealed, _totp_context(account.id))


def _totp_context(account_id: UUID) -> str:
    return f"account.totp_secret:{account_id}"


def _note_refusal(
    session: Session, account: Account | None, method: str, where: Where, now: datetime
) -> None:
    """Keep a refused try in a transaction of its own: the caller's is about to be rolled back."""
    account_id = None if account is None else account.id
    with beside(session) as work:
        note_login(
            work,
            account_id=account_id,
            outcome="refused",
            method=method,
            now=now,
            ip=where.ip,
            user_agent=where.user_agent,
            source_port=where.source_port,
        )
