"""`run.py --node`: the small node in a hospital's network, on the machine's own PostgreSQL."""

import argparse
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from telehealth.embedded import keys
from telehealth.embedded.home import Lock
from telehealth.embedded.place import ROOT, Database, Place, opened_database, python
from telehealth.embedded.process import Program
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.schema import is_current
from telehealth.embedded.serving import answers, be_the_only_one, front, refuse_used_port
from telehealth.embedded.supervisor import Stopped, Supervisor

ENROLMENT = "node.env"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command says. Centre and code are needed at the first start only."""

    facility: str
    centre: str | None
    code: str | None
    address: str | None

    @classmethod
    def read(cls, arguments: Sequence[str]) -> "Wish":
        """Read the command's arguments, or exit with their usage."""
        parser = argparse.ArgumentParser("run.py")
        parser.add_argument("--node", required=True, metavar="FACILITY", help="the facility's code")
        parser.add_argument("--centre", metavar="URL", help="the centre's address")
        parser.add_argument("--code", help="the code that the centre's administration page shows")
        parser.add_argument("--address", metavar="URL", help="where this machine is reached in the hospital")
        given = parser.parse_args(arguments)
        return cls(given.node, given.centre, given.code, given.address)


def serve_node(environ: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Run the node until somebody stops it; returns 0 after a clean stop. Raises Refusal."""
    wish = Wish.read(arguments)
    place = Place.from_environ({**environ, "DEMO": "0"})
    with Lock(place.home / "run.lock") as lock:
        be_the_only_one(lock, place.home)
        refuse_used_port(place.port, "PORT")
        with opened_database(place, (lock,)) as database:
            _supervise(place, database, wish)
    return 0


def _supervise(place: Place, database: Database, wish: Wish) -> None:
    centre = _enrolment(place).get("CENTRE_URL") or wish.centre or ""
    address = wish.address or f"http://{_own_address(centre)}:{place.port}"
    env = {**database.env, "NODE": "1", "PUBLIC_BASE_URL": address, "CENTRE_URL": centre}
    supervisor = Supervisor(database.server, database.guard, env, ROOT)
    with supervisor.signals():
        try:
            for step in _steps(place, env, wish):
                if supervisor.run_once(step):
                    msg = f"The step '{step.name}' failed: see its lines above."
                    raise Refusal(msg)
            supervisor.env = {**env, **_enrolment(place)}
            supervisor.start(_programs(place))
            sys.stdout.write(_welcome(address, supervisor.env["CENTRE_URL"], wish.facility))
            sys.stdout.flush()
            supervisor.run()
        except Stopped:
            supervisor.say("stopping")
        finally:
            supervisor.stop()


def _enrolment(place: Place) -> dict[str, str]:
    """Return what the enrolment wrote down; nothing before it."""
    kept = place.home / ENROLMENT
    return keys.parse(kept.read_text()) if kept.exists() else {}


def _steps(place: Place, env: Mapping[str, str], wish: Wish) -> Iterator[Program]:
    if not is_current(env["DATABASE_OWNER_URL"]):
        yield Program("migrate", python("-m", "telehealth.migrate"))
    if _enrolment(place):
        return
    if wish.centre is None or wish.code is None:
        msg = (
            "This machine is no node yet: the first start needs --centre URL and --code CODE"
            " (the centre's page Quản trị, Nút tại bệnh viện, shows both)."
        )
        raise Refusal(msg)
    yield Program("enrol", python("-m", "telehealth.nodes", wish.facility, wish.centre, wish.code))


def _programs(place: Place) -> Iterator[Program]:
    yield Program("worker", python("-m", "telehealth.jobs"))
    yield Program("front", front("0.0.0.0", place.port), answers(place.port, "/healthz"))  # noqa: S104  the hospital's network


def _own_address(centre: str) -> str:
    """Return this machine's address on the way to the centre, or in its network at all."""
    towards = urlsplit(centre).hostname if centre else None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards or "192.0.2.1", 9))  # sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _welcome(address: str, centre: str, facility: str) -> str:
    lines = [
        "",
        f"Node of {facility}: {address}",
        f"  {address}/node    how it is: line, numbers left, what is not settled",
        f"  {address}/kiosk   the machine in the hall",
        f"  {address}/board/{facility}   the board",
        f"  {address}/clinic  rooms and counters",
        f"  {address}/desk    reception",
        f"Centre: {centre}",
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines) + "\n"
