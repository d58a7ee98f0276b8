"""The sender: leases messages, sends them outside any transaction in threads, records the results in batches.

Killed at any moment it loses nothing: what it held comes back in doubt when the lease is over, and is then
looked up at the provider, or repeated under the same key, before anything is sent again.
"""

import logging
import os
import queue
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnection

from notifications.channels.provider import Carrier
from notifications.copies import Copies
from notifications.delivery import Delivery, Fenced
from notifications.doorbell import Doorbell
from notifications.fleet import Fleet
from notifications.leases import Leased, Leases, Result
from notifications.monotonic import monotonic
from notifications.policy import Policy
from notifications.sealing import Sealer
from notifications.template_versions import Texts
from notifications.templates import CATALOGUE, Catalogue

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_LINGER_SECONDS = 0.01
_LARGEST_FINISH = 200
_DATABASE_BACK_OFF_SECONDS = 1.0
_DATABASE_AWAY = (DBAPIError, NoConnection)
_UNACCEPTABLE = (DataError, IntegrityError, ProgrammingError)


class RecorderGone(Exception):
    """Nothing is recorded any more, so that nothing may be sent: the process has to be started anew."""


class Dispatcher:
    """`carriers` are the providers to send by. `listen_url` is a direct database address."""

    def __init__(
        self,
        engine: Engine,
        carriers: Sequence[Carrier],
        sealer: Sealer,
        templates: Catalogue = CATALOGUE,
        policy: Policy | None = None,
        *,
        listen_url: str | None = None,
        clock: str = "clock_timestamp()",
    ) -> None:
        self._policy = policy or Policy()
        self._listen_url = listen_url
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._leases = Leases(engine, owner, seconds=self._policy.lease, clock=clock)
        self._fleet = Fleet(engine, carriers, self._policy, clock=clock, monotonic=monotonic)
        self._delivery = Delivery(
            self._leases, self._fleet, Copies(engine, sealer), sealer, Texts(engine, templates), self._policy
        )
        self._results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._in_hand = 0
        self._in_hand_lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set; then finish what is under way, give back the rest and return."""
        doorbell = Doorbell(self._listen_url)
        recorder = threading.Thread(target=self._record, args=(doorbell,), name="outbox-recorder")
        recorder.start()
        try:
            with (
                doorbell,
                ThreadPoolExecutor(self._policy.threads, thread_name_prefix="outbox-sender") as pool,
            ):
                while not stop.is_set():
                    if not recorder.is_alive():
                        raise RecorderGone
                    if not self._round(pool, doorbell, stop):
                        doorbell.wait(_POLL_SECONDS, stop)
        finally:
            self._results.put(None)
            recorder.join()

    def _round(self, pool: ThreadPoolExecutor, doorbell: Doorbell, stop: threading.Event) -> bool:
        """Claim once; says whether there was anything to do."""
        room = min(self._policy.batch, self._policy.threads * 2 - self._in_hand)
        if room < self._policy.threads / 2:
            return False
        try:
            self._fleet.look()
            openings = self._fleet.openings(room)
            claimed_at = monotonic()
            items = self._leases.claim(room, openings.rooms, openings.picks)
        except _DATABASE_AWAY as error:
            _log.warning("the outbox cannot be read: %s", type(error).__name__)
            stop.wait(_DATABASE_BACK_OFF_SECONDS)
            return False
        deadline = claimed_at + self._policy.lease - self._policy.timeout - self._policy.safety
        with self._in_hand_lock:
            self._in_hand += len(items)
        for item in items:
            self._fleet.begins(item.channel, item.provider)
            future = pool.submit(self._deliver, item, deadline, stop)
            future.add_done_callback(partial(self._take_back, item, doorbell))
        return bool(items)

    def _deliver(self, item: Leased, deadline: float, stop: threading.Event) -> Result:
        if stop.is_set():
            raise Fenced
        return self._delivery.deliver(item, deadline)

    def _take_back(self, item: Leased, doorbell: Doorbell, done: "Future[Result]") -> None:
        self._fleet.ends(item.channel)
        error = done.exception()
        if error is None:
            self._results.put(done.result())
        elif isinstance(error, Fenced):
            self._give_back(item)
        else:
            # A fault of ours, perhaps after the send: the lease runs out and the message comes back in doubt.
            _log.error("sending %s failed: %s", item.id, type(error).__name__, exc_info=error)
        with self._in_hand_lock:
            self._in_hand -= 1
        doorbell.ring()

    def _give_back(self, item: Leased) -> None:
        try:
            self._leases.release([item])
        except _DATABASE_AWAY as error:
            _log.warning("a lease was not given back: %s", type(error).__name__)

    # Recording.

    def _record(self, doorbell: Doorbell) -> None:
        going = True
        while going:
            results, going = self._gather()
            while results:
                try:
                    self._finish(results)
                    doorbell.ring()
                    break
                except _DATABASE_AWAY as error:
                    _log.warning("results cannot be recorded: %s", type(error).__name__)
                    time.sleep(_DATABASE_BACK_OFF_SECONDS)
                    if not going:
                        # Leaving: what is not recorded comes back in doubt and is looked up.
                        break

    def _finish(self, results: list[Result]) -> None:
        """Record them; one that the database will not have does not hold up the others."""
        try:
            self._leases.finish(results)
        except _UNACCEPTABLE as error:
            if len(results) == 1:
                _log.error("%s cannot be recorded: %s", results[0].id, type(error).__name__)
                return
            for result in results:
                self._finish([result])

    def _gather(self) -> tuple[list[Result], bool]:
        """The next results, a little later than the first so that many share one statement."""
        first = self._results.get()
        if first is None:
            return [], False
        results = [first]
        time.sleep(_LINGER_SECONDS)
        while len(results) < _LARGEST_FINISH:
            try:
                result = self._results.get_nowait()
            except queue.Empty:
                break
            if result is None:
                return results, False
            results.append(result)
        return results, True
