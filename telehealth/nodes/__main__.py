"""`python -m telehealth.nodes FACILITY CENTRE CODE`: make this machine the facility's node, once.

Writes what the node's processes need into `VAR_DIR/node.env`, readable by its owner alone. `run.py --node`
does this at its first start.
"""

import logging
import os
import sys
from pathlib import Path
from uuid import UUID

from sqlalchemy import create_engine

from telehealth.core.clock import system_clock
from telehealth.core.uow import system_unit_of_work
from telehealth.nodes.line import HttpLine
from telehealth.nodes.services.duty import EnrolledNode
from telehealth.nodes.services.enrolling import become, prepare
from telehealth.nodes.services.round import LineDown, Refused
from telehealth.settings import Settings

_log = logging.getLogger("telehealth.nodes")
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def main(facility: str, centre: str, code: str) -> int:
    """Enrol: 0 when this machine is the node, 1 when the centre refuses or does not answer."""
    centre = centre.rstrip("/")
    if not centre.startswith(("https://", *_LOOPBACK)):
        _log.critical("what goes to the centre is about patients: its address must begin with https://")
        return 1
    settings = Settings.from_environ(os.environ)
    owner = create_engine(settings.database_owner_url)
    with owner.begin() as connection:
        prepare(connection)
    owner.dispose()
    try:
        given = HttpLine(centre, None).enrol(code, facility)
    except LineDown:
        _log.critical("%s does not answer", centre)
        return 1
    except Refused as refusal:
        _log.critical("%s", refusal.body.get("detail", refusal.code))
        return 1
    enrolled = EnrolledNode(
        UUID(given["id"]), UUID(given["facility_id"]), given["facility"], given["name"], given["token"]
    )
    engine = create_engine(settings.database_url)
    with system_unit_of_work(engine) as session:
        become(session, enrolled, centre, now=system_clock(), cipher=settings.cipher)
    engine.dispose()
    _write(settings.var_dir / "node.env", {"CENTRE_URL": centre, "TICKET_KEY": given["ticket_key"]})
    return 0


def _write(path: Path, values: dict[str, str]) -> None:
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(main(*sys.argv[1:4]))
