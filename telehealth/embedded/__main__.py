"""The commands of `run.py`, inside its environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from telehealth.embedded.bootstrap import USAGE
from telehealth.embedded.place import ROOT, Place, opened_database, python
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.schema import is_current
from telehealth.embedded.serving import serve
from telehealth.embedded.testing import test


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    command, *rest = arguments or ["serve"]
    try:
        place = Place.from_environ(os.environ)
        match command:
            case "serve":
                return serve(place)
            case "test":
                return test(place, rest)
            case "bench":
                return _foreground(python("-m", "bench", *rest), place.settings())
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
            done = subprocess.run(python("-m", "telehealth.migrate"), env=database.env, cwd=ROOT, check=False)
            if done.returncode:
                return done.returncode
        return _foreground(command, database.env)


def _foreground(command: Sequence[str], env: dict[str, str]) -> int:
    """Run a command on this terminal and in the caller's folder; Ctrl-C is the command's to answer."""
    child = subprocess.Popen(command, env=env)
    former = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        return child.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
