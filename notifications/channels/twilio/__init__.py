"""SMS through Twilio."""

from pathlib import Path

from notifications.channels.provider import Provider, tariff
from notifications.channels.twilio import account

PROVIDER = Provider(
    name="twilio",
    channel="sms",
    account=account.read,
    sandbox=account.sandbox,
    secrets=account.SANDBOX,
    tariff=tariff(Path(__file__).parent),
    rate=100.0,
    # Dearer than a brandname of the country, and it drops no second copy: it stands by.
    weight=0,
)
