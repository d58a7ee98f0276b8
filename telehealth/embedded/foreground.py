"""Commands that take over the terminal while we wait for them."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from telehealth.embedded.guard import dies_with_parent


def run(command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run a command on this terminal; returns its exit code. Ctrl-C is the command's to answer."""
    child = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509  no threads here
    )
    former = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        return child.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
