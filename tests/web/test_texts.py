"""Every text stands in both languages, and every page names texts that exist."""

import re
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from fluent.syntax import FluentParser
from fluent.syntax.ast import Message

import telehealth
from telehealth.web.localization import LOCALES, format_date, has_message, translate

PACKAGE = Path(telehealth.__file__).parent
NAMED = re.compile(r"""\bt\(\s*["']([a-z][a-z0-9-]*)["']\s*[,)]""")


def keys(path: Path) -> set[str]:
    resource = FluentParser().parse(path.read_text(encoding="utf-8"))
    return {entry.id.name for entry in resource.body if isinstance(entry, Message)}


@pytest.mark.parametrize("vietnamese", sorted(PACKAGE.glob("*/locales/vi.ftl")), ids=lambda p: p.parts[-3])
def test_a_feature_says_the_same_things_in_both_languages(vietnamese: Path) -> None:
    assert keys(vietnamese) == keys(vietnamese.with_name("en.ftl"))


@pytest.mark.parametrize(
    "template", sorted(PACKAGE.rglob("*.html")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_template_names_only_texts_that_exist(template: Path) -> None:
    named = set(NAMED.findall(template.read_text(encoding="utf-8")))
    assert [key for key in sorted(named) for locale in LOCALES if not has_message(locale, key)] == []


OF_STAFF = [
    "administration",
    "anomalies",
    "closures",
    "desk",
    "messaging",
    "provincial_import",
    "roster_import",
    "schedule_editor",
    "webhooks",
]
OF_PATIENTS = [
    "admission",
    "answers",
    "attendance",
    "booking",
    "calendars",
    "consultations",
    "delegations",
    "invitations",
    "kiosk",
    "passkeys",
    "patient_portal",
    "payments",
    "push",
    "queueing",
    "waitlist",
]


@pytest.mark.parametrize(
    ("feature", "other"),
    [(each, "quý vị") for each in OF_STAFF] + [(each, "bạn") for each in OF_PATIENTS],
)
def test_each_audience_is_addressed_in_one_way(feature: str, other: str) -> None:
    """The rule stands in docs/glossary.md."""
    said = (PACKAGE / feature / "locales" / "vi.ftl").read_text(encoding="utf-8")
    assert re.findall(rf".*\b{other}\b.*", said, re.IGNORECASE) == []


@pytest.mark.parametrize(
    ("language", "style", "said"),
    [
        ("vi", "long", "Thứ Ba, ngày\xa002/03/2027"),
        ("vi", "short", "02/03/2027"),
        ("vi", "weekday", "Thứ Ba 02/03"),
        ("en", "long", "Tuesday, 2 March 2027"),
    ],
)
def test_a_day_is_written_in_one_way(app: Flask, language: str, style: str, said: str) -> None:
    with app.test_request_context(f"/?lang={language}"):
        assert format_date(date(2027, 3, 2), style) == said


@pytest.mark.parametrize(
    ("key", "counted", "one", "two"),
    [
        ("editor-strip", "sessions", "1 session", "2 sessions"),
        ("editor-people", "count", "1 person", "2 people"),
        ("editor-slot-words", "capacity", "10 minutes, 1 person", "10 minutes, 2 people"),
        ("slips-rules-working-days", "days", "after 1 working day", "after 2 working days"),
    ],
)
def test_one_is_not_counted_as_many(key: str, counted: str, one: str, two: str) -> None:
    said = [translate("en", key, {"minutes": 10, counted: count}) for count in (1, 2)]
    assert said[0].endswith(one)
    assert said[1].endswith(two)
