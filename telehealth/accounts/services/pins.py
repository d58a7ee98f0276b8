"""A shared computer at five in the morning: the password once a shift, then a short PIN.

A PIN opens only an enrolled computer, of a facility its owner works at, and only for twelve hours
after the owner's full sign-in on that very computer.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from telehealth.accounts.errors import BadPassword, PinNotUsable, WrongCredentials
from telehealth.accounts.models import Account, DeviceUser
from telehealth.accounts.passwords import hash_password, matches
from telehealth.accounts.rules import PIN_AFTER_PASSWORD, PIN_TRIES, STAFF_LIFETIME, Lifetime, valid_pin
from telehealth.accounts.services.devices import computer_of
from telehealth.accounts.services.sessions import Holder, SignedIn, note_login, open_session
from telehealth.accounts.services.sign_in_staff import Where, belongs_to, check_password
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import PrincipalKind
from telehealth.core.uow import beside

_SPEND_TRY = text(
    """
    UPDATE device_user SET pin_failures = pin_failures + 1
    WHERE device_id = :device_id AND account_id = :account_id
      AND pin_failures < :tries AND signed_in_at > :since
    RETURNING signed_in_at, mfa
    """
)


@dataclass(frozen=True, slots=True)
class PinUser:
    """Somebody who may change back to with a PIN."""

    account_id: UUID
    display_name: str


def set_pin(
    session: Session,
    account_id: UUID,
    pin: str,
    *,
    password: str,
    where: Where,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Set a PIN of 4 to 6 digits, showing the password. Raises BadPassword, WrongCredentials."""
    if not valid_pin(pin):
        raise BadPassword({"pin": ["accounts-pin-wrong"]})
    login = session.execute(select(Account.login).where(Account.id == account_id)).scalar_one()
    check_password(session, login=login or "", password=password, where=where, now=now)
    session.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(pin_hash=hash_password(_keyed(account_id, pin, cipher)))
    )


def pin_users(session: Session, device_token: str | None, now: datetime) -> list[PinUser]:
    """Return who may change back to on this computer with a PIN."""
    computer = computer_of(session, device_token)
    if computer is None:
        return []
    rows = session.execute(
        select(Account.id, Account.display_name, Account.login)
        .join(DeviceUser, DeviceUser.account_id == Account.id)
        .where(
            DeviceUser.device_id == computer.id,
            DeviceUser.signed_in_at > now - PIN_AFTER_PASSWORD,
            DeviceUser.pin_failures < PIN_TRIES,
            Account.pin_hash.is_not(None),
            Account.disabled_at.is_(None),
        )
        .order_by(DeviceUser.signed_in_at.desc())
    )
    return [PinUser(row.id, row.display_name or row.login) for row in rows]


def sign_in_with_pin(
    session: Session, *, account_id: UUID, pin: str, where: Where, now: datetime, cipher: FieldCipher
) -> SignedIn:
    """Change to somebody who signed in fully here today. Raises PinNotUsable, WrongCredentials."""
    computer = computer_of(session, where.device_token)
    if computer is None or not belongs_to(session, account_id, computer.facility_id, now):
        raise PinNotUsable
    with beside(session) as work:
        spent = work.execute(
            _SPEND_TRY,
            {
                "device_id": computer.id,
                "account_id": account_id,
                "tries": PIN_TRIES,
                "since": now - PIN_AFTER_PASSWORD,
            },
        ).one_or_none()
    if spent is None:
        raise PinNotUsable
    account = session.get(Account, account_id)
    right = account is not None and matches(account.pin_hash, _keyed(account_id, pin, cipher))
    if account is None or not right or account.disabled_at is not None or account.must_change_password:
        raise WrongCredentials
    session.execute(
        update(DeviceUser)
        .where(DeviceUser.device_id == computer.id, DeviceUser.account_id == account_id)
        .values(pin_failures=0)
    )
    note_login(
        session,
        account_id=account_id,
        outcome="ok",
        method="pin",
        now=now,
        ip=where.ip,
        user_agent=where.user_agent,
        source_port=where.source_port,
    )
    rest = spent.signed_in_at + PIN_AFTER_PASSWORD - now
    return open_session(
        session,
        Holder(PrincipalKind.STAFF, account_id=account_id),
        Lifetime(min(rest, STAFF_LIFETIME.absolute), STAFF_LIFETIME.idle),
        now=now,
        mfa=spent.mfa,
        ip=where.ip,
        user_agent=where.user_agent,
    )


def _keyed(account_id: UUID, pin: str, cipher: FieldCipher) -> str:
    """A stolen table of hashes of short PINs is worth nothing without the key."""
    return cipher.index_text(f"{account_id}:{pin}", "account.pin").hex()
