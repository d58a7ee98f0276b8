"""Template messages through Zalo."""

from pathlib import Path

from notifications.channels.provider import Provider, tariff
from notifications.channels.zalo import account

PROVIDER = Provider(
    name="zalo",
    channel="zalo",
    account=account.read,
    sandbox=account.sandbox,
    secrets=account.SANDBOX,
    tariff=tariff(Path(__file__).parent),
    rate=20.0,
)
