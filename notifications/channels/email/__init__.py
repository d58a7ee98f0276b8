"""E-mail through a mail server of the house or of a provider."""

from pathlib import Path

from notifications.channels.email import account
from notifications.channels.provider import Provider, tariff

PROVIDER = Provider(
    name="email",
    channel="email",
    account=account.read,
    sandbox=account.sandbox,
    secrets={},
    tariff=tariff(Path(__file__).parent),
    rate=10.0,
)
