"""Every text stands in both languages, and every page names texts that exist."""

import re
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax.ast import Message

import telehealth
from telehealth.web.localization import LOCALES, has_message

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
