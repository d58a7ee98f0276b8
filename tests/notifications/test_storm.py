"""A small `bench storm` with three seeds; its control shows that it would find what it looks for."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ADJACENT = 3


def free_ports() -> int:
    """Return the first of some free ports in a row."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                for following in range(port + 1, port + ADJACENT):
                    socket.create_server(("127.0.0.1", following)).close()
            except OSError:
                continue
            return port


def storm(seed: int) -> dict[str, Any]:
    command = ["-m", "bench", "storm", "--quick", "--seed", str(seed), "--port", str(free_ports())]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_through_a_storm_nothing_is_lost_and_no_sms_comes_twice(seed: int) -> None:
    figures = storm(seed)
    survived, control = figures["storm"], figures["control_without_reconciliation"]
    assert survived["kills"] >= 10
    assert survived["database_crashes"] == 1
    nothing = {"lost": 0, "duplicates": 0, "too_early": 0, "left_in_outbox": 0}
    assert {name: survived[name] for name in nothing} == nothing
    assert control["lost"] == 0
    assert control["duplicates"] > 0
