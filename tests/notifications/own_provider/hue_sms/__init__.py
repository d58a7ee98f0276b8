"""SMS through the gateway of a province's own operator: the example of docs/notifications.md."""

from pathlib import Path

from hue_sms import account
from notifications.channels.provider import Provider, tariff

PROVIDER = Provider(
    name="hue-sms",
    channel="sms",
    account=account.read,
    sandbox=account.sandbox,
    secrets={},
    tariff=tariff(Path(__file__).parent),
    rate=30.0,
)
