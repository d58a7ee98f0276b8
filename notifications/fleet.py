"""The providers at work: which can carry a message now, who takes the next one, and who should rest."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from notifications.breaker import Breaker
from notifications.channels.base import Accepted, Ambiguous, Outcome, Rejected, Retry
from notifications.channels.provider import Carrier, Registering
from notifications.kinds import CHANNELS
from notifications.limiter import Limiter
from notifications.policy import Pause, Policy
from notifications.provider_states import ProviderStates, Standing
from notifications.states import PausedBy
from notifications.template_versions import Register, TextKey, register

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
# A channel whose answers take longer than this gets a part of the threads only, so that others still move.
_SLUGGISH_SECONDS = 2.0
_SLUGGISH_PART = 4
_SMOOTHING = 0.2

_SPENT = """
SELECT coalesce(sum(vnd), 0)::bigint FROM notifications.spending
WHERE day >= date_trunc('month', {clock} AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
"""


@dataclass
class _Pace:
    """How many messages of a channel are under way, and how long its answers take of late, in seconds."""

    under_way: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Openings:
    """What may be claimed: how many by each channel, and who carries each of them."""

    rooms: Mapping[str, int]
    picks: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Situation:
    """What the routing goes by. `rests`: channels whose providers all rest, and the seconds until one is
    back; `resting`: those that only take a short breath. `paid`: channels that cost money. `settings_ids`: of
    the channels that take texts only under their provider's ids, those that the settings name, by
    "kind.language"."""

    usable: frozenset[str]
    rests: Mapping[str, float] = field(default_factory=dict)
    resting: Collection[str] = frozenset()
    paid: frozenset[str] = frozenset()
    over_budget: bool = False
    register: Register = field(default_factory=Register)
    settings_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def known_as(self, text: TextKey) -> str | None:
        """The provider's id of a text: what operators have set goes before what the settings name."""
        named = self.settings_ids.get(text.channel, {}).get(f"{text.kind}.{text.language}")
        return self.register.ids.get(text, named)

    def takes(self, text: TextKey) -> bool:
        """Whether the channel's provider would send this text, as far as is known."""
        registered = text.channel not in self.settings_ids or self.known_as(text) is not None
        return registered and text not in self.register.closed


class Fleet:
    """One per dispatcher; safe in its threads. `monotonic` in seconds."""

    def __init__(
        self,
        engine: Engine,
        carriers: Sequence[Carrier],
        policy: Policy,
        *,
        clock: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._monotonic = monotonic
        self._states = ProviderStates(clock)
        self._spent_sql = _SPENT.format(clock=clock)
        self._carriers = {carrier.provider: carrier for carrier in carriers}
        self._by_channel: dict[str, list[Carrier]] = {name: [] for name in CHANNELS}
        for carrier in carriers:
            self._by_channel.setdefault(carrier.channel, []).append(carrier)
        rates = {carrier.provider: carrier.rate for carrier in carriers if carrier.rate is not None}
        self._limiter = Limiter(engine, rates, monotonic)
        self._breakers = {carrier.provider: Breaker() for carrier in carriers}
        self._paces = {channel: _Pace() for channel in self._by_channel}
        self._lock = threading.Lock()
        self._standings: Mapping[str, Standing] = {}
        self._looked = float("-inf")
        self._settings_ids = _settings_ids(self._by_channel)
        self.situation = self._situation(over_budget=False, known=Register())

    def carrier(self, provider: str | None) -> Carrier | None:
        return self._carriers.get(provider or "")

    def has_another(self, carrier: Carrier) -> bool:
        """Whether another provider of the same channel works."""
        others = self._by_channel[carrier.channel]
        return any(other is not carrier and self._works(other) for other in others)

    def serves(self, channel: str) -> bool:
        """Whether anybody is configured for it, working or not."""
        return bool(self._by_channel.get(channel))

    def look(self) -> None:
        """Learn how things stand, every other second."""
        if self._monotonic() - self._looked < _LOOK_SECONDS:
            return
        with self._engine.begin() as connection:
            self._standings = self._states.all(connection)
            known = register(connection)
            over_budget = self._policy.monthly_budget is not None and (
                connection.exec_driver_sql(self._spent_sql).scalar_one() >= self._policy.monthly_budget
            )
        self.situation = self._situation(over_budget=over_budget, known=known)
        self._looked = self._monotonic()

    def openings(self, room: int) -> Openings:
        """Up to `room` messages by each channel, as providers' limits and the threads allow.

        A channel that nobody serves, or whose providers rest, is open all the same: its messages go on to
        another channel.
        """
        tokens = self._limiter.available(room)
        rooms: dict[str, int] = {}
        picks: dict[str, Sequence[str]] = {}
        for channel, carriers in self._by_channel.items():
            working = self._carrying(carriers)
            fits = min(room, self._threads_for(channel))
            drawn = _draw(
                working, {c.provider: tokens.get(c.provider, fits) for c in working}, fits, self._weight
            )
            picks[channel] = drawn
            rooms[channel] = len(drawn) if working else fits
        return Openings(rooms, picks)

    def begins(self, channel: str, provider: str | None) -> None:
        with self._lock:
            self._paces.setdefault(channel, _Pace()).under_way += 1
        self._limiter.use(provider)

    def ends(self, channel: str) -> None:
        with self._lock:
            self._paces[channel].under_way -= 1

    def judge(self, carrier: Carrier, outcome: Outcome, seconds: float, now: datetime) -> None:
        """Learn from an answer: who has too much slows down, who fails rests."""
        with self._lock:
            pace = self._paces[carrier.channel]
            pace.seconds += _SMOOTHING * (seconds - pace.seconds)
            rest = self._learnt(carrier.provider, outcome)
        if isinstance(outcome, Retry) and outcome.crowded:
            self._limiter.slow_down(carrier.provider)
        if rest is not None:
            until = now + timedelta(seconds=rest)
            self.pause(carrier.provider, Pause(until, "too many failures", PausedBy.BREAKER))

    def pause(self, provider: str, pause: Pause) -> None:
        with self._engine.begin() as connection:
            if self._states.pause(connection, provider, pause.until, pause.by, pause.reason):
                _log.error("%s rests until %s (%s: %s)", provider, pause.until, pause.by, pause.reason)
        self._looked = float("-inf")

    def _learnt(self, provider: str, outcome: Outcome) -> float | None:
        breaker, at = self._breakers[provider], self._monotonic()
        match outcome:
            case Accepted() | Rejected():
                breaker.answered(at)
            case Ambiguous() | Retry(down=True):
                return breaker.failed(at)
        return None

    def _works(self, carrier: Carrier) -> bool:
        standing = self._standings.get(carrier.provider)
        return standing is None or standing.paused_by is None

    def _carrying(self, carriers: Sequence[Carrier]) -> list[Carrier]:
        """Those that work; who stands by (weight 0) only where nobody else does."""
        working = [carrier for carrier in carriers if self._works(carrier)]
        return [carrier for carrier in working if self._weight(carrier)] or working

    def _weight(self, carrier: Carrier) -> int:
        standing = self._standings.get(carrier.provider)
        return carrier.weight if standing is None or standing.weight is None else standing.weight

    def _threads_for(self, channel: str) -> int:
        with self._lock:
            pace = self._paces[channel]
            threads = self._policy.threads
            if pace.seconds > _SLUGGISH_SECONDS:
                threads = max(1, threads // _SLUGGISH_PART)
                return max(0, threads - pace.under_way)
            return max(0, threads * 2 - pace.under_way)

    def _situation(self, *, over_budget: bool, known: Register) -> Situation:
        usable, rests, resting = set(), {}, set()
        for channel, carriers in self._by_channel.items():
            standings = [self._standings.get(carrier.provider, Standing()) for carrier in carriers]
            if any(standing.paused_by is None for standing in standings):
                usable.add(channel)
            elif standings:
                rests[channel] = min(standing.rest for standing in standings)
                if any(standing.paused_by is PausedBy.BREAKER for standing in standings):
                    resting.add(channel)
        paid = frozenset(
            carrier.channel
            for carrier in self._carriers.values()
            if carrier.tariff.message or carrier.tariff.segment
        )
        return Situation(frozenset(usable), rests, resting, paid, over_budget, known, self._settings_ids)


def _settings_ids(by_channel: Mapping[str, Sequence[Carrier]]) -> dict[str, Mapping[str, str]]:
    """Of the channels where every provider sends registered texts only."""
    found: dict[str, Mapping[str, str]] = {}
    for channel, carriers in by_channel.items():
        named = [c.adapter.template_ids for c in carriers if isinstance(c.adapter, Registering)]
        if carriers and len(named) == len(carriers):
            found[channel] = {text: known_as for ids in named for text, known_as in ids.items()}
    return found


def _draw(
    working: Sequence[Carrier], tokens: Mapping[str, int], room: int, weight: Callable[[Carrier], int]
) -> list[str]:
    """Who carries each of the next messages: by weight, and nobody more than their tokens."""
    if len(working) == 1:
        only = working[0].provider
        return [only] * min(room, tokens[only])
    left = Counter({carrier.provider: tokens[carrier.provider] for carrier in working})
    drawn: list[str] = []
    while len(drawn) < room:
        able = [carrier for carrier in working if left[carrier.provider] > 0]
        if not able:
            break
        weights = [weight(carrier) for carrier in able]
        chosen = random.choices(able, weights if any(weights) else None)[0].provider
        left[chosen] -= 1
        drawn.append(chosen)
    return drawn
