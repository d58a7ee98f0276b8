"""The operating system account that PostgreSQL runs as: never root, which it refuses."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telehealth.embedded.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server is, seen from the one who starts it."""

    uid: int
    gid: int
    name: str
    dropped: bool  # from root

    def spawn_options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to run a program as this account."""
        if not self.dropped:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, *command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a short program as this account in a bare environment, whatever its exit code."""
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=BARE_ENVIRONMENT,
            **self.spawn_options(),
        )

    def can_run(self, program: Path) -> bool:
        """Tell whether this account may execute the program: every folder above it counts."""
        try:
            return self.run(program, "--version").returncode == 0
        except OSError:
            return False

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this account may go into the folder."""
        return self.run("/bin/sh", "-c", 'cd -- "$1"', "sh", folder).returncode == 0

    def write(self, path: Path, text: str) -> None:
        """Write a file as this account: root must not follow links that lie in another's folder."""
        done = self.run("/bin/sh", "-c", 'umask 077; cat > "$1"', "sh", path, stdin=text)
        if done.returncode:
            msg = f"{path} could not be written as {self.name}: {done.stderr.strip()}"
            raise Refusal(msg)


BARE_ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def server_account(data: Path) -> Account:
    """Return the account for a data folder, which may not exist yet. Raises Refusal."""
    uid = os.geteuid()
    if uid:
        return Account(uid, os.getegid(), user_name(uid), dropped=False)
    if data.exists() and data.stat().st_uid:
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid, user_name(owner.st_uid), dropped=True)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name, dropped=True)
    msg = "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: make one."
    raise Refusal(msg)


def user_name(uid: int) -> str:
    """Return the account's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
