"""Which provider, as whom."""

import pytest

from notifications.settings import SANDBOX_TWILIO, BadNotificationSettings, NotificationSettings

REAL = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "SKTINH"}


def test_in_a_demo_everything_points_at_the_sandbox() -> None:
    settings = NotificationSettings.from_environ({"PORT": "9000"}, sandbox_url="http://127.0.0.1:9001")
    assert settings.twilio is not None
    assert settings.zalo is not None
    assert {settings.twilio.base_url, settings.zalo.base_url, settings.zalo.oauth_url} == {
        "http://127.0.0.1:9001"
    }
    assert settings.public_base_url == "http://127.0.0.1:9000"


def test_in_production_what_is_not_configured_is_left_out() -> None:
    settings = NotificationSettings.from_environ(REAL)
    assert settings.twilio is not None
    assert settings.twilio.base_url == "https://api.twilio.com"
    assert settings.zalo is None


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
    ],
)
def test_odd_settings_are_refused_with_the_reason(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(BadNotificationSettings, match=reason):
        NotificationSettings.from_environ(environ)
