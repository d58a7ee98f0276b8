"""Accounts, roles, sessions, one-time codes, devices."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.core.principal import Role


class AccountKind(StrEnum):
    """Patients sign in by phone, staff by login."""

    PATIENT = "patient"
    STAFF = "staff"


class Account(Base):
    """A person who signs in. Staff have a login, patients a phone or an e-mail address."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(one_of("kind", AccountKind), name="kind"),
        CheckConstraint(
            "(kind = 'staff' AND login IS NOT NULL)"
            " OR (kind = 'patient' AND (phone_index IS NOT NULL OR email_index IS NOT NULL))",
            name="named",
        ),
        UniqueConstraint("login"),
        UniqueConstraint("phone_index"),
        UniqueConstraint("email_index"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    login: Mapped[str | None]
    phone_sealed: Mapped[bytes | None]
    phone_index: Mapped[bytes | None]
    email_sealed: Mapped[bytes | None]
    email_index: Mapped[bytes | None]
    display_name: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="vi")
    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioner.id"))
    password_hash: Mapped[str | None]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    totp_secret_sealed: Mapped[bytes | None]
    totp_confirmed_at: Mapped[datetime | None]
    totp_last_step: Mapped[int | None]
    pin_hash: Mapped[str | None]
    failed_count: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    enabled_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Membership(Base):
    """A staff role, at one facility or (None) the whole province."""

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint(one_of("role", Role), name="role"),
        Index("ix_membership_account_id", "account_id"),
        Index("ix_membership_facility_id", "facility_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    role: Mapped[str]
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class AccessSession(Base):
    """One sign-in: a browser's cookie or a program's bearer token, revocable at once."""

    __tablename__ = "access_session"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index("ix_access_session_account_id", "account_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[bytes]
    kind: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("integrator_client.id"))
    mfa: Mapped[bool] = mapped_column(default=False)
    proven_at: Mapped[datetime | None]
    idle_seconds: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]


class OtpChallenge(Base):
    """A one-time code on its way to a phone or an e-mail address; the code itself is stored hashed."""

    __tablename__ = "otp_challenge"
    __table_args__ = (
        CheckConstraint(
            "(phone_index IS NULL) = (phone_sealed IS NULL)"
            " AND (email_index IS NULL) = (email_sealed IS NULL)"
            " AND (phone_index IS NULL) <> (email_index IS NULL)",
            name="address",
        ),
        Index("ix_otp_challenge_phone_index_created_at", "phone_index", "created_at"),
        Index("ix_otp_challenge_ip_created_at", "ip", "created_at"),
        Index("ix_otp_challenge_account_id", "account_id", postgresql_where=text("account_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    phone_sealed: Mapped[bytes | None]
    phone_index: Mapped[bytes | None]
    email_sealed: Mapped[bytes | None]
    email_index: Mapped[bytes | None]
    purpose: Mapped[str]
    code_hash: Mapped[bytes]
    language: Mapped[str] = mapped_column(default="vi")
    attempts: Mapped[int] = mapped_column(default=0)
    ip: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Device(Base):
    """A kiosk, a board or an enrolled hospital computer."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint("kind IN ('kiosk', 'board', 'computer')", name="kind"),
        UniqueConstraint("token_hash"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    name: Mapped[str]
    token_hash: Mapped[bytes]
    enrolled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    enrolled_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class DeviceEnrolment(Base):
    """A code that turns one machine into a device of a facility, once."""

    __tablename__ = "device_enrolment"
    __table_args__ = (
        CheckConstraint("kind IN ('kiosk', 'board', 'computer')", name="kind"),
        UniqueConstraint("code_index"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code_index: Mapped[bytes]
    kind: Mapped[str]
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    name: Mapped[str]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class DeviceUser(Base):
    """Who signed in fully on an enrolled computer, and until when a PIN changes back to them."""

    __tablename__ = "device_user"

    device_id: Mapped[UUID] = mapped_column(ForeignKey("device.id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), primary_key=True)
    signed_in_at: Mapped[datetime]
    mfa: Mapped[bool]
    pin_failures: Mapped[int] = mapped_column(default=0)


class RateCount(Base):
    """How often something was done under a name in one window of time."""

    __tablename__ = "rate_count"
    __table_args__ = (Index("ix_rate_count_window_start", "window_start"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]


class IntegratorClient(Base):
    """Another system with credentials and scopes of its own."""

    __tablename__ = "integrator_client"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    secret_hash: Mapped[bytes]
    scopes: Mapped[list[Any]] = mapped_column(default=list)
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class LoginEvent(Base):
    """A sign-in, refused or not: who, when, from where (ND 333/2026 art. 16: address and port)."""

    __tablename__ = "login_event"
    __table_args__ = (Index("ix_login_event_account_id_at", "account_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    outcome: Mapped[str]
    method: Mapped[str]
    ip: Mapped[str | None]
    source_port: Mapped[int | None]
    user_agent: Mapped[str | None]
