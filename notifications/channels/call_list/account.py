"""Where the lists are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from notifications.channels.base import Channel
from notifications.channels.call_list.channel import CallList
from notifications.channels.provider import Host


@dataclass(frozen=True)
class CallListAccount:
    folder: Path

    def connect(self, host: Host) -> Channel:
        return CallList(self.folder, clock=host.clock, timeout=host.timeout)


def read(environ: Mapping[str, str]) -> CallListAccount | None:
    """CALL_LIST_DIR, else a folder in VAR_DIR; without either there are no lists."""
    named, state = environ.get("CALL_LIST_DIR", ""), environ.get("VAR_DIR", "")
    if named:
        return CallListAccount(Path(named))
    return CallListAccount(Path(state) / "call-lists") if state else None


def sandbox(_url: str) -> Mapping[str, str]:
    return {}
