"""Make `.venv`, fill it from the hash-pinned requirements, and go on inside it. Standard library only."""

import fcntl
import hashlib
import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from telehealth.embedded.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
USAGE = """\
python3 run.py                        serve the product with a demo province
python3 run.py --node FACILITY ...    serve as a facility's node (first: --centre URL --code CODE)
python3 run.py test [--long] [...]    run the tests; further arguments go to pytest
python3 run.py bench NAME [...]       run one benchmark
python3 run.py migrate [REVISION]     bring the database's schema up to date
python3 run.py flask ...              the flask command line in this environment
python3 run.py install [--dev]        only make the environment
"""
NEEDS_DEVELOPMENT_TOOLS = ("test", "bench")


class Environment:
    """One virtual environment and what was installed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"

    def is_current(self) -> bool:
        """Tell whether this very process runs inside it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def has(self, requirements: Path) -> bool:
        """Tell whether these requirements, to the letter, were installed by an earlier start."""
        marker = self._marker(requirements)
        return self.python.exists() and marker.exists() and marker.read_text() == self._digest(requirements)

    def install(self, requirements: Path, environ: Mapping[str, str]) -> None:
        """Make the environment if it is missing and install the requirements. Raises Refusal."""
        uv = shutil.which("uv", path=environ.get("PATH"))
        if not self.python.exists():
            _create(self.folder, with_pip=uv is None)
        if not self._install_with_uv(requirements, uv, environ):
            self._install_with_pip(requirements, environ)
        self._marker(requirements).write_text(self._digest(requirements))

    def _marker(self, requirements: Path) -> Path:
        return self.folder / f".installed-{requirements.name}"

    def _digest(self, requirements: Path) -> str:
        """Return what changes with the requirements and with the Python that the environment stands on."""
        stands_on = os.fsencode(self.python.resolve()) + (self.folder / "pyvenv.cfg").read_bytes()
        return hashlib.sha256(requirements.read_bytes() + stands_on).hexdigest()

    def _install_with_uv(self, requirements: Path, uv: str | None, environ: Mapping[str, str]) -> bool:
        if environ.get("TELEHEALTH_INSTALLER") == "pip":
            return False
        uv = uv or self._own_uv(environ)
        if uv is None:
            return False
        command = [uv, "pip", "install", "--quiet", "--python", str(self.python), "--require-hashes"]
        done = subprocess.run([*command, "-r", str(requirements)], env=_for_uv(environ), check=False)
        if done.returncode:
            _say("uv could not install the requirements (see above); trying again with pip")
        return done.returncode == 0

    def _own_uv(self, environ: Mapping[str, str]) -> str | None:
        """Return the uv inside this environment, put there by pip if need be; None if there is none."""
        uv = self.folder / "bin" / "uv"
        if not uv.exists():
            subprocess.run(
                [*self._pip(), "install", "--quiet", "uv"],
                env=dict(environ),
                stderr=subprocess.DEVNULL,
                check=False,
            )
        return str(uv) if uv.exists() else None

    def _install_with_pip(self, requirements: Path, environ: Mapping[str, str]) -> None:
        if not (self.folder / "bin" / "pip").exists():
            subprocess.run([self.python, "-m", "ensurepip"], stdout=subprocess.DEVNULL, check=False)
        command = [*self._pip(), "install", "--quiet", "--require-hashes", "-r", str(requirements)]
        if subprocess.run(command, env=dict(environ), check=False).returncode:
            msg = (
                f"The packages of {requirements.name} could not be installed: look at the messages above,"
                " and whether this machine reaches a Python package index."
            )
            raise Refusal(msg)

    def _pip(self) -> list[str]:
        return [str(self.python), "-m", "pip", "--disable-pip-version-check"]


def _create(folder: Path, *, with_pip: bool) -> None:
    if with_pip and importlib.util.find_spec("ensurepip") is None:
        msg = (
            "This Python cannot make virtual environments with pip:"
            " on Debian and Ubuntu `apt install python3-venv` adds what is missing."
        )
        raise Refusal(msg)
    command = [sys.executable, "-m", "venv", *([] if with_pip else ["--without-pip"]), str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        reason = (made.stderr or made.stdout).strip().splitlines()[-1:] or ["no reason was given"]
        msg = f"The virtual environment {folder} could not be made: {reason[0]}"
        raise Refusal(msg)


def _for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """Tell uv what it would not find by itself: the system's certificates and pip's own settings.

    uv trusts only the certificates it ships unless told otherwise, and reads no pip.conf.
    """
    given = {"UV_SYSTEM_CERTS": "true", "UV_NO_PROGRESS": "1"}
    for ours, pips in (
        ("SSL_CERT_FILE", "PIP_CERT"),
        ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"),
        ("UV_INDEX", "PIP_EXTRA_INDEX_URL"),
        ("UV_FIND_LINKS", "PIP_FIND_LINKS"),
    ):
        if environ.get(pips):
            given[ours] = environ[pips]
    return {**given, **environ}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Let one start at a time work on the environment; the others wait and then find it done."""
    with (root / "run.py").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(root: Path, *, development: bool, environ: Mapping[str, str]) -> Environment:
    """Return the project's environment with its requirements installed. Raises Refusal."""
    environment = Environment(root / ".venv")
    requirements = root / ("requirements-dev.txt" if development else "requirements.txt")
    if environment.has(requirements):
        return environment
    with _alone(root):
        if not environment.has(requirements):
            _say(f"installing {requirements.name} into {environment.folder} (the first time takes a minute)")
            environment.install(requirements, environ)
    return environment


def main(arguments: Sequence[str]) -> int:
    """Run a command of `run.py`; returns its exit code, or never returns where the process is replaced."""
    command = arguments[0] if arguments else "serve"
    if command in ("-h", "--help", "help"):
        sys.stdout.write(USAGE)
        return 0
    development = command in NEEDS_DEVELOPMENT_TOOLS or (command == "install" and "--dev" in arguments)
    try:
        environment = prepare(ROOT, development=development, environ=os.environ)
    except Refusal as refusal:
        _say(str(refusal))
        return 1
    if command == "install":
        return 0
    if not environment.is_current():
        os.execv(  # noqa: S606  the environment's Python takes this process over
            environment.python, [str(environment.python), str(ROOT / "run.py"), *arguments]
        )
    runpy.run_module("telehealth.embedded", run_name="__main__", alter_sys=True)
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(f"run.py: {sentence}\n")
    sys.stderr.flush()
