"""The sandbox in a process of its own, and its ledger, which alone knows what was really accepted."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
import requests

from bench.messages.posting import NUMBERED
from bench.surroundings import empty_folder, wait_for

PROVIDERS = ("twilio", "zalo", "esms")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A provider took message `number`, at `at` (seconds since 1970, its own clock)."""

    number: int
    provider: str
    at: float


class Provider:
    """The running sandbox."""

    def __init__(self, url: str, ledger: Path, process: psutil.Process) -> None:
        self.url = url
        self.process = process
        self._ledger = ledger
        self._read_to = 0
        self._accepted: list[Acceptance] = []

    def accepted(self) -> list[Acceptance]:
        """Everything accepted so far, in the order of acceptance."""
        if self._ledger.exists():
            with self._ledger.open("rb") as file:
                file.seek(self._read_to)
                written = file.read()
            whole = written[: written.rfind(b"\n") + 1]
            self._read_to += len(whole)
            self._accepted += map(_acceptance, whole.splitlines())
        return self._accepted

    def plan(self, provider: str, fault: str, **details: object) -> None:
        """Have it go wrong; see notifications.sandbox."""
        wanted = {"provider": provider, "fault": fault, **details}
        requests.post(f"{self.url}/_sandbox/faults", json=wanted, timeout=10).raise_for_status()

    def weather(
        self, provider: str, *, seed: str, shares: Mapping[str, float], seconds: Mapping[str, object]
    ) -> None:
        """Have it go wrong by chance, in so many parts of the sends."""
        wanted = {"provider": provider, "seed": seed, "shares": shares, "seconds": seconds}
        requests.post(f"{self.url}/_sandbox/weather", json=wanted, timeout=10).raise_for_status()

    def struck(self) -> dict[str, dict[str, int]]:
        """Return by provider how often each fault of the weather has struck."""
        told = requests.get(f"{self.url}/_sandbox/weather", timeout=10).json()["weather"]
        return {sky["provider"]: dict(sorted(sky["hits"].items())) for sky in told}

    def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until that many were accepted; tells whether they were in time."""
        until = time.monotonic() + seconds
        while len(self.accepted()) < count:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def sandbox(
    env: Mapping[str, str], port: int, *, latency_ms: float, receipts_after: float | None
) -> Iterator[Provider]:
    """Run a sandbox with an empty ledger. It calls back after so many seconds, or never."""
    with empty_folder() as folder:
        ledger = folder / "ledger.jsonl"
        command = ["--port", str(port), "--ledger", str(ledger), "--latency-ms", str(latency_ms)]
        command += ["--delivery-seconds", str(receipts_after or 1.0)]
        process = subprocess.Popen(
            [sys.executable, "-m", "notifications.sandbox", *command], env=env, stdout=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/_sandbox/messages", seconds=30)
            found = Provider(url, ledger, psutil.Process(process.pid))
            if receipts_after is None:
                for name in PROVIDERS:
                    found.plan(name, "no-receipts", times=10**9)
            yield found
        finally:
            process.terminate()
            process.wait()


def _acceptance(line: bytes) -> Acceptance:
    entry = json.loads(line)
    number = re.search(NUMBERED, entry["text"] + json.dumps(entry["rows"]))
    if number is None:
        msg = f"not one of our messages: {entry['text']}"
        raise AssertionError(msg)
    return Acceptance(int(number[1]), entry["provider"], datetime.fromisoformat(entry["at"]).timestamp())
