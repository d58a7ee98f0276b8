"""What stands on a slip. It names nobody."""

from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_LINE = 200
MOST_LINES = 12


class BadSlip(Exception):
    """Not a slip: a field is missing, too long or of another kind."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A number on paper. `key` names this printing: the same key is printed once."""

    key: str
    place: str
    number: str
    room: str
    lines: tuple[str, ...]
    address: str
    """What the QR opens."""
    foot: tuple[str, ...]

    @classmethod
    def parse(cls, given: object) -> "Slip":
        """Read JSON. Raises BadSlip."""
        if not isinstance(given, Mapping):
            raise BadSlip
        return cls(
            key=_line(given, "key"),
            place=_line(given, "place"),
            number=_line(given, "number"),
            room=_line(given, "room"),
            lines=_lines(given, "lines"),
            address=_line(given, "address"),
            foot=_lines(given, "foot"),
        )


def _line(given: Mapping[object, object], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_LINE:
        raise BadSlip
    return value


def _lines(given: Mapping[object, object], name: str) -> tuple[str, ...]:
    values = given.get(name, [])
    if not isinstance(values, list) or len(values) > MOST_LINES:
        raise BadSlip
    if not all(isinstance(each, str) and len(each) <= LONGEST_LINE for each in values):
        raise BadSlip
    return tuple(values)
