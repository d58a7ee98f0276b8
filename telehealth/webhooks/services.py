"""Keeping subscriptions: made, changed, rotated, tried, replayed. Each change is in the trail."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.webhooks.codes import TEST, DeliveryState, SubscriptionState
from telehealth.webhooks.errors import (
    SubscriptionChanged,
    SubscriptionEnded,
    SubscriptionUnknown,
    TargetRefused,
)
from telehealth.webhooks.models import WebhookDelivery, WebhookSubscription
from telehealth.webhooks.rules import LIFETIME, OVERLAP, Reach, Target, written_secret
from telehealth.webhooks.sending import resolved

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What a hospital's system wants to hear, and where."""

    facility_id: UUID
    name: str
    url: str
    events: Sequence[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed of a subscription; None stays."""

    version: int
    name: str | None = None
    url: str | None = None
    events: Sequence[str] | None = None
    state: SubscriptionState | None = None


def secret_context(subscription_id: UUID) -> str:
    """Return what a subscription's secrets are sealed for."""
    return f"webhook_subscription.secret:{subscription_id}"


def subscribe(
    session: Session,
    principal: Principal,
    wanted: NewSubscription,
    *,
    reach: Reach,
    now: datetime,
    cipher: FieldCipher,
) -> tuple[UUID, str]:
    """Make a subscription; return its id and its secret, which is shown this once. Raises TargetRefused."""
    check_target(wanted.url, reach)
    identifier, secret = new_id(), written_secret(os.urandom(_SECRET_BYTES))
    session.add(
        WebhookSubscription(
            id=identifier,
            facility_id=wanted.facility_id,
            client_id=principal.id if principal.kind is PrincipalKind.INTEGRATOR else None,
            name=wanted.name,
            url=wanted.url,
            events=sorted(set(wanted.events)),
            secret_sealed=cipher.seal(secret.encode(), secret_context(identifier).encode()),
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()
    _note(session, principal, "webhook.subscribe", identifier, wanted.facility_id, now)
    return identifier, secret


def change(
    session: Session,
    principal: Principal,
    subscription_id: UUID,
    wanted: Change,
    *,
    reach: Reach,
    now: datetime,
) -> None:
    """Change a subscription.

    Raises SubscriptionUnknown, SubscriptionEnded, SubscriptionChanged, TargetRefused.
    """
    row = _locked(session, subscription_id)
    if row.version != wanted.version:
        raise SubscriptionChanged
    if wanted.url is not None:
        check_target(wanted.url, reach)
        row.url = wanted.url
    if wanted.name is not None:
        row.name = wanted.name
    if wanted.events is not None:
        row.events = sorted(set(wanted.events))
    if wanted.state is not None:
        row.state = wanted.state.value
    row.version, row.updated_at = row.version + 1, now
    session.flush()
    _note(session, principal, "webhook.change", row.id, row.facility_id, now)


def rotate(
    session: Session,
    principal: Principal,
    subscription_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> str:
    """Make a new secret and return it, shown this once; the one before signs too for a week."""
    row = _locked(session, subscription_id)
    secret = written_secret(os.urandom(_SECRET_BYTES))
    row.previous_sealed, row.previous_until = row.secret_sealed, now + OVERLAP
    row.secret_sealed = cipher.seal(secret.encode(), secret_context(row.id).encode())
    row.version, row.updated_at = row.version + 1, now
    session.flush()
    _note(session, principal, "webhook.rotate", row.id, row.facility_id, now)
    return secret


def try_out(session: Session, principal: Principal, subscription_id: UUID, *, now: datetime) -> UUID:
    """Send a delivery that says nothing but that it arrives; return its id."""
    row = _locked(session, subscription_id)
    row.last_sequence += 1
    delivery_id = new_id()
    session.add(
        WebhookDelivery(
            id=delivery_id,
            subscription_id=row.id,
            sequence=row.last_sequence,
            event=TEST,
            subject=row.id,
            data={},
            occurred_at=now,
            give_up_at=now + LIFETIME,
            next_at=now,
        )
    )
    session.flush()
    _note(session, principal, "webhook.test", row.id, row.facility_id, now)
    return delivery_id


def replay(
    session: Session,
    principal: Principal,
    subscription_id: UUID,
    *,
    now: datetime,
    delivery_id: UUID | None = None,
) -> int:
    """Send one delivery again, or all that were given up; return how many. Same id, same number."""
    row = _locked(session, subscription_id)
    which = (
        WebhookDelivery.state == DeliveryState.DEAD
        if delivery_id is None
        else WebhookDelivery.id == delivery_id
    )
    again = session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.subscription_id == row.id, which)
        .values(
            state=DeliveryState.WAITING,
            settled_at=None,
            attempts=0,
            next_at=now,
            give_up_at=now + LIFETIME,
        )
        .returning(WebhookDelivery.id)
    ).all()
    if delivery_id is not None and not again:
        raise SubscriptionUnknown
    _note(session, principal, "webhook.replay", row.id, row.facility_id, now)
    return len(again)


def check_target(url: str, reach: Reach) -> None:
    """Raise TargetRefused for an address that is none, or that we may not call."""
    target = Target.parse(url)
    if target is None or reach.allowed(target, resolved(target)) is None:
        raise TargetRefused({"url": ["webhook-target-refused"]})


def _locked(session: Session, subscription_id: UUID) -> WebhookSubscription:
    row = session.scalars(
        select(WebhookSubscription).where(WebhookSubscription.id == subscription_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise SubscriptionUnknown
    if row.state == SubscriptionState.ENDED:
        raise SubscriptionEnded
    return row


def _note(
    session: Session, principal: Principal, action: str, subject: UUID, facility_id: UUID, now: datetime
) -> None:
    entry = Entry(action, "Subscription", subject, facility_id=facility_id)
    record(session, principal, entry, now=now)
