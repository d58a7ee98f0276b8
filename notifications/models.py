"""The tables, in a PostgreSQL schema of their own, so that the package could serve another host as well.

`notification` is the intent and its fate; `outbox` holds only what still has to be sent and stays small;
`delivery_attempt` and `receipt` are only ever added to.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import BigInteger, Date, Double, SmallInteger, Text

from notifications.kinds import LANGUAGES
from notifications.preferences import Source
from notifications.states import PausedBy, State

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
    type_annotation_map = {
        str: Text,
        datetime: TIMESTAMP(timezone=True),
        bytes: BYTEA,
        dict[str, Any]: JSONB,
        date: Date,
    }


class Notification(Base):
    """What is to be said to whom. `recipient` and `params` are sealed JSON, empty once purged; the index
    finds a phone again. `owner` is the host's id of the person; `copy_of`: the message that this one repeats.
    """

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
        Index("notification_dead", "updated_at", postgresql_where=text(f"state = '{State.DEAD}'")),
        Index("notification_unpurged", "expires_at", postgresql_where=text("purged_at IS NULL")),
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
    owner: Mapped[UUID | None]
    copy_of: Mapped[UUID | None] = mapped_column(ForeignKey("notifications.notification.id"))
    purged_at: Mapped[datetime | None]
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class OutboxItem(Base):
    """One row per message that still has to leave. `idem_key` is what the provider knows the send by.

    `attempt` counts leases, `tries` the sends among them. `provider`: who has it or last had it.
    `fallback`: the message was accepted elsewhere, and leaves by this channel only when no receipt has come
    by `due_at`.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease"),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        Index("outbox_ready", "channel", "priority", "due_at", postgresql_where=text("lease_owner IS NULL")),
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
    tries: Mapped[int] = mapped_column(server_default="0")
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    in_doubt: Mapped[bool] = mapped_column(server_default=text("false"))
    cancelled: Mapped[bool] = mapped_column(server_default=text("false"))
    idem_key: Mapped[UUID]
    provider: Mapped[str | None]
    fallback: Mapped[bool] = mapped_column(server_default=text("false"))


class DeliveryAttempt(Base):
    """One row per try; never changed. One provider reference belongs to one attempt only."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        Index("delivery_attempt_notification", "notification_id"),
        Index("delivery_attempt_idem_key", "idem_key"),
        Index("delivery_attempt_at", "at"),
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
    vnd: Mapped[int | None]
    at: Mapped[datetime]


class ReceiptRow(Base):
    """What a provider told us afterwards, kept for some weeks as it came but without the phone number."""

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("provider", "event_key"),
        Index("receipt_claimed", "id", postgresql_where=text("status = 'claimed'")),
        Index(
            "receipt_notification", "notification_id", postgresql_where=text("notification_id IS NOT NULL")
        ),
        Index("receipt_said", "received_at", postgresql_where=text("raw <> '{}'")),
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
    bootstraps_seen: Mapped[list[bytes]] = mapped_column(ARRAY(BYTEA), server_default=text("'{}'"))
    refresh_token: Mapped[bytes]
    access_token: Mapped[bytes | None]
    access_expires_at: Mapped[datetime | None]
    state: Mapped[str]
    refresh_started_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class ProviderState(Base):
    """How a provider stands: resting until then, its share of its channel (None: the configured one), and the
    messages that it had left for that day when it was last asked."""

    __tablename__ = "provider_state"
    __table_args__ = (
        CheckConstraint("weight BETWEEN 0 AND 100", name="weight"),
        CheckConstraint(_one_of("paused_by", tuple(PausedBy)), name="paused_by"),
    )

    provider: Mapped[str] = mapped_column(primary_key=True)
    paused_until: Mapped[datetime | None]
    paused_by: Mapped[str | None]
    reason: Mapped[str | None]
    weight: Mapped[int | None] = mapped_column(SmallInteger)
    weight_changed_at: Mapped[datetime | None]
    remaining: Mapped[int | None]
    remaining_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class ProviderChange(Base):
    """Every change of a provider's share or rest, and why; never changed. `changed_by` None: by itself."""

    __tablename__ = "provider_change"
    __table_args__ = (
        CheckConstraint(_one_of("change", ("weight", "pause", "resume")), name="change"),
        Index("provider_change_provider", "provider", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str]
    at: Mapped[datetime]
    change: Mapped[str]
    weight: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str]
    changed_by: Mapped[UUID | None]


class ProviderMinute(Base):
    """What a provider answered in one minute: the breaker, the shares and the operators' page read it."""

    __tablename__ = "provider_minute"

    provider: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str]
    accepted: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    slow: Mapped[int] = mapped_column(server_default="0")
    latency_ms: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Spending(Base):
    """What one provider's accepted messages cost on one local day, in VND by the tariff."""

    __tablename__ = "spending"

    day: Mapped[date] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    messages: Mapped[int] = mapped_column(server_default="0")
    segments: Mapped[int] = mapped_column(server_default="0")
    vnd: Mapped[int] = mapped_column(BigInteger, server_default="0")


class DailyTally(Base):
    """How many messages one phone has had on one local day."""

    __tablename__ = "daily_tally"
    __table_args__ = (Index("daily_tally_day", "day"),)

    recipient_index: Mapped[bytes] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int]


class RateBucket(Base):
    """Sends that a provider still takes, shared by all workers: refilled at `rate` a second."""

    __tablename__ = "rate_bucket"
    __table_args__ = (CheckConstraint("rate > 0", name="rate"),)

    provider: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[float] = mapped_column(Double)
    tokens: Mapped[float] = mapped_column(Double)
    filled_at: Mapped[datetime]
    slowed_at: Mapped[datetime | None]


class Preference(Base):
    """What the owner of a phone wishes; "*" stands for every kind or every channel."""

    __tablename__ = "preference"
    __table_args__ = (CheckConstraint(_one_of("source", tuple(Source)), name="source"),)

    recipient_index: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[bool]
    source: Mapped[str]
    changed_at: Mapped[datetime]


class Contact(Base):
    """How the owner of a phone wants to be written to."""

    __tablename__ = "contact"

    recipient_index: Mapped[bytes] = mapped_column(primary_key=True)
    accented: Mapped[bool] = mapped_column(server_default=text("false"))
    changed_at: Mapped[datetime]


class TemplateVersion(Base):
    """A text as it was used, for ever, and what the provider says of it. `content` is the text's source."""

    __tablename__ = "template"
    __table_args__ = (
        CheckConstraint(_one_of("language", LANGUAGES), name="language"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(_one_of("state", ("draft", "review", "approved", "retired")), name="state"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    content: Mapped[dict[str, Any]]
    digest: Mapped[bytes]
    provider_template_id: Mapped[str | None]
    provider_state: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Alarm(Base):
    """Something that a person must see to, from when until when; one open row each."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("alarm_open", "name", "subject", unique=True, postgresql_where=text("cleared_at IS NULL")),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    raised_at: Mapped[datetime] = mapped_column(primary_key=True)
    cleared_at: Mapped[datetime | None]


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


class ZaloContact(Base):
    """A person as the official account knows them. `uid` and `phone` are sealed.

    The phone is there only once its owner has proven it; until then `claim` holds, sealed, what was typed and
    the code that was sent there. `asked_at`: when we asked for the phone; `replied_at`: our last hint.
    """

    __tablename__ = "zalo_contact"
    __table_args__ = (
        CheckConstraint(
            "(phone_index IS NULL) = (phone IS NULL) AND (phone_index IS NULL) = (linked_at IS NULL)",
            name="phone",
        ),
        CheckConstraint("(claim IS NULL) = (claim_until IS NULL)", name="claim"),
        Index(
            "zalo_contact_by_phone",
            "phone_index",
            "linked_at",
            postgresql_where=text("phone_index IS NOT NULL"),
        ),
    )

    uid_index: Mapped[bytes] = mapped_column(primary_key=True)
    uid: Mapped[bytes]
    following: Mapped[bool] = mapped_column(server_default=text("false"))
    following_at: Mapped[datetime | None]
    phone_index: Mapped[bytes | None]
    phone: Mapped[bytes | None]
    linked_at: Mapped[datetime | None]
    claim: Mapped[bytes | None]
    claim_until: Mapped[datetime | None]
    claim_tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    asked_at: Mapped[datetime | None]
    last_wrote_at: Mapped[datetime | None]
    replied_at: Mapped[datetime | None]


class ZaloEvent(Base):
    """Something that a person did towards the official account. What it was is sealed, and gone once it has
    been acted on; the key stays as long as Zalo may repeat it."""

    __tablename__ = "zalo_event"
    __table_args__ = (
        CheckConstraint("(content IS NULL) = (processed_at IS NOT NULL)", name="content"),
        Index("zalo_event_waiting", "at", postgresql_where=text("processed_at IS NULL")),
        Index("zalo_event_processed", "processed_at", postgresql_where=text("processed_at IS NOT NULL")),
    )

    event_key: Mapped[bytes] = mapped_column(primary_key=True)
    content: Mapped[bytes | None]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
