"""Reading delegations. Row-level security shows each their own."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from telehealth.audit.queries import Event, events_of_actor
from telehealth.core.principal import Principal
from telehealth.delegations.models import Delegation
from telehealth.patients.models import AccountPatient, Patient, PatientFacility, Relation

_SHOWN_AFTER = timedelta(days=90)
_GIVERS = (Relation.SELF.value, Relation.PARENT.value, Relation.GUARDIAN.value)


@dataclass(frozen=True, slots=True)
class DelegationView:
    """Who may do what for whom, until when. `patient_name` is None for a delegate whose time is over."""

    id: UUID
    patient_id: UUID
    patient_name: str | None
    account_id: UUID
    delegate_name: str
    relation: str
    scopes: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime
    given_how: str
    revoked_at: datetime | None
    known_at: frozenset[UUID] = frozenset()

    def stands(self, now: datetime) -> bool:
        """Tell whether it holds."""
        return self.revoked_at is None and self.valid_to > now

    @property
    def ended_at(self) -> datetime:
        """Return when it ended, or will."""
        return self.valid_to if self.revoked_at is None else min(self.revoked_at, self.valid_to)


def delegation(session: Session, delegation_id: UUID) -> DelegationView | None:
    """Return a delegation the entered principal may see, or None."""
    found = _views(session, Delegation.id == delegation_id)
    return found[0] if found else None


def given_for(session: Session, patient_ids: Collection[UUID], now: datetime) -> list[DelegationView]:
    """Return who may act for these people, and who might lately; those that hold first."""
    found = _views(session, Delegation.patient_id.in_(patient_ids), _lately(now))
    return sorted(found, key=lambda view: (not view.stands(now), -view.valid_from.timestamp()))


def held_by(session: Session, account_id: UUID, now: datetime) -> list[DelegationView]:
    """Return for whom an account may act by delegation now."""
    found = _views(session, Delegation.account_id == account_id, _lately(now))
    return [view for view in found if view.stands(now)]


def open_count(session: Session, patient_id: UUID, now: datetime) -> int:
    """Return how many may act for somebody now."""
    return session.execute(
        select(func.count())
        .select_from(Delegation)
        .where(
            Delegation.patient_id == patient_id, Delegation.revoked_at.is_(None), Delegation.valid_to > now
        )
    ).scalar_one()


def may_delegate(session: Session, principal: Principal, now: datetime) -> list[tuple[UUID, str]]:
    """Return the people (id, name) whose things the account may let somebody else do, oneself first."""
    rows = session.execute(
        select(Patient.id, Patient.full_name)
        .join(AccountPatient, AccountPatient.patient_id == Patient.id)
        .where(
            AccountPatient.account_id == principal.id,
            AccountPatient.relation.in_(_GIVERS),
            or_(AccountPatient.valid_to.is_(None), AccountPatient.valid_to > now),
            Patient.merged_into.is_(None),
        )
        .order_by(AccountPatient.relation != Relation.SELF.value, Patient.name_sort)
    )
    return [(row.id, row.full_name) for row in rows]


def done_by(session: Session, view: DelegationView, *, limit: int = 20) -> Sequence[Event]:
    """Return what the delegate has done for the person, the newest first."""
    return events_of_actor(session, view.patient_id, view.account_id, since=view.valid_from, limit=limit)


def _lately(now: datetime) -> ColumnElement[bool]:
    since = now - _SHOWN_AFTER
    return and_(
        Delegation.valid_to > since, or_(Delegation.revoked_at.is_(None), Delegation.revoked_at > since)
    )


def _views(session: Session, *conditions: ColumnElement[bool]) -> list[DelegationView]:
    rows = session.execute(
        select(Delegation, Patient.full_name)
        .outerjoin(Patient, Patient.id == Delegation.patient_id)
        .where(*conditions)
        .order_by(Delegation.valid_from.desc(), Delegation.id)
    ).all()
    known: dict[UUID, set[UUID]] = {}
    for patient_id, facility_id in session.execute(
        select(PatientFacility.patient_id, PatientFacility.facility_id).where(
            PatientFacility.patient_id.in_({row.Delegation.patient_id for row in rows})
        )
    ):
        known.setdefault(patient_id, set()).add(facility_id)
    return [
        DelegationView(
            id=row.Delegation.id,
            patient_id=row.Delegation.patient_id,
            patient_name=row.full_name,
            account_id=row.Delegation.account_id,
            delegate_name=row.Delegation.delegate_name,
            relation=row.Delegation.relation,
            scopes=tuple(row.Delegation.scopes),
            valid_from=row.Delegation.valid_from,
            valid_to=row.Delegation.valid_to,
            given_how=row.Delegation.given_how,
            revoked_at=row.Delegation.revoked_at,
            known_at=frozenset(known.get(row.Delegation.patient_id, ())),
        )
        for row in rows
    ]
