"""Pure rules: which line of a file is which stored line, and what that changes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from telehealth.provincial_import.findings import Place
from telehealth.scheduling.drafts import LineDraft

MOST_BYTES = 256 * 1024

_Key = tuple[UUID, UUID, str, tuple[int, ...], int, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line of the file, and where it stands there."""

    place: Place
    draft: LineDraft


@dataclass(frozen=True, slots=True)
class Stored:
    """A line that holds today or later."""

    id: UUID
    version: int
    draft: LineDraft


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file changes. `left`: stored lines that it does not name and that stay.

    `past`: its lines that have ended; what has been worked stays as it was.
    """

    added: tuple[Wanted, ...]
    changed: tuple[tuple[Stored, Wanted], ...]
    ended: tuple[Stored, ...]
    unchanged: tuple[Wanted, ...]
    left: int
    past: tuple[Wanted, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many lines of each kind."""
        return {
            "added": len(self.added),
            "changed": len(self.changed),
            "ended": len(self.ended),
            "unchanged": len(self.unchanged),
            "left": self.left,
            "past": len(self.past),
        }

    @property
    def settled(self) -> frozenset[Place]:
        """Return the file's lines that are in force, or were, exactly so."""
        return frozenset(wanted.place for wanted in (*self.unchanged, *self.past))


def planned(wanted: Sequence[Wanted], stored: Iterable[Stored], today: date, *, complete: bool) -> Plan:
    """Compare a file with what is stored. `complete`: stored lines that it does not name end.

    A line is the same as long as doctor, service, way, weekdays, start and room are, and it begins at the
    same time; for one that runs already, whenever it began does not matter.
    """
    open_ = _by_key(stored)
    added, changed, unchanged, past = [], [], [], []
    for each in sorted(wanted, key=lambda item: (item.draft.valid_from, item.place.row)):
        if each.draft.valid_to is not None and each.draft.valid_to < today:
            past.append(each)
            continue
        found = _same(each, open_[_key(each.draft)], today)
        if found is None:
            added.append(each)
            continue
        open_[_key(each.draft)].remove(found)
        if replace(each.draft, valid_from=found.draft.valid_from) == found.draft:
            unchanged.append(each)
        else:
            changed.append((found, each))
    rest = tuple(line for lines in open_.values() for line in lines)
    return Plan(
        added=tuple(added),
        changed=tuple(changed),
        ended=rest if complete else (),
        unchanged=tuple(unchanged),
        left=0 if complete else len(rest),
        past=tuple(past),
    )


def first_day(draft: LineDraft, today: date) -> date:
    """Return the first day from today on for which a line speaks, in the rhythm of its weeks."""
    if draft.valid_from >= today:
        return draft.valid_from
    weeks = (_monday(today) - _monday(draft.valid_from)).days // 7
    off = weeks % draft.every_weeks
    return today if off == 0 else _monday(today) + timedelta(weeks=draft.every_weeks - off)


def _same(wanted: Wanted, candidates: Sequence[Stored], today: date) -> Stored | None:
    first = first_day(wanted.draft, today)
    return next((each for each in candidates if first_day(each.draft, today) == first), None)


def _by_key(stored: Iterable[Stored]) -> dict[_Key, list[Stored]]:
    found: dict[_Key, list[Stored]] = defaultdict(list)
    for each in sorted(stored, key=lambda item: (item.draft.valid_from, item.id)):
        found[_key(each.draft)].append(each)
    return found


def _key(draft: LineDraft) -> _Key:
    return (
        draft.practitioner_id,
        draft.service_id,
        draft.modality,
        draft.weekdays,
        draft.start_minute,
        draft.room,
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
