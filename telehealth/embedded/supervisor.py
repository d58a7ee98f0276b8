"""Keeps the processes running: ordered start, restart with back-off, reverse stop, one stream of output."""

import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from telehealth.embedded.guard import Guard
from telehealth.embedded.postgres import Server
from telehealth.embedded.process import Process, Program
from telehealth.embedded.refusal import Refusal

TEND_SECONDS = 0.2
PATIENCE_DEATHS = 3  # of a program that has yet to serve for the first time
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked the whole to stop."""


class Supervisor:
    """Runs programs over one database server. One thread: everything happens in `_pump`."""

    def __init__(
        self,
        server: Server | None,
        guard: Guard,
        env: Mapping[str, str],
        cwd: Path,
        out: BinaryIO | None = None,
    ) -> None:
        self.env = env
        self._server = server
        self._guard = guard
        self._cwd = cwd
        self._out = out or sys.stdout.buffer
        self._processes: list[Process] = []
        self._outputs = selectors.DefaultSelector()
        self._tended = 0.0
        self._stopping = False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Within it, Ctrl-C, SIGTERM and a closed terminal stop the whole cleanly."""
        awake, wake = os.pipe()
        os.set_blocking(wake, False)
        self._outputs.register(awake, selectors.EVENT_READ, None)
        former = {number: signal.signal(number, self._note_stop) for number in STOP_SIGNALS}
        former_wake = signal.set_wakeup_fd(wake)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former_wake)
            for number, handler in former.items():
                signal.signal(number, handler)
            self._outputs.unregister(awake)
            os.close(awake)
            os.close(wake)

    def run_once(self, program: Program) -> int:
        """Run a program to its end; returns its exit code. Raises Stopped."""
        process = Process(program, self._guard, self.env, self._cwd)
        self._watch(process)
        try:
            while (code := process.exit_code()) is None:
                self._pump(0.02)
                self._heed_stop()
        finally:
            self._end(process)
        return code

    def start(self, programs: Iterable[Program]) -> None:
        """Start programs in their order and wait until all serve. Raises Refusal if one does not, Stopped."""
        for program in programs:
            process = Process(program, self._guard, self.env, self._cwd)
            self._processes.append(process)
            self._watch(process)
        for process in self._processes:
            self._await(process)
        self._pass_output_on(0)

    def run(self) -> None:
        """Keep everything running until somebody asks to stop, which raises Stopped."""
        while True:
            self._pump(TEND_SECONDS)
            self._heed_stop()

    def stop(self) -> None:
        """Stop the programs in the reverse order of their start. The server is for its opener to close."""
        while self._processes:
            self._end(self._processes.pop())

    def say(self, sentence: str, name: str = "run") -> None:
        """Write one line among the programs' own."""
        self._write(name, [sentence.encode()])

    def pids(self) -> dict[str, int | None]:
        """Return the running processes by name."""
        return {process.program.name: process.pid for process in self._processes}

    def _await(self, process: Process) -> None:
        program = process.program
        deadline = time.monotonic() + program.ready_seconds
        while program.ready is not None and not program.ready():
            self._pump(0.05)
            self._heed_stop()
            if time.monotonic() > deadline or process.deaths == PATIENCE_DEATHS:
                msg = f"{program.name} does not come to serve: see its lines above."
                raise Refusal(msg)

    def _note_stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _heed_stop(self) -> None:
        if self._stopping:
            raise Stopped

    def _pump(self, seconds: float) -> None:
        self._pass_output_on(seconds)
        if time.monotonic() - self._tended >= TEND_SECONDS:
            self._tended = time.monotonic()
            self._tend()

    def _pass_output_on(self, seconds: float) -> None:
        for key, _ in self._outputs.select(seconds):
            if isinstance(key.data, Process):
                self._write(key.data.program.name, key.data.lines())
                if key.data.output_ended:  # an ended pipe is readable for ever
                    self._outputs.unregister(key.fd)
            else:
                os.read(key.fd, 512)

    def _tend(self) -> None:
        event = self._server.tend() if self._server else None
        if event:
            self.say(event, "postgres")
        for process in self._processes:
            code = process.exit_code()
            if code is not None:
                self._end(process)
                pause = process.plan_restart()
                self.say(f"ended with {code}; starts again in {pause:g} s", process.program.name)
            elif process.is_due():
                self._watch(process)

    def _watch(self, process: Process) -> None:
        self._outputs.register(process.start(), selectors.EVENT_READ, process)

    def _end(self, process: Process) -> None:
        """Stop a process: by request, then by force. What it writes meanwhile is passed on."""
        if process.exit_code() is None:
            process.ask_to_stop()
        deadline = time.monotonic() + process.program.stop_seconds
        while process.pid is not None and process.exit_code() is None and time.monotonic() < deadline:
            self._pass_output_on(0.02)
        for key in [key for key in self._outputs.get_map().values() if key.data is process]:
            self._outputs.unregister(key.fd)
        self._write(process.program.name, process.bury())

    def _write(self, name: str, lines: list[bytes]) -> None:
        prefix = f"{name:<9}| ".encode()
        with contextlib.suppress(BrokenPipeError):  # nobody reads any more; the product goes on
            self._out.writelines(prefix + line + b"\n" for line in lines)
            self._out.flush()
