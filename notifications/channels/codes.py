"""Provider codes as data: providers add and change them more often than we release."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml


class CodeClass(StrEnum):
    """`REPEATED`: the provider has had this message before, under the same key."""

    OK = "ok"
    REPEATED = "repeated"
    RECIPIENT = "recipient"
    CONFIG = "config"
    TEMPLATE = "template"
    QUOTA = "quota"
    NIGHT = "night"
    ACCESS = "access"
    RETRY = "retry"
    AMBIGUOUS = "ambiguous"


def plain(value: object) -> str | None:
    """A provider's code or reference as text; None for what is neither a word nor a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


@dataclass(frozen=True)
class CodeTable:
    version: str
    unknown: CodeClass
    classes: Mapping[str, CodeClass]

    def class_of(self, code: int | str) -> CodeClass:
        return self.classes.get(str(code), self.unknown)


def load(path: Path) -> CodeTable:
    """`path` is YAML: version, unknown (a class), classes (class: {code: meaning})."""
    source = yaml.safe_load(path.read_text(encoding="utf-8"))
    return CodeTable(
        version=str(source["version"]),
        unknown=CodeClass(source["unknown"]),
        classes={str(code): CodeClass(name) for name, codes in source["classes"].items() for code in codes},
    )
