"""Adding a line to a file that several processes write and that a crash may cut."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LINE_END = b"\r\n"
_LOOK_AGAIN_SECONDS = 0.01
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class AppendFailed(Exception):
    """The line is not there for certain; writing it again is safe."""


def append_once(path: Path, heading: bytes, line: bytes, key: str, *, also_in: Path, timeout: float) -> bool:
    """Write `line` to disk unless `key` is already in the file or in `also_in`; says whether it wrote.

    A line that a crash has cut off stays as it is, and the next one begins below it: nobody's words are
    removed. Raises AppendFailed.
    """
    deadline = time.monotonic() + timeout
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if key.encode() in also_in.read_bytes():
                return False
        with _opened(path, deadline) as descriptor:
            return _append(descriptor, heading, line, key)
    except OSError as error:
        raise AppendFailed(error.strerror or type(error).__name__) from error


def _append(descriptor: int, heading: bytes, line: bytes, key: str) -> bool:
    found = _content(descriptor)
    if key.encode() in found:
        return False
    before = heading if not found else b"" if found.endswith(b"\n") else _LINE_END
    try:
        _write(descriptor, before + line)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, len(found))
        raise
    return True


@contextmanager
def _opened(path: Path, deadline: float) -> Iterator[int]:
    """Locked against other writers, and the file that bears the name: a spreadsheet saves into a new one."""
    descriptor = None
    while descriptor is None:
        descriptor = _locked(path, deadline)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(path: Path, deadline: float) -> int | None:
    """None when the name has come to mean another file meanwhile."""
    fresh = not path.exists()
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        _lock(descriptor, deadline)
        if not path.exists() or not os.path.samestat(os.fstat(descriptor), path.stat()):
            os.close(descriptor)
            return None
        if fresh:
            _settle_name(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError("another process holds the list") from None
            time.sleep(_LOOK_AGAIN_SECONDS)


def _settle_name(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
