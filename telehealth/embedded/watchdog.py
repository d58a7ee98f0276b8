"""Stops what a killed starter left behind. Standard library only, run by its path.

It reads lines from the starter: `guard PID SIGNAL`, `release PID`. When the pipe ends without `release`, the
starter is dead: each process still guarded is asked to stop by its signal, in reverse order, and killed when
it does not. Locks that the starter handed over stay held until then: the next start finds a clean table.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

PATIENCE_SECONDS = 8.0


def main() -> None:
    """Listen until the starter is gone, then clean up after it."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    guarded: dict[int, int] = {}
    for line in sys.stdin:
        verb, pid, *number = line.split()
        if verb == "guard":
            guarded[int(pid)] = int(number[0])
        else:
            guarded.pop(int(pid), None)
    for pid, number in reversed(guarded.items()):
        stop(pid, number)


def stop(leader: int, number: int) -> None:
    """Stop a process group by a signal, or by force when that does not help."""
    _signal(leader, number)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while alive(leader):
        if time.monotonic() > deadline:
            _signal(leader, signal.SIGKILL)
            return
        time.sleep(0.02)
    _signal(leader, signal.SIGKILL)  # what the leader did not take along


def alive(pid: int) -> bool:
    """Tell whether a process runs. A zombie does not, though it still takes signals."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


if __name__ == "__main__":
    main()
