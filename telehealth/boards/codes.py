"""The code systems of boards."""

from enum import StrEnum


class Languages(StrEnum):
    """In which languages a call is spoken, in their order."""

    VIETNAMESE = "vi"
    BOTH = "vi-en"
    ENGLISH = "en"


class Dialect(StrEnum):
    """How Vietnamese is spoken: the voice, and `lẻ`, `ngàn` of the south or `linh`, `nghìn` of the north."""

    SOUTH = "south"
    NORTH = "north"
