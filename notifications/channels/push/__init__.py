"""Push messages to browsers."""

from pathlib import Path

from notifications.channels.provider import Provider, tariff
from notifications.channels.push import account

PROVIDER = Provider(
    name="push",
    channel="push",
    account=account.read,
    sandbox=account.sandbox,
    secrets={},
    tariff=tariff(Path(__file__).parent),
)
