"""Answers in Zalo to people who have written to the official account."""

from pathlib import Path

from notifications.channels.provider import Provider, tariff
from notifications.channels.zalo_chat import account

PROVIDER = Provider(
    name="zalo-chat",
    channel="zalo-chat",
    account=account.read,
    sandbox=account.sandbox,
    secrets={},
    tariff=tariff(Path(__file__).parent),
    rate=10.0,
)
