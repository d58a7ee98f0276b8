"""How long the one command takes: from an empty state folder, again, after kill -9; from nothing at all."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.surroundings import Surroundings, empty_folder
from telehealth.embedded.place import ROOT
from telehealth.embedded.postgres import until
from telehealth.embedded.refusal import Refusal

START_SECONDS = 300.0


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18150, help="the next one serves the sandbox provider")
    parser.add_argument("--runs", type=int, default=3, help="warm starts and kills to take the median of")
    parser.add_argument(
        "--from-nothing", action="store_true", help="also a fresh copy with a new environment"
    )


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return seconds until the front answers, counted from the command, and what was left running."""
    figures: dict[str, object] = {}
    with empty_folder() as folder:
        product = _Product(ROOT, folder / "var", options.port, surroundings.environ)
        figures["cold_seconds"] = product.start()
        figures["rss_mb"] = product.rss_mb()
        stops, warm, killed = [], [], []
        for _ in range(options.runs):
            stops.append(product.stop())
            warm.append(product.start())
        for _ in range(options.runs):
            product.kill_starter()
            killed.append(product.start())
        product.kill_everything()
        figures["after_kill_of_everything_seconds"] = product.start()
        stops.append(product.stop())
        figures["warm_seconds"] = _median(warm)
        figures["after_kill_of_run_py_seconds"] = _median(killed)
        figures["stop_seconds"] = _median(stops)
        figures["orphans"] = product.left_running()
    if options.from_nothing:
        figures |= _from_nothing(options.port, surroundings.environ)
    return figures


class _Product:
    """`run.py` in a project folder, on a state folder."""

    def __init__(self, project: Path, var: Path, port: int, environ: Mapping[str, str]) -> None:
        self._project = project
        self._var = var
        kept = {name: value for name, value in environ.items() if not name.startswith("DATABASE_")}
        self._environ = {
            **kept,
            "VAR_DIR": str(var),
            "PORT": str(port),
            "SANDBOX_PORT": str(port + 1),
            "DEMO": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, python: str = sys.executable) -> float:
        self._var.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        written = self._var.parent / "output"
        with written.open("wb") as output:
            process = self._process = subprocess.Popen(
                [python, "run.py"], cwd=self._project, env=self._environ, stdout=output, stderr=output
            )
        until(lambda: b"\nReady: " in written.read_bytes() or process.poll() is not None, START_SECONDS)
        if b"\nReady: " not in written.read_bytes():
            msg = f"run.py does not serve: {written.read_text()[-2000:]}"
            raise Refusal(msg)
        return round(time.monotonic() - began, 2)

    def stop(self) -> float:
        began = time.monotonic()
        self._signal(signal.SIGTERM)
        return round(time.monotonic() - began, 2)

    def kill_starter(self) -> None:
        self._signal(signal.SIGKILL)

    def kill_everything(self) -> None:
        for process in self._tree():
            process.kill()
        self._signal(signal.SIGKILL)

    def rss_mb(self) -> int:
        return int(sum(process.memory_info().rss for process in self._tree())) // 2**20

    def left_running(self) -> int:
        """Count what still runs for the state folder some seconds after the stop."""
        until(lambda: not self._belonging(), 5)
        return len(self._belonging())

    def _belonging(self) -> list[psutil.Process]:
        mark = str(self._var)
        return [
            process
            for process in psutil.process_iter(["environ", "cmdline", "status"])
            if process.pid != os.getpid()
            and process.info["status"] != psutil.STATUS_ZOMBIE
            and (
                (process.info["environ"] or {}).get("VAR_DIR") == mark
                or mark in " ".join(process.info["cmdline"] or [])
            )
        ]

    def _tree(self) -> list[psutil.Process]:
        assert self._process is not None  # noqa: S101
        starter = psutil.Process(self._process.pid)
        return [starter, *starter.children(recursive=True)]

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None  # noqa: S101
        self._process.send_signal(number)
        self._process.wait()


def _from_nothing(port: int, environ: Mapping[str, str]) -> dict[str, object]:
    """Copy the tracked files, make the environment and serve, as a newcomer does after a clone."""
    with empty_folder() as folder:
        project = folder / "clone"
        _copy_tracked(project)
        began = time.monotonic()
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
        subprocess.run([python, "run.py", "install"], cwd=project, check=True)
        installed = round(time.monotonic() - began, 1)
        product = _Product(project, project / "var", port, environ)
        serving = product.start(python)
        product.stop()
        return {
            "from_nothing_install_seconds": installed,
            "from_nothing_first_start_seconds": serving,
            "from_nothing_seconds": round(installed + serving, 1),
            "environment_mb": _size_mb(project / ".venv"),
        }


def _copy_tracked(target: Path) -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def _size_mb(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*")) // 2**20


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
