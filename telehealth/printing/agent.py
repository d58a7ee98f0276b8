"""The print agent: a small server on the kiosk's own machine that its browser asks to print.

`python -m telehealth.printing.agent --origin https://kham.example.vn --printer tcp://10.0.0.5:9100`

It listens on the loopback address only and answers one origin only. It keeps nothing but the keys of the
last slips, so that a page that asks twice does not print twice.
"""

import argparse
import json
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from telehealth.printing.drawing import NARROW, WIDE, draw
from telehealth.printing.escpos import Outcome
from telehealth.printing.printers import Printer
from telehealth.printing.slips import BadSlip, Slip

PORT = 9101
LONGEST_BODY = 16_384
KEYS_KEPT = 200

log = logging.getLogger(__name__)


@dataclass
class Agent:
    """Prints one slip at a time; a slip that was printed is not printed again."""

    printer: Printer
    width: int = WIDE
    _printed: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def print(self, slip: Slip) -> Outcome:
        """Print, and return what became of it."""
        with self._turn:
            if slip.key in self._printed:
                return Outcome.PRINTED
            outcome = self.printer.print(draw(slip, self.width))
            if outcome is Outcome.PRINTED:
                self._printed[slip.key] = None
                while len(self._printed) > KEYS_KEPT:
                    self._printed.popitem(last=False)
        log.info("slip %s", outcome.value)
        return outcome


def serve(agent: Agent, origin: str, port: int = PORT) -> ThreadingHTTPServer:
    """Return the server, bound and not yet serving."""
    handler = type("Handler", (_Handler,), {"agent": agent, "origin": origin})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


class _Handler(BaseHTTPRequestHandler):
    agent: Agent
    origin: str

    def do_OPTIONS(self) -> None:
        """Let the kiosk's page in (CORS; `Private-Network`: a page of the Internet asks this machine)."""
        self._answer(HTTPStatus.NO_CONTENT if self._let_in() else HTTPStatus.FORBIDDEN, None)

    def do_GET(self) -> None:
        """Say whether the printer would print."""
        if not self._let_in():
            return self._answer(HTTPStatus.FORBIDDEN, None)
        if self.path != "/state":
            return self._answer(HTTPStatus.NOT_FOUND, None)
        return self._answer(HTTPStatus.OK, {"outcome": self.agent.printer.state().value})

    def do_POST(self) -> None:
        """Print a slip."""
        if not self._let_in():
            return self._answer(HTTPStatus.FORBIDDEN, None)
        if self.path != "/print":
            return self._answer(HTTPStatus.NOT_FOUND, None)
        try:
            slip = Slip.parse(json.loads(self._body()))
        except (BadSlip, ValueError):
            return self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, None)
        return self._answer(HTTPStatus.OK, {"outcome": self.agent.print(slip).value})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server names it
        """Keep the server's own lines out: the outcome is logged."""

    def _let_in(self) -> bool:
        """Only the kiosk's own pages ask; a program without an origin is on this machine anyway."""
        return self.headers.get("Origin") in (None, self.origin)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise BadSlip
        return self.rfile.read(int(length))

    def _answer(self, status: HTTPStatus, body: dict[str, str] | None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status is not HTTPStatus.FORBIDDEN:
            self.send_header("Access-Control-Allow-Origin", self.origin)
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
            self.send_header("Access-Control-Allow-Private-Network", "true")
            self.send_header("Vary", "Origin")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until the machine goes off."""
    parser = argparse.ArgumentParser(prog="telehealth.printing.agent", description=__doc__.split("\n")[0])
    parser.add_argument("--origin", required=True, help="where the kiosk's pages come from")
    parser.add_argument("--printer", required=True, help="tcp://host:9100 or usb:/dev/usb/lp0")
    parser.add_argument("--paper", type=int, choices=(58, 80), default=80, help="width of the roll in mm")
    parser.add_argument("--port", type=int, default=PORT)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    agent = Agent(Printer(given.printer), WIDE if given.paper == 80 else NARROW)
    serve(agent, given.origin.rstrip("/"), given.port).serve_forever()


if __name__ == "__main__":
    main()
