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
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from notifications import policy as rules
from notifications import sealing
from notifications.channels.base import Accepted, Ambiguous, Outcome, Outgoing, Rejected, Retry
from notifications.channels.provider import Carrier
from notifications.doorbell import Doorbell
from notifications.kinds import KINDS
from notifications.leases import Leased, Leases, Result
from notifications.outbox import Recipient, opened
from notifications.policy import Policy, Sendable, Verdict
from notifications.sealing import Sealer
from notifications.states import State
from notifications.templates import CATALOGUE, Catalogue

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_PAUSES_SECONDS = 2.0
_LINGER_SECONDS = 0.01
_LARGEST_FINISH = 200
_DATABASE_BACK_OFF_SECONDS = 1.0


def monotonic() -> float:
    """Seconds that also pass while the machine is suspended, so that an old lease is known to be old."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class _Held:
    """A leased message and the last moment (monotonic) at which a send of it may begin."""

    item: Leased
    deadline: float


class _Fenced(Exception):
    """Too late on this lease: another dispatcher may have it by now."""


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
        self._channels = {carrier.channel: carrier.adapter for carrier in reversed(carriers)}
        self._sealer = sealer
        self._templates = templates
        self._listen_url = listen_url
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._leases = Leases(engine, owner, seconds=self._policy.lease, clock=clock)
        self._results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._in_hand = 0
        self._in_hand_lock = threading.Lock()
        self._usable: frozenset[str] = frozenset(self._channels)
        self._pauses_read = float("-inf")

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
            self._read_pauses()
            claimed_at = monotonic()
            items = self._leases.claim(room)
        except DBAPIError as error:
            _log.warning("the outbox cannot be read: %s", type(error.orig).__name__)
            stop.wait(_DATABASE_BACK_OFF_SECONDS)
            return False
        deadline = claimed_at + self._policy.lease - self._policy.timeout - self._policy.safety
        with self._in_hand_lock:
            self._in_hand += len(items)
        for item in items:
            future = pool.submit(self._deliver, _Held(item, deadline), stop)
            future.add_done_callback(partial(self._take_back, item, doorbell))
        return bool(items)

    def _take_back(self, item: Leased, doorbell: Doorbell, done: "Future[Result]") -> None:
        error = done.exception()
        if error is None:
            self._results.put(done.result())
        elif isinstance(error, _Fenced):
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
        except DBAPIError as error:
            _log.warning("a lease was not given back: %s", type(error.orig).__name__)

    def _read_pauses(self) -> None:
        if monotonic() - self._pauses_read < _PAUSES_SECONDS:
            return
        paused = self._leases.paused_providers()
        self._usable = frozenset(
            name for name, channel in self._channels.items() if channel.provider not in paused
        )
        self._pauses_read = monotonic()

    # One message.

    def _deliver(self, held: _Held, stop: threading.Event) -> Result:
        item = held.item
        settled = _settled(item)
        if settled is not None:
            return settled
        if stop.is_set() or monotonic() > held.deadline:
            raise _Fenced
        recipient = Recipient(**opened(self._sealer, item.recipient, sealing.RECIPIENT, item.id))
        if item.in_doubt:
            return self._resolve(item, recipient)
        return self._send(item, recipient)

    def _send(self, item: Leased, recipient: Recipient) -> Result:
        kind = KINDS[item.kind]
        name = rules.route(kind, recipient, item.channel, usable=self._usable, unreachable=item.unreachable)
        if name is None:
            return self._nowhere(item, recipient)
        if name != item.channel:
            # Written down before it is sent there: after a crash it must be known where to ask.
            return _result(
                item, item.channel, "", "rerouted", Verdict(State.FALLING_BACK, name, switched=True)
            )
        channel = self._channels[name]
        started = monotonic()
        outcome = channel.send(self._outgoing(item, recipient, name), item.idem_key)
        return self._judged(item, recipient, name, outcome, monotonic() - started)

    def _resolve(self, item: Leased, recipient: Recipient) -> Result:
        """An earlier send may have happened: find out before sending again."""
        channel = self._channels.get(item.channel)
        if channel is None or not self._policy.reconcile or channel.capabilities.idempotent:
            return self._send(item, recipient)
        sendable = self._sendable(item, recipient, item.channel)
        if not channel.capabilities.lookup:
            verdict = rules.undecided(self._policy, sendable)
            return _result(item, item.channel, "", "undecided", verdict)
        started = monotonic()
        found = channel.lookup(
            self._outgoing(item, recipient, item.channel),
            item.idem_key,
            item.since,
            self._leases.taken_references(item, channel.provider),
        )
        if found is None:
            return self._send(item, recipient)
        if not isinstance(found, Accepted):
            found = Ambiguous(reason="lookup failed")
        return self._judged(item, recipient, item.channel, found, monotonic() - started)

    def _nowhere(self, item: Leased, recipient: Recipient) -> Result:
        """No channel is open: wait if one only rests, give up if none ever leads there."""
        configured = frozenset(self._channels)
        sendable = self._sendable(item, recipient, item.channel)
        name = rules.route(
            sendable.kind, recipient, item.channel, usable=configured, unreachable=item.unreachable
        )
        if name is None:
            return _result(item, item.channel, "", "no_channel", Verdict(State.DEAD))
        verdict = rules.decide(self._policy, sendable, Retry("paused"), self._channels[name].capabilities)
        return _result(item, item.channel, "", "paused", verdict)

    def _judged(
        self, item: Leased, recipient: Recipient, name: str, outcome: Outcome, seconds: float
    ) -> Result:
        channel = self._channels[name]
        verdict = rules.decide(
            self._policy, self._sendable(item, recipient, name), outcome, channel.capabilities
        )
        self._remember(item, name, outcome, verdict)
        return _result(item, name, channel.provider, outcome, verdict, seconds)

    def _remember(self, item: Leased, name: str, outcome: Outcome, verdict: Verdict) -> None:
        if verdict.pause is not None:
            provider = self._channels[name].provider
            _log.error("%s pauses until %s (%s)", provider, verdict.pause.until, verdict.pause.reason)
            self._leases.pause(provider, verdict.pause.until, verdict.pause.reason)
            self._pauses_read = float("-inf")
        if verdict.unreachable and isinstance(outcome, Rejected):
            self._leases.mark_unreachable(item, name, outcome.code, self._policy.unreachable)

    def _outgoing(self, item: Leased, recipient: Recipient, name: str) -> Outgoing:
        address = recipient.address(name)
        if address is None:
            raise LookupError(f"no address for {name}")
        return Outgoing(
            address=address,
            template=self._templates.template(item.kind, item.language),
            params=opened(self._sealer, item.params, sealing.PARAMS, item.id),
            now=item.now,
            expires_at=item.expires_at,
        )

    @staticmethod
    def _sendable(item: Leased, recipient: Recipient, name: str) -> Sendable:
        return Sendable(KINDS[item.kind], recipient, name, item.attempt, item.now)

    # Recording.

    def _record(self, doorbell: Doorbell) -> None:
        going = True
        while going:
            results, going = self._gather()
            while results:
                try:
                    self._leases.finish(results)
                    doorbell.ring()
                    break
                except DBAPIError as error:
                    _log.warning("results cannot be recorded: %s", type(error.orig).__name__)
                    time.sleep(_DATABASE_BACK_OFF_SECONDS)
                    if not going:
                        # Leaving: what is not recorded comes back in doubt and is looked up.
                        break

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


def _settled(item: Leased) -> Result | None:
    """What needs no sending any more."""
    if item.state != State.SENDING:
        return _result(item, item.channel, "", "settled", Verdict(State(item.state)))
    if item.cancelled:
        return _result(item, item.channel, "", "cancelled", Verdict(State.CANCELLED))
    if item.expired:
        return _result(item, item.channel, "", "expired", Verdict(State.EXPIRED))
    return None


def _result(
    item: Leased, channel: str, provider: str, outcome: Outcome | str, verdict: Verdict, seconds: float = 0.0
) -> Result:
    name, code, ref, segments = _described(outcome)
    return Result(
        id=item.id,
        state=verdict.state,
        channel=channel,
        provider=provider,
        outcome=name,
        code=code,
        ref=ref,
        segments=segments,
        latency_ms=round(seconds * 1000),
        next_channel=verdict.next_channel,
        delay=verdict.delay,
        in_doubt=verdict.in_doubt,
        next_key=_fresh_key() if verdict.switched else None,
    )


def _described(outcome: Outcome | str) -> tuple[str, str | None, str | None, int | None]:
    match outcome:
        case Accepted(ref=ref, segments=segments, reconciled=reconciled):
            return ("reconciled" if reconciled else "accepted"), None, ref, segments
        case Rejected(code=code, scope=scope):
            return f"rejected_{scope}", code, None, None
        case Retry(code=code):
            return "retry", code, None, None
        case Ambiguous(reason=reason):
            return "ambiguous", reason, None, None
        case str(name):
            return name, None, None, None


def _fresh_key() -> UUID:
    return UUID(bytes=secrets.token_bytes(16), version=4)
