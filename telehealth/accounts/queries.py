"""Reading accounts, sign-ins, staff and devices."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from telehealth.accounts.contacts import Contact, opened_contact
from telehealth.accounts.models import AccessSession, Account, Device, IntegratorClient, Membership
from telehealth.core.crypto import FieldCipher


@dataclass(frozen=True, slots=True)
class SessionView:
    """One open sign-in of an account."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class StaffView:
    """A member of staff, as administration sees them."""

    id: UUID
    login: str
    display_name: str
    has_phone: bool
    activated: bool
    second_factor: bool
    disabled: bool
    last_login_at: datetime | None
    grants: tuple[tuple[str, UUID | None], ...]

    def roles_at(self, facility_id: UUID) -> list[str]:
        """Return the roles that hold at a facility."""
        return sorted({role for role, place in self.grants if place == facility_id})


@dataclass(frozen=True, slots=True)
class DeviceView:
    """An enrolled machine."""

    id: UUID
    kind: str
    facility_id: UUID
    name: str
    enrolled_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class IntegratorView:
    """Another system that is admitted; without a facility it speaks for all."""

    id: UUID
    name: str
    facility_id: UUID | None
    scopes: tuple[str, ...]


def integrators(session: Session) -> list[IntegratorView]:
    """Return the systems that are admitted, the first one first."""
    rows = session.scalars(
        select(IntegratorClient)
        .where(IntegratorClient.revoked_at.is_(None))
        .order_by(IntegratorClient.created_at, IntegratorClient.id)
    )
    return [IntegratorView(row.id, row.name, row.facility_id, tuple(row.scopes)) for row in rows]


def phone_of_account(session: Session, account_id: UUID, cipher: FieldCipher) -> str | None:
    """Return the phone a patient's account is reached by; a clerk's own phone is nobody's reminder."""
    sealed = session.execute(
        select(Account.phone_sealed).where(Account.id == account_id, Account.kind == "patient")
    ).scalar_one_or_none()
    return cipher.open_text(sealed, f"account.phone:{account_id}")


def contact_of_account(session: Session, account_id: UUID, cipher: FieldCipher) -> Contact | None:
    """Return how a patient's account is reached: the telephone, else the e-mail address."""
    row = session.execute(
        select(Account.phone_sealed, Account.email_sealed).where(
            Account.id == account_id, Account.kind == "patient"
        )
    ).one_or_none()
    if row is None:
        return None
    return opened_contact(row.phone_sealed, row.email_sealed, "account", account_id, cipher)


def account_names(session: Session, account_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return how staff are called on screens, by account."""
    rows = session.execute(select(Account.id, Account.display_name).where(Account.id.in_(account_ids)))
    return {row.id: row.display_name for row in rows}


def account_by_login(session: Session, login: str) -> UUID | None:
    """Return the account of a login."""
    return session.execute(select(Account.id).where(Account.login == login)).scalar_one_or_none()


def sessions_of(session: Session, account_id: UUID, now: datetime) -> list[SessionView]:
    """Return an account's open sign-ins, the latest used first."""
    rows = session.execute(
        select(AccessSession)
        .where(
            AccessSession.account_id == account_id,
            AccessSession.revoked_at.is_(None),
            AccessSession.expires_at > now,
        )
        .order_by(AccessSession.last_seen_at.desc())
        .limit(50)
    )
    return [
        SessionView(row.id, row.created_at, row.last_seen_at, row.expires_at, row.ip, row.user_agent)
        for row in rows.scalars()
    ]


def staff_of(session: Session, facility_id: UUID, now: datetime) -> list[StaffView]:
    """Return the staff of a facility, closed accounts too, by name."""
    ids = select(Membership.account_id).where(Membership.facility_id == facility_id, _valid(now))
    rows = session.execute(
        select(Account).where(Account.id.in_(ids)).order_by(Account.display_name, Account.login)
    )
    return _staff_views(session, list(rows.scalars()), now)


def staff_member(session: Session, account_id: UUID, now: datetime) -> StaffView | None:
    """Return one member of staff."""
    row = session.get(Account, account_id)
    return None if row is None or row.login is None else _staff_views(session, [row], now)[0]


def staff_counts(session: Session, now: datetime) -> dict[UUID, int]:
    """Return how many people work at each facility with an open account."""
    rows = session.execute(
        select(Membership.facility_id, func.count(Membership.account_id.distinct()))
        .join(Account, Account.id == Membership.account_id)
        .where(_valid(now), Membership.facility_id.is_not(None), Account.disabled_at.is_(None))
        .group_by(Membership.facility_id)
    )
    return {facility_id: count for facility_id, count in rows if facility_id is not None}


def devices_of(session: Session, facility_id: UUID) -> list[DeviceView]:
    """Return a facility's devices that are still enrolled."""
    rows = session.execute(
        select(Device)
        .where(Device.facility_id == facility_id, Device.revoked_at.is_(None))
        .order_by(Device.kind, Device.name)
    )
    return [_device_view(row) for row in rows.scalars()]


def device(session: Session, device_id: UUID) -> DeviceView | None:
    """Return one enrolled device."""
    row = session.get(Device, device_id)
    return None if row is None or row.revoked_at is not None else _device_view(row)


def _staff_views(session: Session, rows: list[Account], now: datetime) -> list[StaffView]:
    grants: dict[UUID, list[tuple[str, UUID | None]]] = {}
    for account_id, role, facility_id in session.execute(
        select(Membership.account_id, Membership.role, Membership.facility_id)
        .where(Membership.account_id.in_([row.id for row in rows]), _valid(now))
        .order_by(Membership.role)
    ):
        grants.setdefault(account_id, []).append((role, facility_id))
    return [
        StaffView(
            id=row.id,
            login=row.login or "",
            display_name=row.display_name,
            has_phone=row.phone_sealed is not None,
            activated=row.password_hash is not None,
            second_factor=row.totp_confirmed_at is not None,
            disabled=row.disabled_at is not None,
            last_login_at=row.last_login_at,
            grants=tuple(grants.get(row.id, ())),
        )
        for row in rows
    ]


def _device_view(row: Device) -> DeviceView:
    return DeviceView(row.id, row.kind, row.facility_id, row.name, row.enrolled_at, row.last_seen_at)


def _valid(now: datetime) -> ColumnElement[bool]:
    return and_(Membership.valid_from <= now, or_(Membership.valid_to.is_(None), Membership.valid_to > now))
