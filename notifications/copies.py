"""Second copies for browsers in which somebody has turned push messages on: free, and never the only way."""

import json
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifications import sealing
from notifications.channels.base import Subscription
from notifications.ids import new_id
from notifications.kinds import KINDS
from notifications.leases import Leased
from notifications.outbox import opened
from notifications.sealing import Sealer
from notifications.subscriptions import Subscriptions, drop

# Made again after a crash it is the same copy, by its key.
_COPY = """
WITH copy AS (
  INSERT INTO notifications.notification
    (id, dedupe_key, kind, language, template_version, recipient, recipient_index, params, subject, group_id,
     owner, copy_of, not_before, expires_at, created_at, updated_at)
  SELECT %(id)s, %(dedupe_key)s, kind, language, template_version, %(recipient)s, recipient_index, %(params)s,
         subject, group_id, owner, id, %(now)s, expires_at, %(now)s, %(now)s
  FROM notifications.notification WHERE id = %(copy_of)s AND NOT EXISTS (
    SELECT FROM notifications.outbox o WHERE o.notification_id = %(copy_of)s AND o.cancelled)
  ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
)
INSERT INTO notifications.outbox (notification_id, channel, priority, due_at, idem_key)
SELECT id, %(channel)s, %(priority)s, %(now)s, id FROM copy
"""


class Copies:
    """Knows the browsers of an owner, and gives them a message of their own."""

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer
        self._subscriptions = Subscriptions(sealer)

    def make(self, item: Leased) -> None:
        """Put a copy of a message that is about to leave into the outbox, once for each copy channel."""
        if not item.subscribed or item.copy_of is not None:
            return
        for channel in KINDS[item.kind].copies:
            self._make(item, channel)

    def browsers(self, owner: UUID | None) -> tuple[Subscription, ...]:
        if owner is None:
            return ()
        with Session(self._engine) as session, session.begin():
            return self._subscriptions.of(session, owner)

    def forget(self, ids: Collection[UUID]) -> None:
        """Browsers that their push service no longer knows."""
        if ids:
            with Session(self._engine) as session, session.begin():
                drop(session, ids)

    def _make(self, item: Leased, channel: str) -> None:
        identifier = new_id(item.now)
        values = {
            "id": identifier,
            "dedupe_key": f"{item.id}:{channel}",
            "recipient": self._resealed(item, item.recipient, sealing.RECIPIENT, identifier),
            "params": self._resealed(item, item.params, sealing.PARAMS, identifier),
            "copy_of": item.id,
            "channel": channel,
            "priority": KINDS[item.kind].priority,
            "now": item.now,
        }
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_COPY, values)

    def _resealed(self, item: Leased, sealed: bytes, context: bytes, identifier: UUID) -> bytes:
        """What is sealed for one row does not open in another."""
        plain = json.dumps(opened(self._sealer, sealed, context, item.id), ensure_ascii=False)
        return self._sealer.seal(plain.encode(), context + identifier.bytes)
