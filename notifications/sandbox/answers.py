"""How a provider answers a send: it accepts and says so, unless something else was planned."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from notifications.sandbox.faults import Fault, Planned

Answer = TypeVar("Answer")


class Dropped(Response):
    """No answer at all: the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["transport"].abort()
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass(frozen=True)
class Refusal:
    """`status` as HTTP would say it; `code` is the provider's own, None for a plain failure."""

    status: int
    code: int | None = None
    retry_after: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:.0f}"}


@dataclass(frozen=True)
class Sending(Generic[Answer]):
    """How one provider takes a message and words its answers.

    `accept(late)` puts the message into the ledger and returns the good answer. `codes`: how this provider
    refuses for the faults that are refusals.
    """

    accept: Callable[[bool], Answer]
    refuse: Callable[[Refusal], Answer]
    cut: Callable[[], Answer]
    codes: Mapping[Fault, Refusal]


async def answer(sending: Sending[Answer], planned: Planned | None, latency: float = 0.0) -> Answer:
    """`latency`: seconds that the provider takes; it accepts halfway, as a far-away one does."""
    if latency:
        await asyncio.sleep(latency / 2)
    answered = sending.accept(False) if planned is None else await _disturbed(sending, planned)
    if latency:
        await asyncio.sleep(latency / 2)
    return answered


async def _disturbed(sending: Sending[Answer], planned: Planned) -> Answer:
    match planned.fault:
        case Fault.LATENCY:
            await asyncio.sleep(planned.seconds)
        case Fault.THROTTLE:
            return sending.refuse(Refusal(429, planned.code, planned.seconds))
        case Fault.FAIL:
            return sending.refuse(Refusal(500))
        case Fault.ACCEPT_THEN_500:
            sending.accept(False)
            return sending.refuse(Refusal(500))
        case Fault.LATE_ACCEPT:
            asyncio.get_running_loop().call_later(planned.seconds, sending.accept, True)
            return sending.refuse(Refusal(500))
        case Fault.UNORDERED_RECEIPTS:
            answered = sending.accept(False)
            await asyncio.sleep(planned.seconds)  # the receipts overtake the answer
            return answered
        case Fault.HANG | Fault.HANG_AFTER_ACCEPT | Fault.DROP | Fault.DROP_AFTER_ACCEPT:
            return await _lost(sending, planned)
        case fault if fault in sending.codes:
            usual = sending.codes[fault]
            return sending.refuse(Refusal(usual.status, planned.code or usual.code, usual.retry_after))
    return sending.accept(False)


async def _lost(sending: Sending[Answer], planned: Planned) -> Answer:
    if planned.fault in {Fault.HANG_AFTER_ACCEPT, Fault.DROP_AFTER_ACCEPT}:
        sending.accept(False)
    if planned.fault in {Fault.HANG, Fault.HANG_AFTER_ACCEPT}:
        await asyncio.sleep(planned.seconds)
    return sending.cut()
