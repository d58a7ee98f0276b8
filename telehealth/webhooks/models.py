"""Subscriptions, what happened, and what is to be sent to whom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of
from telehealth.webhooks.codes import DeliveryState, SubscriptionState


class WebhookSubscription(Base):
    """A hospital system that hears of some events of its facility.

    `client_id`: the system that asked for it itself; with its admission the sending ends.
    For a while after a rotation the previous secret signs too. `last_sequence` is the number of the
    newest delivery.
    """

    __tablename__ = "webhook_subscription"
    __table_args__ = (
        CheckConstraint(one_of("state", SubscriptionState), name="state"),
        CheckConstraint("cardinality(events) > 0", name="events"),
        CheckConstraint("(previous_sealed IS NULL) = (previous_until IS NULL)", name="previous"),
        Index("ix_webhook_subscription_facility_id", "facility_id"),
        Index(
            "ix_webhook_subscription_client_id",
            "client_id",
            postgresql_where=text("client_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("integrator_client.id"))
    name: Mapped[str]
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(default=SubscriptionState.ACTIVE, server_default="active")
    secret_sealed: Mapped[bytes]
    previous_sealed: Mapped[bytes | None]
    previous_until: Mapped[datetime | None]
    last_sequence: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WebhookEvent(Base):
    """What happened, written by triggers in the transaction in which it did."""

    __tablename__ = "webhook_event"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    facility_id: Mapped[UUID]
    event: Mapped[str]
    subject: Mapped[UUID]
    data: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]


class WebhookDelivery(Base):
    """One event for one subscriber. `next_at` is also the lease of whoever is sending it."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("subscription_id", "sequence"),
        CheckConstraint(one_of("state", DeliveryState), name="state"),
        CheckConstraint("(state = 'waiting') = (settled_at IS NULL)", name="settled"),
        Index(
            "ix_webhook_delivery_next_at",
            "subscription_id",
            "next_at",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_webhook_delivery_subject",
            "subscription_id",
            "subject",
            "sequence",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_webhook_delivery_settled_at", "settled_at", postgresql_where=text("settled_at IS NOT NULL")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_subscription.id"))
    sequence: Mapped[int] = mapped_column(BigInteger)
    event: Mapped[str]
    subject: Mapped[UUID]
    data: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=DeliveryState.WAITING, server_default="waiting")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    give_up_at: Mapped[datetime]
    next_at: Mapped[datetime]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    settled_at: Mapped[datetime | None]
