"""A PostgreSQL server of our own: one data folder, reached only through a socket in a private folder.

Who holds the lock beside the data runs the server; any other starter on the same folder attaches to it.
"""

import contextlib
import hashlib
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from telehealth.embedded import watchdog
from telehealth.embedded.account import BARE_ENVIRONMENT, Account, server_account, user_name
from telehealth.embedded.binaries import Binaries, find, reachable
from telehealth.embedded.guard import Guard
from telehealth.embedded.home import Lock, identity
from telehealth.embedded.refusal import Refusal

SUPERUSER = "postgres"
PORT = 5432  # only names the socket file: nothing listens on TCP
LONGEST_SOCKET_PATH = 103  # bytes; macOS takes 103, Linux 107
ATTACH_SECONDS = 60.0
RECOVERY_SECONDS = 600.0  # after a crash with much to replay
START_ATTEMPTS = 4
LOG_LIMIT_BYTES = 10_000_000

HBA = """\
local all {superuser} peer map=starter
local all all scram-sha-256
"""
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # a log must not tell about patients: no statement, no parameters, no row that broke a rule
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
}
# for tests alone: survives kill -9, as tests of faults need, but not a power cut
NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder, whose account owns it, and the programs that run on it."""

    binaries: Binaries
    account: Account
    data: Path
    sockets: Path
    log: Path
    durable: bool

    def conninfo(self, database: str = "postgres") -> str:
        """Return how the superuser connects, as libpq takes it."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.sockets), port=PORT, user=SUPERUSER, dbname=database, connect_timeout=5
        )

    def address(self, user: str, password: str, database: str) -> str:
        """Return how another role connects, as SQLAlchemy takes it."""
        return (
            f"postgresql+psycopg://{user}:{password}@/{database}?host={quote(str(self.sockets))}&port={PORT}"
        )

    def admin_address(self, database: str = "postgres") -> str:
        """Return how the superuser connects, as SQLAlchemy takes it. For the starter's own account only."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={quote(str(self.sockets))}&port={PORT}"

    def answers(self) -> bool:
        """Tell whether a server takes connections."""
        try:
            psycopg.connect(self.conninfo()).close()
        except psycopg.OperationalError:
            return False
        return True


def settle(home: Path, environ: Mapping[str, str], *, prefix: str = "pg", durable: bool = True) -> Cluster:
    """Decide where data, socket and programs are for a state folder. Creates no database. Raises Refusal."""
    binaries = find(environ)
    name = f"{prefix}{binaries.major}"
    state = Path(environ.get("TELEHEALTH_STATE_DIR", "/var/lib/telehealth"))
    data = home / name
    account = server_account(data)
    if account.dropped:
        if not account.can_enter(home):
            data = state / "clusters" / identity(home) / name
            data.parent.mkdir(parents=True, exist_ok=True)
            account = server_account(data)
        binaries = reachable(binaries, account, state)
    if data.exists() and data.stat().st_uid != account.uid:
        msg = (
            f"The database in {data} belongs to {user_name(data.stat().st_uid)} and you are {account.name}:"
            f" start as its owner, or choose another folder by VAR_DIR."
        )
        raise Refusal(msg)
    log = home / "log" / f"{name}.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    return Cluster(binaries, account, data, _socket_folder(data, account), log, durable)


def _socket_folder(data: Path, account: Account) -> Path:
    if len(os.fsencode(data / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH:
        return data
    short = Path("/tmp") / f"telehealth-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"  # noqa: S108  checked below
    account.run("/bin/mkdir", "-m", "700", short)
    found = short.lstat() if short.exists() else None
    if (
        found is None
        or not stat.S_ISDIR(found.st_mode)
        or found.st_uid != account.uid
        or found.st_mode & 0o077
    ):
        msg = (
            f"{data} is too long a path for a socket, and {short} is not a private folder of {account.name}."
        )
        raise Refusal(msg)
    return short


class Server:
    """PostgreSQL on one cluster: run by us, or by another starter and used by us."""

    def __init__(self, cluster: Cluster, lock: Lock, guard: Guard) -> None:
        self.cluster = cluster
        self._lock = lock
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Return the server's process where it is ours."""
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Have a server that takes connections: start it, or attach to another starter's. Raises Refusal."""

        def ours_or_theirs() -> bool:
            return self._lock.take() or self.cluster.answers()

        if not until(ours_or_theirs, ATTACH_SECONDS):
            msg = f"Another process holds {self.cluster.data}, but no server answers: see {self.cluster.log}."
            raise Refusal(msg)
        if self._lock.held:
            self._start()

    def tend(self) -> str | None:
        """Bring the server back if it went away; tells what happened, None while all is well."""
        if self._process is not None and self._process.poll() is not None:
            self._guard.release(self._process)
            self._start()
            return "stopped unexpectedly and was started again"
        if self._process is None and self._lock.take():
            self._start()
            return "lost the process that had started it and was started again"
        return None

    def close(self) -> None:
        """Stop the server if it is ours: open transactions are rolled back, nothing committed is lost."""
        if self._process is not None:
            _stop(self._process.pid, lambda: _ended(self._process))
            self._guard.release(self._process)
            self._process = None

    def give_up(self) -> None:
        """Let another starter run the server from now on; call it closed."""
        self._lock.release()

    def _start(self) -> None:
        self._clear_leftovers()
        if not (self.cluster.data / "PG_VERSION").exists():
            _create(self.cluster)
        self._write_access_rules()
        for _ in range(START_ATTEMPTS):
            if self._started():
                return
            time.sleep(0.2)
            self._clear_leftovers()
        msg = f"PostgreSQL does not start: {_last_words(self.cluster.log)} (log: {self.cluster.log})"
        raise Refusal(msg)

    def _started(self) -> bool:
        """Start once; tells whether the server takes connections. One that ended may be tried again."""
        process = self._process = self._spawn()
        until(lambda: process.poll() is not None or self.cluster.answers(), RECOVERY_SECONDS)
        if process.poll() is None:
            return True
        self._guard.release(process)
        self._process = None
        return False

    def _spawn(self) -> "subprocess.Popen[bytes]":
        cluster = self.cluster
        if cluster.log.exists() and cluster.log.stat().st_size > LOG_LIMIT_BYTES:
            cluster.log.replace(cluster.log.with_suffix(".log.1"))
        settings = {**SETTINGS, **({} if cluster.durable else NOT_DURABLE)}
        settings["unix_socket_directories"] = str(cluster.sockets)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with cluster.log.open("ab") as log:
            return self._guard.spawn(
                [cluster.binaries / "postgres", "-D", cluster.data, *options],
                stop_signal=signal.SIGINT,
                env=BARE_ENVIRONMENT,
                cwd=Path("/"),
                stdout=log,
                options=cluster.account.spawn_options(),
            )

    def _write_access_rules(self) -> None:
        starters = {user_name(os.geteuid()), self.cluster.account.name}
        names = "".join(f'starter "{name}" {SUPERUSER}\n' for name in sorted(starters))
        self.cluster.account.write(self.cluster.data / "pg_ident.conf", names)
        self.cluster.account.write(self.cluster.data / "pg_hba.conf", HBA.format(superuser=SUPERUSER))

    def _clear_leftovers(self) -> None:
        """Remove what a dead starter left: with the lock held, any server on this folder has lost its owner.

        PostgreSQL itself takes a zombie, or a stranger who got the old number, for a living server.
        """
        data = self.cluster.data
        recorded = _recorded_pid(data)
        if recorded is not None and _is_server(recorded, data):
            _stop(recorded, lambda: not watchdog.alive(recorded))
        for pid in list(_servers(data)):
            _stop(pid, lambda pid=pid: not watchdog.alive(pid), first=signal.SIGQUIT)  # type: ignore[misc]
        for path in (data / "postmaster.pid", *self.cluster.sockets.glob(f".s.PGSQL.{PORT}*")):
            path.unlink(missing_ok=True)


def _create(cluster: Cluster) -> None:
    """Make the database files beside their place and move them there whole."""
    data, account = cluster.data, cluster.account
    if data.exists() and any(data.iterdir()):
        msg = f"{data} is neither empty nor a database: move it away, or choose another folder by VAR_DIR."
        raise Refusal(msg)
    unfinished = data.with_name(f"{data.name}.new")
    account.run("/bin/rm", "-rf", unfinished)
    unfinished.mkdir(mode=0o700, exist_ok=True)
    if account.dropped:
        os.chown(unfinished, account.uid, account.gid)
    made = account.run(
        cluster.binaries / "initdb",
        *("-D", unfinished, "-U", SUPERUSER, "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8"),
        *("--no-instructions", *([] if cluster.durable else ["--no-sync"])),
    )
    if made.returncode:
        msg = f"The database could not be made in {data}: {made.stderr.strip().splitlines()[-1:]}"
        raise Refusal(msg)
    unfinished.rename(data)


def _recorded_pid(data: Path) -> int | None:
    try:
        first = (data / "postmaster.pid").read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def _is_server(pid: int, data: Path) -> bool:
    """Tell whether a process is a living PostgreSQL of this data folder, and not a zombie or a stranger."""
    if not watchdog.alive(pid):
        return False
    process = Path(f"/proc/{pid}")
    if not process.exists():
        command = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return "postgres" in command.stdout and str(data) in command.stdout
    try:
        return (process / "comm").read_text().strip() == "postgres" and (
            process / "cwd"
        ).readlink() == data.resolve()
    except OSError:
        return False


def _servers(data: Path) -> Iterator[int]:
    """List the living PostgreSQL processes of a data folder."""
    for process in Path("/proc").glob("[0-9]*"):
        if _is_server(int(process.name), data):
            yield int(process.name)


def _stop(pid: int, ended: Callable[[], bool], first: signal.Signals = signal.SIGINT) -> None:
    """Stop a server process: fast, then at once, then by force."""
    for number in (first, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if until(ended, 10.0):
            return


def _ended(process: "subprocess.Popen[bytes] | None") -> bool:
    return process is None or process.poll() is not None


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines[-30:] if "FATAL" in line or "PANIC" in line or "error" in line]
    return (telling or lines or ["it said nothing"])[-1]


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition, looking every 20 ms; tells whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
