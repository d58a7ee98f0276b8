"""Going wrong on request, the ways providers do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from notifications.sandbox.ledger import Entry


class Fault(StrEnum):
    THROTTLE = "429"
    FAIL = "500"
    HANG = "hang"
    HANG_AFTER_ACCEPT = "hang-after-accept"
    DROP = "drop"
    DROP_AFTER_ACCEPT = "drop-after-accept"
    ACCEPT_THEN_500 = "accept-then-500"
    LATE_ACCEPT = "late-accept"
    REJECT = "reject"
    DUPLICATE_RECEIPTS = "duplicate-receipts"
    NO_RECEIPTS = "no-receipts"
    UNDELIVERED = "undelivered"
    TOKEN_EXPIRED = "token-expired"  # noqa: S105  the name of a fault


@dataclass
class Planned:
    """A fault for the next `times` sends to `provider` (and `to`).

    `seconds`: Retry-After, the length of a hang, or the delay of a late acceptance. `code`: the provider's
    code for a rejection or a failed delivery.
    """

    provider: str
    fault: Fault
    times: int = 1
    to: str | None = None
    seconds: float = 1.0
    code: int | None = None


class FaultPlan:
    def __init__(self) -> None:
        self._planned: list[Planned] = []

    def add(self, planned: Planned) -> None:
        self._planned.append(planned)

    def clear(self) -> None:
        self._planned.clear()

    def take(self, provider: str, to: str) -> Planned | None:
        """The fault that hits this send, used up by it."""
        for planned in self._planned:
            if planned.provider == provider and planned.to in {None, to}:
                planned.times -= 1
                if planned.times <= 0:
                    self._planned.remove(planned)
                return planned
        return None


class Dropped(Response):
    """No answer at all: the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["transport"].abort()
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass(frozen=True)
class Sending:
    """How one provider accepts a message and words its answers."""

    request: Request
    accept: Callable[[], Entry]
    accepted: Callable[[Entry], Response]
    refused: Callable[[int, int | None, dict[str, str]], Response]


async def answer(sending: Sending, planned: Planned | None) -> Response:
    """Accept and say so, unless something else was planned."""
    match planned.fault if planned else None:
        case Fault.THROTTLE:
            return sending.refused(429, None, {"Retry-After": f"{planned.seconds:.0f}" if planned else ""})
        case Fault.FAIL:
            return sending.refused(500, None, {})
        case Fault.REJECT:
            return sending.refused(400, planned.code if planned else None, {})
        case Fault.HANG | Fault.HANG_AFTER_ACCEPT | Fault.DROP | Fault.DROP_AFTER_ACCEPT as fault:
            return await _lost(sending, fault, planned.seconds if planned else 0)
        case Fault.ACCEPT_THEN_500:
            sending.accept()
            return sending.refused(500, None, {})
        case Fault.LATE_ACCEPT:
            asyncio.get_running_loop().call_later(planned.seconds if planned else 0, sending.accept)
            return sending.refused(500, None, {})
    return sending.accepted(sending.accept())


async def _lost(sending: Sending, fault: Fault, seconds: float) -> Response:
    if fault in {Fault.HANG_AFTER_ACCEPT, Fault.DROP_AFTER_ACCEPT}:
        sending.accept()
    if fault in {Fault.HANG, Fault.HANG_AFTER_ACCEPT}:
        await asyncio.sleep(seconds)
    return Dropped()
