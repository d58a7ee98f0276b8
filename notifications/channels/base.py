"""What the dispatcher asks of a channel, and the four answers it may get."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from notifications.templates import Template


class Scope(StrEnum):
    """What a refusal is about, and so what else it will hit."""

    RECIPIENT = "recipient"
    CONFIG = "config"
    TEMPLATE = "template"
    QUOTA = "quota"
    NIGHT = "night"


@dataclass(frozen=True)
class Accepted:
    """The provider has it, under its own reference. `reconciled`: found there afterwards, not sent now."""

    ref: str
    segments: int | None = None
    reconciled: bool = False


@dataclass(frozen=True)
class Rejected:
    """The provider said no and would say it again."""

    code: str
    scope: Scope


@dataclass(frozen=True)
class Retry:
    """Certainly not sent; may be tried again, after that many seconds if the provider named them.

    `down`: nobody answered at all. Otherwise the provider has too much to do.
    """

    code: str
    after: float | None = None
    down: bool = False


@dataclass(frozen=True)
class Ambiguous:
    """Nobody knows whether it was sent: the answer was lost."""

    reason: str


Outcome = Accepted | Rejected | Retry | Ambiguous


@dataclass(frozen=True)
class Outgoing:
    """A message ready to leave. `address` is E.164 or, where the channel has one, the person's id there.

    `accented`: the recipient wants SMS with diacritics. Nothing may arrive after `expires_at`.
    `unsubscribe_url`: a page of the host where this kind can be muted, and which a POST of
    "List-Unsubscribe=One-Click" (RFC 8058) mutes at once.
    """

    address: str
    template: Template
    params: Mapping[str, str]
    accented: bool = False
    expires_at: datetime | None = None
    unsubscribe_url: str | None = None

    @property
    def sms(self) -> str:
        """The short text, as this person wants it."""
        return self.template.sms_text(self.params, accented=self.accented)


@dataclass(frozen=True)
class Capabilities:
    """`idempotent`: drops a second send under one key. `lookup`: can be asked what it has sent."""

    idempotent: bool = False
    lookup: bool = False


class Channel(Protocol):
    """An adapter. It never raises for an answer of the provider and never touches the outbox."""

    provider: str
    capabilities: Capabilities

    def send(self, message: Outgoing, key: UUID) -> Outcome: ...

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str]
    ) -> Outcome | None:
        """What became of an earlier send of `message`: Accepted, None when the provider has nothing, or
        Retry or Ambiguous when it could not be asked. References in `taken` belong to other messages.
        """
        ...
