"""Reading what the page of a person at the desk shows besides free times: doctors, and what is blocked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from telehealth.core.principal import Principal, Role
from telehealth.directory.models import Practitioner
from telehealth.scheduling.codes import SessionStatus
from telehealth.scheduling.models import Blocking, ClinicSession


@dataclass(frozen=True, slots=True)
class Doctor:
    """A practitioner as the list of doctors shows them."""

    id: UUID
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class BlockedTime:
    """A time when nobody is booked; `roles` and `accounts` may all the same. No doctor: more than one."""

    from_at: datetime
    to_at: datetime
    reason: str
    doctor: Doctor | None
    roles: Sequence[str]
    accounts: Collection[UUID]

    def opens_to(self, principal: Principal, facility_id: UUID) -> bool:
        """Tell whether somebody may book here all the same, with a reason."""
        return principal.id in self.accounts or principal.holds_at(facility_id, *map(Role, self.roles))


def doctors_of_service(
    session: Session, facility_id: UUID, service_code: str, *, now: datetime
) -> list[Doctor]:
    """Return who has sessions of a service at a facility that are not over, by given name."""
    working = select(ClinicSession.practitioner_id).where(
        ClinicSession.facility_id == facility_id,
        ClinicSession.service_code == service_code,
        ClinicSession.status == SessionStatus.OPEN,
        ClinicSession.end_at > now,
    )
    rows = session.execute(
        select(Practitioner.id, Practitioner.name, Practitioner.title)
        .where(Practitioner.id.in_(working))
        .order_by(Practitioner.name_sort, Practitioner.id)
    )
    return [Doctor(*row) for row in rows]


def blocked_times(
    session: Session,
    facility_id: UUID,
    service_code: str,
    *,
    doctor_id: UUID | None,
    from_: datetime,
    to: datetime,
) -> list[BlockedTime]:
    """Return the blockings that close times of a service between two instants, in their order."""
    touched = (
        select(ClinicSession.id)
        .where(
            ClinicSession.facility_id == facility_id,
            ClinicSession.service_code == service_code,
            ClinicSession.status == SessionStatus.OPEN,
            ClinicSession.start_at < func.least(Blocking.to_at, to),
            ClinicSession.end_at > func.greatest(Blocking.from_at, from_),
            or_(
                Blocking.practitioner_id.is_(None),
                Blocking.practitioner_id == ClinicSession.practitioner_id,
            ),
            or_(
                Blocking.resource_id.is_(None),
                func.array_position(ClinicSession.resource_ids, Blocking.resource_id).is_not(None),
            ),
            *([ClinicSession.practitioner_id == doctor_id] if doctor_id else []),
        )
        .exists()
    )
    rows = session.execute(
        select(Blocking, Practitioner)
        .outerjoin(Practitioner, Practitioner.id == Blocking.practitioner_id)
        .where(
            Blocking.facility_id == facility_id,
            Blocking.lifted_at.is_(None),
            Blocking.from_at < to,
            Blocking.to_at > from_,
            touched,
        )
        .order_by(Blocking.from_at, Blocking.id)
    )
    return [
        BlockedTime(
            from_at=row.from_at,
            to_at=row.to_at,
            reason=row.reason,
            doctor=None if who is None else Doctor(who.id, who.name, who.title),
            roles=row.override_roles,
            accounts=frozenset(row.override_account_ids),
        )
        for row, who in rows
    ]
