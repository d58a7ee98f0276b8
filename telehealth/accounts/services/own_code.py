"""A code to the account's own address: whoever reads it is whom the account belongs to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.accounts.contacts import Contact
from telehealth.accounts.errors import NoPhoneOnFile, WrongCode
from telehealth.accounts.queries import contact_of_account
from telehealth.accounts.services.otp import prove, send_code
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal


def send_own_code(
    session: Session,
    principal: Principal,
    *,
    purpose: str,
    ip: str | None,
    language: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> UUID:
    """Send a code to the account's own address; return its challenge. Raises NoPhoneOnFile, TooManyCodes."""
    return send_code(
        session,
        _own_contact(session, principal, cipher),
        purpose=purpose,
        ip=ip,
        language=language,
        now=now,
        cipher=cipher,
        outbox=outbox,
    )


def prove_own(
    session: Session,
    principal: Principal,
    challenge_id: UUID,
    purpose: str,
    code: str,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Take a code that went to the account's own address. Raises WrongCode, NoPhoneOnFile."""
    proven = prove(session, challenge_id, purpose, code, now=now, cipher=cipher)
    if proven.contact != _own_contact(session, principal, cipher):
        raise WrongCode


def _own_contact(session: Session, principal: Principal, cipher: FieldCipher) -> Contact:
    contact = None if principal.id is None else contact_of_account(session, principal.id, cipher)
    if contact is None:
        raise NoPhoneOnFile
    return contact
