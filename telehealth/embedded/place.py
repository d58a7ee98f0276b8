"""Where this run stands: the project, its state folder, its ports; and the database that goes with them."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from telehealth.embedded import keys
from telehealth.embedded.guard import Guard
from telehealth.embedded.home import Lock, open_home
from telehealth.embedded.postgres import Cluster, Server, settle
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.roles import Passwords, provision

ROOT = Path(__file__).resolve().parents[2]
DEMO_ACCOUNTS = "demo-accounts.json"
# What the sandbox remembers belongs to the database of its time: a new one has no tokens from it.
SANDBOX_FILES = ("sandbox-messages.jsonl", "sandbox-messages.used-tokens")


@dataclass(frozen=True, slots=True)
class Place:
    """What the environment says about this run."""

    environ: Mapping[str, str]
    home: Path
    port: int
    sandbox_port: int
    media_port: int
    mail_port: int

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; makes the state folder. Raises Refusal."""
        port = _port(environ, "PORT", 8000)
        home = open_home(Path(environ.get("VAR_DIR") or ROOT / "var").resolve())
        sandbox, media = _port(environ, "SANDBOX_PORT", port + 1), _port(environ, "MEDIA_PORT", port + 2)
        return cls(environ, home, port, sandbox, media, _port(environ, "SANDBOX_SMTP_PORT", sandbox + 2))

    @property
    def embedded(self) -> bool:
        """Tell whether the database is our own to start."""
        return not self.environ.get("DATABASE_URL")

    @property
    def demo(self) -> bool:
        """Tell whether made-up people and the sandbox provider belong to this run."""
        return self.environ.get("DEMO", "1" if self.embedded else "0") == "1"

    @property
    def demo_accounts(self) -> Path:
        """Return the file that the demo load writes last: while it is missing, the load has not been done."""
        return self.home / DEMO_ACCOUNTS

    def settings(self) -> dict[str, str]:
        """Return the environment for the product's processes, the database apart."""
        path = [str(ROOT), self.environ.get("PYTHONPATH", "")]
        return {
            **self.environ,
            "VAR_DIR": str(self.home),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "MEDIA_PORT": str(self.media_port),
            **self._sandbox_mail(),
            "DEMO": "1" if self.demo else "0",
            "PYTHONPATH": os.pathsep.join(part for part in path if part),
            "PYTHONUNBUFFERED": "1",
        }

    def _sandbox_mail(self) -> dict[str, str]:
        """Return where the demo's mail goes, unless the environment says otherwise."""
        if not self.demo:
            return {}
        url = self.environ.get("SMTP_URL") or f"smtp://127.0.0.1:{self.mail_port}"
        return {"SANDBOX_SMTP_PORT": str(self.mail_port), "SMTP_URL": url}


@dataclass(frozen=True, slots=True)
class Database:
    """A database ready for migration, who guards its processes, and the environment that leads to it."""

    server: Server | None
    guard: Guard
    env: dict[str, str]


@contextmanager
def opened_database(place: Place, locks: tuple[Lock, ...] = ()) -> Iterator[Database]:
    """Have the product's database for a while: our own server, or the one that DATABASE_URL names."""
    if not place.embedded:
        made = keys.load_or_make(place.home, data_exists=False) if place.demo else {}
        with Guard([lock.descriptor for lock in locks]) as guard:
            env = {**made, **place.settings()}
            yield Database(None, guard, {"DATABASE_OWNER_URL": env["DATABASE_URL"], **env})
        return
    cluster = settle(place.home, place.environ)
    exists = (cluster.data / "PG_VERSION").exists()
    made = keys.load_or_make(place.home, data_exists=exists)
    if not exists:
        for leftover in (DEMO_ACCOUNTS, *SANDBOX_FILES):
            (place.home / leftover).unlink(missing_ok=True)
    passwords = Passwords(made.pop("OWNER_PASSWORD"), made.pop("APP_PASSWORD"))
    with running_server(place.home, cluster, locks) as (server, guard):
        yield Database(server, guard, {**made, **place.settings(), **provision(cluster, passwords)})


@contextmanager
def running_server(
    home: Path, cluster: Cluster, locks: tuple[Lock, ...] = (), lock: Lock | None = None
) -> Iterator[tuple[Server, Guard]]:
    """Have a server on a cluster for a while; it is stopped at the end if it is ours."""
    with (
        lock or server_lock(home, cluster) as own,
        Guard([held.descriptor for held in (own, *locks)]) as guard,
    ):
        server = Server(cluster, own, guard)
        try:
            server.open()
            yield server, guard
        finally:
            server.close()


def server_lock(home: Path, cluster: Cluster) -> Lock:
    """Return the lock whose holder runs the cluster's server."""
    return Lock(home / f"{cluster.data.name}.lock")


def python(*arguments: str) -> list[str]:
    """Return a command for this environment's Python."""
    return [sys.executable, *arguments]


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdigit() or not 0 < int(value) < 65536:
        msg = f"{name} is '{value}', but must be a port number from 1 to 65535."
        raise Refusal(msg)
    return int(value)
