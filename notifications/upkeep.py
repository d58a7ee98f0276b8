"""What providers are asked between sends: may our texts be sent, and how much do they still take today."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from notifications import template_versions
from notifications.channels.provider import Carrier, Metered, Templated, Unanswered

_log = logging.getLogger(__name__)

_REMAINING = """
INSERT INTO notifications.provider_state (provider, remaining, remaining_at, updated_at)
VALUES (%(provider)s, %(remaining)s, %(now)s, %(now)s)
ON CONFLICT (provider) DO UPDATE SET remaining = excluded.remaining, remaining_at = excluded.remaining_at
"""


@dataclass(frozen=True)
class Told:
    """`texts`: by channel, the provider's word for each of its template ids; `remaining`: by provider."""

    texts: Mapping[str, Mapping[str, str]]
    remaining: Mapping[str, int | None]


def ask(carriers: Iterable[Carrier]) -> Told:
    """Over the network, so outside any transaction. Who does not answer is asked again another time."""
    texts: dict[str, Mapping[str, str]] = {}
    remaining: dict[str, int | None] = {}
    for carrier in carriers:
        adapter = carrier.adapter
        try:
            if isinstance(adapter, Templated):
                texts[carrier.channel] = {**texts.get(carrier.channel, {}), **adapter.template_states()}
            if isinstance(adapter, Metered):
                remaining[carrier.provider] = adapter.remaining()
        except Unanswered as error:
            _log.warning("%s does not say how it stands: %s", carrier.provider, error)
    return Told(texts, remaining)


def keep(session: Session, told: Told, *, now: datetime) -> None:
    """Write the answers down in the caller's transaction."""
    for channel, states in told.texts.items():
        template_versions.refresh(session, channel, states, now=now)
    for provider, remaining in told.remaining.items():
        values = {"provider": provider, "remaining": remaining, "now": now}
        session.connection().exec_driver_sql(_REMAINING, values)
