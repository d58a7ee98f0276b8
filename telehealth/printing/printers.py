"""Printers: one on the network (port 9100), one on a cable (usblp). Both are a line of bytes each way."""

import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from PIL import Image

from telehealth.printing import escpos
from telehealth.printing.escpos import Outcome

CONNECT_SECONDS = 2.0
STATUS_SECONDS = 2.0
PRINT_SECONDS = 10.0


class Line(Protocol):
    """Bytes to a printer and from it."""

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""

    def receive(self, seconds: float) -> int | None:
        """Return the next byte of an answer, None when none comes in time."""


@dataclass(frozen=True, slots=True)
class Printer:
    """A printer by its address: `tcp://host:9100` or `usb:/dev/usb/lp0`."""

    address: str

    def print(self, page: Image.Image) -> Outcome:
        """Print a picture, cut, and return what became of it. Never raises."""
        try:
            with _line(self.address) as line:
                return _print(line, page)
        except OSError:
            return Outcome.UNREACHABLE

    def state(self) -> Outcome:
        """Return whether it would print now: PRINTED, or why not."""
        try:
            with _line(self.address) as line:
                return _refusal(line) or Outcome.PRINTED
        except OSError:
            return Outcome.UNREACHABLE


def _print(line: Line, page: Image.Image) -> Outcome:
    """Ask first, print, and wait for the answer that comes when all is on paper."""
    refusal = _refusal(line)
    if refusal is not None:
        return refusal
    line.send(escpos.BEGIN)
    for command in escpos.raster(page):
        line.send(command)
    line.send(escpos.FEED_AND_CUT + escpos.ASK_WHEN_DONE)
    done = line.receive(PRINT_SECONDS)
    if done is None:
        return _refusal(line) or Outcome.STALLED
    return Outcome.PAPER_OUT if escpos.ran_out(done) else Outcome.PRINTED


def _refusal(line: Line) -> Outcome | None:
    line.send(escpos.ASK_OFFLINE)
    offline = line.receive(STATUS_SECONDS)
    if offline is None:
        return Outcome.STALLED
    cause = escpos.offline_cause(offline)
    if cause is not None:
        return cause
    line.send(escpos.ASK_PAPER)
    paper = line.receive(STATUS_SECONDS)
    if paper is None:
        return Outcome.STALLED
    return Outcome.PAPER_OUT if escpos.roll_is_empty(paper) else None


@contextmanager
def _line(address: str) -> Iterator[Line]:
    parts = urlsplit(address)
    if parts.scheme == "tcp":
        with socket.create_connection((parts.hostname, parts.port or 9100), CONNECT_SECONDS) as connection:
            connection.settimeout(PRINT_SECONDS)
            yield _Network(connection)
        return
    handle = os.open(Path(parts.path), os.O_RDWR | os.O_NONBLOCK)
    try:
        yield _Cable(handle)
    finally:
        with suppress(OSError):
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Network:
    connection: socket.socket

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self, seconds: float) -> int | None:
        self.connection.settimeout(seconds)
        try:
            answer = self.connection.recv(1)
        except TimeoutError:
            return None
        return answer[0] if answer else None


@dataclass(frozen=True, slots=True)
class _Cable:
    handle: int

    def send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            _, ready, _ = select.select([], [self.handle], [], PRINT_SECONDS)
            if not ready:
                raise TimeoutError
            left = left[os.write(self.handle, left) :]

    def receive(self, seconds: float) -> int | None:
        ready, _, _ = select.select([self.handle], [], [], seconds)
        answer = os.read(self.handle, 1) if ready else b""
        return answer[0] if answer else None
