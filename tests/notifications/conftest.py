"""A sandbox of providers in its own process, a listener for its callbacks, dispatchers to run against it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from notifications.channels.provider import Host
from notifications.dispatcher import Dispatcher
from notifications.kinds import KINDS
from notifications.models import Base
from notifications.policy import Policy
from notifications.settings import NotificationSettings
from tests.conftest import Databases
from tests.notifications.hosting import QUICK, OwnSealer
from tests.notifications.sandboxes import running_sandbox

SAMPLE = {
    "facility": "BV Bà Rịa",
    "time": "08:30",
    "date": "thứ Ba 24/11",
    "code": "482913",
    "number": "17",
    "room": "Phòng 12",
    "link": "http://127.0.0.1:8000/j/abc",
    "minutes": "5",
    "name": "Zalo đang nghỉ",
    "since": "08:30 24/11",
    "until": "08:30 24/11",
}


@dataclass(frozen=True)
class Call:
    """One callback as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """The product's public address, as far as providers see it."""

    url: str
    calls: list[Call] = field(default_factory=list)


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    """Collect what the sandbox calls back."""
    found: Listener

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.calls.append(Call(self.path, dict(self.headers.items()), body))
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST  # noqa: N815  the name that the server looks for

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Listener(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class SandboxClient:
    """The sandbox's switches and ledger, over HTTP."""

    url: str
    smtp_url: str

    def messages(self, to: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = requests.get(
            f"{self.url}/_sandbox/messages", params={"to": to}, timeout=5
        ).json()["items"]
        return items

    def fault(self, provider: str, fault: str, **details: Any) -> None:
        wanted = {"provider": provider, "fault": fault, **details}
        requests.post(f"{self.url}/_sandbox/faults", json=wanted, timeout=5).raise_for_status()

    def phone(self, to: str, *, zalo: bool) -> None:
        wanted = {"to": to, "zalo": zalo}
        requests.post(f"{self.url}/_sandbox/phones", json=wanted, timeout=5).raise_for_status()


@pytest.fixture(scope="session")
def sandbox(listener: Listener) -> Iterator[SandboxClient]:
    """The sandbox process on a free port."""
    with running_sandbox(PUBLIC_BASE_URL=listener.url) as addresses:
        yield SandboxClient(addresses.http, addresses.smtp)


@pytest.fixture(scope="session")
def app_engine(databases: Databases) -> Iterator[Engine]:
    """The application's own role: what it may not do, the tests cannot do either."""
    engine = create_engine(databases.app_url, pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture
def notification_tables(owner_engine: Engine) -> Iterator[None]:
    """Leave nothing behind."""
    yield
    names = ", ".join(f"notifications.{table.name}" for table in Base.metadata.sorted_tables)
    with owner_engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names}"))


_phones = itertools.count(int(time.time() * 10) % 1_000_000 * 10)


@dataclass
class World:
    """What a test of the whole way needs: enqueue, run dispatchers, look at the tables and at the phones."""

    engine: Engine
    listen_url: str
    sandbox: SandboxClient
    settings: NotificationSettings
    sealer: OwnSealer

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.sealer)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_phone(self, *, zalo: bool = True) -> str:
        phone = f"+849{next(_phones) % 100_000_000:08d}"
        self.sandbox.phone(phone, zalo=zalo)
        return phone

    def message(self, kind: str, phone: str, *, hours: float = 2, **details: Any) -> Message:
        now = self.now()
        given: dict[str, Any] = {
            "recipient": Recipient(phone=phone),
            "params": {name: SAMPLE[name] for name in KINDS[kind].params},
            "dedupe_key": str(uuid4()),
            "not_before": now,
            "expires_at": now + timedelta(hours=hours),
        }
        return Message(kind=kind, **(given | details))

    def enqueue(self, *messages: Message) -> int:
        with Session(self.engine) as session, session.begin():
            return self.outbox.enqueue(session, messages, now=self.now())

    def dispatcher(self, policy: Policy = QUICK) -> Dispatcher:
        host = Host(self.engine, self.sealer, self.settings.public_base_url, policy.timeout)
        carriers = self.settings.carriers(host)
        return Dispatcher(self.engine, carriers, self.sealer, policy=policy, listen_url=self.listen_url)

    @contextmanager
    def dispatching(self, policy: Policy = QUICK) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self.dispatcher(policy).run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def dispatch_until_empty(self, policy: Policy = QUICK) -> None:
        with self.dispatching(policy):
            self.until(lambda: self.count("outbox") == 0)

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        give_up = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < give_up, "did not happen in time"
            time.sleep(0.01)

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(text(query), parameters))

    def run(self, statement: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM notifications.{table}")[0][0])

    def states(self) -> list[str]:
        return [row.state for row in self.rows("SELECT state FROM notifications.notification ORDER BY id")]

    def attempts(self) -> list[tuple[str, str]]:
        found = self.rows("SELECT channel, outcome FROM notifications.delivery_attempt ORDER BY id")
        return [(row.channel, row.outcome) for row in found]

    def only_id(self) -> UUID:
        found = self.rows("SELECT id FROM notifications.notification")
        assert len(found) == 1
        return UUID(str(found[0].id))


@pytest.fixture
def world(
    app_engine: Engine,
    databases: Databases,
    sandbox: SandboxClient,
    listener: Listener,
    notification_tables: None,
) -> World:
    """Everything real: PostgreSQL, HTTP, the Twilio SDK."""
    # An application of its own, because its first refresh token works once.
    environ = {"PUBLIC_BASE_URL": listener.url, "ZALO_APP_ID": str(uuid4())}
    settings = NotificationSettings.from_environ(environ, sandbox_url=sandbox.url)
    listen_url = databases.app_url.replace("postgresql+psycopg://", "postgresql://")
    return World(app_engine, listen_url, sandbox, settings, OwnSealer())
