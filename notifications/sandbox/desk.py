"""What all simulated providers share: the ledger, the planned faults, the callbacks, and phones' ways."""

import asyncio
import random
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from notifications.sandbox.callbacks import Callbacks
from notifications.sandbox.faults import Fault, FaultPlan, Planned
from notifications.sandbox.ledger import Entry, Ledger


@dataclass(frozen=True)
class Credentials:
    twilio_account_sid: str
    twilio_auth_token: str
    zalo_app_secret: str
    zalo_oa_secret: str
    zalo_first_refresh_token: str


@dataclass
class Desk:
    """`delivery_seconds`: how long a message takes from acceptance to the phone."""

    credentials: Credentials
    ledger: Ledger
    callbacks: Callbacks
    delivery_seconds: float = 1.0
    faults: FaultPlan = field(default_factory=FaultPlan)
    zalo_phones: dict[str, bool] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def has_zalo(self, phone: str) -> bool:
        """Unless told otherwise, phones that end in 0 have no Zalo, so that a demo shows the SMS instead."""
        return self.zalo_phones.get(phone, not phone.endswith("0"))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def travel(self) -> None:
        await asyncio.sleep(self.delivery_seconds * random.uniform(0.5, 1.5))

    @staticmethod
    def final_status(planned: Planned | None) -> str:
        return "undelivered" if planned is not None and planned.fault is Fault.UNDELIVERED else "delivered"

    @staticmethod
    def receipts(planned: Planned | None) -> int:
        """How often each receipt is sent."""
        match planned.fault if planned else None:
            case Fault.NO_RECEIPTS:
                return 0
            case Fault.DUPLICATE_RECEIPTS:
                return 3
        return 1


def instant() -> datetime:
    """The sandbox stands for somebody else's machine, and so has a clock of its own."""
    return datetime.now(UTC)  # noqa: TID251


def reference(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def stamped(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.at)
