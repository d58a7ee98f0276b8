"""Going wrong on request: what can happen, what is planned for whom, and storms of it by chance."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

Span = tuple[float, float]


class Fault(StrEnum):
    LATENCY = "latency"
    THROTTLE = "429"
    FAIL = "500"
    HANG = "hang"
    HANG_AFTER_ACCEPT = "hang-after-accept"
    DROP = "drop"
    DROP_AFTER_ACCEPT = "drop-after-accept"
    ACCEPT_THEN_500 = "accept-then-500"
    LATE_ACCEPT = "late-accept"
    REJECT = "reject"
    QUOTA = "quota"
    TOKEN_EXPIRED = "token-expired"  # noqa: S105  the name of a fault
    TOKEN_BURNT = "token-burnt"  # noqa: S105
    UNDELIVERED = "undelivered"
    NO_RECEIPTS = "no-receipts"
    LATE_RECEIPTS = "late-receipts"
    DUPLICATE_RECEIPTS = "duplicate-receipts"
    UNORDERED_RECEIPTS = "out-of-order-receipts"
    BAD_SIGNATURE = "bad-signature"


@dataclass
class Planned:
    """A fault for the next `times` sends to `provider` (and `to`).

    `seconds`: Retry-After, the length of a hang or of a delay, or the wait before a late acceptance or a late
    receipt. `code`: the provider's code for a refusal or a failed delivery.
    """

    provider: str
    fault: Fault
    times: int = 1
    to: str | None = None
    seconds: float = 1.0
    code: int | None = None


@dataclass
class Weather:
    """Faults by chance: `shares` says which part of the sends to `provider` meets which fault.

    What the n-th send to a recipient meets depends on the seed alone, and not on who asks first. `seconds`
    are the spans from which a fault takes its own.
    """

    provider: str
    seed: str
    shares: Mapping[Fault, float]
    seconds: Mapping[Fault, Span]
    hits: Counter[str] = field(default_factory=Counter)
    _sends: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if any(share < 0 for share in self.shares.values()) or sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError("shares must be at least 0 and at most 1 together")
        if any(not 0 <= shortest <= longest for shortest, longest in self.seconds.values()):
            raise ValueError("seconds must be a number or a span of two, or such for each fault")

    def strike(self, to: str) -> Planned | None:
        self._sends[to] += 1
        drawn = f"{self.seed}\0{self.provider}\0{to}\0{self._sends[to]}".encode()
        digest = blake2b(drawn, digest_size=16).digest()
        point = int.from_bytes(digest[:8]) / 2**64
        for fault, share in self.shares.items():
            if point < share:
                self.hits[fault] += 1
                shortest, longest = self.seconds[fault]
                part = int.from_bytes(digest[8:]) / 2**64
                return Planned(self.provider, fault, seconds=shortest + part * (longest - shortest))
            point -= share
        return None

    def told(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "seed": self.seed,
            "shares": dict(self.shares),
            "seconds": dict(self.seconds),
            "sends": self._sends.total(),
            "hits": dict(self.hits),
        }


class FaultPlan:
    """What is planned for a recipient comes first, then what is planned for anybody, then the weather."""

    def __init__(self) -> None:
        self._planned: defaultdict[tuple[str, str | None], deque[Planned]] = defaultdict(deque)
        self.weather: dict[str, Weather] = {}

    def add(self, planned: Planned) -> None:
        self._planned[planned.provider, planned.to].append(planned)

    def clear(self) -> None:
        self._planned.clear()

    def take(self, provider: str, to: str) -> Planned | None:
        """The fault that hits this send, used up by it."""
        for place in ((provider, to), (provider, None)):
            waiting = self._planned.get(place)
            if waiting:
                planned = waiting[0]
                planned.times -= 1
                if planned.times <= 0:
                    waiting.popleft()
                if not waiting:
                    del self._planned[place]
                return planned
        weather = self.weather.get(provider)
        return weather.strike(to) if weather is not None else None


def planned(wanted: Mapping[str, Any], recipient: Callable[[str], str]) -> Planned:
    """Read {provider, fault, times?, to?, seconds?, code?}. Raises ValueError, KeyError, TypeError."""
    return Planned(
        provider=str(wanted["provider"]),
        fault=Fault(str(wanted["fault"])),
        times=int(wanted.get("times", 1)),
        to=recipient(str(wanted["to"])) if wanted.get("to") else None,
        seconds=float(wanted.get("seconds", wanted.get("retry_after", 1.0))),
        code=int(wanted["code"]) if wanted.get("code") is not None else None,
    )


def weather(wanted: Mapping[str, Any]) -> Weather:
    """Read {provider, seed, shares: {fault: share}, seconds?}: seconds are a number, a span [from, to], or
    such for each fault by name. Raises ValueError, KeyError, TypeError."""
    shares = {Fault(str(name)): float(share) for name, share in dict(wanted["shares"]).items()}
    seconds = wanted.get("seconds", 1.0)
    by_fault = seconds if isinstance(seconds, dict) else dict.fromkeys(shares, seconds)
    return Weather(
        provider=str(wanted["provider"]),
        seed=str(wanted.get("seed", "")),
        shares=shares,
        seconds={fault: _span(by_fault.get(fault.value, 1.0)) for fault in shares},
    )


def _span(wanted: Any) -> Span:
    shortest, longest = wanted if isinstance(wanted, list) else (wanted, wanted)
    return float(shortest), float(longest)


@dataclass(frozen=True)
class Course:
    """What becomes of a message after its acceptance, and what the sender is told of it."""

    delivered: bool = True
    code: int | None = None
    copies: int = 1
    delay: float = 0.0
    unordered: bool = False
    forged: bool = False

    @classmethod
    def under(cls, planned: Planned | None) -> "Course":
        match planned.fault if planned else None:
            case Fault.UNDELIVERED:
                return cls(delivered=False, code=planned.code if planned else None)
            case Fault.NO_RECEIPTS:
                return cls(copies=0)
            case Fault.DUPLICATE_RECEIPTS:
                return cls(copies=3)
            case Fault.LATE_RECEIPTS:
                return cls(delay=planned.seconds if planned else 0.0)
            case Fault.UNORDERED_RECEIPTS:
                return cls(unordered=True)
            case Fault.BAD_SIGNATURE:
                return cls(forged=True)
        return cls()
