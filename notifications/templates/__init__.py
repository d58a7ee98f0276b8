"""The texts, Vietnamese first: one small TOML file per kind and language beside this module."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notifications.kinds import KINDS, LANGUAGES
from notifications.templates.segments import unaccented

FOLDER = Path(__file__).parent
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_LINK_SENTENCE = re.compile(r"[^.!?]*\{link\}[.!?]?")


@dataclass(frozen=True)
class ZaloTemplate:
    """A template as registered with Zalo: the provider holds these words, we send only the values by name.

    An answer in a conversation ("zalo-chat" in its file) needs no registration, and so has no `template_id`,
    which is the sandbox's: what Zalo itself gave stands in the settings or in the table of texts.
    """

    template_id: str
    title: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    button: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The values that the words put in, in the order of the words."""
        return tuple(dict.fromkeys(name for text in self.texts() for name in PLACEHOLDER.findall(text)))

    def texts(self) -> tuple[str, ...]:
        return (
            self.title,
            *self.paragraphs,
            *(cell for row in self.rows for cell in row),
            *(self.button or ()),
        )


@dataclass(frozen=True)
class PushTemplate:
    """What a phone shows on its lock screen; the link is behind the tap and never in the text."""

    title: str
    body: str


@dataclass(frozen=True)
class EmailWords:
    """What an e-mail says. A link in the text is no trouble here, so nothing needs a button."""

    subject: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    button: tuple[str, str] | None = None

    def texts(self) -> tuple[str, ...]:
        return (
            self.subject,
            *self.paragraphs,
            *(cell for row in self.rows for cell in row),
            *(self.button or ()),
        )


@dataclass(frozen=True)
class Template:
    """The texts of a kind in one language. `push` is made of the others where nothing better is written;
    `email`: a subject and paragraphs of its own, where Zalo's would not do in an e-mail."""

    kind: str
    language: str
    version: int
    sms: str
    zalo: ZaloTemplate
    push: PushTemplate
    email: tuple[str, tuple[str, ...]] | None = None

    @property
    def email_words(self) -> EmailWords:
        subject, paragraphs = self.email or (self.zalo.title, self.zalo.paragraphs)
        return EmailWords(subject, paragraphs, self.zalo.rows, self.zalo.button)

    @property
    def names(self) -> frozenset[str]:
        """Every value that one of the texts puts in."""
        said = (self.sms, self.push.title, self.push.body, *self.zalo.texts(), *self.email_words.texts())
        return frozenset(name for text in said for name in placeholders(text))

    def sms_text(self, params: Mapping[str, str], *, accented: bool = False) -> str:
        """The short message; without accents (the default) it is half as long and suits old phones."""
        written = fill(self.sms, params)
        return written if accented else unaccented(written)


class Catalogue:
    def __init__(self, templates: Iterable[Template]) -> None:
        self._templates = {(template.kind, template.language): template for template in templates}

    def template(self, kind: str, language: str) -> Template:
        return self._templates[kind, language]

    def with_zalo_id(self, template_id: str) -> Template | None:
        """The template registered with Zalo under this id."""
        return next((t for t in self._templates.values() if t.zalo.template_id == template_id), None)

    def __iter__(self) -> Iterator[Template]:
        return iter(self._templates.values())


def fill(text: str, params: Mapping[str, str]) -> str:
    """Put the values in. A value is never read as a template again and carries no line breaks."""
    return PLACEHOLDER.sub(lambda match: tidy(params[match[1]]), text)


def tidy(value: str) -> str:
    visible = "".join(sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in value)
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def _email(source: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]] | None:
    return (source["subject"], tuple(source["paragraphs"])) if source else None


def _without_link(text: str) -> str:
    """Leave out the sentence that ends in a link: on a phone's screen the whole notice is one."""
    return _LINK_SENTENCE.sub("", text).strip()


@dataclass(frozen=True)
class Source:
    """A text as it is written in its file: `version`, and what each channel says."""

    kind: str
    language: str
    text: Mapping[str, Any]


def sources(folder: Path) -> Iterator[Source]:
    """Every kind in every language; a missing file is an error at start, not at two in the morning."""
    for kind in KINDS:
        for language in LANGUAGES:
            path = folder / language / f"{kind}.toml"
            yield Source(kind, language, tomllib.loads(path.read_text(encoding="utf-8")))


def parsed(kind: str, language: str, source: Mapping[str, Any]) -> Template:
    zalo = source.get("zalo") or source["zalo-chat"]
    push = source.get("push", {})
    button = zalo.get("button")
    return Template(
        kind=kind,
        language=language,
        version=source["version"],
        sms=source["sms"],
        email=_email(source.get("email")),
        zalo=ZaloTemplate(
            template_id=zalo.get("template_id", ""),
            title=zalo["title"],
            paragraphs=tuple(zalo["paragraphs"]),
            rows=tuple((label, value) for label, value in zalo.get("rows", ())),
            button=(button[0], button[1]) if button else None,
        ),
        push=PushTemplate(
            title=push.get("title", zalo["title"]),
            body=push.get("body") or _without_link(source["sms"]) or zalo["paragraphs"][0],
        ),
    )


SOURCES = tuple(sources(FOLDER))
CATALOGUE = Catalogue(parsed(source.kind, source.language, source.text) for source in SOURCES)
