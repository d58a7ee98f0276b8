"""Which providers to speak to, and as whom: read once from the environment, odd values refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from notifications.channels.provider import Account, Carrier, Host, Provider, Tariff
from notifications.channels.registry import providers
from notifications.environment import BadNotificationSettings, amount, amounts

__all__ = ["BadNotificationSettings", "Configured", "NotificationSettings"]


@dataclass(frozen=True)
class Configured:
    """A provider that has what it needs. `weight`: its share of its channel, beside the others' weights."""

    provider: Provider
    account: Account
    weight: int
    rate: float | None
    tariff: Tariff

    def carrier(self, host: Host) -> Carrier:
        return Carrier(
            channel=self.provider.channel,
            adapter=self.account.connect(host),
            weight=self.weight,
            rate=self.rate,
            tariff=self.tariff,
        )


@dataclass(frozen=True)
class NotificationSettings:
    """A provider that is not configured is left out. `monthly_budget`: VND that reminders may use up.

    `keep_days`: how long the words and the address of a message that has ended are kept. Alarms are told to
    `alarm_phone` (E.164) and `alarm_email`.
    """

    public_base_url: str
    configured: Mapping[str, Configured]
    monthly_budget: int | None = None
    keep_days: int = 60
    alarm_phone: str | None = None
    alarm_email: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, sandbox_url: str | None = None) -> Self:
        """With `sandbox_url` what is missing points there.

        Raises BadNotificationSettings, also when a production (no sandbox) uses the sandbox's secrets.
        """
        known = providers(environ)
        if sandbox_url is not None:
            # In a demo Twilio carries the SMS and eSMS stands by, so that who looks on knows where to look.
            environ = {"PROVIDER_WEIGHTS": "esms:0,twilio:100", **environ}
            for provider in known:
                environ = {**provider.sandbox(sandbox_url), **environ}
        else:
            _refuse_sandbox_secrets(environ, known)
        public = environ.get("PUBLIC_BASE_URL") or f"http://127.0.0.1:{environ.get('PORT', '8000')}"
        return cls(
            public_base_url=public.rstrip("/"),
            configured=_configured(environ, known),
            monthly_budget=amount(environ, "NOTIFICATION_MONTHLY_BUDGET_VND"),
            keep_days=amount(environ, "NOTIFICATION_KEEP_DAYS") or 60,
            alarm_phone=_matching(environ, "ALARM_PHONE", r"\+\d{8,15}", "+84912345678"),
            alarm_email=_matching(environ, "ALARM_EMAIL", r"[^@\s]+@[^@\s]+", "ops@example.vn"),
        )

    def carriers(self, host: Host) -> tuple[Carrier, ...]:
        """An adapter for each configured provider."""
        return tuple(configured.carrier(host) for configured in self.configured.values())


def _matching(environ: Mapping[str, str], name: str, form: str, example: str) -> str | None:
    value = environ.get(name, "").strip()
    if value and not re.fullmatch(form, value):
        raise BadNotificationSettings(f"{name} must look like {example}")
    return value or None


def _refuse_sandbox_secrets(environ: Mapping[str, str], known: Sequence[Provider]) -> None:
    for provider in known:
        for name, value in provider.secrets.items():
            if value.startswith("demo-") and environ.get(name) == value:
                raise BadNotificationSettings(f"{name} is the sandbox's secret: production needs its own")


def _configured(environ: Mapping[str, str], known: Sequence[Provider]) -> dict[str, Configured]:
    weights = amounts(environ, "PROVIDER_WEIGHTS", "esms:80,twilio:20")
    rates = amounts(environ, "PROVIDER_RATES", "zalo:20,esms:50")
    prices = amounts(environ, "PROVIDER_PRICES", "zalo:120,esms:650")
    found: dict[str, Configured] = {}
    for provider in known:
        account = provider.account(environ)
        if account is not None:
            found[provider.name] = Configured(
                provider=provider,
                account=account,
                weight=int(weights.get(provider.name, provider.weight)),
                rate=rates.get(provider.name, provider.rate) or None,
                tariff=_tariff(provider.tariff, prices.get(provider.name)),
            )
    return found


def _tariff(listed: Tariff, price: float | None) -> Tariff:
    """The contract's price instead of the listed one, by segment where that is how it is billed."""
    if price is None:
        return listed
    return replace(listed, segment=price) if listed.segment else replace(listed, message=price)
