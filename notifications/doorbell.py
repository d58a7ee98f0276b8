"""Waking the dispatcher when a message is put into the outbox. A ring is a hint; whoever misses it polls."""

import logging
import threading
from types import TracebackType
from typing import Self

import psycopg

_log = logging.getLogger(__name__)
_LOOK_UP_SECONDS = 0.1
_RECONNECT_SECONDS = 2.0


class Doorbell:
    """Listens on a direct connection (never through a pooler) while it is used as a context manager.

    Without a `url` it is silent and waiting means polling.
    """

    def __init__(self, url: str | None, channel: str = "outbox") -> None:
        self._url = url
        self._channel = channel
        self._rung = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="outbox-doorbell", daemon=True)

    def __enter__(self) -> Self:
        if self._url is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Until it rings, or that long, or soon after `stop`."""
        for _ in range(round(seconds / _LOOK_UP_SECONDS)):
            if self._rung.wait(_LOOK_UP_SECONDS) or stop.is_set():
                break
        self._rung.clear()

    def ring(self) -> None:
        self._rung.set()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen_on_one_connection()
            except psycopg.Error as error:
                _log.warning("listening for new messages was cut off: %s", type(error).__name__)
                self._closed.wait(_RECONNECT_SECONDS)

    def _listen_on_one_connection(self) -> None:
        with psycopg.connect(self._url or "", autocommit=True) as connection:
            connection.execute(f"LISTEN {self._channel}")
            self.ring()
            while not self._closed.is_set():
                for _ in connection.notifies(timeout=_LOOK_UP_SECONDS, stop_after=1):
                    self.ring()
