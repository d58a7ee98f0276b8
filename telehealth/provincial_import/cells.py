"""Reading one cell: text in, a value out, or BadValue with the reason."""

import re
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from telehealth.core.phone import normalise_phone
from telehealth.directory.hours import (
    WEEKDAYS,
    BadHours,
    OpeningPeriod,
    parse_hours,
    parse_minute,
    parse_weekday,
)
from telehealth.provincial_import.findings import BadValue
from telehealth.scheduling.codes import Door
from telehealth.scheduling.records import QuotaRecord

Value = TypeVar("Value")

MAX_PRICE_VND = 1_000_000_000
_GROUPED = re.compile(r"[0-9]{1,3}([., ][0-9]{3})+")
_YES = frozenset({"yes", "y", "1", "true", "có", "co"})
_NO = frozenset({"no", "n", "0", "false", "không", "khong"})
_DATE_FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
_QUOTA = re.compile(r"(?P<door>[a-z-]+):(?P<places>[0-9]{1,4}):(?P<time>[0-9]{1,4})(?P<unit>[dhm])")
_UNITS = {"d": 1440, "h": 60, "m": 1}
_LICENCE = re.compile(r"[0-9A-ZĐ]+(?:[/-][0-9A-ZĐ]+)*")


def otherwise(read: Callable[[str], Value], empty: Value) -> Callable[[str], Value]:
    """Read a cell that stands for something when it is empty."""
    return lambda text: read(text) if text else empty


def optional(read: Callable[[str], Value]) -> Callable[[str], Value | None]:
    """Read a cell that may be empty."""
    return lambda text: read(text) if text else None


def needed(text: str) -> str:
    """Return a text that must be there."""
    if not text:
        raise BadValue("needed")
    return text


def code(text: str) -> str:
    """Return a code: no spaces, at most 40 characters."""
    if len(needed(text)) > 40 or " " in text:
        raise BadValue("bad-code")
    return text


def licence(text: str) -> str:
    """Return a licence number in capitals, without spaces."""
    number = needed(text).upper().replace(" ", "")
    if not _LICENCE.fullmatch(number):
        raise BadValue("bad-licence")
    return number


def one_of(values: type[StrEnum]) -> Callable[[str], str]:
    """Read one of an enumeration's values."""
    return one_of_these(tuple(member.value for member in values))


def one_of_these(values: tuple[str, ...]) -> Callable[[str], str]:
    """Read one of these words, in any case."""

    def read(text: str) -> str:
        if needed(text).lower() not in values:
            raise BadValue("not-one-of", allowed=", ".join(values))
        return text.lower()

    return read


def several_of(values: type[StrEnum]) -> Callable[[str], tuple[str, ...]]:
    """Read values separated by semicolons."""
    one = one_of(values)
    return lambda text: tuple(dict.fromkeys(one(part.strip()) for part in needed(text).split(";")))


def codes(text: str) -> tuple[str, ...]:
    """Read codes separated by semicolons; empty is none."""
    return tuple(dict.fromkeys(code(part.strip()) for part in text.split(";") if part.strip()))


def quotas(text: str) -> tuple[QuotaRecord, ...]:
    """Read `door:places:time`, separated by semicolons, such as `counter:4:90m;referral-basic:2:3d`."""
    found = [_quota(part.strip()) for part in text.split(";") if part.strip()]
    if len({quota.door for quota in found}) < len(found):
        raise BadValue("bad-quota", allowed=", ".join(Door))
    return tuple(sorted(found, key=lambda quota: quota.door))


def _quota(text: str) -> QuotaRecord:
    found = _QUOTA.fullmatch(text.lower())
    if found is None or found["door"] not in set(Door) or int(found["places"]) < 1:
        raise BadValue("bad-quota", allowed=", ".join(Door))
    return QuotaRecord(found["door"], int(found["places"]), int(found["time"]) * _UNITS[found["unit"]])


def whole(low: int, high: int) -> Callable[[str], int]:
    """Read a whole number in a range."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", needed(text)) or not low <= int(text) <= high:
            raise BadValue("not-whole", low=low, high=high)
        return int(text)

    return read


def degrees(limit: int) -> Callable[[str], float]:
    """Read a latitude or longitude in decimal degrees."""

    def read(text: str) -> float:
        if not re.fullmatch(r"-?[0-9]{1,3}([.,][0-9]+)?", text):
            raise BadValue("bad-degrees", limit=limit)
        value = float(text.replace(",", "."))
        if abs(value) > limit:
            raise BadValue("bad-degrees", limit=limit)
        return value

    return read


def price(text: str) -> int | None:
    """Return an amount of đồng; empty is not offered. Groups of three may be marked: `45.000`."""
    if not text:
        return None
    digits = re.sub(r"[., ]", "", text) if _GROUPED.fullmatch(text) else text
    if not re.fullmatch(r"[0-9]{1,10}", digits) or int(digits) > MAX_PRICE_VND:
        raise BadValue("bad-price")
    return int(digits)


def yes_no(text: str) -> bool:
    """Read yes or no, in English or Vietnamese."""
    word = needed(text).lower()
    if word not in _YES | _NO:
        raise BadValue("not-yes-no")
    return word in _YES


def day(text: str) -> date:
    """Read `2026-12-01` or `01/12/2026` (day first, as in Viet Nam)."""
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(needed(text), form).date()  # noqa: DTZ007  a date has no zone
        except ValueError as error:
            if isinstance(error, BadValue):
                raise
    raise BadValue("bad-date")


def minute(text: str) -> int:
    """Read a time of day."""
    try:
        return parse_minute(needed(text))
    except ValueError as error:
        if isinstance(error, BadValue):
            raise
        raise BadValue("bad-time") from error


def weekday(text: str) -> int:
    """Read one weekday."""
    try:
        return parse_weekday(needed(text))
    except ValueError as error:
        if isinstance(error, BadValue):
            raise
        raise BadValue("bad-weekday", allowed=", ".join(WEEKDAYS)) from error


def weekdays(text: str) -> tuple[int, ...]:
    """Read weekdays separated by semicolons."""
    return tuple(sorted({weekday(part) for part in needed(text).replace(",", ";").split(";")}))


def hours(text: str) -> tuple[OpeningPeriod, ...]:
    """Read opening hours."""
    try:
        return parse_hours(text)
    except BadHours as error:
        raise BadValue("bad-hours") from error


def phone(text: str) -> str:
    """Read a telephone number into E.164; empty stays empty."""
    if not text:
        return ""
    number = normalise_phone(text)
    if number is None:
        raise BadValue("bad-phone")
    return number


def email(text: str) -> str:
    """Read an e-mail address; empty stays empty."""
    if text and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise BadValue("bad-email")
    return text


def free(text: str) -> str:
    """Return any text of a sensible length."""
    if len(text) > 255:
        raise BadValue("too-long", limit=255)
    return text


def title(text: str) -> str:
    """Return a text that must be there, of a sensible length."""
    return free(needed(text))
