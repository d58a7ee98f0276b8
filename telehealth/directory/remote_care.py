"""Which conditions may be treated from afar: a list that the ministry makes and a province keeps as data.

The files in directory/data, or copies of them in the folder that the setting REMOTE_CARE_DIR names. The
official text rules; every line carries its source.
"""

import csv
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from telehealth.core.text import search_form
from telehealth.directory.icd10 import any_covers, normalise_icd10

DATA = Path(__file__).parent / "data"
_RULES, _CONDITIONS = "remote_care.toml", "remote_conditions.csv"


@dataclass(frozen=True, slots=True)
class RemoteCondition:
    """A condition of the list: its codes (`F00 F01`, `A15-A19`), its name, and how people call it."""

    codes: str
    name: str
    plain: str
    source: str
    note: str = ""

    @property
    def code(self) -> str:
        """Return the code that stands for the line."""
        return self.codes.split()[0].partition("-")[0]


@dataclass(frozen=True, slots=True)
class RemoteCare:
    """The list and what is besides: whether advice without treatment may be given for anything."""

    version: str
    source: str
    consultation_without_treatment: bool
    consultation_source: str
    conditions: tuple[RemoteCondition, ...]

    def remote_allowed(self, icd10: str) -> bool:
        """Tell whether a condition may be treated from afar; what is no code may not."""
        return self.condition_of(icd10) is not None

    def condition_of(self, icd10: str) -> RemoteCondition | None:
        """Return the line that covers a code."""
        code = normalise_icd10(icd10)
        if code is None:
            return None
        return next((each for each in self.conditions if any_covers(each.codes, code)), None)

    def search(self, q: str) -> tuple[RemoteCondition, ...]:
        """Return the lines that a word (with or without marks) or a code is part of, all for no word."""
        wanted = search_form(q).split()
        return tuple(each for each in self.conditions if all(word in _searched(each) for word in wanted))


@lru_cache(maxsize=512)
def _searched(condition: RemoteCondition) -> str:
    return search_form(f"{condition.plain} {condition.name} {condition.codes}")


@lru_cache(maxsize=4)
def remote_care(folder: str = "") -> RemoteCare:
    """Read the list from the folder, or ours. Raises ValueError for a file that cannot be understood."""
    place = Path(folder) if folder else DATA
    rules = tomllib.loads((place / _RULES).read_text(encoding="utf-8"))
    with (place / _CONDITIONS).open(encoding="utf-8", newline="") as file:
        conditions = tuple(RemoteCondition(**row) for row in csv.DictReader(file))
    return RemoteCare(
        version=rules["version"],
        source=rules["source"],
        consultation_without_treatment=bool(rules["consultation_without_treatment"]),
        consultation_source=rules["consultation_source"],
        conditions=conditions,
    )
