"""What all simulated providers share: the ledger, the planned faults, the callbacks, and phones' ways."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from notifications.sandbox import answers
from notifications.sandbox.answers import Answer, Sending
from notifications.sandbox.callbacks import Callbacks
from notifications.sandbox.faults import Course, FaultPlan, Planned
from notifications.sandbox.ledger import Ledger


@dataclass(frozen=True)
class Credentials:
    twilio_account_sid: str
    twilio_auth_token: str
    zalo_app_id: str
    zalo_app_secret: str
    zalo_oa_secret: str
    zalo_first_refresh_token: str
    esms_api_key: str
    esms_secret_key: str
    esms_brandname: str


@dataclass
class Desk:
    """`delivery_seconds`: how long a message takes from acceptance to the phone; `latency`: seconds that a
    provider takes to answer."""

    credentials: Credentials
    ledger: Ledger
    callbacks: Callbacks
    delivery_seconds: float = 1.0
    latency: float = 0.0
    faults: FaultPlan = field(default_factory=FaultPlan)
    zalo_phones: dict[str, bool] = field(default_factory=dict)
    blocked_phones: set[str] = field(default_factory=set)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def has_zalo(self, phone: str) -> bool:
        """Unless told otherwise, phones that end in 0 have no Zalo, so that a demo shows the SMS instead."""
        return self.zalo_phones.get(phone, not phone.endswith("0"))

    async def answer(self, sending: Sending[Answer], planned: Planned | None) -> Answer:
        return await answers.answer(sending, planned, self.latency)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def travel(self, course: Course) -> None:
        """Let the time of a delivery pass; receipts that overtake the answer cannot wait for it."""
        if not course.unordered:
            await asyncio.sleep(self.delivery_seconds * random.uniform(0.5, 1.5))

    @staticmethod
    async def report(course: Course, tell: Callable[[bool], Awaitable[None]]) -> None:
        """Send one receipt as late and as often as it should come; `tell(forged)` sends it."""
        if course.delay:
            await asyncio.sleep(course.delay)
        for _ in range(course.copies):
            await tell(course.forged)


def instant() -> datetime:
    """The sandbox stands for somebody else's machine, and so has a clock of its own."""
    return datetime.now(UTC)  # noqa: TID251


def milliseconds() -> int:
    return int(instant().timestamp() * 1000)


def reference(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def stamped(entry_at: str) -> datetime:
    return datetime.fromisoformat(entry_at)
