"""Who received what, how many times: kept by the sandbox alone."""

import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

KEPT = 50_000
_REMEMBERED = timedelta(days=1)
_ALWAYS_SHOWN = 500


@dataclass(slots=True)
class Entry:
    """One message as a provider accepted it. `key` is the sender's own reference for it, if it gave one.

    `late`: accepted after the sender had been told that it failed; `incoming`: written by the person to us,
    and so neither sent nor counted. `details` is what only one kind has: a
    mail's headers, a push's topic.
    """

    ref: str
    provider: str
    channel: str
    to: str
    text: str
    at: str
    key: str | None = None
    sender: str = ""
    status: str = "accepted"
    error_code: int | None = None
    segments: int = 1
    callback: str | None = None
    discarded: bool = False
    late: bool = False
    incoming: bool = False
    title: str = ""
    paragraphs: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    button: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """Counts over everything accepted since the ledger was last emptied, also what it no longer shows.

    `duplicates`: the same text to the same recipient under the same key, accepted again; `repeated_texts`
    leaves the key out, and so counts what a person received twice. `refused_duplicates`: sends that a
    provider recognised and did not accept again.
    """

    accepted: int = 0
    late_accepts: int = 0
    refused_duplicates: int = 0
    providers: Counter[str] = field(default_factory=Counter)
    _messages: set[bytes] = field(default_factory=set)
    _texts: set[bytes] = field(default_factory=set)
    _keys: set[bytes] = field(default_factory=set)

    def count(self, entry: Entry) -> None:
        self.accepted += 1
        self.late_accepts += entry.late
        self.providers[entry.provider] += 1
        self._texts.add(_digest(entry.to, entry.text))
        self._messages.add(_digest(entry.to, entry.text, entry.key or ""))
        if entry.key is not None:
            self._keys.add(_digest(entry.provider, entry.key))

    def figures(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "distinct": len(self._messages),
            "duplicates": self.accepted - len(self._messages),
            "distinct_texts": len(self._texts),
            "repeated_texts": self.accepted - len(self._texts),
            "distinct_keys": len(self._keys),
            "late_accepts": self.late_accepts,
            "refused_duplicates": self.refused_duplicates,
            "providers": dict(self.providers),
        }


class Ledger:
    """Entries in the order of acceptance; with a file, they outlive a restart.

    The latest `kept` stay in full, so that memory is bounded; the tally knows of all. `version` changes
    with every change, so that a page can ask whether there is something new, and `life` when it begins anew.
    """

    def __init__(self, path: Path | None = None, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._entries: dict[str, Entry] = {}
        self._by_key: dict[tuple[str, str], Entry] = {}
        self._by_recipient: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        self.tally = Tally()
        self.version = 0
        self.life = secrets.token_hex(4)
        earlier = list(_earlier(path, kept)) if path is not None else []
        for entry in earlier:
            self._remember(entry)
        self._file = None if path is None else path.open("a", encoding="utf-8")

    def add(self, entry: Entry) -> Entry:
        self._remember(entry)
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
            self._file.flush()
        return entry

    def move(self, entry: Entry, status: str, error_code: int | None = None) -> None:
        """Note what became of a message."""
        entry.status = status
        entry.error_code = error_code
        self.version += 1

    def by_ref(self, ref: str) -> Entry | None:
        return self._entries.get(ref)

    def by_key(self, provider: str, key: str) -> Entry | None:
        return self._by_key.get((provider, key))

    def to(self, recipient: str | None = None, provider: str | None = None) -> list[Entry]:
        entries = self._entries if recipient is None else self._by_recipient.get(recipient, {})
        return [entry for entry in entries.values() if provider in {None, entry.provider}]

    def latest(self, limit: int, recipient: str | None = None, *, incoming: bool = False) -> list[Entry]:
        """The newest entries first, at most `limit`; `incoming`: with what people wrote."""
        entries = self._entries if recipient is None else self._by_recipient.get(recipient, {})
        wanted = (entry for entry in reversed(entries.values()) if incoming or not entry.incoming)
        return list(islice(wanted, limit))

    def count(self, recipient: str | None = None) -> int:
        return len(self._entries if recipient is None else self._by_recipient.get(recipient, {}))

    def clear(self) -> None:
        for kept in (self._entries, self._by_key, self._by_recipient):
            kept.clear()
        if self._file is not None:
            self._file.truncate(0)
        self.tally = Tally()
        self.life = secrets.token_hex(4)
        self.version += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def touch(self) -> None:
        """Something else that a page shows has changed."""
        self.version += 1

    def _remember(self, entry: Entry) -> None:
        self._entries[entry.ref] = entry
        self._by_recipient[entry.to][entry.ref] = entry
        if entry.key is not None:
            self._by_key[entry.provider, entry.key] = entry
        if not entry.incoming:
            self.tally.count(entry)
        self.version += 1
        if len(self._entries) > self._kept:
            self._forget(next(iter(self._entries.values())))

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.ref]
        theirs = self._by_recipient[entry.to]
        del theirs[entry.ref]
        if not theirs:
            del self._by_recipient[entry.to]
        if entry.key is not None and self._by_key.get((entry.provider, entry.key)) is entry:
            del self._by_key[entry.provider, entry.key]


def _earlier(path: Path, kept: int) -> Iterator[Entry]:
    """The entries of an earlier run: those of the file's last day, at least some, all delivered by now."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[-kept:]
    found = [(line, entry) for line in lines if (entry := _read(line)) is not None]
    if found:
        oldest = datetime.fromisoformat(found[-1][1].at) - _REMEMBERED
        young = next(i for i, (_, entry) in enumerate(found) if datetime.fromisoformat(entry.at) >= oldest)
        found = found[min(young, max(len(found) - _ALWAYS_SHOWN, 0)) :]
    path.write_text("".join(line for line, _ in found), encoding="utf-8")
    for _, entry in found:
        entry.status = "delivered"
        yield entry


def _read(line: str) -> Entry | None:
    """None for a line that a killed process left half-written, or that another version wrote."""
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _digest(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode(), digest_size=12).digest()


def phone_number(text: str) -> str:
    """E.164 from what people and providers write: 0912345678, 84912345678, +84912345678."""
    digits = "".join(sign for sign in text if sign.isdigit())
    if digits.startswith("0"):
        return "+84" + digits[1:]
    return "+" + digits if digits else ""
