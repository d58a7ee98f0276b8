"""Putting messages into the outbox, inside the transaction of the act that they tell of."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import sealing
from notifications.ids import new_id
from notifications.kinds import KINDS, LANGUAGES, Kind
from notifications.sealing import Sealer
from notifications.states import State
from notifications.templates import CATALOGUE

LONGEST_PARAM = 120


class NotSendable(ValueError):
    """A message that no code should have built: an unknown kind, wrong parameters, nobody to send it to."""


@dataclass(frozen=True)
class Recipient:
    """Where a person can be reached. `phone` is E.164 ("+84912345678").

    `owner` is the host's id of the account, under which browsers have subscribed to push messages; `mute_url`
    a page where what can be muted can be (RFC 8058), for the foot of an e-mail.
    """

    phone: str | None = None
    zalo_uid: str | None = None
    email: str | None = None
    language: str = "vi"
    mute_url: str | None = None
    owner: UUID | None = None

    def address(self, channel: str) -> str | None:
        """The address for a channel, or None if this person cannot be reached there."""
        if channel == "zalo":
            return self.zalo_uid or self.phone
        if channel == "push":
            return None if self.owner is None else str(self.owner)
        addresses = {
            "sms": self.phone,
            "call-list": self.phone,
            "email": self.email,
            "zalo-chat": self.zalo_uid,
        }
        return addresses.get(channel)


@dataclass(frozen=True)
class Message:
    """One thing to say once. Two messages with one `dedupe_key` are the same message, for ever.

    `params` holds exactly the words that the kind names (kinds.KINDS), already written for a reader: local
    time, short facility name. `not_before` and `expires_at` are aware instants; past the second it is never
    sent.
    `subject` is what the message is about (an appointment's id, say), for Outbox.cancel.
    """

    kind: str
    recipient: Recipient
    params: Mapping[str, str]
    dedupe_key: str
    not_before: datetime
    expires_at: datetime
    subject: UUID | None = None
    group: UUID | None = None


ENQUEUE = """
WITH message AS (
  SELECT * FROM unnest(
    %(id)s::uuid[], %(dedupe_key)s::text[], %(kind)s::text[], %(language)s::text[],
    %(template_version)s::int[], %(recipient)s::bytea[], %(recipient_index)s::bytea[],
    %(params)s::bytea[], %(subject)s::uuid[], %(group_id)s::uuid[], %(owner)s::uuid[],
    %(not_before)s::timestamptz[], %(expires_at)s::timestamptz[], %(channel)s::text[],
    %(priority)s::smallint[]
  ) AS m (id, dedupe_key, kind, language, template_version, recipient, recipient_index, params, subject,
          group_id, owner, not_before, expires_at, channel, priority)
), fresh AS (
  INSERT INTO notifications.notification
    (id, dedupe_key, kind, language, template_version, recipient, recipient_index, params, subject,
     group_id, owner, not_before, expires_at, created_at, updated_at)
  SELECT id, dedupe_key, kind, language, template_version, recipient, recipient_index, params, subject,
         group_id, owner, not_before, expires_at, %(now)s::timestamptz, %(now)s::timestamptz
  FROM message
  ON CONFLICT (dedupe_key) DO NOTHING
  RETURNING id
), item AS (
  INSERT INTO notifications.outbox (notification_id, channel, priority, due_at, idem_key)
  SELECT id, channel, priority, not_before, id FROM message JOIN fresh USING (id)
  RETURNING due_at
)
SELECT (SELECT count(*) FROM fresh),
       (SELECT pg_notify('outbox', '') FROM item WHERE due_at <= %(now)s::timestamptz LIMIT 1)
"""

_ABOUT = """n.subject = %(subject)s::uuid
  AND (%(kinds)s::text[] IS NULL OR n.kind = ANY(%(kinds)s::text[]))"""
# Flagged first, in a statement of its own: who is leasing a row is waited for, and whose lease it is by then
# only a new snapshot shows. What is to stay loses a flag that somebody gave it while it was under way.
FLAG = f"""
WITH found AS (
  SELECT o.notification_id, coalesce(origin.dedupe_key, n.dedupe_key) = ANY(%(keep)s::text[])
           AND n.language = %(language)s::text
           AND n.recipient_index IS NOT DISTINCT FROM %(recipient_index)s::bytea AS kept
  FROM notifications.outbox o JOIN notifications.notification n ON n.id = o.notification_id
  LEFT JOIN notifications.notification origin ON origin.id = n.copy_of
  WHERE {_ABOUT} ORDER BY o.notification_id FOR UPDATE OF o
)
UPDATE notifications.outbox o SET cancelled = NOT coalesce(found.kept, false) FROM found
WHERE o.notification_id = found.notification_id
"""
# What is taken back gives its key away, when the same thing is to be said after all; so does what is just
# under way to an address that is no longer wanted. A dead letter about it would say what is no longer true.
CANCEL = f"""
WITH dropped AS (
  DELETE FROM notifications.outbox o USING notifications.notification n
  WHERE o.notification_id = n.id AND {_ABOUT} AND o.lease_owner IS NULL AND o.cancelled
  RETURNING o.notification_id, o.fallback
), freed AS (
  UPDATE notifications.notification n SET dedupe_key = n.dedupe_key || ':' || n.id
  WHERE n.dedupe_key = ANY(%(keep)s::text[])
    AND (n.state = '{State.CANCELLED}'
         OR EXISTS (SELECT FROM notifications.outbox o WHERE o.notification_id = n.id AND o.cancelled
                    AND o.lease_owner IS NOT NULL))
), buried AS (
  UPDATE notifications.notification n SET state = '{State.CANCELLED}', updated_at = %(now)s::timestamptz
  WHERE {_ABOUT} AND n.state = '{State.DEAD}' AND n.dedupe_key <> ALL(%(keep)s::text[])
)
UPDATE notifications.notification n
SET state = '{State.CANCELLED}', updated_at = %(now)s::timestamptz,
  dedupe_key = n.dedupe_key || CASE WHEN n.dedupe_key = ANY(%(keep)s::text[]) THEN ':' || n.id ELSE '' END
FROM dropped WHERE n.id = dropped.notification_id AND NOT dropped.fallback
"""
_WAITING = f"""
SELECT n.kind, n.dedupe_key, n.not_before, n.expires_at FROM notifications.outbox o
JOIN notifications.notification n ON n.id = o.notification_id
WHERE {_ABOUT} AND NOT o.cancelled AND NOT o.fallback ORDER BY n.not_before, n.id
"""
_SAID = f"""
SELECT dedupe_key FROM notifications.notification WHERE dedupe_key = ANY(%(keys)s::text[])
  AND state IN ('{State.SENDING}', '{State.IN_DOUBT}', '{State.ACCEPTED}', '{State.DELIVERED}')
"""


@dataclass(frozen=True)
class Waiting:
    """A message that has not left yet."""

    kind: str
    dedupe_key: str
    not_before: datetime
    expires_at: datetime


def take_back(session: Session, subject: UUID, *, kinds: Collection[str] | None = None, now: datetime) -> int:
    """Take back what has not left yet and is about `subject`; returns how many.

    A message whose send is under way is not counted: it is not tried again, but may arrive.
    """
    return _take_back(session, subject, kinds, (), now)


def _take_back(
    session: Session,
    subject: UUID,
    kinds: Collection[str] | None,
    wanted: Sequence[dict[str, Any]],
    now: datetime,
) -> int:
    first = wanted[0] if wanted else {"language": None, "recipient_index": None}
    parameters = {
        "subject": subject,
        "kinds": None if kinds is None else list(kinds),
        "keep": [row["dedupe_key"] for row in wanted],
        "language": first["language"],
        "recipient_index": first["recipient_index"],
        "now": now,
    }
    connection = session.connection()
    connection.exec_driver_sql(FLAG, parameters)
    return connection.exec_driver_sql(CANCEL, parameters).rowcount


class Outbox:
    """The only way in. Enqueueing costs one statement, however many messages."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def enqueue(self, session: Session, messages: Iterable[Message], *, now: datetime) -> int:
        """Store `messages` in the caller's transaction; returns how many were new (one round trip).

        Raises NotSendable. What a rolled-back transaction enqueued was never enqueued.
        """
        messages = list(messages)
        if not messages:
            return 0
        sql, parameters = self.statement(messages, now=now)
        return int(session.connection().exec_driver_sql(sql, parameters).scalar_one())

    def statement(self, messages: Sequence[Message], *, now: datetime) -> tuple[str, dict[str, Any]]:
        """The same as one psycopg statement (pyformat), for a caller with a pipeline of its own."""
        rows = [self._row(message, now) for message in messages]
        columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
        return ENQUEUE, columns | {"now": now}

    def cancel(
        self, session: Session, subject: UUID, *, kinds: Collection[str] | None = None, now: datetime
    ) -> int:
        """Take back what has not left yet and is about `subject`; returns how many.

        A message whose send is under way is not counted: it is not tried again, but may arrive.
        """
        return take_back(session, subject, kinds=kinds, now=now)

    def replace(
        self,
        session: Session,
        subject: UUID,
        messages: Iterable[Message],
        *,
        kinds: Collection[str] | None = None,
        now: datetime,
    ) -> None:
        """Let `messages` be all that still waits to be said about `subject` (of `kinds`; None: of all).

        What waits already stays as it is, unless it goes to another address or in another language than now
        wanted; what has left is not said again; what was taken back is. All go to one recipient. The caller
        lets nobody else do the same at the same time.
        """
        rows = [self._row(message, now) for message in messages]
        _take_back(session, subject, kinds, rows, now)
        if rows:
            columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
            session.connection().exec_driver_sql(ENQUEUE, columns | {"now": now})

    def waiting(
        self, session: Session, subject: UUID, *, kinds: Collection[str] | None = None
    ) -> list[Waiting]:
        """What has not left yet and is about `subject`."""
        parameters = {"subject": subject, "kinds": None if kinds is None else list(kinds)}
        rows = session.connection().exec_driver_sql(_WAITING, parameters)
        return [Waiting(*row) for row in rows]

    def said(self, session: Session, keys: Collection[str]) -> frozenset[str]:
        """Those of the dedupe keys whose message has left, or may have."""
        return frozenset(session.connection().exec_driver_sql(_SAID, {"keys": list(keys)}).scalars())

    def _row(self, message: Message, now: datetime) -> dict[str, Any]:
        kind = _checked(message)
        recipient = message.recipient
        identifier = new_id(now)
        return {
            "id": identifier,
            "dedupe_key": message.dedupe_key,
            "kind": kind.name,
            "language": recipient.language,
            "template_version": CATALOGUE.template(kind.name, recipient.language).version,
            "recipient": self._sealed(_addresses(recipient), sealing.RECIPIENT, identifier),
            "recipient_index": self.recipient_index(recipient.phone or recipient.email),
            "params": self._sealed(dict(message.params), sealing.PARAMS, identifier),
            "subject": message.subject,
            "group_id": message.group,
            "owner": recipient.owner,
            "not_before": message.not_before,
            "expires_at": message.expires_at,
            "channel": next(channel for channel in kind.channels if recipient.address(channel)),
            "priority": kind.priority,
        }

    def recipient_index(self, address: str | None) -> bytes | None:
        """The blind index under which all messages to one phone (or, without one, e-mail) are found."""
        return None if address is None else self._sealer.index(address.encode(), sealing.ADDRESS)

    def _sealed(self, value: Mapping[str, str], context: bytes, identifier: UUID) -> bytes:
        plaintext = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return self._sealer.seal(plaintext, context + identifier.bytes)


def opened(sealer: Sealer, sealed: bytes, context: bytes, identifier: UUID) -> dict[str, str]:
    """The mapping that was sealed for notification `identifier`."""
    value: dict[str, str] = json.loads(sealer.open(sealed, context + identifier.bytes))
    return value


def _addresses(recipient: Recipient) -> dict[str, str]:
    """What is sealed; the owner has a column of its own."""
    return {name: value for name, value in asdict(recipient).items() if value is not None and name != "owner"}


def _checked(message: Message) -> Kind:
    kind = KINDS.get(message.kind)
    if kind is None:
        raise NotSendable(f"there is no message kind {message.kind!r}")
    if set(message.params) != kind.params:
        raise NotSendable(f"{kind.name} takes {sorted(kind.params)}, not {sorted(message.params)}")
    too_long = [name for name, value in message.params.items() if len(value) > LONGEST_PARAM]
    if too_long:
        raise NotSendable(f"{kind.name}: longer than {LONGEST_PARAM} characters: {sorted(too_long)}")
    if message.recipient.language not in LANGUAGES:
        raise NotSendable(f"there are no texts in {message.recipient.language!r}")
    if not any(message.recipient.address(channel) for channel in kind.channels):
        raise NotSendable(f"{kind.name}: the recipient has no address on {' or '.join(kind.channels)}")
    if message.expires_at <= message.not_before:
        raise NotSendable(f"{kind.name}: expires before it may be sent")
    return kind
