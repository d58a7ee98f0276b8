"""The folder that holds all state (`VAR_DIR`), and the locks in it."""

import contextlib
import fcntl
import hashlib
import os
import secrets
from pathlib import Path
from typing import Self

from telehealth.embedded.account import user_name
from telehealth.embedded.refusal import Refusal


def open_home(folder: Path) -> Path:
    """Return the state folder, made if it is missing. Raises Refusal.

    Others may pass through it, never look into it: as root the server's account has to reach its data.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o711)
        owner = folder.stat().st_uid
    except OSError as error:
        msg = f"The state folder {folder} cannot be made ({error.strerror}): choose another one by VAR_DIR."
        raise Refusal(msg) from error
    if owner != os.geteuid():
        msg = (
            f"The state folder {folder} belongs to {user_name(owner)} and you are {user_name(os.geteuid())}:"
            f" start as {user_name(owner)}, or choose another folder by VAR_DIR."
        )
        raise Refusal(msg)
    return folder


def identity(home: Path) -> str:
    """Return a name that belongs to this state folder alone, even after another one took its path."""
    path = home / "state-id"
    if not path.exists():
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:8]
        write_private(path, f"{digest}-{secrets.token_hex(4)}\n")
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


class Lock:
    """A file lock that the kernel gives back when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.held = False

    def take(self) -> bool:
        """Try to take the lock; tells whether it is held now."""
        if not self.held:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.held = True
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)
        return True

    def holder(self) -> int | None:
        """Return the process that took the lock last; it may be dead while its watchdog still holds on."""
        text = self._path.read_text().strip()
        return int(text) if text.isdigit() else None

    def release(self) -> None:
        """Give the lock back."""
        if self.held:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.held = False

    def close(self) -> None:
        """Give the lock back for good."""
        self.release()
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
