"""A supervisor lets staff choose a new password: a code goes to their phone, nobody sees the password."""

import hmac
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, text, update
from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from telehealth.accounts.contacts import PHONE_INDEX
from telehealth.accounts.errors import BadPassword, NoPhoneOnFile, TooManySignIns, WrongCode
from telehealth.accounts.models import Account, DeviceUser, OtpChallenge
from telehealth.accounts.passwords import hash_password
from telehealth.accounts.rules import (
    OTP_TRIES,
    RESET_LIFETIME,
    STAFF_CODE_LENGTH,
    address_key,
    clean_code,
    clean_login,
    password_fault,
    reset_try_limits,
)
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.otp import code_hash
from telehealth.accounts.services.sessions import note_login, sign_out_everywhere
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_code, new_id
from telehealth.core.uow import beside

PURPOSE = "staff-reset"

_SPEND_TRY = text(
    """
    UPDATE otp_challenge SET attempts = attempts + 1
    WHERE id = (SELECT c.id FROM otp_challenge c JOIN account a ON a.id = c.account_id
                WHERE a.login = :login AND a.disabled_at IS NULL AND c.purpose = :purpose
                ORDER BY c.created_at DESC LIMIT 1)
      AND attempts < :tries AND used_at IS NULL AND expires_at > :now
    RETURNING id, account_id, code_hash
    """
)


def send_staff_code(
    session: Session,
    account_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    lifetime: timedelta = RESET_LIFETIME,
    second_factor_too: bool = False,
) -> None:
    """Send somebody the code to choose a password with; a new code ends older ones and all sign-ins.

    `second_factor_too` forgets the authenticator as well, for a lost phone. Raises NoPhoneOnFile.
    """
    account = session.get(Account, account_id)
    if account is None or account.login is None:
        raise NotFound
    phone = cipher.open_text(account.phone_sealed, f"account.phone:{account_id}")
    if phone is None:
        raise NoPhoneOnFile
    _forget_old_ways_in(session, account, second_factor_too=second_factor_too, now=now)
    challenge_id, code = new_id(), new_code(STAFF_CODE_LENGTH)
    session.execute(
        insert(OtpChallenge).values(
            id=challenge_id,
            account_id=account_id,
            phone_sealed=cipher.seal_text(phone, f"otp_challenge.phone:{challenge_id}"),
            phone_index=cipher.index_text(phone, PHONE_INDEX),
            purpose=PURPOSE,
            code_hash=code_hash(cipher, challenge_id, code),
            language=account.language,
            attempts=0,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    message = Message(
        kind=PURPOSE,
        recipient=Recipient(phone=phone, language=account.language),
        params={"code": code, "minutes": str(int(lifetime.total_seconds()) // 60)},
        dedupe_key=f"{PURPOSE}:{challenge_id}",
        not_before=now,
        expires_at=now + lifetime,
        subject=challenge_id,
    )
    outbox.enqueue(session, [message], now=now)


def finish_reset(
    session: Session,
    *,
    login: str,
    code: str,
    password: str,
    ip: str | None,
    user_agent: str | None,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Set the password that the code's holder chose. Raises WrongCode, BadPassword, TooManySignIns."""
    known = clean_login(login)
    fault = password_fault(password, known)
    if fault is not None:
        raise BadPassword({"password": [fault]})
    spend(session, reset_try_limits(known[:64], address_key(ip)), now=now, refusal=TooManySignIns)
    hashed = hash_password(password)  # before the code is looked at: the same work for every login
    with beside(session) as work:
        found = work.execute(
            _SPEND_TRY, {"login": known, "purpose": PURPOSE, "tries": OTP_TRIES, "now": now}
        ).one_or_none()
    if found is None or not hmac.compare_digest(
        bytes(found.code_hash), code_hash(cipher, found.id, clean_code(code))
    ):
        raise WrongCode
    used = session.execute(
        update(OtpChallenge)
        .where(OtpChallenge.id == found.id, OtpChallenge.used_at.is_(None))
        .values(used_at=now)
        .returning(OtpChallenge.id)
    )
    if used.first() is None:
        raise WrongCode
    session.execute(
        update(Account)
        .where(Account.id == found.account_id)
        .values(password_hash=hashed, must_change_password=False)
    )
    sign_out_everywhere(session, found.account_id, now)
    note_login(
        session,
        account_id=found.account_id,
        outcome="ok",
        method="reset",
        now=now,
        ip=ip,
        user_agent=user_agent,
    )
    account_id: UUID = found.account_id
    return account_id


def _forget_old_ways_in(
    session: Session, account: Account, *, second_factor_too: bool, now: datetime
) -> None:
    session.execute(
        update(OtpChallenge)
        .where(
            OtpChallenge.account_id == account.id,
            OtpChallenge.purpose == PURPOSE,
            OtpChallenge.used_at.is_(None),
        )
        .values(used_at=now)
    )
    session.execute(delete(DeviceUser).where(DeviceUser.account_id == account.id))
    sign_out_everywhere(session, account.id, now)
    values: dict[str, object] = {"pin_hash": None}
    if second_factor_too:
        values |= {"totp_secret_sealed": None, "totp_confirmed_at": None, "totp_last_step": None}
    session.execute(update(Account).where(Account.id == account.id).values(**values))
