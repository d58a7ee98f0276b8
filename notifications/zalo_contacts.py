"""People as Zalo's official account knows them: who follows, whose phone is whose, what they have asked for.

What they do is taken down in the webhook's transaction and acted on by a worker. A number that somebody types
in Zalo is only a claim: it counts once they write back the code that was sent to it.
"""

import hmac
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import sealing
from notifications.channels.conversation import Deed, Heard, Intent
from notifications.kinds import KINDS
from notifications.outbox import Message, Outbox, Recipient
from notifications.preferences import Preferences, Source
from notifications.sealing import Sealer

ANSWERABLE = timedelta(hours=48)
PAUSE_BETWEEN_HINTS = timedelta(minutes=10)
CODE_LIVES = timedelta(minutes=10)
MOST_TRIES = 5
MOST_CODES_A_DAY = 3
_REPEATED_FOR = timedelta(days=1)
_AT_ONCE = 200

REPLIES = tuple(name for name, kind in KINDS.items() if kind.channels == ("zalo-chat",))
_ON_ZALO = tuple(name for name, kind in KINDS.items() if kind.mutable and "zalo" in kind.channels)
_SPOKEN = frozenset({Deed.WROTE, Deed.SHARED})
_HINTS = frozenset({"chat-help", "chat-share", "chat-code-wrong"})

_RECORD = """
INSERT INTO notifications.zalo_event (event_key, content, at, received_at)
SELECT event_key, content, at, %(now)s
FROM unnest(%(event_key)s::bytea[], %(content)s::bytea[], %(at)s::timestamptz[]) AS e (event_key, content, at)
ON CONFLICT (event_key) DO NOTHING
"""
_WAITING = """
SELECT event_key, content, at FROM notifications.zalo_event
WHERE processed_at IS NULL ORDER BY at, event_key LIMIT %(most)s FOR UPDATE SKIP LOCKED
"""
_PROCESSED = """
UPDATE notifications.zalo_event SET processed_at = %(now)s, content = NULL
WHERE event_key = ANY(%(keys)s::bytea[])
"""
_FORGET = "DELETE FROM notifications.zalo_event WHERE processed_at < %(before)s"
_MEET = """
INSERT INTO notifications.zalo_contact AS c (uid_index, uid, last_wrote_at)
VALUES (%(index)s, %(uid)s, %(wrote_at)s)
ON CONFLICT (uid_index) DO UPDATE SET last_wrote_at = greatest(c.last_wrote_at, excluded.last_wrote_at)
RETURNING *
"""
_FOLLOWING = """
UPDATE notifications.zalo_contact SET following = %(following)s, following_at = %(at)s
WHERE uid_index = %(index)s AND (following_at IS NULL OR following_at <= %(at)s)
"""
_REPLIED = "UPDATE notifications.zalo_contact SET replied_at = %(now)s WHERE uid_index = %(index)s"
_ASKED = "UPDATE notifications.zalo_contact SET asked_at = %(now)s WHERE uid_index = %(index)s"
_CLAIM = """
UPDATE notifications.zalo_contact SET claim = %(claim)s, claim_until = %(until)s, claim_tries = 0
WHERE uid_index = %(index)s
"""
_TRIED = "UPDATE notifications.zalo_contact SET claim_tries = claim_tries + 1 WHERE uid_index = %(index)s"
_LINK = """
UPDATE notifications.zalo_contact
SET phone = %(phone)s, phone_index = %(phone_index)s, linked_at = %(now)s, claim = NULL, claim_until = NULL
WHERE uid_index = %(index)s
"""
# A phone that could not be found in Zalo by its number is found by its owner's id from now on.
_REACHABLE = (
    "DELETE FROM notifications.unreachable WHERE channel = 'zalo' AND recipient_index = %(phone_index)s"
)
_CODES = """
SELECT count(*) FROM notifications.notification
WHERE kind = 'zalo-link' AND created_at > %(since)s
  AND (subject = %(subject)s OR recipient_index = %(phone_index)s)
"""


@dataclass(frozen=True)
class Conversation:
    """What answering takes. `page`: where people see their appointments and choose how to be reminded."""

    sealer: Sealer
    outbox: Outbox
    page: str


@dataclass(frozen=True)
class _Contact:
    index: bytes
    uid: str
    row: Any

    @property
    def subject(self) -> UUID:
        """What the messages to this person are found by."""
        return UUID(bytes=bytes(self.index[:16]))

    @property
    def left(self) -> bool:
        return self.row.following_at is not None and not self.row.following


def record(session: Session, heard: Iterable[Heard], sealer: Sealer, *, now: datetime) -> int:
    """Take down what people did, in the caller's transaction; returns how much of it was new."""
    rows = [_event_row(each, sealer) for each in heard]
    if not rows:
        return 0
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return session.connection().exec_driver_sql(_RECORD, columns | {"now": now}).rowcount


def process(session: Session, conversation: Conversation, *, now: datetime, most: int = _AT_ONCE) -> int:
    """Act on what was taken down, the oldest first; returns on how much. Safe to run twice."""
    connection = session.connection()
    rows: Any = connection.exec_driver_sql(_WAITING, {"most": most}).all()
    for row in rows:
        heard = _opened(row, conversation.sealer)
        contact = _met(session, heard, conversation.sealer)
        _ACTS[heard.deed](session, contact, heard, conversation, now)
    if rows:
        done = {"keys": [row.event_key for row in rows], "now": now}
        connection.exec_driver_sql(_PROCESSED, done)
    connection.exec_driver_sql(_FORGET, {"before": now - _REPEATED_FOR})
    return len(rows)


def person(sealer: Sealer, index: bytes, sealed: bytes) -> str:
    """The messenger's id of a contact."""
    return sealer.open(sealed, sealing.ZALO_PERSON + index).decode()


def e164(typed: str) -> str | None:
    """A Vietnamese number as people and Zalo write it, as "+84..."; None for what is none."""
    digits = re.sub(r"\D", "", typed)
    national = digits.removeprefix("84") if digits.startswith("84") else digits.removeprefix("0")
    return f"+84{national}" if re.fullmatch(r"[1-9]\d{8}", national) else None


# Taking down.


def _event_row(heard: Heard, sealer: Sealer) -> dict[str, Any]:
    name = f"{heard.at.timestamp():.3f}:{heard.deed}:{heard.person}:{heard.which}"
    key = sealer.index(name.encode(), sealing.ZALO_EVENT)
    content = {**asdict(heard), "at": None}
    plaintext = json.dumps(content, ensure_ascii=False).encode()
    return {"event_key": key, "content": sealer.seal(plaintext, sealing.ZALO_EVENT + key), "at": heard.at}


def _opened(row: Any, sealer: Sealer) -> Heard:
    content = json.loads(sealer.open(row.content, sealing.ZALO_EVENT + row.event_key))
    intent = content["intent"] and Intent(content["intent"])
    return Heard(**content | {"deed": Deed(content["deed"]), "intent": intent, "at": row.at})


# Acting.


def _met(session: Session, heard: Heard, sealer: Sealer) -> _Contact:
    index = sealer.index(heard.person.encode(), sealing.ZALO_PERSON)
    uid = sealer.seal(heard.person.encode(), sealing.ZALO_PERSON + index)
    met = {"index": index, "uid": uid, "wrote_at": heard.at if heard.deed in _SPOKEN else None}
    return _Contact(index, heard.person, session.connection().exec_driver_sql(_MEET, met).one())


def _followed(
    session: Session, contact: _Contact, heard: Heard, conversation: Conversation, now: datetime
) -> None:
    following = heard.deed is Deed.FOLLOWED
    _run(session, _FOLLOWING, contact, following=following, at=heard.at)
    if not following and contact.row.last_wrote_at is not None:
        conversation.outbox.cancel(session, contact.subject, kinds=REPLIES, now=now)


def _shared(
    session: Session, contact: _Contact, heard: Heard, conversation: Conversation, now: datetime
) -> None:
    """Send a code to the number, so that nobody links a stranger's."""
    phone = e164(heard.phone or "")
    if phone is None or _too_many_codes(session, contact, phone, conversation, now):
        _reply(session, contact, "chat-help", conversation, now)
        return
    code = f"{secrets.randbelow(1_000_000):06d}"
    claim = json.dumps({"phone": phone, "code": code}).encode()
    sealed = conversation.sealer.seal(claim, sealing.ZALO_PERSON + contact.index)
    _run(session, _CLAIM, contact, claim=sealed, until=now + CODE_LIVES)
    message = Message(
        kind="zalo-link",
        recipient=Recipient(phone=phone),
        params={"code": code, "minutes": str(int(CODE_LIVES.total_seconds() // 60))},
        dedupe_key=f"zalo-link:{contact.subject}:{heard.at.timestamp():.3f}",
        not_before=now,
        expires_at=now + CODE_LIVES,
        subject=contact.subject,
    )
    conversation.outbox.enqueue(session, [message], now=now)
    _reply(session, contact, "chat-code", conversation, now)


def _too_many_codes(
    session: Session, contact: _Contact, phone: str, conversation: Conversation, now: datetime
) -> bool:
    asked = {
        "subject": contact.subject,
        "phone_index": conversation.outbox.recipient_index(phone),
        "since": now - timedelta(days=1),
    }
    sent: int = session.connection().exec_driver_sql(_CODES, asked).scalar_one()
    return sent >= MOST_CODES_A_DAY


def _wrote(
    session: Session, contact: _Contact, heard: Heard, conversation: Conversation, now: datetime
) -> None:
    match heard.intent:
        case Intent.CODE if contact.row.claim is not None:
            kind = _checked(session, contact, heard.digits or "", conversation, now)
        case Intent.STOP | Intent.RESUME as wish:
            kind = _wished(session, contact, wish, conversation, now)
        case _:
            kind = "chat-help"
    _reply(session, contact, kind, conversation, now)


def _checked(
    session: Session, contact: _Contact, digits: str, conversation: Conversation, now: datetime
) -> str:
    """Compare a code with the one that was sent, a few times."""
    row = contact.row
    opened = conversation.sealer.open(row.claim, sealing.ZALO_PERSON + contact.index)
    claim: Mapping[str, str] = json.loads(opened)
    _run(session, _TRIED, contact)
    alive = now < row.claim_until and row.claim_tries < MOST_TRIES
    if not (alive and hmac.compare_digest(claim["code"], digits)):
        return "chat-code-wrong"
    phone = claim["phone"]
    phone_index = conversation.outbox.recipient_index(phone)
    sealed = conversation.sealer.seal(phone.encode(), sealing.ADDRESS + contact.index)
    _run(session, _LINK, contact, phone=sealed, phone_index=phone_index, now=now)
    session.connection().exec_driver_sql(_REACHABLE, {"phone_index": phone_index})
    return "chat-linked"


def _wished(
    session: Session, contact: _Contact, wish: Intent, conversation: Conversation, now: datetime
) -> str:
    """Mute what can be muted, here; who we are to mute for only a linked phone tells."""
    if contact.row.phone is None:
        _run(session, _ASKED, contact, now=now)
        return "chat-share"
    phone = conversation.sealer.open(contact.row.phone, sealing.ADDRESS + contact.index).decode()
    preferences = Preferences(conversation.sealer)
    change = preferences.stop if wish is Intent.STOP else preferences.resume
    for kind in _ON_ZALO:
        change(session, phone, kind=kind, channel="zalo", source=Source.ZALO, now=now)
    return "chat-stopped" if wish is Intent.STOP else "chat-resumed"


def _reply(session: Session, contact: _Contact, kind: str, conversation: Conversation, now: datetime) -> None:
    """One answer of a kind in ten minutes, one hint of any; none to who has left, none after 48 hours."""
    wrote_at, hinted_at = contact.row.last_wrote_at, contact.row.replied_at
    if contact.left or wrote_at is None or now >= wrote_at + ANSWERABLE:
        return
    if kind in _HINTS and hinted_at is not None and now < hinted_at + PAUSE_BETWEEN_HINTS:
        return
    words = {"link": conversation.page}
    stretch = int(now.timestamp() // PAUSE_BETWEEN_HINTS.total_seconds())
    message = Message(
        kind=kind,
        recipient=Recipient(zalo_uid=contact.uid),
        params={name: words[name] for name in KINDS[kind].params},
        dedupe_key=f"{kind}:{contact.subject}:{stretch}",
        not_before=now,
        expires_at=wrote_at + ANSWERABLE,
        subject=contact.subject,
    )
    if conversation.outbox.enqueue(session, [message], now=now) and kind in _HINTS:
        _run(session, _REPLIED, contact, now=now)


def _run(session: Session, sql: str, contact: _Contact, **values: Any) -> None:
    session.connection().exec_driver_sql(sql, values | {"index": contact.index})


_ACTS = {
    Deed.FOLLOWED: _followed,
    Deed.UNFOLLOWED: _followed,
    Deed.SHARED: _shared,
    Deed.WROTE: _wrote,
}
