"""Every text as it was released, for ever, and what the providers say of it.

A message pins the version that it was written with. A released text is never changed in place: another text
is another version.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from notifications.templates import Catalogue, Source, Template, parsed

ENABLED = "ENABLE"
# A provider's list did not name the id that we send with.
UNLISTED = "UNLISTED"
_PROVIDER_ID = "template_id"


class Approval(StrEnum):
    """What a provider's word for the state of a text comes to. `NONE`: nobody has to approve it."""

    NONE = "none"
    UNASKED = "unasked"
    APPROVED = "approved"
    WAITING = "waiting"
    REFUSED = "refused"
    UNLISTED = "unlisted"
    OTHER = "other"


_WORDS = {
    ENABLED: Approval.APPROVED,
    "REGISTERED": Approval.APPROVED,
    "PENDING_REVIEW": Approval.WAITING,
    "REJECT": Approval.REFUSED,
    "DISABLE": Approval.REFUSED,
    "DELETE": Approval.REFUSED,
    UNLISTED: Approval.UNLISTED,
}
# A provider that lists a text as one of these refuses to send it.
_CLOSED = (Approval.WAITING, Approval.REFUSED)


def approval(provider_template_id: str | None, word: str | None) -> Approval:
    """Pure. `word` may have something after it: "registered (Viettel)".

    One that we do not know closes nothing: the provider's answer to a send will tell.
    """
    if provider_template_id is None:
        return Approval.NONE
    if word is None:
        return Approval.UNASKED
    return _WORDS.get(word.partition(" ")[0].upper(), Approval.OTHER)


@dataclass(frozen=True, order=True)
class TextKey:
    kind: str
    language: str
    channel: str
    version: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.language}.{self.channel} version {self.version}"


class ChangedInPlace(Exception):
    """Released texts read differently now. Nothing was stored: raise `version` in their files."""

    def __init__(self, texts: Iterable[TextKey]) -> None:
        self.texts = tuple(sorted(texts))
        super().__init__(
            "released texts were changed without a new version: "
            + ", ".join(str(text) for text in self.texts)
        )


@runtime_checkable
class Registered(Protocol):
    """An account under which texts are registered: pairs of "kind.language" and the provider's id."""

    template_ids: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Text:
    """One channel's part of a source file. `content` is {"text": ...} where the file has a plain line."""

    key: TextKey
    content: Mapping[str, Any]

    @property
    def digest(self) -> bytes:
        written = json.dumps(self.content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(written.encode()).digest()


def texts(sources: Iterable[Source]) -> Iterator[Text]:
    """The id in a file is the sandbox's, and no part of the words."""
    for source in sources:
        for channel, said in source.text.items():
            if channel != "version":
                content = dict(said) if isinstance(said, Mapping) else {"text": said}
                content.pop(_PROVIDER_ID, None)
                key = TextKey(source.kind, source.language, channel, source.text["version"])
                yield Text(key, content)


_KNOWN = "SELECT kind, language, channel, version, digest FROM notifications.template"
# A text that is the same as in the version before keeps what the provider said of it.
_ADD = """
INSERT INTO notifications.template
  (kind, language, channel, version, state, content, digest, provider_template_id, provider_state, checked_at,
   created_at)
SELECT %(kind)s, %(language)s, %(channel)s, %(version)s, 'approved', %(content)s::jsonb, %(digest)s,
       same.provider_template_id, same.provider_state, same.checked_at, %(now)s
FROM (SELECT) AS one LEFT JOIN LATERAL (
  SELECT t.* FROM notifications.template t
  WHERE t.kind = %(kind)s AND t.language = %(language)s AND t.channel = %(channel)s AND t.digest = %(digest)s
  ORDER BY t.version DESC LIMIT 1
) AS same ON true
ON CONFLICT (kind, language, channel, version) DO NOTHING
"""
_RETIRE = """
UPDATE notifications.template t SET state = 'retired'
WHERE t.state <> 'retired' AND EXISTS (
  SELECT FROM notifications.template newer
  WHERE (newer.kind, newer.language, newer.channel) = (t.kind, t.language, t.channel)
    AND newer.version > t.version)
"""
# An older version with the same words goes by the same id.
_NAME = """
UPDATE notifications.template t
SET provider_template_id = %(identifier)s, provider_state = NULL, checked_at = NULL
FROM notifications.template newest
WHERE newest.kind = %(kind)s AND newest.language = %(language)s AND newest.channel = %(channel)s
  AND newest.state <> 'retired' AND (t.kind, t.language, t.channel, t.digest)
    = (newest.kind, newest.language, newest.channel, newest.digest)
  AND t.provider_template_id IS DISTINCT FROM %(identifier)s
"""
_FILL = _NAME + " AND newest.provider_template_id IS NULL"
_REFRESH = """
UPDATE notifications.template
SET provider_state = coalesce(%(states)s::jsonb ->> provider_template_id, %(unlisted)s), checked_at = %(now)s
WHERE channel = %(channel)s AND provider_template_id IS NOT NULL
"""
_STANDING = """
SELECT kind, language, channel, version, provider_template_id, provider_state, checked_at
FROM notifications.template WHERE state <> 'retired' ORDER BY kind, language DESC, channel
"""
_REGISTER = """
SELECT kind, language, channel, version, provider_template_id, provider_state
FROM notifications.template WHERE provider_template_id IS NOT NULL
"""
_PINNED = """
SELECT channel, content FROM notifications.template
WHERE kind = %(kind)s AND language = %(language)s AND version = %(version)s
"""


def sync(session: Session, sources: Iterable[Source], *, now: datetime) -> list[TextKey]:
    """Store what is new in the caller's transaction; returns it. Safe to run twice and at the same time.

    Raises ChangedInPlace.
    """
    known = _digests(session)
    written = list(texts(sources))
    _refuse_changes(written, known)
    fresh = [text for text in written if text.key not in known]
    for text in fresh:
        values = {
            **_named(text.key),
            "content": json.dumps(dict(text.content), ensure_ascii=False),
            "digest": text.digest,
            "now": now,
        }
        session.connection().exec_driver_sql(_ADD, values)
    if fresh:
        session.connection().exec_driver_sql(_RETIRE)
    return [text.key for text in fresh]


def changed(session: Session, sources: Iterable[Source]) -> tuple[TextKey, ...]:
    """The released texts that read differently now."""
    try:
        _refuse_changes(list(texts(sources)), _digests(session))
    except ChangedInPlace as refusal:
        return refusal.texts
    return ()


def _digests(session: Session) -> dict[TextKey, bytes]:
    rows = session.connection().exec_driver_sql(_KNOWN)
    return {TextKey(row.kind, row.language, row.channel, row.version): bytes(row.digest) for row in rows}


def _refuse_changes(written: Iterable[Text], known: Mapping[TextKey, bytes]) -> None:
    different = [text.key for text in written if known.get(text.key, text.digest) != text.digest]
    if different:
        raise ChangedInPlace(different)


def name(session: Session, kind: str, language: str, channel: str, identifier: str | None) -> bool:
    """Send a text under this id of the provider from now on; says whether that changed anything."""
    values = {"kind": kind, "language": language, "channel": channel, "identifier": identifier}
    return session.connection().exec_driver_sql(_NAME, values).rowcount > 0


def fill(session: Session, channel: str, ids: Iterable[tuple[str, str]]) -> None:
    """The same for pairs of "kind.language" and id, as the settings give them, where nobody has set one."""
    for text, identifier in ids:
        kind, _, language = text.rpartition(".")
        values = {"kind": kind, "language": language, "channel": channel, "identifier": identifier}
        session.connection().exec_driver_sql(_FILL, values)


def refresh(session: Session, channel: str, states: Mapping[str, str], *, now: datetime) -> None:
    """Keep what the channel's provider says of its texts (`Templated.template_states`).

    Whatever its word for approved is, it is kept as ENABLE; what it does not list as UNLISTED.
    """
    said = {
        identifier: ENABLED if approval(identifier, word) is Approval.APPROVED else word
        for identifier, word in states.items()
    }
    values = {"channel": channel, "states": json.dumps(said), "unlisted": UNLISTED, "now": now}
    session.connection().exec_driver_sql(_REFRESH, values)


@dataclass(frozen=True)
class Standing:
    """The newest version of a text, and how it stands with its provider."""

    kind: str
    language: str
    channel: str
    version: int
    provider_template_id: str | None
    provider_state: str | None
    checked_at: datetime | None

    @property
    def approval(self) -> Approval:
        return approval(self.provider_template_id, self.provider_state)


def standings(session: Session) -> tuple[Standing, ...]:
    return tuple(Standing(**row) for row in session.connection().exec_driver_sql(_STANDING).mappings())


def unsendable(session: Session) -> frozenset[tuple[str, str, str]]:
    """Kind, language and channel of each text that its provider would refuse to send now."""
    return frozenset(
        (text.kind, text.language, text.channel) for text in standings(session) if text.approval in _CLOSED
    )


@dataclass(frozen=True)
class Register:
    """What the providers know of our texts, old versions too: the `ids` that they are sent under, and those
    that would be refused."""

    ids: Mapping[TextKey, str] = field(default_factory=dict)
    closed: frozenset[TextKey] = frozenset()


def register(connection: Connection) -> Register:
    ids: dict[TextKey, str] = {}
    closed = set()
    for *key, identifier, word in connection.exec_driver_sql(_REGISTER):
        text = TextKey(*key)
        ids[text] = identifier
        if approval(identifier, word) in _CLOSED:
            closed.add(text)
    return Register(ids, frozenset(closed))


def pinned(session: Session, kind: str, language: str, version: int) -> Template | None:
    """A version as it was released, or None when it never was."""
    rows: Any = session.connection().exec_driver_sql(
        _PINNED, {"kind": kind, "language": language, "version": version}
    )
    source: dict[str, Any] = {row.channel: _as_written(row.content) for row in rows}
    return parsed(kind, language, {**source, "version": version}) if source else None


class Texts:
    """The words of each message as it was written, by its version; safe in threads.

    What the files say now is at hand; another version is read from the table, once.
    """

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._others: dict[tuple[str, str, int], Template] = {}

    def template(self, kind: str, language: str, version: int) -> Template:
        """A version that was never stored is written as the files say now. Raises KeyError."""
        newest = self._catalogue.template(kind, language)
        if version == newest.version:
            return newest
        found = self._others.get((kind, language, version)) or self._read(kind, language, version)
        return found or newest

    def _read(self, kind: str, language: str, version: int) -> Template | None:
        with Session(self._engine) as session:
            found = pinned(session, kind, language, version)
        if found is not None:
            self._others[kind, language, version] = found
        return found


def _as_written(content: Mapping[str, Any]) -> Any:
    return content["text"] if set(content) == {"text"} else content


def _named(key: TextKey) -> dict[str, Any]:
    return {"kind": key.kind, "language": key.language, "channel": key.channel, "version": key.version}
