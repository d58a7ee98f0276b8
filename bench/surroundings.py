"""What a benchmark runs on, and the database, the processes and the arithmetic that benchmarks share."""

import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from telehealth.embedded import binaries, keys
from telehealth.embedded.home import open_home
from telehealth.embedded.place import ROOT, running_server
from telehealth.embedded.postgres import Server, settle
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.roles import Passwords, provision
from telehealth.settings import psycopg_url


@dataclass(frozen=True, slots=True)
class BenchDatabase:
    """A migrated, empty database: the environment that leads the product to it, the superuser, the server."""

    env: dict[str, str]
    admin_url: str
    server: Server


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine at the start of a benchmark."""

    environ: Mapping[str, str]
    cores: int
    load: tuple[float, float, float]
    postgresql: str

    @classmethod
    def look(cls, environ: Mapping[str, str]) -> Self:
        """Look around. Load is that of the last 1, 5, 15 minutes: above 0.3 somebody else was at work."""
        usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        return cls(environ, usable, os.getloadavg(), binaries.find(environ).version)

    def __str__(self) -> str:
        return (
            f"{self.cores} cores, load {self.load[0]:.2f} {self.load[1]:.2f} {self.load[2]:.2f},"
            f" PostgreSQL {self.postgresql}, Python {platform.python_version()}"
        )

    def facts(self) -> dict[str, object]:
        """Return the same for the JSON line."""
        return {
            "cores": self.cores,
            "load": [round(load, 2) for load in self.load],
            "postgresql": self.postgresql,
            "python": platform.python_version(),
        }

    @contextmanager
    def database(self, folder: str = "bench") -> Iterator[BenchDatabase]:
        """Have a database of one's own, as durable as the product's, for the length of a benchmark.

        The server is shared by the benchmarks of one `folder`; who crashes it names another.
        """
        home = open_home(Path(self.environ.get("VAR_DIR") or ROOT / "var").resolve() / folder)
        cluster = settle(home, self.environ)
        made = keys.load_or_make(home, data_exists=(cluster.data / "PG_VERSION").exists())
        passwords = Passwords(made.pop("OWNER_PASSWORD"), made.pop("APP_PASSWORD"))
        name = f"bench_{secrets.token_hex(4)}"
        with running_server(home, cluster) as (server, _guard):
            addresses = provision(cluster, passwords, database=name)
            env = {**self.environ, **made, **addresses, "VAR_DIR": str(home), "DEMO": "1"}
            try:
                subprocess.run([sys.executable, "-m", "telehealth.migrate"], env=env, cwd=ROOT, check=True)
                yield BenchDatabase(env, psycopg_url(cluster.admin_address(name)), server)
            finally:
                with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


SERVERS = {
    # As `run.py` serves pages, API and realtime on one port; as docs/operations.md serves pages and API.
    "one-port": ("-k", "asgi", "--no-control-socket", "telehealth.asgi:app"),
    "threads": ("-k", "gthread", "--threads", "16", "--no-control-socket", "wsgi:app"),
}


@contextmanager
def front(env: Mapping[str, str], port: int, workers: int = 2, server: str = "one-port") -> Iterator[str]:
    """Serve the product without its other processes, by one of SERVERS; yields its address."""
    command = ["gunicorn", "-w", str(workers), "-b", f"127.0.0.1:{port}"]
    quiet = ["--graceful-timeout", "2", "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, *quiet, *SERVERS[server]], env={**env, "PORT": str(port)}, cwd=ROOT
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/healthz", seconds=60)
        yield address
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, seconds: float) -> float:
    """Wait until an address answers 200; returns the seconds it took. Raises Refusal when it never does."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            with urllib.request.urlopen(url, timeout=1) as response:
                if response.status == 200:
                    return time.monotonic() - began
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.01)
    msg = f"{url} does not answer after {seconds:g} seconds."
    raise Refusal(msg)


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Have a folder that any account may pass through; it is removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="bench-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of a series by the nearest rank, to 0.01 ms."""
    ordered = sorted(milliseconds)
    if not ordered:
        return {}
    return {
        f"p{percent}": round(ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)], 2)
        for percent in (50, 95, 99)
    }
