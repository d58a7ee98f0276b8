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
    """The provider has it, under its own reference. `reconciled`: found there afterwards, not sent now.
    `gone`: the ids of push subscriptions that no longer exist."""

    ref: str
    segments: int | None = None
    reconciled: bool = False
    gone: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """The provider said no and would say it again. `gone` as with Accepted."""

    code: str
    scope: Scope
    gone: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Retry:
    """Certainly not sent; may be tried again, after that many seconds if the provider named them.

    `down`: nobody answered at all. `crowded`: the provider has too much to do, so that everything to it slows
    down. With neither it is about this message only.
    """

    code: str
    after: float | None = None
    down: bool = False
    crowded: bool = False


@dataclass(frozen=True)
class Ambiguous:
    """Nobody knows whether it was sent: the answer was lost."""

    reason: str


Outcome = Accepted | Rejected | Retry | Ambiguous


@dataclass(frozen=True)
class Subscription:
    """A browser that takes push messages. The keys are base64url, as the browser gives them.

    `under`: the sender's public key that it was subscribed under, and takes messages from alone.
    """

    id: UUID
    endpoint: str
    p256dh: str
    auth: str
    under: str = ""


@dataclass(frozen=True)
class Outgoing:
    """A message ready to leave. `address` is E.164 or, where the channel has one, the person's id there.

    `now` is when it was taken up, by the host's clock; past `expires_at` it is worth nothing to anybody.
    `accented`: the person wants short messages with accents, at twice the price. `unsubscribe_url` is a page
    of the host where this kind can be muted, and which a POST of "List-Unsubscribe=One-Click" (RFC 8058)
    mutes at once. `subscriptions` are the person's browsers, the latest seen first; only push looks at them.
    `provider_template_id`: under which the channel's provider knows the text, where it is registered.
    """

    address: str
    template: Template
    params: Mapping[str, str]
    now: datetime
    expires_at: datetime
    accented: bool = False
    unsubscribe_url: str | None = None
    subscriptions: tuple[Subscription, ...] = ()
    provider_template_id: str | None = None

    @property
    def sms(self) -> str:
        """The short text, as this person wants it."""
        return self.template.sms_text(self.params, accented=self.accented)


@dataclass(frozen=True)
class Capabilities:
    """`idempotent`: after a lost answer it is sent again under the same key; a second copy is dropped, or
    does less harm than none. `lookup`: can be asked what it has sent.
    `browsers`: sends to the person's subscriptions, and a refusal says nothing of the person."""

    idempotent: bool = False
    lookup: bool = False
    browsers: bool = False


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
