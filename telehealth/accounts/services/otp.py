"""Patients sign in with their phone or e-mail address: a code goes out by message and comes back once.

Asking for a code never looks at accounts, so known and unknown addresses are treated alike; an account
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
from telehealth.accounts.contacts import Contact, contact_fault, opened_contact, read_contact
from telehealth.accounts.errors import AccountDisabled, BadPhone, TooManyCodes, WrongCode
from telehealth.accounts.models import Account, AccountKind, OtpChallenge
from telehealth.accounts.rules import (
    OTP_DIGITS,
    OTP_LIFETIME,
    OTP_TRIES,
    PATIENT_LIFETIME,
    address_key,
    clean_code,
    code_try_limits,
    foreign,
    otp_limits,
)
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.sessions import Holder, SignedIn, note_login, open_session
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.phone import country_code
from telehealth.core.principal import PrincipalKind
from telehealth.core.uow import beside

SIGN_IN = "sign-in"
_TABLE = "otp_challenge"

# One try is spent and seen in the same statement: tries at once cannot outnumber the limit.
_SPEND_TRY = text(
    """
    UPDATE otp_challenge SET attempts = attempts + 1
    WHERE id = :id AND purpose = :purpose AND attempts < :tries AND used_at IS NULL AND expires_at > :now
    RETURNING code_hash, phone_sealed, email_sealed, language
    """
)


@dataclass(frozen=True, slots=True)
class Proven:
    """An address whose holder has shown the code."""

    contact: Contact
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
    """Send a code to a telephone or e-mail address and return the challenge it answers.

    Raises BadPhone, TooManyCodes.
    """
    contact, fault = read_contact(phone), contact_fault(phone)
    if contact is None or fault is not None:
        field = "email" if "@" in phone else "phone"
        raise BadPhone({field: [fault or "accounts-phone-wrong"]})
    return send_code(
        session,
        contact,
        purpose=purpose,
        ip=ip,
        language=language,
        now=now,
        cipher=cipher,
        outbox=outbox,
    )


def send_code(
    session: Session,
    contact: Contact,
    *,
    purpose: str,
    ip: str | None,
    language: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> UUID:
    """Send a code to an address that can take one and return the challenge. Raises TooManyCodes."""
    abroad = country_code(contact.value) if contact.kind == "phone" and foreign(contact.value) else None
    limits = otp_limits(contact.index(cipher).hex(), address_key(ip), abroad)
    spend(session, limits, now=now, refusal=TooManyCodes)
    challenge_id, code = new_id(), f"{secrets.randbelow(10**OTP_DIGITS):0{OTP_DIGITS}d}"
    session.execute(
        insert(OtpChallenge).values(
            id=challenge_id,
            **contact.columns(_TABLE, challenge_id, cipher),
            purpose=purpose,
            code_hash=code_hash(cipher, challenge_id, code),
            language=language,
            attempts=0,
            ip=ip,
            created_at=now,
            expires_at=now + OTP_LIFETIME,
        )
    )
    outbox.enqueue(session, [_message(challenge_id, contact, language, code, now)], now=now)
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
    """Send a new code to the address of an earlier challenge. Raises WrongCode, TooManyCodes."""
    earlier = session.get(OtpChallenge, challenge_id)
    if earlier is None:
        raise WrongCode
    contact = opened_contact(earlier.phone_sealed, earlier.email_sealed, _TABLE, challenge_id, cipher)
    if contact is None:
        raise WrongCode
    return send_code(
        session,
        contact,
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
    """Sign the address's holder in. Raises WrongCode, AccountDisabled, TooMany.

    The try is spent in its own transaction first; the code is used up in the caller's.
    """
    spend(session, code_try_limits(address_key(ip)), now=now)
    proven = prove(session, challenge_id, SIGN_IN, code, now=now, cipher=cipher)
    account = account_of(session, proven.contact, language=proven.language, now=now, cipher=cipher)
    if account.disabled_at is not None:
        raise AccountDisabled
    session.execute(update(Account).where(Account.id == account.id).values(last_login_at=now))
    note_login(
        session,
        account_id=account.id,
        outcome="ok",
        method="otp" if proven.contact.kind == "phone" else "otp-email",
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
) -> Proven:
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
    contact = opened_contact(found.phone_sealed, found.email_sealed, _TABLE, challenge_id, cipher)
    if used.first() is None or contact is None:
        raise WrongCode
    return Proven(contact, found.language)


def code_hash(cipher: FieldCipher, challenge_id: UUID, code: str) -> bytes:
    """Return the keyed hash of a code, worth nothing for another challenge."""
    return cipher.index_text(f"{challenge_id}:{code}", "otp_challenge.code")


def account_of(
    session: Session, contact: Contact, *, language: str, now: datetime, cipher: FieldCipher
) -> Account:
    """Return the patient's account of an address, made if there is none yet."""
    account_id = new_id()
    session.execute(
        upsert(Account)
        .values(
            id=account_id,
            kind=AccountKind.PATIENT,
            **contact.columns("account", account_id, cipher),
            language=language,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=[f"{contact.kind}_index"])
    )
    column = Account.phone_index if contact.kind == "phone" else Account.email_index
    return session.execute(select(Account).where(column == contact.index(cipher))).scalar_one()


def _message(challenge_id: UUID, contact: Contact, language: str, code: str, now: datetime) -> Message:
    minutes = int(OTP_LIFETIME.total_seconds()) // 60
    phone, email = (contact.value, None) if contact.kind == "phone" else (None, contact.value)
    return Message(
        kind="otp",
        recipient=Recipient(phone=phone, email=email, language=language),
        params={"code": code, "minutes": str(minutes)},
        dedupe_key=f"otp:{challenge_id}",
        not_before=now,
        expires_at=now + OTP_LIFETIME,
        subject=challenge_id,
    )
