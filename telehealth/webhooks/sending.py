"""One signed request to a hospital's system: to the address that was checked, once, in bounded time."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Event, Timer

from telehealth.webhooks.rules import Reach, Target

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = 10.0
"""From the connection to the whole head of the answer, however it drips."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a request: the status that was answered, or in a few words why there is none."""

    status: int | None
    error: str | None = None

    @property
    def arrived(self) -> bool:
        """Tell whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def away(self) -> bool:
        """Tell whether the receiver takes nothing at all now, whatever is sent."""
        return self.status is None or self.status >= 500 or self.status in (408, 429)


def resolved(target: Target) -> list[str]:
    """Return the addresses that a host stands for; none where it has none."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(item[4][0]) for item in found})


def send(
    url: str, body: bytes, headers: Mapping[str, str], reach: Reach, deadline: float = DEADLINE_SECONDS
) -> Sent:
    """Post a body. The name is resolved once, checked, and that very address is called (no rebinding)."""
    target = Target.parse(url)
    address = None if target is None else reach.allowed(target, resolved(target))
    if target is None or address is None:
        return Sent(None, "target-refused")
    try:
        with socket.create_connection((address, target.port), CONNECT_SECONDS) as line:
            line.settimeout(deadline)
            return _answered(line, target, body, headers, deadline)
    except OSError as error:
        return Sent(None, type(error).__name__)


def _answered(
    line: socket.socket, target: Target, body: bytes, headers: Mapping[str, str], deadline: float
) -> Sent:
    with _cut_after(line, deadline) as cut:
        try:
            status = _status(line, target, body, headers)
        except (OSError, HTTPException) as error:
            return Sent(None, "deadline" if cut.is_set() else type(error).__name__)
    return Sent(status, None if 200 <= status < 300 else "status")


def _status(line: socket.socket, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
    connection = HTTPConnection(target.host, target.port)
    connection.sock = _secured(line, target) if target.secure else line
    try:
        connection.request("POST", target.path, body, {**headers, "Host": target.authority})
        return connection.getresponse().status
    finally:
        connection.close()


def _secured(line: socket.socket, target: Target) -> socket.socket:
    return ssl.create_default_context().wrap_socket(line, server_hostname=target.host)


@contextmanager
def _cut_after(line: socket.socket, seconds: float) -> Iterator[Event]:
    """Cut the line when the time is over: a limit for each read would let a receiver drip for ever.

    The line is held a second time, since securing it takes the first handle away.
    """
    cut = Event()
    with line.dup() as held:

        def end() -> None:
            cut.set()
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

        timer = Timer(seconds, end)
        timer.start()
        try:
            yield cut
        finally:
            timer.cancel()
            timer.join()
