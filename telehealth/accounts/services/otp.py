"""Patients sign in with their phone: a code goes out by message and comes back once.

Asking for a code never looks at accounts, so known and unknown phones are treated alike; an account
begins with the first right code.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from telehealth.accounts.errors import AccountDisabled, BadPhone, TooManyCodes, WrongCode
from telehealth.accounts.models import Account, AccountKind, OtpChallenge
from telehealth.accounts.rules import (
    OTP_DIGITS,
    OTP_LIFETIME,
    OTP_TRIES,
    PATIENT_LIFETIME,
    address_key,
    clean_code,
    code_phone_fault,
    code_try_limits,
    otp_limits,
)
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.sessions import Holder, SignedIn, note_login, open_session
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.phone import normalise_phone
from telehealth.core.principal import PrincipalKind
from telehealth.core.uow import beside

SIGN_IN = "sign-in"
PHONE_INDEX = "account.phone"

# One try is spent and seen in the same statement: tries at once cannot outnumber the limit.
_SPEND_TRY = text(
    """
    UPDATE otp_challenge SET attempts = attempts + 1
    WHERE id = :id AND purpose = :purpose AND attempts < :tries AND used_at IS NULL AND expires_at > :now
    RETURNING code_hash, phone_sealed, phone_index, language
    """
)


@dataclass(frozen=True, slots=True)
class _Proven:
    """A phone whose holder has shown the code."""

    phone: str
    phone_index: bytes
    language: str


def request_otp(
    session: Session,
    *,
    phone: str,
    purpose: str,
    ip: str | None,
    language: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> UUID:
    """Send a code and return the challenge it answers. Raises BadPhone, TooManyCodes."""
    number = normalise_phone(phone)
    fault = code_phone_fault(number)
    if number is None or fault is not None:
        raise BadPhone({"phone": [fault or "accounts-phone-wrong"]})
    phone_index = cipher.index_text(number, PHONE_INDEX)
    spend(session, otp_limits(phone_index.hex(), address_key(ip)), now=now, refusal=TooManyCodes)
    challenge_id, code = new_id(), f"{secrets.randbelow(10**OTP_DIGITS):0{OTP_DIGITS}d}"
    session.execute(
        insert(OtpChallenge).values(
            id=challenge_id,
            phone_sealed=cipher.seal_text(number, _sealed(challenge_id)),
            phone_index=phone_index,
            purpose=purpose,
            code_hash=code_hash(cipher, challenge_id, code),
            language=language,
            attempts=0,
            ip=ip,
            created_at=now,
            expires_at=now + OTP_LIFETIME,
        )
    )
    outbox.enqueue(session, [_message(challenge_id, number, language, code, now)], now=now)
    return challenge_id


def request_again(
    session: Session,
    challenge_id: UUID,
    *,
    ip: str | None,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> UUID:
    """Send a new code to the phone of an earlier challenge. Raises WrongCode, TooManyCodes."""
    earlier = session.get(OtpChallenge, challenge_id)
    phone = None if earlier is None else cipher.open_text(earlier.phone_sealed, _sealed(challenge_id))
    if earlier is None or phone is None:
        raise WrongCode
    return request_otp(
        session,
        phone=phone,
        purpose=earlier.purpose,
        ip=ip,
        language=earlier.language,
        now=now,
        cipher=cipher,
        outbox=outbox,
    )


def sign_in_with_code(
    session: Session,
    *,
    challenge_id: UUID,
    code: str,
    ip: str | None,
    user_agent: str | None,
    now: datetime,
    cipher: FieldCipher,
    source_port: int | None = None,
) -> SignedIn:
    """Sign the phone's holder in. Raises WrongCode, AccountDisabled, TooMany.

    The try is spent in its own transaction first; the code is used up in the caller's.
    """
    spend(session, code_try_limits(address_key(ip)), now=now)
    proven = prove(session, challenge_id, SIGN_IN, code, now=now, cipher=cipher)
    account = _account_of(session, proven, now=now, cipher=cipher)
    if account.disabled_at is not None:
        raise AccountDisabled
    session.execute(update(Account).where(Account.id == account.id).values(last_login_at=now))
    note_login(
        session,
        account_id=account.id,
        outcome="ok",
        method="otp",
        now=now,
        ip=ip,
        user_agent=user_agent,
        source_port=source_port,
    )
    return open_session(
        session,
        Holder(PrincipalKind.PATIENT, account_id=account.id),
        PATIENT_LIFETIME,
        now=now,
        ip=ip,
        user_agent=user_agent,
    )


def prove(
    session: Session, challenge_id: UUID, purpose: str, code: str, *, now: datetime, cipher: FieldCipher
) -> _Proven:
    """Use up a code. Raises WrongCode, whatever the reason."""
    with beside(session) as work:
        found = work.execute(
            _SPEND_TRY, {"id": challenge_id, "purpose": purpose, "tries": OTP_TRIES, "now": now}
        ).one_or_none()
    given = code_hash(cipher, challenge_id, clean_code(code))
    expected = bytes(found.code_hash) if found is not None else b""
    if not hmac.compare_digest(given, expected) or found is None:
        raise WrongCode
    used = session.execute(
        update(OtpChallenge)
        .where(OtpChallenge.id == challenge_id, OtpChallenge.used_at.is_(None))
        .values(used_at=now)
        .returning(OtpChallenge.id)
    )
    phone = cipher.open_text(found.phone_sealed, _sealed(challenge_id))
    if used.first() is None or phone is None:
        raise WrongCode
    return _Proven(phone, bytes(found.phone_index), found.language)


def code_hash(cipher: FieldCipher, challenge_id: UUID, code: str) -> bytes:
    """Return the keyed hash of a code, worth nothing for another challenge."""
    return cipher.index_text(f"{challenge_id}:{code}", "otp_challenge.code")


def _account_of(session: Session, proven: _Proven, *, now: datetime, cipher: FieldCipher) -> Account:
    account_id = new_id()
    session.execute(
        upsert(Account)
        .values(
            id=account_id,
            kind=AccountKind.PATIENT,
            phone_sealed=cipher.seal_text(proven.phone, f"account.phone:{account_id}"),
            phone_index=proven.phone_index,
            language=proven.language,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["phone_index"])
    )
    return session.execute(select(Account).where(Account.phone_index == proven.phone_index)).scalar_one()


def _message(challenge_id: UUID, phone: str, language: str, code: str, now: datetime) -> Message:
    minutes = int(OTP_LIFETIME.total_seconds()) // 60
    return Message(
        kind="otp",
        recipient=Recipient(phone=phone, language=language),
        params={"code": code, "minutes": str(minutes)},
        dedupe_key=f"otp:{challenge_id}",
        not_before=now,
        expires_at=now + OTP_LIFETIME,
        subject=challenge_id,
    )


def _sealed(challenge_id: UUID) -> str:
    return f"otp_challenge.phone:{challenge_id}"
