"""By which channel, when, and what follows from a provider's answer. Pure: no clock, database or network."""

import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifications.channels.base import Accepted, Ambiguous, Capabilities, Outcome, Rejected, Retry, Scope
from notifications.kinds import Doubt, Kind, Priority
from notifications.outbox import Recipient
from notifications.states import PausedBy, State

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_LOOK_AGAIN = 300.0
_LOOK_AGAIN_URGENT = 15.0


@dataclass(frozen=True)
class Policy:
    """Durations are in seconds.

    A lease outlives the request's timeout by `safety`, so that nobody sends on a lease that another may
    have taken over. `grace`: how long a provider may take to list what it has accepted. `doubt_hold`: how
    long to wait for a receipt of a send that can be neither repeated nor looked up. `patience`: how long an
    urgent message may stay without a receipt before the next channel is tried too. `slow`: an answer that
    takes longer counts against its provider. `reconcile` is switched off by the negative control only.

    `quiet_from` and `quiet_to` are local times between which only what cannot wait is sent. `daily_cap`:
    messages to one phone and day after which reminders stop (and, at `flood_cap`, everything but codes).
    `monthly_budget`: VND after which reminders go by what costs nothing, or not at all; None: no limit.
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
    patience: float = 180.0
    slow: float = 5.0
    quiet_from: time = time(21)
    quiet_to: time = time(7)
    daily_cap: int = 6
    flood_cap: int = 40
    monthly_budget: int | None = None
    reconcile: bool = True
    threads: int = 32
    batch: int = 50


@dataclass(frozen=True)
class Sendable:
    """What the policy needs to know of a leased message. `channel` is the one it goes by this time; `attempt`
    counts its sends, this one included; `alternative`: another provider of the same channel works.
    `in_doubt`: this was a repeat."""

    kind: Kind
    recipient: Recipient
    channel: str
    attempt: int
    now: datetime
    alternative: bool = False
    in_doubt: bool = False


@dataclass(frozen=True)
class Pause:
    until: datetime
    reason: str
    by: PausedBy = PausedBy.CONFIG


@dataclass(frozen=True)
class Verdict:
    """The next state. `next_channel` is where the message goes on, None when it is finished; `delay` is in
    seconds. `switched`: it goes on under a new key, by another channel or provider. `fallback`: it was
    accepted, and goes on only if no receipt comes meanwhile."""

    state: State
    next_channel: str | None = None
    delay: float = 0.0
    in_doubt: bool = False
    switched: bool = False
    pause: Pause | None = None
    fallback: bool = False


@dataclass(frozen=True)
class Stop:
    """Why a message is not sent now: the word that is logged, and what becomes of it."""

    reason: str
    verdict: Verdict


def gate(
    policy: Policy, kind: Kind, channel: str, *, now: datetime, expires_at: datetime, sent_today: int
) -> Stop | None:
    """What stops a message before any channel is asked: the night, or too many to one phone."""
    if sent_today >= policy.flood_cap and kind.priority > Priority.OTP:
        return Stop("flood", Verdict(State.DEAD))
    if sent_today >= policy.daily_cap and kind.mutable:
        return Stop("capped", Verdict(State.SUPPRESSED))
    asleep = sleeps(policy, kind, channel, now=now, expires_at=expires_at)
    return None if asleep is None else Stop("night", asleep)


def sleeps(
    policy: Policy, kind: Kind, channel: str, *, now: datetime, expires_at: datetime
) -> Verdict | None:
    """Where a message waits that may not arrive at night; None by day, and for what cannot wait."""
    if kind.at_night or not is_quiet(policy, now):
        return None
    wait = until_morning(policy, now)
    if now + timedelta(seconds=wait) >= expires_at:
        return Verdict(State.EXPIRED)
    return Verdict(State.HELD, channel, delay=wait)


def paused(kind: Kind, channel: str, rest: float) -> Verdict:
    """Nobody of a channel works for `rest` seconds: look again then, and what is urgent sooner, in case an
    operator takes the pause back. Waiting is no try."""
    longest = _LOOK_AGAIN if kind.priority > Priority.URGENT else _LOOK_AGAIN_URGENT
    return Verdict(State.QUEUED, channel, delay=random.uniform(0.5, 1.0) * min(max(rest, 1.0), longest))


def is_quiet(policy: Policy, now: datetime) -> bool:
    """Whether it is night in the province."""
    local = now.astimezone(LOCAL).time()
    return local >= policy.quiet_from or local < policy.quiet_to


def until_morning(policy: Policy, now: datetime) -> float:
    """Seconds until the end of the quiet hours, from within them or before them."""
    local = now.astimezone(LOCAL)
    day = local.date() if local.time() < policy.quiet_to else local.date() + timedelta(days=1)
    return (datetime.combine(day, policy.quiet_to, LOCAL) - now).total_seconds()


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
            return accepted(policy, item)
        case Retry(after=after):
            verdict = again(policy, item, after)
            return _still_in_doubt(verdict) if item.in_doubt and capabilities.idempotent else verdict
        case Ambiguous():
            return _doubt(policy, item, capabilities)
        case Rejected(code=code, scope=scope):
            return _refused(policy, item, code, scope)


def accepted(policy: Policy, item: Sendable) -> Verdict:
    """Done; but what is urgent tries the next electronic channel when nobody says that it arrived."""
    later = [name for name in channels_after(item.kind, item.recipient, item.channel) if name != "call-list"]
    if not item.kind.urgent or not later:
        return Verdict(State.ACCEPTED)
    return Verdict(State.ACCEPTED, later[0], delay=policy.patience, switched=True, fallback=True)


def _still_in_doubt(verdict: Verdict) -> Verdict:
    """Only the repeat was put off: whether the first was sent only the same provider can tell."""
    if verdict.state is not State.QUEUED:
        return verdict
    return replace(verdict, state=State.IN_DOUBT, in_doubt=True)


def undecided(policy: Policy, item: Sendable) -> Verdict:
    """An earlier send can be neither repeated nor looked up, and no receipt came in time.

    Told twice is better than never: on the last channel it is sent there once more.
    """
    if item.kind.doubt is Doubt.OTHER_CHANNEL:
        return _elsewhere(item) or replace(again(policy, item), switched=True)
    return Verdict(State.DEAD)


def again(policy: Policy, item: Sendable, after: float | None = None) -> Verdict:
    """Later by the same channel; dead when it has been tried too often."""
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
        delay = policy.doubt_hold if item.kind.priority > Priority.URGENT else policy.urgent_doubt_hold
    return Verdict(State.IN_DOUBT, item.channel, delay=delay, in_doubt=True)


def _refused(policy: Policy, item: Sendable, code: str, scope: Scope) -> Verdict:
    pause = _pause(policy, item, code, scope)
    if pause is not None and item.alternative:
        return Verdict(State.QUEUED, item.channel, switched=True, pause=pause)
    elsewhere = _elsewhere(item, pause=pause)
    if elsewhere is not None:
        return elsewhere
    match scope:
        case Scope.RECIPIENT | Scope.TEMPLATE:
            return Verdict(State.DEAD)
        case Scope.NIGHT:
            return Verdict(State.HELD, item.channel, delay=until_morning(policy, item.now))
        case Scope.CONFIG | Scope.QUOTA:
            return replace(again(policy, item), pause=pause)


def _elsewhere(item: Sendable, *, pause: Pause | None = None) -> Verdict | None:
    later = channels_after(item.kind, item.recipient, item.channel)
    if not later:
        return None
    return Verdict(State.FALLING_BACK, later[0], switched=True, pause=pause)


def _pause(policy: Policy, item: Sendable, code: str, scope: Scope) -> Pause | None:
    if scope is Scope.CONFIG:
        return Pause(item.now + timedelta(seconds=policy.config_pause), f"refused: {code}")
    if scope is Scope.QUOTA:
        return Pause(_next_midnight(item.now), f"quota: {code}", PausedBy.QUOTA)
    return None


def _next_midnight(now: datetime) -> datetime:
    tomorrow = now.astimezone(LOCAL).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), LOCAL)
