"""The commands of `run.py`, inside its environment."""

import os
import signal
import sys
from collections.abc import Sequence

from telehealth.embedded import foreground
from telehealth.embedded.bootstrap import USAGE
from telehealth.embedded.node import serve_node
from telehealth.embedded.place import ROOT, Place, opened_database, python
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.schema import is_current
from telehealth.embedded.serving import serve
from telehealth.embedded.testing import test


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    command, *rest = arguments or ["serve"]
    try:
        if command.startswith("--node"):
            return serve_node(os.environ, arguments)
        place = Place.from_environ(os.environ)
        match command:
            case "serve":
                return serve(place)
            case "test":
                return test(place, rest)
            case "bench":
                return foreground.run(python("-m", "bench", *rest), place.settings())
            case "migrate":
                return _with_database(place, python("-m", "telehealth.migrate", *rest))
            case "flask":
                return _with_database(place, python("-m", "flask", "--app", "wsgi", *rest), migrate=True)
        sys.stderr.write(f"run.py: there is no command '{command}'\n{USAGE}")
    except Refusal as refusal:
        sys.stderr.write(f"run.py: {refusal}\n")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 1


def _with_database(place: Place, command: Sequence[str], *, migrate: bool = False) -> int:
    with opened_database(place) as database:
        if migrate and not is_current(database.env["DATABASE_OWNER_URL"]):
            code = foreground.run(python("-m", "telehealth.migrate"), database.env, ROOT)
            if code:
                return code
        return foreground.run(command, database.env)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
