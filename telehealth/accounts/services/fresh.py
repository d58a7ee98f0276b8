"""Proving once more who one is, before what opens the account changes (OWASP ASVS 5.0, 7.5.1).

A sign-in left open, or a stolen token, must not become a lasting one: adding a passkey, or sending messages
elsewhere, asks for a sign-in or a code of the last minutes.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from telehealth.accounts.errors import FreshCodeNeeded
from telehealth.accounts.models import AccessSession
from telehealth.accounts.rules import FRESH, address_key, code_try_limits
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.own_code import prove_own
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
    prove_own(session, principal, challenge_id, PURPOSE, code, now=now, cipher=cipher)
    session.execute(
        update(AccessSession).where(AccessSession.id == principal.session_id).values(proven_at=now)
    )
