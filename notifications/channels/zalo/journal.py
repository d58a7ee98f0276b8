"""Where Zalo's answer with new tokens waits for its commit: without it they are lost for good.

One file, written whole or not at all, readable by its owner alone. What is in it is sealed.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenJournal:
    """`path` None: nothing is kept, as where processes have no folder that outlives them."""

    path: Path | None = None

    def read(self) -> bytes | None:
        try:
            return self.path.read_bytes() if self.path is not None else None
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.error("the token journal cannot be read: %s", error.strerror)
            return None

    def write(self, sealed: bytes) -> None:
        """On the disk when this returns. A disk that refuses must not cost the tokens: it is only logged."""
        if self.path is None:
            return
        try:
            _replace(self.path, sealed)
        except OSError as error:
            _log.error("the token journal cannot be written: %s", error.strerror)

    def clear(self, sealed: bytes) -> None:
        """Forget this entry once it is committed, and no later one."""
        if self.path is None or self.read() != sealed:
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            _log.error("the token journal cannot be cleared: %s", error.strerror)


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
