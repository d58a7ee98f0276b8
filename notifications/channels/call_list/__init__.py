"""A list of people to be telephoned, for what nobody could be told of electronically."""

from pathlib import Path

from notifications.channels.call_list import account
from notifications.channels.provider import Provider, tariff

PROVIDER = Provider(
    name="call-list",
    channel="call-list",
    account=account.read,
    sandbox=account.sandbox,
    secrets={},
    tariff=tariff(Path(__file__).parent),
)
