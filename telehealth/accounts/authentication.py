"""From a request's token to the principal it stands for."""

import json
from datetime import datetime
from uuid import UUID

from flask import request
from flask import session as cookie
from sqlalchemy.orm import Session

from telehealth.core.crypto import token_hash
from telehealth.core.principal import ANONYMOUS, Grant, Principal, PrincipalKind, Role
from telehealth.core.sql import fetch_one

_ENTER = """SELECT kind, coalesce(account_id, client_id, device_id), session_id, grants, practitioner_id,
       patient_ids, scopes, device_id, display_name, delegations
  FROM app_enter(%(token_hash)s, %(now)s)"""

SESSION_TOKEN = "_user_id"  # noqa: S105  where Flask-Login keeps the signed-in identity


def load_principal(session: Session, now: datetime) -> Principal:
    """Return who sent this request, and enter the transaction as that principal.

    With an Authorization header the cookie is ignored. No token costs no query.
    """
    token = presented_token()
    if token is None:
        return ANONYMOUS
    found = fetch_one(session, _ENTER, {"token_hash": token_hash(token), "now": now})
    if found is None:
        return ANONYMOUS
    named, actor_id, session_id, grants, practitioner_id, patient_ids, scopes, device_id, name, delegated = (
        found
    )
    kind = PrincipalKind(named)
    return Principal(
        kind=kind,
        id=actor_id,
        session_id=session_id,
        grants=_grants(kind, grants),
        practitioner_id=practitioner_id,
        patient_ids=frozenset(patient_ids),
        delegated=_delegated(delegated),
        scopes=frozenset(scopes),
        device_id=device_id,
        display_name=name,
    )


def presented_token() -> str | None:
    """Return the bearer token, or the browser session's, or None."""
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None
    signed_in = cookie.get(SESSION_TOKEN)
    return str(signed_in) if signed_in else None


def _grants(kind: PrincipalKind, granted: str | list[dict[str, str]]) -> frozenset[Grant]:
    if kind is PrincipalKind.PATIENT:
        return frozenset({Grant(Role.PATIENT), Grant(Role.GUARDIAN)})
    from_json = json.loads(granted) if isinstance(granted, str) else granted
    return frozenset(Grant(Role(item["role"]), _uuid(item["facility"])) for item in from_json)


def _delegated(given: str | dict[str, list[str]]) -> dict[UUID, frozenset[str]]:
    from_json = json.loads(given) if isinstance(given, str) else given
    return {UUID(patient_id): frozenset(actions) for patient_id, actions in from_json.items()}


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value else None
