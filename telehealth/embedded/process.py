"""One supervised process: its start, its output line by line, its back-off, its end."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telehealth.embedded.guard import Guard

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 30.0  # who lived this long begins the back-off anew


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to tell that it serves; without `ready`, to have been started is enough."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 120.0  # a busy small machine takes its time
    stop_seconds: float = 10.0


class Process:
    """A program and the process that runs it now, if any."""

    def __init__(self, program: Program, guard: Guard, env: Mapping[str, str], cwd: Path) -> None:
        self.program = program
        self._guard = guard
        self._env = env
        self._cwd = cwd
        self._popen: subprocess.Popen[bytes] | None = None
        self.output_ended = False
        self.deaths = 0
        self._tail = b""
        self._started = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._restart_at = 0.0

    def start(self) -> int:
        """Start it; returns the file descriptor of its output, which never blocks."""
        self._started = time.monotonic()
        self.output_ended = False
        self._popen = self._guard.spawn(
            self.program.command,
            stop_signal=signal.SIGTERM,
            env=self._env,
            cwd=self._cwd,
            stdout=subprocess.PIPE,
        )
        assert self._popen.stdout is not None  # noqa: S101  for the type checker: a pipe was asked for
        os.set_blocking(self._popen.stdout.fileno(), False)
        return self._popen.stdout.fileno()

    @property
    def pid(self) -> int | None:
        """Return the number of the process that runs now."""
        return self._popen.pid if self._popen else None

    def exit_code(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._popen.poll() if self._popen else None

    def lines(self) -> list[bytes]:
        """Return the whole lines it has written since the last call."""
        data = self._read()
        *lines, self._tail = (self._tail + data).split(b"\n")
        return lines

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the leader, who sees to its own children."""
        if self._popen is not None:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(signal.SIGTERM)

    def bury(self) -> list[bytes]:
        """End whatever is left of it, by force; returns its last lines."""
        if self._popen is None:
            return []
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        last = [*self.lines(), *([self._tail] if self._tail else [])]
        self._tail = b""
        assert self._popen.stdout is not None  # noqa: S101
        self._popen.stdout.close()
        self._guard.release(self._popen)
        self._popen = None
        return last

    def plan_restart(self) -> float:
        """Set the time of the next start; returns the seconds until then, more each time it dies young."""
        self.deaths += 1
        now = time.monotonic()
        if now - self._started > SETTLED_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._restart_at = now + pause
        return pause

    def is_due(self) -> bool:
        """Tell whether it is down and its pause is over."""
        return self._popen is None and time.monotonic() >= self._restart_at

    def _read(self) -> bytes:
        if self._popen is None or self._popen.stdout is None:
            return b""
        chunks = []
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._popen.stdout.fileno(), 65536):
                chunks.append(chunk)
            self.output_ended = True
        return b"".join(chunks)
