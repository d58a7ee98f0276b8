"""Running sandboxes, and what their tests share."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

TWILIO = ("AC" + "5a" * 16, "demo-twilio-token")
TWILIO_SEND = f"/2010-04-01/Accounts/{TWILIO[0]}/Messages.json"
ESMS_SEND = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"
_phones = itertools.count(int(time.time() * 10) % 1_000_000 * 10)


class Addresses(NamedTuple):
    http: str
    smtp: str


@contextmanager
def running_sandbox(*arguments: str, **environ: str) -> Iterator[Addresses]:
    """A sandbox process on free ports."""
    command = [sys.executable, "-m", "notifications.sandbox", "--port", "0", "--delivery-seconds", "0.05"]
    process = subprocess.Popen(
        [*command, *arguments],
        env={**os.environ, "VAR_DIR": "", **environ},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Addresses(*(process.stdout.readline().strip().rpartition(" ")[2] for _ in range(2)))
    finally:
        process.terminate()
        process.wait(timeout=5)
        process.stdout.close()


def new_phone() -> str:
    """A number that nobody has used and that has Zalo."""
    return f"+8497{next(_phones) % 1_000_000:06d}1"


def calls_to(listener: Any, path: str) -> list[Any]:
    return [call for call in list(listener.calls) if call.path.startswith(path)]


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "did not happen in time"
        time.sleep(0.01)
