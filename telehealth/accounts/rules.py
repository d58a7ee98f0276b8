"""Pure rules of signing in. Numbers are ours within OWASP ASVS 5.0 (6.2, 6.5, 6.6, 7.3)."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from telehealth.core.clock import PROVINCE_TZ
from telehealth.core.phone import can_receive_sms

OTP_DIGITS = 6
OTP_LIFETIME = timedelta(minutes=5)
OTP_TRIES = 5
FRESH = timedelta(minutes=10)  # ASVS 5.0, 7.5.1: re-authentication before a credential changes

STAFF_CODE_LENGTH = 8
RESET_LIFETIME = timedelta(minutes=30)
INVITATION_LIFETIME = timedelta(hours=24)
DEVICE_CODE_LIFETIME = timedelta(minutes=15)

PIN_TRIES = 5
PIN_AFTER_PASSWORD = timedelta(hours=12)
STEP_LIFETIME = timedelta(minutes=10)
IDLE_STAFF = timedelta(days=45)  # Decree 331/2026, level 3

TOTP_SECONDS = 30
_TOTP_DRIFT = 1

PASSWORD_MIN = 8
PASSWORD_MAX = 128
_COMMON = frozenset((Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8").split("\n"))
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}")
_PIN = re.compile(r"[0-9]{4,6}")
_VIETNAM = "+84"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a sign-in lasts: at most, and without use."""

    absolute: timedelta
    idle: timedelta | None


PATIENT_LIFETIME = Lifetime(timedelta(days=30), timedelta(days=14))
STAFF_LIFETIME = Lifetime(timedelta(hours=12), timedelta(hours=2))
DEVICE_LIFETIME = Lifetime(timedelta(days=730), None)
INTEGRATOR_LIFETIME = Lifetime(timedelta(hours=1), None)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in each window of `seconds` under one name."""

    name: str
    most: int
    seconds: int

    def window_start(self, now: datetime) -> datetime:
        """Return the start of the window that holds the instant; days begin at local midnight."""
        wall = now.astimezone(PROVINCE_TZ)
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        passed = int((wall - midnight).total_seconds()) // self.seconds * self.seconds
        return midnight + timedelta(seconds=passed)

    def retry_after(self, now: datetime) -> int:
        """Return the seconds until the next window."""
        end = self.window_start(now) + timedelta(seconds=self.seconds)
        return max(1, int((end - now).total_seconds()) + 1)


_TEN_MINUTES, _QUARTER, _HOUR, _DAY = 600, 900, 3600, 86_400
GLOBAL_OTP_PER_HOUR = 20_000


FOREIGN_OTP_PER_HOUR = 300
COUNTRY_OTP_PER_HOUR = 60


def otp_limits(contact_key: str, address: str, country_code: int | None = None) -> tuple[Limit, ...]:
    """Return the limits on sending codes, from narrow to wide; `country_code` of a foreign number.

    Many patients share one address of a mobile network.
    """
    abroad = () if country_code is None else foreign_otp_limits(country_code, address)
    return (
        Limit(f"otp:address:10m:{address}", 60, _TEN_MINUTES),
        Limit(f"otp:address:day:{address}", 600, _DAY),
        Limit(f"otp:phone:10m:{contact_key}", 3, _TEN_MINUTES),
        Limit(f"otp:phone:day:{contact_key}", 10, _DAY),
        *abroad,
        Limit("otp:all:hour", GLOBAL_OTP_PER_HOUR, _HOUR),
    )


def foreign_otp_limits(country_code: int, sender: str) -> tuple[Limit, ...]:
    """Return the further limits on messages to other countries, which cost many times as much.

    Who earns by messages to costly numbers asks for many from few addresses (or accounts: `sender`), and to
    one country.
    """
    return (
        Limit(f"otp:foreign:address:10m:{sender}", 5, _TEN_MINUTES),
        Limit(f"otp:foreign:address:day:{sender}", 20, _DAY),
        Limit(f"otp:foreign:country:hour:{country_code}", COUNTRY_OTP_PER_HOUR, _HOUR),
        Limit("otp:foreign:hour", FOREIGN_OTP_PER_HOUR, _HOUR),
    )


def code_try_limits(address: str) -> tuple[Limit, ...]:
    """Return the limits on trying codes, over all challenges."""
    return (Limit(f"code:address:10m:{address}", 120, _TEN_MINUTES),)


def password_limits(login_key: str, address: str, *, enrolled_device: bool) -> tuple[Limit, ...]:
    """Return the limits on trying passwords.

    One address can lock itself out of an account, never the account's owner: only tries from very
    many addresses count against the account, and an enrolled computer is free of that.
    """
    limits = (
        Limit(f"password:{login_key}:{address}", 5, _QUARTER),
        Limit(f"password:address:{address}", 100, _QUARTER),
    )
    return limits if enrolled_device else (*limits, Limit(f"password:{login_key}", 200, _HOUR))


def second_factor_limits(account_key: str, address: str) -> tuple[Limit, ...]:
    """Return the limits on trying second factors; whoever comes here knows the password."""
    return (
        Limit(f"totp:{account_key}:{address}", 5, _QUARTER),
        Limit(f"totp:{account_key}", 20, _HOUR),
    )


def reset_try_limits(login_key: str, address: str) -> tuple[Limit, ...]:
    """Return the limits on trying reset codes."""
    return (
        Limit(f"reset:{login_key}:{address}", 10, _QUARTER),
        Limit(f"reset:address:{address}", 50, _QUARTER),
    )


def device_code_limits(address: str) -> tuple[Limit, ...]:
    """Return the limits on trying enrolment codes."""
    return (Limit(f"device:address:{address}", 20, _TEN_MINUTES),)


def client_limits(client_id: str, address: str) -> tuple[Limit, ...]:
    """Return the limits on trying client secrets."""
    return (
        Limit(f"client:{client_id}:{address}", 10, _QUARTER),
        Limit(f"client:address:{address}", 100, _QUARTER),
    )


def address_key(ip: str | None) -> str:
    """Return what an address counts as: IPv6 by its /64, since one home owns all of that."""
    if ip is None:
        return "unknown"
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


def code_phone_fault(phone: str | None) -> str | None:
    """Return the message key of why no code can go to a number (E.164, None for an odd one), or None.

    Of whatever country, since relatives abroad sign in too; but only where a message arrives: never to
    premium, shared-cost and other numbers that somebody earns by.
    """
    if phone is None:
        return "accounts-phone-wrong"
    return None if can_receive_sms(phone) else "accounts-phone-landline"


def foreign(phone: str) -> bool:
    """Tell whether a number (E.164) is of another country."""
    return not phone.startswith(_VIETNAM)


def clean_code(value: str) -> str:
    """Return a typed code without the spaces and hyphens people put in, in capitals."""
    return re.sub(r"[\s.-]", "", unicodedata.normalize("NFKC", value)).upper()


def clean_login(value: str) -> str:
    """Return a login as it is stored."""
    return unicodedata.normalize("NFKC", value).strip().lower()


def valid_login(value: str) -> bool:
    """Tell whether a login is 3 to 40 small letters, digits, dots, hyphens."""
    return _LOGIN.fullmatch(value) is not None


def clean_password(value: str) -> str:
    """Return one form of what a keyboard may type as composed or decomposed letters."""
    return unicodedata.normalize("NFC", value)


def password_fault(password: str, login: str) -> str | None:
    """Return the message key of what is wrong with a new password, or None. No composition rules."""
    if len(password) < PASSWORD_MIN:
        return "accounts-password-too-short"
    if len(password) > PASSWORD_MAX:
        return "accounts-password-too-long"
    plain = password.lower()
    if plain in _COMMON or len(set(plain)) < 4:
        return "accounts-password-common"
    if login and login in plain:
        return "accounts-password-has-login"
    return None


def valid_pin(pin: str) -> bool:
    """Tell whether a PIN is 4 to 6 digits, not all the same and not a plain run."""
    if _PIN.fullmatch(pin) is None or len(set(pin)) == 1:
        return False
    return pin not in "0123456789" and pin not in "9876543210"


def totp_steps(now: datetime) -> tuple[int, ...]:
    """Return the time steps whose codes are taken now (RFC 6238, one step of drift)."""
    step = int(now.timestamp()) // TOTP_SECONDS
    return tuple(range(step - _TOTP_DRIFT, step + _TOTP_DRIFT + 1))
