"""Findings and counts as people and programs read them."""

from typing import Any

from telehealth.provincial_import.findings import Finding
from telehealth.roster_import.rules import Plan
from telehealth.web.localization import LOCALES, has_message, t, translate

MOST_SHOWN = 100
_TELLING = ("roster-import-{}", "import-{}", "error-{}", "{}")


def finding_text(finding: Finding, locale: str) -> str:
    """Return why, in a language: in words of this page where it has its own."""
    keys = (pattern.format(finding.code) for pattern in _TELLING)
    key = next(key for key in keys if has_message(locale, key))
    return translate(locale, key, dict(finding.params))


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding with its reason in every language."""
    return {
        "row": finding.place.row,
        "column": finding.column,
        "value": finding.shown_value,
        "code": finding.code,
        **{locale: finding_text(finding, locale) for locale in LOCALES},
    }


def notes(plan: Plan) -> list[str]:
    """Return what the file does to the lines, kinds without any left out."""
    return [t(f"roster-import-{kind}", count=count) for kind, count in plan.counts.items() if count]
