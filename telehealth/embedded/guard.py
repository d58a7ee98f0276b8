"""Start processes so that none outlives its starter, not even a starter killed with -9.

Two nets: the watchdog (see there), and on Linux the kernel's own signal to a child whose parent has died.
"""

import contextlib
import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from telehealth.embedded import watchdog

PR_SET_PDEATHSIG = 1


class Guard:
    """A watchdog and the processes it looks after. Use as a context manager."""

    def __init__(self, locks: Sequence[int] = ()) -> None:
        """Start the watchdog. The file descriptors of held locks stay open in it until it has cleaned up."""
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=locks,
            cwd="/",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the watchdog go; whatever it still guards, it stops first."""
        if self._watchdog.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._watchdog.stdin.close()
        self._watchdog.wait()

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        stop_signal: signal.Signals,
        env: Mapping[str, str],
        cwd: Path,
        stdout: Any,
        options: Mapping[str, Any] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a process in a group of its own. Call from the main thread: the kernel's net hangs on it."""
        process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dies_with_parent(stop_signal),  # noqa: PLW1509  no threads here
            **(options or {}),
        )
        self._tell(f"guard {process.pid} {stop_signal.value}")
        return process

    def release(self, process: "subprocess.Popen[bytes]") -> None:
        """Forget a process that has ended."""
        self._tell(f"release {process.pid}")

    def _tell(self, line: str) -> None:
        if self._watchdog.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # somebody killed the watchdog: the kernel's net is left
            self._watchdog.stdin.write(line + "\n")
            self._watchdog.stdin.flush()


def dies_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does first so that the kernel sends it a signal when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: only the call itself is safe after it

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))

    return ask_kernel
