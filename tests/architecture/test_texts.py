"""Every refusal and every text stands in Vietnamese and in English."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor

import telehealth
from telehealth.core.errors import DomainError
from telehealth.web.localization import has_message

PACKAGE = Path(telehealth.__file__).parent
FEATURES = sorted(path.parent.parent.name for path in PACKAGE.glob("*/locales/vi.ftl"))
_CALL = re.compile(r"""\bt\(\s*["']([a-z0-9-]+)["']\s*[,)]""")


def import_all() -> None:
    for module in pkgutil.walk_packages(telehealth.__path__, "telehealth."):
        if not module.name.endswith((".asgi", ".__main__")) and ".embedded" not in module.name:
            importlib.import_module(module.name)


def refusals(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in kind.__subclasses__():
        yield child
        yield from refusals(child)


class Names(Visitor):
    """The variables a message uses."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802
        self.found.add(node.id.name)


def messages(feature: str, locale: str) -> dict[str, set[str]]:
    text = (PACKAGE / feature / "locales" / f"{locale}.ftl").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for entry in FluentParser().parse(text).body:
        assert not isinstance(entry, ast.Junk), f"{feature}/{locale}.ftl: {entry.content!r}"
        if isinstance(entry, ast.Message):
            assert entry.id.name not in found, f"{feature}/{locale}.ftl has {entry.id.name} twice"
            names = Names()
            names.visit(entry)
            found[entry.id.name] = names.found
    return found


def test_every_refusal_has_its_text():
    import_all()
    missing = [
        f"{locale}: error-{refusal.code}"
        for refusal in refusals(DomainError)
        if refusal.__module__.startswith("telehealth")
        for locale in ("vi", "en")
        if not has_message(locale, f"error-{refusal.code}")
    ]
    assert missing == []


@pytest.mark.parametrize("feature", FEATURES)
def test_both_languages_say_the_same_things(feature: str):
    vietnamese, english = messages(feature, "vi"), messages(feature, "en")
    assert vietnamese.keys() == english.keys()
    assert vietnamese == english, "the same variables in both"


def test_every_text_a_page_or_a_route_asks_for_is_there():
    sources = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]
    missing = [
        f"{path.relative_to(PACKAGE)}: {key}"
        for path in sources
        for key in _CALL.findall(path.read_text(encoding="utf-8"))
        if not has_message("vi", key)
    ]
    assert missing == []
