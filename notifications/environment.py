"""Reading settings from the environment: whole or not at all."""

from collections.abc import Mapping


class BadNotificationSettings(Exception):
    """A setting is missing or cannot be used; the text says which and why."""


def all_or_none(environ: Mapping[str, str], *names: str) -> list[str] | None:
    """The values of settings that belong together; None for none at all. Raises BadNotificationSettings."""
    values = [environ.get(name, "") for name in names]
    if not any(values):
        return None
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        prefix = names[0].partition("_")[0]
        raise BadNotificationSettings(f"{' and '.join(missing)}: not set, although {prefix}_... are used")
    return values


def pairs(environ: Mapping[str, str], name: str, example: str, separator: str) -> dict[str, str]:
    """Read `key<separator>value` pairs parted by commas. Raises BadNotificationSettings with the example."""
    found = [item.strip().partition(separator) for item in environ.get(name, "").split(",") if item.strip()]
    if any(not key or not value for key, _, value in found):
        raise BadNotificationSettings(f"{name} must look like {example}")
    return {key: value for key, _, value in found}


def amounts(environ: Mapping[str, str], name: str, example: str) -> dict[str, float]:
    """The same with numbers of zero or more as values."""
    try:
        found = {key: float(value) for key, value in pairs(environ, name, example, ":").items()}
    except ValueError:
        raise BadNotificationSettings(f"{name} must look like {example}") from None
    if any(not 0 <= value < 1e9 for value in found.values()):
        raise BadNotificationSettings(f"{name} must look like {example}")
    return found


def amount(environ: Mapping[str, str], name: str) -> int | None:
    """A whole number above zero, or None when it is not set. Raises BadNotificationSettings."""
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise BadNotificationSettings(f"{name} must be a whole number above zero")
    return int(text)


def switch(environ: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """On by 1, off by 0. Raises BadNotificationSettings."""
    text = environ.get(name, "").strip()
    if text not in {"", "0", "1"}:
        raise BadNotificationSettings(f"{name} must be 1 or 0")
    return text == "1" if text else default
