"""Adding, using and removing passkeys. The cryptography is the webauthn library's."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import webauthn
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from telehealth.accounts.models import Account, AccountKind
from telehealth.accounts.rules import PATIENT_LIFETIME, address_key, code_try_limits
from telehealth.accounts.services.fresh import require_fresh
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.sessions import Holder, SignedIn, note_login, open_session
from telehealth.core.errors import Unauthenticated
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.text import clean
from telehealth.passkeys.errors import (
    PasskeyNotAdded,
    PasskeyNotFound,
    PasskeyRefused,
    PasskeysUnusable,
    TooManyPasskeys,
)
from telehealth.passkeys.models import Passkey, PasskeyChallenge
from telehealth.passkeys.queries import passkeys_of
from telehealth.passkeys.rules import CHALLENGE_LIFETIME, LONGEST_NAME, MOST, challenge_limits, relying_party

# What a library of parsers may raise over an answer that anybody can write.
_ODD = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError)


@dataclass(frozen=True, slots=True)
class Site:
    """The site that passkeys are bound to."""

    rp_id: str
    origin: str
    name: str

    @classmethod
    def of(cls, base_url: str, origin: str, name: str) -> "Site":
        """Return the site of a base address. Raises PasskeysUnusable."""
        rp_id = relying_party(base_url)
        if rp_id is None:
            raise PasskeysUnusable
        return cls(rp_id, origin, name)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser is to be asked; `options` as WebAuthn writes them in JSON."""

    challenge_id: UUID
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser answered, as it writes it in JSON, and to which challenge."""

    challenge_id: UUID
    credential: dict[str, Any]


def options_to_add(
    session: Session, site: Site, principal: Principal, user_name: str, *, now: datetime
) -> Asked:
    """Return what to ask the browser for a new passkey; those there already are named, to be left out.

    Raises FreshCodeNeeded.
    """
    account_id = _proven(session, principal, now)
    known = session.execute(select(Passkey.credential_id).where(Passkey.account_id == account_id)).scalars()
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name=site.name,
        user_id=account_id.bytes,
        user_name=user_name,
        user_display_name=user_name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=bytes(key)) for key in known],
    )
    challenge_id = _remember(session, options.challenge, account_id, now)
    return Asked(challenge_id, json.loads(webauthn.options_to_json(options)))


def add(
    session: Session, site: Site, principal: Principal, answer: Answer, *, name: str, now: datetime
) -> UUID:
    """Keep a new passkey and return its id. Raises FreshCodeNeeded, PasskeyNotAdded, TooManyPasskeys."""
    account_id = _proven(session, principal, now)
    if len(passkeys_of(session, account_id)) >= MOST:
        raise TooManyPasskeys(most=MOST)
    challenge = _taken(session, answer.challenge_id, account_id, now)
    if challenge is None:
        raise PasskeyNotAdded
    try:
        found = webauthn.verify_registration_response(
            credential=answer.credential,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _ODD as error:
        raise PasskeyNotAdded from error
    passkey_id = new_id()
    added = session.execute(
        upsert(Passkey)
        .values(
            id=passkey_id,
            account_id=account_id,
            credential_id=found.credential_id,
            public_key=found.credential_public_key,
            sign_count=found.sign_count,
            name=clean(name)[:LONGEST_NAME] or "–",
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["credential_id"])
        .returning(Passkey.id)
    )
    if added.first() is None:
        raise PasskeyNotAdded
    return passkey_id


def options_to_sign_in(session: Session, site: Site, *, ip: str | None, now: datetime) -> Asked:
    """Return what to ask the browser of somebody whom nobody knows yet. Raises TooMany.

    No credential is named, so the answer is the same for everybody.
    """
    spend(session, challenge_limits(address_key(ip)), now=now)
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id, user_verification=UserVerificationRequirement.REQUIRED
    )
    challenge_id = _remember(session, options.challenge, None, now)
    return Asked(challenge_id, json.loads(webauthn.options_to_json(options)))


def sign_in(
    session: Session,
    site: Site,
    answer: Answer,
    *,
    ip: str | None,
    user_agent: str | None,
    source_port: int | None,
    now: datetime,
) -> SignedIn:
    """Sign in whoever holds the passkey. Raises PasskeyRefused, whatever the reason, and TooMany."""
    spend(session, code_try_limits(address_key(ip)), now=now)
    challenge = _taken(session, answer.challenge_id, None, now)
    key = _key_of(session, answer.credential)
    if challenge is None or key is None:
        raise PasskeyRefused
    try:
        found = webauthn.verify_authentication_response(
            credential=answer.credential,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=bytes(key.public_key),
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except _ODD as error:
        raise PasskeyRefused from error
    account = session.get(Account, key.account_id)
    if account is None or account.kind != AccountKind.PATIENT or account.disabled_at is not None:
        raise PasskeyRefused
    used = {"sign_count": found.new_sign_count, "last_used_at": now}
    session.execute(update(Passkey).where(Passkey.id == key.id).values(**used))
    session.execute(update(Account).where(Account.id == account.id).values(last_login_at=now))
    note_login(
        session,
        account_id=account.id,
        outcome="ok",
        method="passkey",
        now=now,
        ip=ip,
        user_agent=user_agent,
        source_port=source_port,
    )
    holder = Holder(PrincipalKind.PATIENT, account_id=account.id)
    return open_session(session, holder, PATIENT_LIFETIME, now=now, ip=ip, user_agent=user_agent)


def remove(session: Session, principal: Principal, passkey_id: UUID, *, now: datetime) -> None:
    """Forget one of an account's passkeys: it opens nothing any more.

    Raises FreshCodeNeeded, PasskeyNotFound.
    """
    account_id = _proven(session, principal, now)
    gone = session.execute(
        delete(Passkey)
        .where(Passkey.id == passkey_id, Passkey.account_id == account_id)
        .returning(Passkey.id)
    )
    if gone.first() is None:
        raise PasskeyNotFound


def _proven(session: Session, principal: Principal, now: datetime) -> UUID:
    """Return the account of a person who has proven themselves in the last minutes."""
    if principal.id is None:
        raise Unauthenticated
    require_fresh(session, principal, now)
    return principal.id


def _key_of(session: Session, credential: dict[str, Any]) -> Passkey | None:
    try:
        named = webauthn.base64url_to_bytes(str(credential.get("rawId", "")))
    except ValueError:
        return None
    return session.execute(select(Passkey).where(Passkey.credential_id == named)).scalar_one_or_none()


def _remember(session: Session, challenge: bytes, account_id: UUID | None, now: datetime) -> UUID:
    session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at < now))
    challenge_id = new_id()
    session.execute(
        insert(PasskeyChallenge).values(
            id=challenge_id,
            challenge=challenge,
            account_id=account_id,
            expires_at=now + CHALLENGE_LIFETIME,
        )
    )
    return challenge_id


def _taken(session: Session, challenge_id: UUID, account_id: UUID | None, now: datetime) -> bytes | None:
    """Use up a challenge of this account (none: of signing in); a second answer finds nothing."""
    challenge = session.execute(
        delete(PasskeyChallenge)
        .where(
            PasskeyChallenge.id == challenge_id,
            PasskeyChallenge.account_id.is_not_distinct_from(account_id),
            PasskeyChallenge.expires_at > now,
        )
        .returning(PasskeyChallenge.challenge)
    ).scalar_one_or_none()
    return None if challenge is None else bytes(challenge)
