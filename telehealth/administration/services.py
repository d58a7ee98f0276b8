"""Changing staff and devices of one facility, with a row in the trail for each change."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.accounts import queries, services
from telehealth.accounts.errors import NoPhoneOnFile
from telehealth.accounts.rules import INVITATION_LIFETIME
from telehealth.accounts.services import GrantSpec, NewStaff
from telehealth.administration.errors import NotOnYourself, StaffNotFound
from telehealth.audit.services import Entry, record
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.core.principal import Principal, Role

FACILITY_ROLES = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)


def member(session: Session, facility_id: UUID, account_id: UUID, now: datetime) -> queries.StaffView:
    """Return somebody who works at the facility. Raises StaffNotFound."""
    found = queries.staff_member(session, account_id, now)
    if found is None or not found.roles_at(facility_id):
        raise StaffNotFound
    return found


def send_code(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    account_id: UUID,
    *,
    lost_authenticator: bool,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> None:
    """Let somebody choose a new password. Raises StaffNotFound, NoPhoneOnFile."""
    member(session, facility_id, account_id, now)
    services.send_staff_code(
        session,
        account_id,
        now=now,
        cipher=cipher,
        outbox=outbox,
        second_factor_too=lost_authenticator,
    )
    _note(
        session, principal, "staff.reset", facility_id, account_id, now, lost_authenticator=lost_authenticator
    )


def invite_all(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> int:
    """Send a code for a day to everybody who never signed in; return to how many."""
    sent = 0
    for staff in queries.staff_of(session, facility_id, now):
        if staff.activated or staff.disabled:
            continue
        try:
            services.send_staff_code(
                session, staff.id, now=now, cipher=cipher, outbox=outbox, lifetime=INVITATION_LIFETIME
            )
        except NoPhoneOnFile:
            continue
        _note(session, principal, "staff.invite", facility_id, staff.id, now)
        sent += 1
    return sent


def admit(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    people: Sequence[NewStaff],
    *,
    now: datetime,
    cipher: FieldCipher,
) -> tuple[int, int]:
    """Make accounts and roles of a table; return how many are new and how many were known."""
    done = services.import_staff(session, people, now=now, cipher=cipher)
    for account_id in (*done.created, *done.existing):
        _note(session, principal, "staff.admit", facility_id, account_id, now)
    return len(done.created), len(done.existing)


def set_role(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    account_id: UUID,
    role: Role,
    *,
    holds: bool,
    now: datetime,
) -> None:
    """Give or withdraw a role at the facility. Raises StaffNotFound, NotOnYourself."""
    member(session, facility_id, account_id, now)
    grant = GrantSpec(role, facility_id)
    if holds:
        services.grant_role(session, account_id, grant, now=now)
    else:
        if account_id == principal.id and role is Role.FACILITY_ADMIN:
            raise NotOnYourself
        services.withdraw_role(session, account_id, grant, now=now)
    _note(session, principal, "staff.role", facility_id, account_id, now, role=role.value, holds=holds)


def let_go(
    session: Session, principal: Principal, facility_id: UUID, account_id: UUID, *, now: datetime
) -> None:
    """End all roles at the facility; somebody who works nowhere else loses the account too."""
    if account_id == principal.id:
        raise NotOnYourself
    staff = member(session, facility_id, account_id, now)
    for role, place in staff.grants:
        if place == facility_id:
            services.withdraw_role(session, account_id, GrantSpec(Role(role), place), now=now)
    if all(place == facility_id for _role, place in staff.grants):
        services.disable_staff(session, account_id, now=now)
    _note(session, principal, "staff.let-go", facility_id, account_id, now)


def new_device_code(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    *,
    kind: str,
    name: str,
    now: datetime,
    cipher: FieldCipher,
) -> str:
    """Return a code that makes one machine a device of the facility."""
    code = services.issue_device_code(
        session,
        kind=kind,
        facility_id=facility_id,
        name=name,
        created_by=principal.id,
        now=now,
        cipher=cipher,
    )
    record(
        session,
        principal,
        Entry("device.code", "Device", None, facility_id=facility_id, details={"kind": kind}),
        now=now,
    )
    return code


def revoke_device(
    session: Session, principal: Principal, facility_id: UUID, device_id: UUID, *, now: datetime
) -> None:
    """Turn a device of the facility into a plain machine. Raises NotFound for another's."""
    device = queries.device(session, device_id)
    if device is None or device.facility_id != facility_id:
        raise NotFound
    services.revoke_device(session, device_id, now)
    record(session, principal, Entry("device.revoke", "Device", device_id, facility_id=facility_id), now=now)


def _note(
    session: Session,
    principal: Principal,
    action: str,
    facility_id: UUID,
    account_id: UUID,
    now: datetime,
    **details: object,
) -> None:
    entry = Entry(action, "Account", account_id, facility_id=facility_id, details=details)
    record(session, principal, entry, now=now)
