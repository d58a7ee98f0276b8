"""What follows from a provider's answer. Pure: no clock, no database, no network."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifications.channels.base import Accepted, Ambiguous, Capabilities, Outcome, Rejected, Retry, Scope
from notifications.kinds import Doubt, Kind
from notifications.outbox import Recipient
from notifications.states import State

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_MORNING = time(7)


@dataclass(frozen=True)
class Policy:
    """Durations are in seconds.

    A lease outlives the request's timeout by `safety`, so that nobody sends on a lease that another may
    have taken over. `grace`: how long a provider may take to list what it has accepted. `doubt_hold`: how
    long to wait for a receipt of a send that can be neither repeated nor looked up. `reconcile` is switched
    off by the negative control only.
    """

    lease: float = 60.0
    timeout: float = 10.0
    safety: float = 2.0
    grace: float = 30.0
    doubt_hold: float = 180.0
    urgent_doubt_hold: float = 20.0
    retry_base: float = 1.0
    retry_cap: float = 900.0
    config_pause: float = 300.0
    unreachable: float = 30 * 86400.0
    most_attempts: int = 200
    reconcile: bool = True
    threads: int = 32
    batch: int = 50


@dataclass(frozen=True)
class Sendable:
    """What the policy needs to know of a leased message. `channel` is the one it goes by this time."""

    kind: Kind
    recipient: Recipient
    channel: str
    attempt: int
    now: datetime


@dataclass(frozen=True)
class Pause:
    until: datetime
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The next state. `next_channel` is where the message goes on, None when it is finished; `delay` is in
    seconds. `switched`: it goes on by another channel, under a new key."""

    state: State
    next_channel: str | None = None
    delay: float = 0.0
    in_doubt: bool = False
    switched: bool = False
    pause: Pause | None = None
    unreachable: bool = False


def channels_after(kind: Kind, recipient: Recipient, channel: str) -> tuple[str, ...]:
    """The channels still to try when `channel` has failed."""
    later = kind.channels[kind.channels.index(channel) + 1 :] if channel in kind.channels else ()
    return tuple(name for name in later if recipient.address(name))


def route(
    kind: Kind,
    recipient: Recipient,
    channel: str,
    *,
    usable: Collection[str],
    unreachable: Collection[str],
) -> str | None:
    """The first channel, from `channel` on, that can be used now; None when there is none."""
    for name in (channel, *channels_after(kind, recipient, channel)):
        if name in usable and name not in unreachable and recipient.address(name):
            return name
    return None


def decide(policy: Policy, item: Sendable, outcome: Outcome, capabilities: Capabilities) -> Verdict:
    match outcome:
        case Accepted():
            return Verdict(State.ACCEPTED)
        case Retry(after=after):
            return _again(policy, item, after)
        case Ambiguous():
            return _doubt(policy, item, capabilities)
        case Rejected(code=code, scope=scope):
            return _refused(policy, item, code, scope)


def undecided(policy: Policy, item: Sendable) -> Verdict:
    """An earlier send can be neither repeated nor looked up, and no receipt came in time."""
    if item.kind.doubt is Doubt.OTHER_CHANNEL:
        return _elsewhere(item) or Verdict(State.DEAD)
    return Verdict(State.DEAD)


def _again(policy: Policy, item: Sendable, after: float | None) -> Verdict:
    if item.attempt >= policy.most_attempts:
        return Verdict(State.DEAD)
    return Verdict(State.QUEUED, item.channel, delay=_backoff(policy, item.attempt, after))


def _backoff(policy: Policy, attempt: int, after: float | None) -> float:
    """Full jitter, so that a crowd of failed sends does not come back as a crowd; never before `after`."""
    if after is not None:
        return after * random.uniform(1.0, 1.5)
    return random.uniform(0, min(policy.retry_cap, policy.retry_base * 2 ** min(attempt, 16)))


def _doubt(policy: Policy, item: Sendable, capabilities: Capabilities) -> Verdict:
    if item.attempt >= policy.most_attempts:
        return Verdict(State.DEAD)
    if capabilities.idempotent:
        delay = _backoff(policy, item.attempt, None)
    elif capabilities.lookup:
        delay = policy.grace
    else:
        delay = policy.doubt_hold if item.kind.priority > 1 else policy.urgent_doubt_hold
    return Verdict(State.IN_DOUBT, item.channel, delay=delay, in_doubt=True)


def _refused(policy: Policy, item: Sendable, code: str, scope: Scope) -> Verdict:
    pause = _pause(policy, item, code, scope)
    elsewhere = _elsewhere(item, pause=pause, unreachable=scope is Scope.RECIPIENT)
    if elsewhere is not None:
        return elsewhere
    match scope:
        case Scope.RECIPIENT | Scope.TEMPLATE:
            return Verdict(State.DEAD, unreachable=scope is Scope.RECIPIENT)
        case Scope.NIGHT:
            return Verdict(State.HELD, item.channel, delay=_until_morning(item.now))
        case Scope.CONFIG | Scope.QUOTA:
            again = _again(policy, item, None)
            return Verdict(again.state, again.next_channel, delay=again.delay, pause=pause)


def _elsewhere(item: Sendable, *, pause: Pause | None = None, unreachable: bool = False) -> Verdict | None:
    later = channels_after(item.kind, item.recipient, item.channel)
    if not later:
        return None
    return Verdict(State.FALLING_BACK, later[0], switched=True, pause=pause, unreachable=unreachable)


def _pause(policy: Policy, item: Sendable, code: str, scope: Scope) -> Pause | None:
    if scope is Scope.CONFIG:
        return Pause(item.now + timedelta(seconds=policy.config_pause), f"refused: {code}")
    if scope is Scope.QUOTA:
        return Pause(_next_midnight(item.now), f"quota: {code}")
    return None


def _next_midnight(now: datetime) -> datetime:
    tomorrow = now.astimezone(LOCAL).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), LOCAL)


def _until_morning(now: datetime) -> float:
    local = now.astimezone(LOCAL)
    day = local.date() if local.time() < _MORNING else local.date() + timedelta(days=1)
    return (datetime.combine(day, _MORNING, LOCAL) - now).total_seconds()
