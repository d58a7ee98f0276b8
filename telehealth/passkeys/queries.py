"""Reading passkeys."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.passkeys.models import Passkey


@dataclass(frozen=True, slots=True)
class PasskeyView:
    """A passkey, as its owner knows it."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


def passkeys_of(session: Session, account_id: UUID) -> list[PasskeyView]:
    """Return an account's passkeys, the oldest first."""
    rows = session.execute(
        select(Passkey.id, Passkey.name, Passkey.created_at, Passkey.last_used_at)
        .where(Passkey.account_id == account_id)
        .order_by(Passkey.created_at, Passkey.id)
    )
    return [PasskeyView(*row) for row in rows]
