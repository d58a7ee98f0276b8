"""How people prepare for a service: the facility's own words, else what is usual."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def preparation(code: str, own: str, locale: str) -> tuple[str, ...]:
    """Return one line for each thing; `own` is what the facility wrote, a line for each."""
    lines = tuple(line.strip() for line in own.splitlines() if line.strip())
    return lines or tuple(_usual().get(code, {}).get(locale, ()))


@cache
def _usual() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (files("telehealth.directory") / "preparation.yaml").read_text(encoding="utf-8")
    )
    return found
