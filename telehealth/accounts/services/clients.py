"""Other systems: a client id and a secret give a token for an hour."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from telehealth.accounts.errors import TooManySignIns, WrongCredentials
from telehealth.accounts.models import IntegratorClient
from telehealth.accounts.rules import INTEGRATOR_LIFETIME, address_key, client_limits
from telehealth.accounts.services.limits import forget, spend
from telehealth.accounts.services.sessions import Holder, SignedIn, open_session
from telehealth.core.crypto import token_hash
from telehealth.core.ids import new_id, new_secret
from telehealth.core.principal import PrincipalKind


def add_client(
    session: Session, *, name: str, scopes: Sequence[str], facility_id: UUID | None, now: datetime
) -> tuple[UUID, str]:
    """Admit a system; return its id and its secret, which is shown this once."""
    client_id, secret = new_id(), new_secret()
    session.execute(
        insert(IntegratorClient).values(
            id=client_id,
            name=name,
            secret_hash=token_hash(secret),
            scopes=list(scopes),
            facility_id=facility_id,
            created_at=now,
        )
    )
    return client_id, secret


def revoke_client(session: Session, client_id: UUID, now: datetime) -> bool:
    """Admit a system no more, its open tokens included; False if it is not admitted."""
    revoked = session.execute(
        update(IntegratorClient)
        .where(IntegratorClient.id == client_id, IntegratorClient.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(IntegratorClient.id)
    )
    return revoked.first() is not None


def sign_in_client(
    session: Session,
    *,
    client_id: UUID,
    client_secret: str,
    ip: str | None,
    user_agent: str | None,
    now: datetime,
) -> SignedIn:
    """Sign a system in. Raises WrongCredentials, TooManySignIns."""
    limits = client_limits(str(client_id), address_key(ip))
    spend(session, limits, now=now, refusal=TooManySignIns)
    client = session.get(IntegratorClient, client_id)
    expected = bytes(client.secret_hash) if client is not None else b""
    right = hmac.compare_digest(token_hash(client_secret), expected)
    if client is None or not right or client.revoked_at is not None:
        raise WrongCredentials
    forget(session, [limits[0].name])
    return open_session(
        session,
        Holder(PrincipalKind.INTEGRATOR, client_id=client.id),
        INTEGRATOR_LIFETIME,
        now=now,
        ip=ip,
        user_agent=user_agent,
    )
