"""A thermal printer without paper: speaks as much ESC/POS as the agent does, and keeps its slips as pictures.

`python -m telehealth.printing.emulator --port 9100 --out slips/` tries a kiosk without a printer.
"""

import argparse
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image

PAPER_DOTS = 576


@dataclass
class Paper:
    """The printer's state, and every slip that was cut. `paper_out` and the like are what a test sets."""

    paper_out: bool = False
    cover_open: bool = False
    silent: bool = False
    rows_left: int | None = None
    slips: list[Image.Image] = field(default_factory=list)
    _rows: list[Image.Image] = field(default_factory=list)

    def dots(self, band: Image.Image) -> None:
        """Put a band on the paper, as far as there is some."""
        if self.rows_left is not None:
            self.rows_left -= band.height
            if self.rows_left < 0:
                self.paper_out = True
        if not self.paper_out:
            self._rows.append(band)

    def cut(self) -> None:
        """Cut off what was printed."""
        if not self._rows or self.paper_out:
            self._rows.clear()
            return
        width = max(band.width for band in self._rows)
        slip = Image.new("1", (width, sum(band.height for band in self._rows)), 1)
        top = 0
        for band in self._rows:
            slip.paste(band, (0, top))
            top += band.height
        self._rows.clear()
        self.slips.append(slip)

    def offline_status(self) -> int:
        """Answer `DLE EOT 2`; bit 1 and 4 are always set."""
        return 0x12 | (0x04 if self.cover_open else 0) | (0x20 if self.paper_out else 0)

    def paper_status(self) -> int:
        """Answer `DLE EOT 4`."""
        return 0x12 | (0x60 if self.paper_out else 0)

    def done_status(self) -> int:
        """Answer `GS r 1`."""
        return 0x0C if self.paper_out else 0x00


class UnknownCommand(Exception):
    """A byte that no command of this printer begins with."""


class Emulator(socketserver.ThreadingTCPServer):
    """A printer on a port of this machine."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, paper: Paper, port: int = 0, out: Path | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.paper = paper
        self.out = out
        self.turn = threading.Lock()

    @property
    def address(self) -> str:
        """Return where a Printer finds it."""
        return f"tcp://127.0.0.1:{self.server_address[1]}"

    def keep(self) -> None:
        """Write the last slip as a picture, where pictures are wanted."""
        if self.out is not None and self.paper.slips:
            self.paper.slips[-1].save(self.out / f"slip-{len(self.paper.slips):04d}.png")


class _Connection(socketserver.BaseRequestHandler):
    server: Emulator

    def handle(self) -> None:
        connection: socket.socket = self.request
        source = connection.makefile("rb")
        while (first := source.read(1)) and not self.server.paper.silent:
            with self.server.turn:
                answer = self._obey(first, source)
            if answer is not None:
                connection.sendall(bytes([answer]))

    def _obey(self, first: bytes, source: IO[bytes]) -> int | None:
        read = source.read
        command = first + read(1)
        paper = self.server.paper
        if command == b"\x1b@":
            return None
        if command == b"\x1bd":
            read(1)
            return None
        if command == b"\x10\x04":
            return paper.offline_status() if read(1) == b"\x02" else paper.paper_status()
        if command == b"\x1dr":
            read(1)
            return paper.done_status()
        if command == b"\x1dV":
            read(2)
            paper.cut()
            self.server.keep()
            return None
        if command == b"\x1dv":
            read(2)
            across = int.from_bytes(read(2), "little")
            rows = int.from_bytes(read(2), "little")
            band = Image.frombytes(
                "1", (across * 8, rows), bytes(byte ^ 0xFF for byte in read(across * rows))
            )
            paper.dots(band)
            return None
        raise UnknownCommand(command)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="telehealth.printing.emulator", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--out", type=Path, default=Path("slips"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    Emulator(Paper(), given.port, given.out).serve_forever()


if __name__ == "__main__":
    main()
