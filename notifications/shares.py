"""Moving traffic between the providers of one channel, a little at a time and never all at once.

The rule is near to that of GOV.UK Notify: many errors in the last two to three minutes (we count by whole
minutes), or many slow answers in a quarter of an hour, cost a provider ten points of a hundred; shares left
alone for a quarter of an hour drift back to the usual ones, which are those that a person has set last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from notifications.channels.provider import Carrier
from notifications.provider_states import ProviderStates, Standing

STEP = 10
MOST_FAILED = 50
MOST_SLOW_SHARE = 0.15
FEWEST_TO_JUDGE = 20
NOT_AGAIN_SECONDS = 60.0
DRIFT_AFTER_SECONDS = 900.0

_RECENT = """
SELECT provider,
       coalesce(sum(failed) FILTER (WHERE minute >= {clock} - interval '2 minutes'), 0)::int AS failed,
       sum(slow)::int AS slow, sum(accepted + rejected + failed)::int AS answers
FROM notifications.provider_minute WHERE minute >= {clock} - interval '15 minutes' GROUP BY provider
"""


@dataclass(frozen=True)
class Share:
    """One provider of a channel: its weight now, and as set by hand or configured; seconds since the last
    change (None: none yet); failures of the last minutes, slow answers and all answers of the last quarter
    of an hour."""

    provider: str
    weight: int
    usual: int
    age: float | None = None
    failed: int = 0
    slow: int = 0
    answers: int = 0

    @property
    def suffers(self) -> bool:
        slow = self.answers >= FEWEST_TO_JUDGE and self.slow >= MOST_SLOW_SHARE * self.answers
        return self.failed >= MOST_FAILED or slow


def rebalanced(shares: Sequence[Share]) -> Mapping[str, int]:
    """The weights to change among the providers of one channel; pure. Empty when all may stay."""
    if len(shares) < 2:
        return {}
    youngest = min((share.age for share in shares if share.age is not None), default=None)
    suffering = [share for share in shares if share.suffers]
    if suffering and len(suffering) < len(shares):
        if youngest is not None and youngest < NOT_AGAIN_SECONDS:
            return {}
        return _shifted(shares, suffering)
    if youngest is None or youngest < DRIFT_AFTER_SECONDS:
        return {}
    return _drifted(shares)


def _shifted(shares: Sequence[Share], suffering: Sequence[Share]) -> dict[str, int]:
    """Ten points from each that suffers, to those that do not."""
    changed = {share.provider: max(0, share.weight - STEP) for share in suffering}
    freed = sum(share.weight - changed[share.provider] for share in suffering)
    well = [share for share in shares if share not in suffering]
    changed |= {share.provider: min(100, share.weight + freed // len(well)) for share in well}
    return {
        share.provider: changed[share.provider] for share in shares if changed[share.provider] != share.weight
    }


def _drifted(shares: Sequence[Share]) -> dict[str, int]:
    """Each up to ten points nearer to its usual weight."""
    nearer = {
        share.provider: share.weight + max(-STEP, min(STEP, share.usual - share.weight)) for share in shares
    }
    return {
        share.provider: nearer[share.provider] for share in shares if nearer[share.provider] != share.weight
    }


def settle(engine: Engine, carriers: Sequence[Carrier], *, clock: str = "clock_timestamp()") -> None:
    """Change the shares where the last minutes ask for it; for a clock's tick, safe to run twice."""
    states = ProviderStates(clock)
    with engine.begin() as connection:
        standings = states.all(connection)
        recent = {row.provider: row for row in connection.exec_driver_sql(_RECENT.format(clock=clock))}
        for channel in sorted({carrier.channel for carrier in carriers}):
            shares = [
                _share(carrier, standings.get(carrier.provider), recent.get(carrier.provider))
                for carrier in carriers
                if carrier.channel == channel
            ]
            suffering = any(share.suffers for share in shares)
            reason = "errors or slow answers" if suffering else "back towards the usual"
            states.weigh(connection, rebalanced(shares).items(), reason)


def _share(carrier: Carrier, standing: Standing | None, recent: Any) -> Share:
    standing = standing or Standing()
    return Share(
        provider=carrier.provider,
        weight=carrier.weight if standing.weight is None else standing.weight,
        usual=carrier.weight if standing.weight_by_hand is None else standing.weight_by_hand,
        age=standing.weight_age,
        failed=recent.failed if recent else 0,
        slow=recent.slow if recent else 0,
        answers=recent.answers if recent else 0,
    )
