"""Who received what, how many times: kept by the sandbox alone."""

import json
import threading
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

KEPT_LINES = 500


@dataclass
class Entry:
    """One message as a provider accepted it. `key` is the sender's own reference for it, if it gave one."""

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
    title: str = ""
    paragraphs: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    button: list[str] = field(default_factory=list)


class Ledger:
    """Entries in the order of acceptance; with a file, they outlive a restart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._by_ref: dict[str, Entry] = {}
        self._by_key: dict[tuple[str, str | None], Entry] = {}
        self._by_phone: defaultdict[str, list[Entry]] = defaultdict(list)
        if path is not None and path.exists():
            for entry in _shortened(path):
                self._remember(entry)

    def add(self, entry: Entry) -> Entry:
        with self._lock:
            self._remember(entry)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        return entry

    def by_ref(self, ref: str) -> Entry | None:
        return self._by_ref.get(ref)

    def by_key(self, provider: str, key: str) -> Entry | None:
        return self._by_key.get((provider, key))

    def to(self, phone: str | None = None, provider: str | None = None) -> list[Entry]:
        entries = self._entries if phone is None else self._by_phone[phone]
        return [entry for entry in entries if provider in {None, entry.provider}]

    def clear(self) -> None:
        with self._lock:
            for kept in (self._entries, self._by_ref, self._by_key, self._by_phone):
                kept.clear()

    def _remember(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._by_ref[entry.ref] = entry
        self._by_key[entry.provider, entry.key] = entry
        self._by_phone[entry.to].append(entry)


def _shortened(path: Path) -> list[Entry]:
    """The latest entries of an earlier run, all delivered by now; the file forgets the older ones."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[-KEPT_LINES:]
    path.write_text("".join(lines), encoding="utf-8")
    return [replace(Entry(**json.loads(line)), status="delivered") for line in lines]


def phone_number(text: str) -> str:
    """E.164 from what people and providers write: 0912345678, 84912345678, +84912345678."""
    digits = "".join(sign for sign in text if sign.isdigit())
    if digits.startswith("0"):
        return "+84" + digits[1:]
    return "+" + digits if digits else ""
