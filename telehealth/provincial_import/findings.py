"""What is wrong in a file, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file as a spreadsheet numbers it; the heading is row 1, 0 is the file itself."""

    file: str
    row: int = 0

    def __str__(self) -> str:
        """Return the place as other findings name it."""
        return f"{self.file}:{self.row}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to refuse. Its text is the Fluent message `import-<code>`, filled by `params`."""

    place: Place
    column: str
    value: str
    code: str
    params: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def shown_value(self) -> str:
        """Return the value, cut to a length that fits a line."""
        return self.value if len(self.value) <= SHOWN else self.value[: SHOWN - 1] + "…"


class BadValue(ValueError):
    """A cell cannot be read; `code` says why."""

    def __init__(self, code: str, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
