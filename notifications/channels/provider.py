"""What a provider's folder offers, so that a province can add a folder of its own.

A folder holds `account.py` (settings), `channel.py` (the adapter), `webhook.py` where the provider calls
back, `codes.yaml` (what its answers mean), `tariff.yaml` (what it costs), and names them in `PROVIDER`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import yaml
from sqlalchemy import Engine

from notifications.channels.base import Channel
from notifications.channels.conversation import Heard
from notifications.channels.receipt import Claim, Receipt, Webhook
from notifications.sealing import Sealer

Clock = Callable[[], datetime]


def _wall_clock() -> datetime:
    """For a host that lends no clock of its own."""
    return datetime.now(UTC)  # noqa: TID251


@dataclass(frozen=True)
class Host:
    """What the host lends to an adapter. `timeout`: seconds that a provider may take to answer."""

    engine: Engine
    sealer: Sealer
    public_base_url: str
    timeout: float = 10.0
    clock: Clock = _wall_clock


class Unanswered(Exception):
    """A question to a provider got no answer that can be used; ask again later."""


@dataclass(frozen=True)
class Tariff:
    """VND without tax, for each accepted message and for each segment of it."""

    message: float = 0.0
    segment: float = 0.0

    def cost(self, segments: int | None) -> int:
        return round(self.message + self.segment * (segments or 1))


@runtime_checkable
class Upkept(Protocol):
    """An adapter with something to look after between sends, such as a token that runs out."""

    def upkeep(self) -> None:
        """For a clock's tick: safe to run twice, in any process."""
        ...


@runtime_checkable
class Templated(Protocol):
    """An adapter whose provider has to approve the texts."""

    def template_states(self) -> Mapping[str, str]:
        """The provider's template ids and its word for the state of each. Raises Unanswered."""
        ...


@runtime_checkable
class Registering(Protocol):
    """An adapter whose provider knows every text by an id of its own, and sends no other."""

    @property
    def template_ids(self) -> Mapping[str, str]:
        """The ids that the settings name, by "kind.language"."""
        ...


@runtime_checkable
class Metered(Protocol):
    """An adapter whose provider allows so many messages a day."""

    def remaining(self) -> int | None:
        """Messages left today; None where there is no limit. Raises Unanswered."""
        ...


@runtime_checkable
class Confirming(Protocol):
    """An adapter whose provider signs nothing: its bad news is believed only after asking back."""

    def confirmed(self, claim: Claim) -> Receipt | None:
        """What the provider says when it is asked, or None while it has nothing final. Raises Unanswered."""
        ...


class Account(Protocol):
    """A provider as it is configured here: as whom we speak to it, and where."""

    def connect(self, host: Host) -> Channel: ...


@runtime_checkable
class Listening(Protocol):
    """An account whose provider calls back."""

    def receipts(self, webhook: Webhook, *, now: datetime) -> Sequence[Receipt]:
        """The receipts in one call; empty for an event that is none. Raises BadReceipt."""
        ...


@runtime_checkable
class Conversing(Protocol):
    """An account whose provider tells what people do towards it: follow, share their number, write."""

    def heard(self, webhook: Webhook, *, now: datetime) -> Sequence[Heard]:
        """The deeds in one call; empty for one that is about something else. Raises BadReceipt."""
        ...


@dataclass(frozen=True)
class Provider:
    """`account` reads the settings: None when there are none, BadNotificationSettings when they are odd.

    `sandbox` gives the settings that point to a sandbox at an address; `secrets` are those of them that a
    production must not use. `rate`: sends a second that the provider allows, unless PROVIDER_RATES says more.
    `weight`: its share of its channel unless PROVIDER_WEIGHTS says more; 0 stands by until no other works.
    """

    name: str
    channel: str
    account: Callable[[Mapping[str, str]], Account | None]
    sandbox: Callable[[str], Mapping[str, str]]
    secrets: Mapping[str, str]
    tariff: Tariff
    rate: float | None = None
    weight: int = 100


@dataclass(frozen=True)
class Carrier:
    """A provider at work: its adapter, its usual share of its channel, its limit a second, its tariff."""

    channel: str
    adapter: Channel
    weight: int = 100
    rate: float | None = None
    tariff: Tariff = Tariff()

    @property
    def provider(self) -> str:
        return self.adapter.provider


def tariff(folder: Path) -> Tariff:
    """`tariff.yaml`: message and segment in VND, and where the figures come from."""
    source = yaml.safe_load((folder / "tariff.yaml").read_text(encoding="utf-8"))
    return Tariff(message=float(source.get("message", 0)), segment=float(source.get("segment", 0)))
