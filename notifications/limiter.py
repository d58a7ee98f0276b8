"""How many sends a second a provider takes: one token bucket each, in the database, shared by all workers.

A worker draws tokens in slices. A provider that says "too many" has its rate halved, and gets it back slowly
(additive increase, multiplicative decrease: Chiu and Jain, 1989).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

_BURST_SECONDS = 0.25
_RECOVERY_PER_SECOND = 1.0
_ASK_AGAIN_SECONDS = 0.1
_TOKENS_LAST_SECONDS = 1.0
_SLOW_AGAIN_SECONDS = 1.0

_OPEN = """
INSERT INTO notifications.rate_bucket (provider, rate, tokens, filled_at)
SELECT provider, rate, 1, clock_timestamp() FROM unnest(%(provider)s::text[], %(rate)s::float8[])
  AS p (provider, rate)
ON CONFLICT (provider) DO NOTHING
"""
# The bucket holds a quarter of a second's worth, but never less than one send.
_DRAW = """
WITH asked AS (
  SELECT * FROM unnest(%(provider)s::text[], %(rate)s::float8[], %(want)s::int[]) AS a (provider, most, want)
), held AS (
  SELECT b.provider, b.tokens, b.rate, a.most, a.want,
         greatest(0, extract(epoch FROM clock_timestamp() - b.filled_at)) AS elapsed
  FROM notifications.rate_bucket b JOIN asked a ON a.provider = b.provider
  ORDER BY b.provider FOR UPDATE OF b
), quicker AS (
  SELECT *, least(most, rate + elapsed * %(recovery)s) AS now_rate FROM held
), filled AS (
  SELECT *, least(greatest(1, now_rate * %(burst)s), tokens + elapsed * now_rate) AS full_tokens FROM quicker
), granted AS (
  SELECT *, floor(least(want, greatest(full_tokens, 0)))::int AS grant_now FROM filled
)
UPDATE notifications.rate_bucket b
SET rate = g.now_rate, tokens = g.full_tokens - g.grant_now, filled_at = clock_timestamp()
FROM granted g WHERE b.provider = g.provider
RETURNING b.provider, g.grant_now
"""
_SLOW = """
UPDATE notifications.rate_bucket
SET rate = greatest(1, rate / 2), tokens = 0, filled_at = clock_timestamp(), slowed_at = clock_timestamp()
WHERE provider = %(provider)s
  AND (slowed_at IS NULL OR slowed_at < clock_timestamp() - %(again)s * interval '1 second')
"""


@dataclass
class _Purse:
    """Tokens drawn and not yet used. Old ones are thrown away: the provider's second is over."""

    tokens: int = 0
    good_until: float = 0.0
    ask_after: float = 0.0


class Limiter:
    """`rates`: sends a second by provider; a provider that is not named is not limited. `monotonic` in s."""

    def __init__(self, engine: Engine, rates: Mapping[str, float], monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._rates = dict(rates)
        self._monotonic = monotonic
        self._purses = {provider: _Purse() for provider in rates}
        self._lock = threading.Lock()
        self._opened = not rates

    def available(self, most: int) -> Mapping[str, int]:
        """How many sends each limited provider has now, `most` at the utmost; draws more when due."""
        with self._lock:
            now = self._monotonic()
            for purse in self._purses.values():
                if now >= purse.good_until:
                    purse.tokens = 0
            wanting = [
                name for name, purse in self._purses.items() if not purse.tokens and now >= purse.ask_after
            ]
            if wanting:
                self._draw(wanting, most, now)
            return {name: min(purse.tokens, most) for name, purse in self._purses.items()}

    def use(self, provider: str | None) -> None:
        with self._lock:
            purse = self._purses.get(provider or "")
            if purse is not None and purse.tokens:
                purse.tokens -= 1

    def slow_down(self, provider: str) -> None:
        """The provider said that it was too much."""
        if provider not in self._purses:
            return
        with self._lock:
            self._purses[provider].tokens = 0
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_SLOW, {"provider": provider, "again": _SLOW_AGAIN_SECONDS})

    def _draw(self, names: list[str], most: int, now: float) -> None:
        rates = [self._rates[name] for name in names]
        with self._engine.begin() as connection:
            if not self._opened:
                opened = {"provider": list(self._rates), "rate": list(self._rates.values())}
                connection.exec_driver_sql(_OPEN, opened)
                self._opened = True
            asked = {"provider": names, "rate": rates, "want": [most] * len(names)}
            limits = {"burst": _BURST_SECONDS, "recovery": _RECOVERY_PER_SECOND}
            rows = connection.exec_driver_sql(_DRAW, asked | limits).all()
        for row in rows:
            purse = self._purses[row.provider]
            purse.tokens = row.grant_now
            purse.good_until = now + _TOKENS_LAST_SECONDS
            purse.ask_after = now + _ASK_AGAIN_SECONDS
