"""Which provider, as whom."""

import pytest

from notifications.channels.twilio.account import SANDBOX as SANDBOX_TWILIO
from notifications.channels.twilio.account import TwilioAccount
from notifications.channels.zalo.account import ZaloAccount
from notifications.settings import BadNotificationSettings, NotificationSettings

REAL = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "SKTINH"}
ESMS = {"ESMS_API_KEY": "k", "ESMS_SECRET_KEY": "s", "ESMS_BRANDNAME": "SYTTINH"}


def test_in_a_demo_everything_points_at_the_sandbox() -> None:
    settings = NotificationSettings.from_environ({"PORT": "9000"}, sandbox_url="http://127.0.0.1:9001")
    twilio, zalo = settings.configured["twilio"].account, settings.configured["zalo"].account
    assert isinstance(twilio, TwilioAccount)
    assert isinstance(zalo, ZaloAccount)
    assert {twilio.base_url, zalo.base_url, zalo.oauth_url} == {"http://127.0.0.1:9001"}
    assert settings.public_base_url == "http://127.0.0.1:9000"


def test_in_production_what_is_not_configured_is_left_out() -> None:
    settings = NotificationSettings.from_environ(REAL)
    assert set(settings.configured) == {"twilio"}
    twilio = settings.configured["twilio"].account
    assert isinstance(twilio, TwilioAccount)
    assert twilio.base_url == "https://api.twilio.com"


def test_with_both_esms_carries_and_twilio_stands_by_and_in_the_demo_the_other_way_round() -> None:
    both = REAL | ESMS
    assert weights(NotificationSettings.from_environ(both)) == {"esms": 100, "twilio": 0}
    assert weights(NotificationSettings.from_environ(both | {"PROVIDER_WEIGHTS": "twilio:20"})) == {
        "esms": 100,
        "twilio": 20,
    }
    assert weights(NotificationSettings.from_environ({}, sandbox_url="http://127.0.0.1:9")) == {
        "esms": 0,
        "twilio": 100,
    }


def weights(settings: NotificationSettings) -> dict[str, int]:
    return {name: settings.configured[name].weight for name in ("esms", "twilio")}


def test_weights_rates_and_prices_come_from_the_environment() -> None:
    given = {"PROVIDER_WEIGHTS": "twilio:20", "PROVIDER_RATES": "twilio:7", "PROVIDER_PRICES": "twilio:650"}
    twilio = NotificationSettings.from_environ(REAL | given).configured["twilio"]
    assert (twilio.weight, twilio.rate, twilio.tariff.cost(2)) == (20, 7.0, 1300)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        (SANDBOX_TWILIO, "TWILIO_AUTH_TOKEN is the sandbox's secret"),
        (REAL | {"TWILIO_FROM": ""}, "TWILIO_FROM: not set"),
        (
            {"ZALO_APP_ID": "1", "ZALO_APP_SECRET": "2", "ZALO_OA_SECRET": "3", "ZALO_REFRESH_TOKEN": "4"}
            | {"ZALO_TEMPLATE_IDS": "otp.vi"},
            "ZALO_TEMPLATE_IDS",
        ),
        (REAL | {"PROVIDER_WEIGHTS": "twilio"}, "PROVIDER_WEIGHTS must look like"),
        (REAL | {"PROVIDER_RATES": "twilio:-1"}, "PROVIDER_RATES must look like"),
        (REAL | {"NOTIFICATION_PROVIDERS": "no.such.module"}, "has no PROVIDER"),
    ],
)
def test_odd_settings_are_refused_with_the_reason(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(BadNotificationSettings, match=reason):
        NotificationSettings.from_environ(environ)
