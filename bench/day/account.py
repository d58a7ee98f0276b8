"""What happened at a facility, as those who were there know it."""

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from bench.day.estimates import Told


@dataclass
class Account:
    """What happened, as those who were there know it."""

    presses: dict[str, UUID] = field(default_factory=dict)
    """Each press with the number it got."""
    tokens: dict[UUID, str] = field(default_factory=dict)
    changed_answers: int = 0
    strangers: int = 0
    not_the_same_again: int = 0
    tellings: list[Told] = field(default_factory=list)
    told_events: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    happened: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: set[UUID] = field(default_factory=set)
    through: set[UUID] = field(default_factory=set)
    waiting_at_the_end: int = 0
