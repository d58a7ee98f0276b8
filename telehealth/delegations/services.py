"""Giving and taking back the right to act for somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from notifications import Message, Outbox
from telehealth.accounts.contacts import contact_fault, read_contact
from telehealth.accounts.services.otp import account_of
from telehealth.accounts.services.own_code import prove_own
from telehealth.audit.services import Entry, record
from telehealth.core.clock import at_local, business_date, local
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.text import clean
from telehealth.delegations.errors import BadDelegation, CannotDelegate, TooManyDelegates
from telehealth.delegations.models import Delegation
from telehealth.delegations.queries import DelegationView, may_delegate, open_count
from telehealth.delegations.rules import (
    LONGEST_NAME,
    MOST_OPEN,
    TEXT_VERSION,
    Scope,
    until_fault,
    with_seeing,
)
from telehealth.patients.models import Relation
from telehealth.patients.queries import recipient_of

PURPOSE = "delegation"
_TOLD_FOR = timedelta(days=2)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('delegation:' || :patient, 0))")


@dataclass(frozen=True, slots=True)
class NewDelegation:
    """Whom to let act: `contact` is a telephone or e-mail address they sign in with, `until` the last day."""

    patient_id: UUID
    name: str
    contact: str
    scopes: frozenset[str]
    until: date | None
    relation: str = Relation.RELATIVE.value


@dataclass(frozen=True, slots=True)
class Proof:
    """The code that came to the giver's own address."""

    challenge_id: UUID
    code: str


def check(session: Session, principal: Principal, new: NewDelegation, now: datetime) -> None:
    """Raise BadDelegation for what cannot be right, CannotDelegate for whom the account may not give for."""
    faults = _faults(new, business_date(now))
    if faults:
        raise BadDelegation(faults)
    own = {patient_id for patient_id, _name in may_delegate(session, principal, now)}
    if principal.kind is PrincipalKind.PATIENT and new.patient_id not in own:
        raise CannotDelegate


def give_by_code(
    session: Session,
    principal: Principal,
    new: NewDelegation,
    proof: Proof,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Let somebody act, confirmed by a code to the giver's own address.

    Raises BadDelegation, CannotDelegate, TooManyDelegates, WrongCode.
    """
    check(session, principal, new, now)
    prove_own(session, principal, proof.challenge_id, PURPOSE, proof.code, now=now, cipher=cipher)
    return _give(session, principal, new, {"given_how": "code"}, now=now, cipher=cipher)


def give_at_desk(
    session: Session,
    principal: Principal,
    new: NewDelegation,
    *,
    facility_id: UUID,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    page: str,
) -> UUID:
    """Let somebody act, by the word of a person whose papers the desk has seen; the person is told of it.

    `page` is the address where they see and end it. Raises BadDelegation, TooManyDelegates.
    """
    check(session, principal, new, now)
    how = {"given_how": "desk", "facility_id": facility_id}
    delegation_id = _give(session, principal, new, how, now=now, cipher=cipher)
    to = recipient_of(session, new.patient_id, None, cipher)
    if to is not None:
        message = Message(
            kind="delegation-given",
            recipient=to,
            params={"date": _last_day(_end(new)).strftime("%d/%m/%Y"), "link": page},
            dedupe_key=f"delegation-given:{delegation_id}",
            not_before=now,
            expires_at=now + _TOLD_FOR,
            subject=delegation_id,
        )
        outbox.enqueue(session, [message], now=now)
    return delegation_id


def revoke(session: Session, principal: Principal, view: DelegationView, *, now: datetime) -> None:
    """End a delegation at once; ended again, it stays as it is."""
    session.execute(
        update(Delegation)
        .where(Delegation.id == view.id, Delegation.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=principal.id)
        .execution_options(synchronize_session=False)
    )
    record(session, principal, Entry("delegation.revoke", "Consent", view.id, view.patient_id), now=now)


def _give(
    session: Session,
    principal: Principal,
    new: NewDelegation,
    how: Mapping[str, Any],
    *,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Write it in place of an earlier one to the same account: that is how one is renewed."""
    session.execute(_ONE_AT_A_TIME, {"patient": str(new.patient_id)})
    contact = read_contact(new.contact)
    if contact is None:
        raise BadDelegation({"contact": ["delegations-contact-missing"]})
    delegate = account_of(session, contact, language="vi", now=now, cipher=cipher).id
    if delegate == principal.id:
        raise BadDelegation({"contact": ["delegations-contact-own"]})
    session.execute(
        update(Delegation)
        .where(
            Delegation.patient_id == new.patient_id,
            Delegation.account_id == delegate,
            Delegation.revoked_at.is_(None),
        )
        .values(revoked_at=now, revoked_by=principal.id)
        .execution_options(synchronize_session=False)
    )
    if open_count(session, new.patient_id, now) >= MOST_OPEN:
        raise TooManyDelegates(most=MOST_OPEN)
    delegation_id, scopes = new_id(), list(with_seeing(new.scopes))
    session.execute(
        insert(Delegation).values(
            id=delegation_id,
            patient_id=new.patient_id,
            account_id=delegate,
            delegate_name=clean(new.name),
            relation=new.relation,
            scopes=scopes,
            valid_from=now,
            valid_to=_end(new),
            given_by=principal.id,
            text_version=TEXT_VERSION,
            created_at=now,
            **how,
        )
    )
    entry = Entry(
        "delegation.give",
        "Consent",
        delegation_id,
        new.patient_id,
        how.get("facility_id"),
        {"scopes": scopes, "how": how["given_how"], "text": TEXT_VERSION},
    )
    record(session, principal, entry, now=now)
    return delegation_id


def _faults(new: NewDelegation, today: date) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    if not 0 < len(clean(new.name)) <= LONGEST_NAME:
        faults["name"] = ["delegations-name-missing"]
    if fault := contact_fault(new.contact) if new.contact else "delegations-contact-missing":
        faults["contact"] = [fault]
    if new.relation not in {known.value for known in Relation}:
        faults["relation"] = ["patients-relation-wrong"]
    if new.scopes - {scope.value for scope in Scope}:
        faults["scopes"] = ["delegations-scopes-wrong"]
    if fault := until_fault(new.until, today):
        faults["until"] = [fault]
    return faults


def _end(new: NewDelegation) -> datetime:
    if new.until is None:
        raise BadDelegation({"until": ["delegations-until-missing"]})
    return at_local(new.until + timedelta(days=1), 0)


def _last_day(end: datetime) -> date:
    return local(end - timedelta(seconds=1)).date()
