"""The browsers in which people have turned push messages on."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications import sealing
from notifications.channels.base import Subscription
from notifications.ids import new_id
from notifications.models import PushSubscription
from notifications.sealing import Sealer

MOST_PER_OWNER = 10
_LONGEST_AGENT = 200


@dataclass(frozen=True)
class Offered:
    """A subscription as a browser offers it; the keys are base64url. `under`: our public key of that time."""

    endpoint: str
    p256dh: str
    auth: str
    under: str = ""
    user_agent: str | None = None


class Subscriptions:
    """`owner` is the host's id of whoever the messages are for, `sign_in` that of the sign-in they ended up
    at; with the sign-in goes the subscription."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def subscribe(
        self, session: Session, owner: UUID, offered: Offered, *, sign_in: UUID | None = None, now: datetime
    ) -> UUID:
        """Keep the subscription, the owner's oldest making room; returns its id.

        A browser has one owner: on a shared phone the latest to turn it on, and nobody before.
        """
        row = PushSubscription
        index = self._index(offered.endpoint)
        agent = offered.user_agent[:_LONGEST_AGENT] if offered.user_agent else None
        fresh = insert(row).values(
            id=new_id(now),
            owner=owner,
            sign_in=sign_in,
            endpoint_index=index,
            sealed=self._sealed(offered, index),
            user_agent=agent,
            created_at=now,
            seen_at=now,
        )
        given = fresh.excluded
        same_owner = row.owner == given.owner
        kept: dict[str, Any] = {
            **{name: given[name] for name in ("owner", "sign_in", "sealed", "user_agent", "seen_at")},
            # Another owner's is another subscription: what was said of the old one by its id is over.
            "id": case((same_owner, row.id), else_=given.id),
            "created_at": case((same_owner, row.created_at), else_=given.created_at),
        }
        upsert = fresh.on_conflict_do_update(index_elements=[row.endpoint_index], set_=kept)
        identifier = session.execute(upsert.returning(row.id)).scalar_one()
        self._make_room(session, owner)
        return identifier

    def unsubscribe(self, session: Session, owner: UUID, endpoint: str) -> bool:
        """Forget the owner's browser with this endpoint; False if there is none."""
        row = PushSubscription
        gone = session.execute(
            delete(row)
            .where(row.owner == owner, row.endpoint_index == self._index(endpoint))
            .returning(row.id)
        )
        return gone.first() is not None

    def of(self, session: Session, owner: UUID) -> tuple[Subscription, ...]:
        """The owner's browsers, the latest seen first."""
        row = PushSubscription
        found = session.execute(
            select(row.id, row.endpoint_index, row.sealed)
            .where(row.owner == owner)
            .order_by(row.seen_at.desc(), row.id.desc())
        )
        return tuple(self._opened(*each) for each in found)

    def _make_room(self, session: Session, owner: UUID) -> None:
        row = PushSubscription
        surplus = (
            select(row.id)
            .where(row.owner == owner)
            .order_by(row.seen_at.desc(), row.id.desc())
            .offset(MOST_PER_OWNER)
        )
        session.execute(delete(row).where(row.id.in_(surplus)))

    def _index(self, endpoint: str) -> bytes:
        return self._sealer.index(endpoint.encode(), sealing.ENDPOINT)

    def _sealed(self, offered: Offered, index: bytes) -> bytes:
        fields = {name: getattr(offered, name) for name in ("endpoint", "p256dh", "auth", "under")}
        plaintext = json.dumps(fields, separators=(",", ":")).encode()
        return self._sealer.seal(plaintext, sealing.SUBSCRIPTION + index)

    def _opened(self, identifier: UUID, index: bytes, sealed: bytes) -> Subscription:
        fields = json.loads(self._sealer.open(sealed, sealing.SUBSCRIPTION + index))
        return Subscription(id=identifier, **fields)


def drop(session: Session, ids: Collection[UUID]) -> None:
    """Forget subscriptions that a push service no longer knows."""
    if ids:
        session.execute(delete(PushSubscription).where(PushSubscription.id.in_(ids)))


def drop_of_sign_ins(session: Session, sign_ins: Collection[UUID]) -> None:
    """Forget the subscriptions that were turned on during sign-ins that are over."""
    if sign_ins:
        session.execute(delete(PushSubscription).where(PushSubscription.sign_in.in_(sign_ins)))
