"""What every adapter's test needs: a provider on this machine, and a message to send."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications.channels.base import Outgoing
from notifications.kinds import KINDS
from notifications.templates import CATALOGUE
from tests.notifications.channels.local_provider import LocalProvider, local_provider
from tests.notifications.conftest import SAMPLE

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
KEY = UUID("0190a2b4-7c00-7000-8000-000000000001")
PHONE = "+84912345678"


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with local_provider() as found:
        yield found


@pytest.fixture
def outgoing() -> Callable[..., Outgoing]:
    def build(kind: str = "appointment-booked", language: str = "vi", **details: Any) -> Outgoing:
        params = {name: SAMPLE[name] for name in KINDS[kind].params}
        given: dict[str, Any] = {
            "address": PHONE,
            "template": CATALOGUE.template(kind, language),
            "params": params,
            "now": NOW,
            "expires_at": NOW + timedelta(hours=2),
            "provider_template_id": CATALOGUE.template(kind, language).zalo.template_id or None,
        }
        return Outgoing(**(given | details))

    return build
