"""Stages of the benchmark: one that fails, or is left out when the time is over, costs only its figures."""

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import TypeVar

Found = TypeVar("Found")


class Stages:
    """Runs stages; `enough` is set when no further one shall begin, by SIGTERM too (`ends_when_told`)."""

    def __init__(self) -> None:
        self.enough: Event = get_context("spawn").Event()
        self.failed: dict[str, str] = {}
        self.left_out: list[str] = []

    def run(self, name: str, work: Callable[[], Found], otherwise: Found) -> Found:
        """Return what a stage found; `otherwise` where it failed or was left out, which is noted."""
        if self.enough.is_set():
            self.left_out.append(name)
            return otherwise
        try:
            return work()
        except Exception as error:  # noqa: BLE001  whatever it was, the figures of the others count
            self.note(name, error)
            return otherwise

    def note(self, name: str, error: BaseException) -> None:
        """Note that something failed."""
        self.failed[name] = "".join(traceback.format_exception(error))[-2000:]

    @contextmanager
    def ends_when_told(self) -> Iterator[None]:
        """Let SIGTERM (that of `timeout`, say) end the stage at work as soon as its figures can be judged."""
        former = signal.signal(signal.SIGTERM, lambda *_: self.enough.set())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, former)
