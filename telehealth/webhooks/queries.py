"""Reading subscriptions and deliveries. Row-level security shows each facility its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.webhooks.codes import DeliveryState, SubscriptionState
from telehealth.webhooks.models import WebhookDelivery, WebhookSubscription


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription without its secret. `waiting` and `dead` count its deliveries."""

    id: UUID
    facility_id: UUID
    name: str
    url: str
    events: tuple[str, ...]
    state: str
    previous_until: datetime | None
    version: int
    created_at: datetime
    waiting: int = 0
    dead: int = 0
    last_delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery and what became of it."""

    id: UUID
    sequence: int
    event: str
    subject: UUID
    state: str
    attempts: int
    occurred_at: datetime
    next_at: datetime
    last_status: int | None
    last_error: str | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, the newest first, and the cursor of older ones."""

    items: tuple[DeliveryView, ...]
    next: str | None


def subscriptions(session: Session, facility_id: UUID) -> list[SubscriptionView]:
    """Return a facility's subscriptions that are not over, by name. One statement."""
    return _views(
        session,
        WebhookSubscription.facility_id == facility_id,
        WebhookSubscription.state != SubscriptionState.ENDED,
    )


def subscription(session: Session, subscription_id: UUID) -> SubscriptionView | None:
    """Return a subscription, over or not."""
    found = _views(session, WebhookSubscription.id == subscription_id)
    return found[0] if found else None


def deliveries(
    session: Session,
    subscription_id: UUID,
    *,
    limit: int,
    cursor: str | None = None,
    state: str | None = None,
) -> DeliveryPage:
    """Return deliveries, the newest first. One statement. Raises BadCursor."""
    asked = select(WebhookDelivery).where(WebhookDelivery.subscription_id == subscription_id)
    if state is not None:
        asked = asked.where(WebhookDelivery.state == state)
    if cursor is not None:
        asked = asked.where(WebhookDelivery.sequence < _sequence(cursor))
    rows = session.scalars(asked.order_by(WebhookDelivery.sequence.desc()).limit(limit + 1)).all()
    items = tuple(_delivery(row) for row in rows[:limit])
    return DeliveryPage(items, encode_cursor(items[-1].sequence) if len(rows) > limit else None)


def _sequence(cursor: str) -> int:
    found = decode_cursor(cursor, 1)[0]
    if not isinstance(found, int) or not 0 <= found < 2**62:
        raise BadCursor
    return found


def _views(session: Session, *where: Any) -> list[SubscriptionView]:
    counts = (
        select(
            WebhookDelivery.subscription_id,
            func.count().filter(WebhookDelivery.state == DeliveryState.WAITING).label("waiting"),
            func.count().filter(WebhookDelivery.state == DeliveryState.DEAD).label("dead"),
            func.max(WebhookDelivery.settled_at)
            .filter(WebhookDelivery.state == DeliveryState.DELIVERED)
            .label("last"),
        )
        .group_by(WebhookDelivery.subscription_id)
        .subquery()
    )
    rows: Sequence[Any] = session.execute(
        select(WebhookSubscription, counts.c.waiting, counts.c.dead, counts.c.last)
        .outerjoin(counts, counts.c.subscription_id == WebhookSubscription.id)
        .where(*where)
        .order_by(WebhookSubscription.name, WebhookSubscription.id)
    ).all()
    return [
        SubscriptionView(
            id=row.id,
            facility_id=row.facility_id,
            name=row.name,
            url=row.url,
            events=tuple(row.events),
            state=row.state,
            previous_until=row.previous_until,
            version=row.version,
            created_at=row.created_at,
            waiting=waiting or 0,
            dead=dead or 0,
            last_delivered_at=last,
        )
        for row, waiting, dead, last in rows
    ]


def _delivery(row: WebhookDelivery) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        sequence=row.sequence,
        event=row.event,
        subject=row.subject,
        state=row.state,
        attempts=row.attempts,
        occurred_at=row.occurred_at,
        next_at=row.next_at,
        last_status=row.last_status,
        last_error=row.last_error,
        settled_at=row.settled_at,
    )
