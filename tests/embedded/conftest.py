"""Places to start servers in, and processes to count afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from telehealth.embedded.home import open_home
from telehealth.embedded.place import running_server
from telehealth.embedded.postgres import Server, settle

TESTS = Path(__file__).parent
ROOT = TESTS.parents[1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account may pass through, as a clone in a shared place is."""
    path = Path(tempfile.mkdtemp(prefix="th-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    """The environment of a start whose root-only state stays inside the folder."""
    return {**os.environ, "TELEHEALTH_STATE_DIR": str(folder / "state"), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def ready_made() -> Iterator[Path]:
    """A state folder with a database, made once: copying one is ten times faster than making it."""
    home = Path(tempfile.mkdtemp(prefix="th-made-"))
    home.chmod(0o711)
    cluster = settle(home, os.environ, durable=False)
    with running_server(home, cluster):
        pass
    yield home
    shutil.rmtree(home)


@pytest.fixture
def var(folder: Path, ready_made: Path) -> Path:
    """A state folder of this test's own, with a database in it."""
    subprocess.run(["cp", "-a", ready_made, folder / "var"], check=True)
    return folder / "var"


@pytest.fixture
def open_server(environ: dict[str, str]) -> Iterator[Callable[[Path], Server]]:
    """Open servers on state folders; all are closed after the test."""
    with ExitStack() as opened:

        def open_one(home: Path) -> Server:
            cluster = settle(open_home(home), environ, durable=False)
            server, _ = opened.enter_context(running_server(home, cluster))
            return server

        yield open_one


@pytest.fixture
def tiny_product(environ: dict[str, str]) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start tests/embedded/tiny_product.py; whatever is left of it is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, **more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, TESTS / "tiny_product.py", home],
            env={**environ, **more},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """Return the lines a program has written up to one with these words."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if words in line:
            return lines
    raise AssertionError(f"'{words}' never came:\n" + "\n".join(lines))


def processes_of(home: Path) -> list[psutil.Process]:
    """List the living processes that run for a state folder: its servers, its programs, its starters."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status", "environ"]):
        about = " ".join(process.info["cmdline"] or []), process.info["cwd"] or ""
        marked = (process.info["environ"] or {}).get("TINY_HOME") == str(home)
        if process.info["status"] != psutil.STATUS_ZOMBIE and (
            marked or any(str(home) in text for text in about)
        ):
            found.append(process)
    return found
