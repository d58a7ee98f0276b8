"""Sign-ins: opened with a token nobody guesses, closed at once; with one go the messages in its browser."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from notifications.subscriptions import drop_of_sign_ins
from telehealth.accounts.models import AccessSession, LoginEvent
from telehealth.accounts.rules import Lifetime
from telehealth.core.crypto import token_hash
from telehealth.core.ids import new_id, new_secret
from telehealth.core.principal import PrincipalKind

_LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An opened sign-in. `token` is shown this once; only its hash is kept."""

    token: str
    session_id: UUID
    kind: PrincipalKind
    account_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose sign-in it is: exactly one of the three."""

    kind: PrincipalKind
    account_id: UUID | None = None
    device_id: UUID | None = None
    client_id: UUID | None = None


def open_session(
    session: Session,
    holder: Holder,
    lifetime: Lifetime,
    *,
    now: datetime,
    mfa: bool = False,
    ip: str | None = None,
    user_agent: str | None = None,
) -> SignedIn:
    """Open a sign-in and return its token."""
    token, session_id = new_secret(), new_id()
    expires_at = now + lifetime.absolute
    session.execute(
        insert(AccessSession).values(
            id=session_id,
            token_hash=token_hash(token),
            kind=holder.kind.value,
            account_id=holder.account_id,
            device_id=holder.device_id,
            client_id=holder.client_id,
            mfa=mfa,
            idle_seconds=None if lifetime.idle is None else int(lifetime.idle.total_seconds()),
            created_at=now,
            expires_at=expires_at,
            last_seen_at=now,
            ip=ip,
            user_agent=shortened(user_agent),
        )
    )
    return SignedIn(token, session_id, holder.kind, holder.account_id, expires_at)


def sign_out(session: Session, session_id: UUID, now: datetime) -> None:
    """Close a sign-in: its token opens nothing from now on."""
    session.execute(
        update(AccessSession)
        .where(AccessSession.id == session_id, AccessSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    drop_of_sign_ins(session, [session_id])


def sign_out_one(session: Session, account_id: UUID, session_id: UUID, now: datetime) -> bool:
    """Close one of an account's own sign-ins; False if it has no such open one."""
    closed = session.execute(
        update(AccessSession)
        .where(
            AccessSession.id == session_id,
            AccessSession.account_id == account_id,
            AccessSession.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .returning(AccessSession.id)
    )
    ids = closed.scalars().all()
    drop_of_sign_ins(session, ids)
    return bool(ids)


def sign_out_everywhere(
    session: Session, account_id: UUID, now: datetime, *, but: UUID | None = None
) -> None:
    """Close all sign-ins of an account, or all but one."""
    statement = update(AccessSession).where(
        AccessSession.account_id == account_id, AccessSession.revoked_at.is_(None)
    )
    if but is not None:
        statement = statement.where(AccessSession.id != but)
    closed = session.execute(statement.values(revoked_at=now).returning(AccessSession.id))
    drop_of_sign_ins(session, closed.scalars().all())


def note_login(
    session: Session,
    *,
    account_id: UUID | None,
    outcome: str,
    method: str,
    now: datetime,
    ip: str | None,
    user_agent: str | None,
    source_port: int | None = None,
) -> None:
    """Keep who signed in, or tried to, and from where."""
    session.execute(
        insert(LoginEvent).values(
            id=new_id(),
            at=now,
            account_id=account_id,
            outcome=outcome,
            method=method,
            ip=ip,
            source_port=source_port,
            user_agent=shortened(user_agent),
        )
    )


def shortened(user_agent: str | None) -> str | None:
    """Return what is kept of a browser's name."""
    return None if user_agent is None else user_agent[:_LONGEST_AGENT]
