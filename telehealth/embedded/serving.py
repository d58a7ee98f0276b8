"""`run.py` without a command: the whole product on one machine, until somebody stops it."""

import json
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from telehealth.embedded.home import Lock
from telehealth.embedded.place import ROOT, Database, Place, opened_database, python
from telehealth.embedded.postgres import until
from telehealth.embedded.process import Program
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.schema import is_current
from telehealth.embedded.supervisor import Stopped, Supervisor
from telehealth.embedded.watchdog import alive

HOST = "127.0.0.1"
CLEAN_UP_SECONDS = 30.0
FRONT_WORKERS = 2


def serve(place: Place) -> int:
    """Run everything; returns 0 after a clean stop. Raises Refusal."""
    with Lock(place.home / "run.lock") as lock:
        be_the_only_one(lock, place.home)
        _refuse_used_ports(place)
        with opened_database(place, (lock,)) as database:
            _supervise(place, database)
    return 0


def be_the_only_one(lock: Lock, home: Path) -> None:
    """Take the run lock. One that a killed run's watchdog still holds is given back within seconds."""

    def taken_or_refused() -> bool:
        if lock.take():
            return True
        holder = lock.holder()
        return holder is not None and alive(holder)

    until(taken_or_refused, CLEAN_UP_SECONDS)
    if not lock.held:
        msg = f"The product already runs from {home} (process {lock.holder()}): stop it, or set VAR_DIR."
        raise Refusal(msg)


def _refuse_used_ports(place: Place) -> None:
    refuse_used_port(place.port, "PORT")
    refuse_used_port(place.media_port, "MEDIA_PORT")
    if place.demo:
        refuse_used_port(place.sandbox_port, "SANDBOX_PORT")
        refuse_used_port(place.mail_port, "SANDBOX_SMTP_PORT")


def refuse_used_port(port: int, name: str) -> None:
    """Raise Refusal where somebody listens already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = (error.strerror or "unusable").lower()
            msg = f"Port {port}: {reason}; choose another one, as in `{name}={port + 10} python3 run.py`."
            raise Refusal(msg) from error


def _supervise(place: Place, database: Database) -> None:
    supervisor = Supervisor(database.server, database.guard, database.env, ROOT)
    with supervisor.signals():
        try:
            for step in steps(place, database.env):
                if supervisor.run_once(step):
                    msg = f"The step '{step.name}' failed: see its lines above."
                    raise Refusal(msg)
            supervisor.start(programs(place))
            sys.stdout.write(welcome(place))
            sys.stdout.flush()
            supervisor.run()
        except Stopped:
            supervisor.say("stopping")
        finally:
            supervisor.stop()


def steps(place: Place, env: Mapping[str, str]) -> Iterator[Program]:
    """List what runs to its end before anything serves."""
    if not is_current(env["DATABASE_OWNER_URL"]):
        yield Program("migrate", python("-m", "telehealth.migrate"))
    if place.demo and not place.demo_accounts.exists():
        yield Program("demo", python("-m", "flask", "--app", "wsgi", "demo", "load"))


def programs(place: Place) -> Iterator[Program]:
    """List what keeps running, in the order of its start."""
    if place.demo:
        ports = ("--port", str(place.sandbox_port), "--smtp-port", str(place.mail_port))
        sandbox = python("-m", "notifications.sandbox", *ports)
        yield Program("sandbox", sandbox, answers(place.sandbox_port, "/_sandbox/messages"))
    yield Program("worker", python("-m", "telehealth.jobs"))
    yield Program("media", python("-m", "telehealth.media"))
    yield Program("front", front(HOST, place.port), answers(place.port, "/healthz"))


def front(host: str, port: int) -> list[str]:
    """Return the command of web and realtime on one port."""
    command = python("-m", "gunicorn", "-k", "asgi", "-w", str(FRONT_WORKERS), "-b", f"{host}:{port}")
    options = ["--no-control-socket", "--preload", "--graceful-timeout", "5", "--log-level", "warning"]
    options += ["--websocket-max-message-size", "65536"]  # realtime refuses what is larger; why read it first
    return [*command, *options, "telehealth.asgi:app"]


def answers(port: int, path: str) -> Callable[[], bool]:
    """Return what tells whether a program of this machine answers."""

    def does_answer() -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    return does_answer


def welcome(place: Place) -> str:
    """Return what to open and, in a demo, who to be."""
    base = f"http://{HOST}:{place.port}"
    lines = ["", f"Ready: {base}"]
    if place.demo:
        lines += [f"  {path:<9} {meaning}" for path, meaning in PAGES]
        lines += [
            "Patients sign in with any mobile number, also a foreign one, an e-mail address or a passkey;",
            f"every message and one-time code of the demo arrives at {base}/sandbox",
            *_accounts(place.demo_accounts),
        ]
    return "\n".join([*lines, "Ctrl-C stops everything.", ""]) + "\n"


PAGES = (
    ("/", "patients (Vietnamese; English at /en)"),
    ("/desk", "reception"),
    ("/clinic", "doctors"),
    ("/kiosk", "the machine in the hall"),
    ("/admin", "facility and province"),
)


def _accounts(path: Path) -> list[str]:
    if not path.exists():
        return []
    people = [entry for entry in json.loads(path.read_text()) if "login" in entry]
    if not people:
        return []
    rows = [("login", "password", "TOTP secret", "roles", "facility")]
    for person in people:
        roles = person.get("roles") or ""
        named = roles if isinstance(roles, str) else ",".join(roles)
        rows.append(
            (
                person["login"],
                person["password"],
                person.get("totp_secret") or "-",
                named,
                person.get("facility") or "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "",
        *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows),
        f"(these and the devices of the kiosks: {path})",
    ]
