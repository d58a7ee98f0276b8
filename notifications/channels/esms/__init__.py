"""SMS by the sender's name through eSMS.vn."""

from pathlib import Path

from notifications.channels.esms import account
from notifications.channels.provider import Provider, tariff

PROVIDER = Provider(
    name="esms",
    channel="sms",
    account=account.read,
    sandbox=account.sandbox,
    secrets=account.SANDBOX,
    tariff=tariff(Path(__file__).parent),
    rate=50.0,
)
