"""Two realtime processes on one database, and people who speak the protocol to them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import psycopg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from telehealth.core import join_ticket
from telehealth.core.join_ticket import ParticipantRole
from telehealth.settings import random_base64

SECRET_KEY = "a-secret-of-the-tests-that-is-long-enough"
ORIGIN = "https://kham.example.vn"
PATIENCE = 8.0

REALTIME = "telehealth.realtime.app:app"
PRODUCT = "telehealth.asgi:app"


def environ_of(database_url: str, origin: str, var_dir: Path, *, demo: bool = False) -> dict[str, str]:
    """Return the environment a process of the product runs in."""
    return {
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET_KEY,
        "FIELD_KEYS": f"1:{random_base64(bytes(range(32)))}",
        "INDEX_KEY": random_base64(bytes(32)),
        "PUBLIC_BASE_URL": origin,
        "VAR_DIR": str(var_dir),
        "DEMO": str(int(demo)),
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Server:
    """One process that serves: by uvicorn, by gunicorn, or the media process."""

    kind: str
    environ: dict[str, str]
    port: int = field(default_factory=free_port)
    app: str = REALTIME
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self._arguments()], env={**os.environ, **self.environ}
        )
        return self

    def _arguments(self) -> list[str]:
        quiet = ["--log-level", "warning"]
        return {
            "uvicorn": ["uvicorn", *quiet, "--port", str(self.port), self.app],
            "gunicorn": [
                "gunicorn",
                "-k",
                "asgi",
                "--no-control-socket",
                *quiet,
                "-b",
                self.address,
                self.app,
            ],
            "media": ["telehealth.media"],
        }[self.kind]

    def wait_until(self, **health: object) -> None:
        """Wait until the server answers and its health says so."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if health.items() <= self._health().items():
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.kind} never said {health}")

    def _health(self) -> dict[str, object]:
        path = "/healthz" if self.kind == "media" else "/rt/healthz"
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=2) as answer:
                said: dict[str, object] = json.load(answer)
                return said
        except OSError:
            return {}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Stop it and return how long that took, in seconds."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=15)
        return time.monotonic() - began


class Refused(Exception):
    """The server said error and closed."""

    def __init__(self, error: dict[str, Any], code: int | None) -> None:
        super().__init__(error, code)
        self.error = error
        self.code = code


class Guest:
    """A page in a room, as far as the protocol goes."""

    def __init__(self, server: Server, ticket: str, *, resume: tuple[str, int] | None = None) -> None:
        self.ticket = ticket
        self.seen = resume[1] if resume else 0
        self.sent = 0
        self.waiting: list[dict[str, Any]] = []
        self._line = ExitStack()
        self.socket = self._line.enter_context(open_socket(server))
        hello: dict[str, Any] = {"type": "hello", "versions": [1], "ticket": ticket}
        if resume:
            hello["resume"] = {"client": resume[0], "seen": resume[1]}
        self.say_raw(hello)
        self.welcome = self.hear("welcome", number=False)
        if not self.welcome["resumed"]:
            self.seen = self.welcome["seq"]
        self.sent = self.welcome["heard"]

    @property
    def client(self) -> str:
        return str(self.welcome["client"])

    def say_raw(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def say(self, kind: str, **fields: Any) -> int:
        self.sent += 1
        self.say_raw({"type": kind, "n": self.sent, **fields})
        return self.sent

    def offer(self, to: "Guest | str", sdp: str = "v=0") -> int:
        return self.say("offer", to=to if isinstance(to, str) else to.client, call=1, sdp=sdp)

    def hear(self, kind: str, *, number: bool = True) -> dict[str, Any]:
        """Return the next message of that type; others wait their turn. Raises Refused on an error."""
        for index, message in enumerate(self.waiting):
            if message["type"] == kind:
                return self.waiting.pop(index)
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._receive(max(0.01, deadline - time.monotonic()))
            if number and "seq" in message:
                assert message["seq"] > self.seen, "numbers rise"
                self.seen = message["seq"]
            if message["type"] == kind:
                return message
            self.waiting.append(message)

    def _receive(self, patience: float) -> dict[str, Any]:
        try:
            message: dict[str, Any] = json.loads(self.socket.recv(timeout=patience))
        except ConnectionClosed as closed:
            error = next((m for m in self.waiting if m["type"] == "error"), {})
            raise Refused(error, closed.rcvd.code if closed.rcvd else None) from closed
        return message

    def close_code(self) -> int | None:
        """Read to the end and return the code the server closed with."""
        try:
            while True:
                self.waiting.append(self._receive(PATIENCE))
        except Refused as refused:
            return refused.code

    def vanish(self) -> None:
        """Cut the line without a word."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self._line.close()

    def leave(self) -> None:
        self.say_raw({"type": "leave"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()


def open_socket(server: Server, origin: str | None = ORIGIN) -> ClientConnection:
    address = f"ws://{server.address}/rt/rooms"
    return connect(address, origin=origin, open_timeout=5, close_timeout=1)  # type: ignore[arg-type]


def refusal(server: Server, ticket: str, **hello: Any) -> Refused:
    """Say hello and return the refusal."""
    with open_socket(server) as line:
        line.send(json.dumps({"type": "hello", "versions": [1], "ticket": ticket, **hello}))
        return refusal_on(line)


def refusal_on(line: ClientConnection) -> Refused:
    error: dict[str, Any] = {}
    try:
        while True:
            message = json.loads(line.recv(timeout=PATIENCE))
            if message["type"] == "error":
                error = message
    except ConnectionClosed as closed:
        return Refused(error, closed.rcvd.code if closed.rcvd else None)


@dataclass(frozen=True)
class Somebody:
    """A person who may be given tickets."""

    role: ParticipantRole
    name: str
    id: UUID = field(default_factory=uuid4)


class Rooms:
    """Opens rooms and issues tickets, as the web side does."""

    def __init__(self, database: psycopg.Connection[Any]) -> None:
        self.database = database

    def open(
        self, *, opens: timedelta = timedelta(minutes=-1), closes: timedelta = timedelta(hours=1)
    ) -> UUID:
        room_id = uuid4()
        now = datetime.now(UTC)
        self.database.execute(
            """
            INSERT INTO room (id, kind, opens_at, closes_at, created_at)
            VALUES (%s, 'consultation', %s, %s, %s)
            """,
            (room_id, now + opens, now + closes, now),
        )
        return room_id

    def ticket(
        self,
        room_id: UUID,
        somebody: Somebody,
        *,
        now: datetime | None = None,
        lifetime: timedelta = join_ticket.LIFETIME,
        secret_key: str = SECRET_KEY,
    ) -> str:
        issued = join_ticket.issue(
            jti=uuid4(),
            room_id=room_id,
            participant_id=somebody.id,
            role=somebody.role,
            display_name=somebody.name,
            now=now or datetime.now(UTC),
            lifetime=lifetime,
        )
        return join_ticket.encode(issued, join_ticket.signing_key(secret_key))

    def end(self, room_id: UUID) -> None:
        self.database.execute(
            "UPDATE room SET ended_at = app_clock(), end_reason = 'ended' WHERE id = %s", (room_id,)
        )
        self.database.execute("SELECT pg_notify('room', %s)", (str(room_id),))

    def presences(self, room_id: UUID) -> list[tuple[str, str | None]]:
        """Return (role, departure) in the order of joining."""
        return self.database.execute(
            "SELECT role, departure FROM room_presence WHERE room_id = %s ORDER BY joined_seq", (room_id,)
        ).fetchall()


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Start servers side by side and stop them at once."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait_until(status="ok")
        yield
    finally:
        for server in servers:
            if server.process is not None and server.process.poll() is None:
                server.process.terminate()
        for server in servers:
            if server.process is not None:
                server.process.wait(timeout=15)
