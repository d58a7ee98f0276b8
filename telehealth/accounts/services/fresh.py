"""Proving once more who one is, before what opens the account changes (OWASP ASVS 5.0, 7.5.1).

A sign-in left open, or a stolen token, must not become a lasting one: adding a passkey, or sending messages
elsewhere, asks for a sign-in or a code of the last minutes.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.accounts.contacts import Contact
from telehealth.accounts.errors import FreshCodeNeeded, NoPhoneOnFile, WrongCode
from telehealth.accounts.models import AccessSession
from telehealth.accounts.queries import contact_of_account
from telehealth.accounts.rules import FRESH, address_key, code_try_limits
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.otp import prove, send_code
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal

PURPOSE = "proof"


def is_fresh(session: Session, principal: Principal, now: datetime) -> bool:
    """Tell whether the principal's sign-in was opened, or proven again, in the last minutes."""
    proven = session.execute(
        select(func.coalesce(AccessSession.proven_at, AccessSession.created_at)).where(
            AccessSession.id == principal.session_id
        )
    ).scalar_one_or_none()
    return proven is not None and now - proven <= FRESH


def require_fresh(session: Session, principal: Principal, now: datetime) -> None:
    """Raise FreshCodeNeeded unless the principal proved who they are in the last minutes."""
    if not is_fresh(session, principal, now):
        raise FreshCodeNeeded


def ask_for_proof(
    session: Session,
    principal: Principal,
    *,
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
        purpose=PURPOSE,
        ip=ip,
        language=language,
        now=now,
        cipher=cipher,
        outbox=outbox,
    )


def prove_again(
    session: Session,
    principal: Principal,
    challenge_id: UUID,
    code: str,
    *,
    ip: str | None,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Make the principal's sign-in fresh by the code that came to the account's own address.

    Raises WrongCode, TooMany.
    """
    spend(session, code_try_limits(address_key(ip)), now=now)
    proven = prove(session, challenge_id, PURPOSE, code, now=now, cipher=cipher)
    if proven.contact != _own_contact(session, principal, cipher):
        raise WrongCode
    session.execute(
        update(AccessSession).where(AccessSession.id == principal.session_id).values(proven_at=now)
    )


def _own_contact(session: Session, principal: Principal, cipher: FieldCipher) -> Contact:
    contact = None if principal.id is None else contact_of_account(session, principal.id, cipher)
    if contact is None:
        raise NoPhoneOnFile
    return contact
