"""The tables, in a PostgreSQL schema of their own, so that the package could serve another host as well.

`notification` is the intent and its fate; `outbox` holds only what still has to be sent and stays small;
`delivery_attempt` and `receipt` are only ever added to.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import BigInteger, SmallInteger, Text

from notifications.kinds import LANGUAGES
from notifications.states import State

SCHEMA = "notifications"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


class Base(DeclarativeBase):
    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s",
        },
    )
    type_annotation_map = {str: Text, datetime: TIMESTAMP(timezone=True), bytes: BYTEA, dict[str, Any]: JSONB}


class Notification(Base):
    """What is to be said to whom. `recipient` and `params` are sealed JSON; the index finds a phone again."""

    __tablename__ = "notification"
    __table_args__ = (
        CheckConstraint(_one_of("state", tuple(State)), name="state"),
        CheckConstraint(_one_of("language", LANGUAGES), name="language"),
        CheckConstraint("expires_at > not_before", name="period"),
        Index("notification_subject", "subject", postgresql_where=text("subject IS NOT NULL")),
        Index(
            "notification_recipient",
            "recipient_index",
            "created_at",
            postgresql_where=text("recipient_index IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    language: Mapped[str]
    template_version: Mapped[int]
    recipient: Mapped[bytes]
    recipient_index: Mapped[bytes | None]
    params: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default=State.QUEUED)
    channel: Mapped[str | None]
    provider: Mapped[str | None]
    provider_ref: Mapped[str | None]
    subject: Mapped[UUID | None]
    group_id: Mapped[UUID | None]
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class OutboxItem(Base):
    """One row per message that still has to leave. `idem_key` is what the provider knows the send by."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease"),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        Index("outbox_ready", "priority", "due_at", postgresql_where=text("lease_owner IS NULL")),
        Index("outbox_leased", "lease_until", postgresql_where=text("lease_owner IS NOT NULL")),
        Index("outbox_idem_key", "idem_key", unique=True),
        {
            "postgresql_with": {
                "fillfactor": "50",
                "autovacuum_vacuum_scale_factor": "0.01",
                "autovacuum_vacuum_threshold": "1000",
            }
        },
    )

    notification_id: Mapped[UUID] = mapped_column(ForeignKey(Notification.id), primary_key=True)
    channel: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime]
    attempt: Mapped[int] = mapped_column(server_default="0")
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    in_doubt: Mapped[bool] = mapped_column(server_default=text("false"))
    cancelled: Mapped[bool] = mapped_column(server_default=text("false"))
    idem_key: Mapped[UUID]


class DeliveryAttempt(Base):
    """One row per try; never changed. One provider reference belongs to one attempt only."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        Index("delivery_attempt_notification", "notification_id"),
        Index("delivery_attempt_idem_key", "idem_key"),
        Index(
            "delivery_attempt_ref",
            "provider",
            "provider_ref",
            unique=True,
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    notification_id: Mapped[UUID] = mapped_column(ForeignKey(Notification.id))
    idem_key: Mapped[UUID]
    attempt: Mapped[int]
    channel: Mapped[str]
    provider: Mapped[str]
    outcome: Mapped[str]
    code: Mapped[str | None]
    provider_ref: Mapped[str | None]
    segments: Mapped[int | None] = mapped_column(SmallInteger)
    latency_ms: Mapped[int | None]
    at: Mapped[datetime]


class ReceiptRow(Base):
    """What a provider told us afterwards, kept as it came but without the phone number."""

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("provider", "event_key"),
        Index(
            "receipt_notification", "notification_id", postgresql_where=text("notification_id IS NOT NULL")
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str]
    event_key: Mapped[str]
    idem_key: Mapped[UUID | None]
    provider_ref: Mapped[str | None]
    status: Mapped[str]
    code: Mapped[str | None]
    raw: Mapped[dict[str, Any]]
    notification_id: Mapped[UUID | None]
    received_at: Mapped[datetime]


class ProviderToken(Base):
    """The one OAuth token pair of a provider. Its refresh token can be used once, by one process."""

    __tablename__ = "provider_token"
    __table_args__ = (CheckConstraint(_one_of("state", ("ok", "refreshing", "needs_reauth")), name="state"),)

    provider: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    bootstrap_index: Mapped[bytes]
    refresh_token: Mapped[bytes]
    access_token: Mapped[bytes | None]
    access_expires_at: Mapped[datetime | None]
    state: Mapped[str]
    refresh_started_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class ProviderState(Base):
    """A provider that must rest: wrong credentials, empty quota. While it rests the next channel is taken."""

    __tablename__ = "provider_state"

    provider: Mapped[str] = mapped_column(primary_key=True)
    paused_until: Mapped[datetime | None]
    reason: Mapped[str | None]
    updated_at: Mapped[datetime]


class Unreachable(Base):
    """An address that a channel cannot reach until then, for instance a phone without Zalo."""

    __tablename__ = "unreachable"

    channel: Mapped[str] = mapped_column(primary_key=True)
    recipient_index: Mapped[bytes] = mapped_column(primary_key=True)
    code: Mapped[str | None]
    until: Mapped[datetime]


class PushSubscription(Base):
    """A browser in which `owner` (the host's id of an account) wants push messages, turned on during a
    `sign_in` (the host's id of it). Endpoint and keys are sealed JSON; the index finds an endpoint again."""

    __tablename__ = "push_subscription"
    __table_args__ = (
        Index("push_subscription_owner", "owner", "seen_at"),
        Index("push_subscription_sign_in", "sign_in", postgresql_where=text("sign_in IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[UUID]
    sign_in: Mapped[UUID | None]
    endpoint_index: Mapped[bytes] = mapped_column(unique=True)
    sealed: Mapped[bytes]
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
