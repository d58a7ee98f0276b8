"""Pure: what a change of the schedule does to sessions and to people who are booked."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from telehealth.directory.codes import Modality
from telehealth.scheduling.rules import PlannedSession


@dataclass(frozen=True, slots=True)
class Blocked:
    """A time when nobody is booked: a practitioner's, a resource's or (neither) the whole facility's."""

    from_at: datetime
    to_at: datetime
    practitioner_id: UUID | None
    resource_id: UUID | None


@dataclass(frozen=True, slots=True)
class Standing:
    """An appointment that stands, as far as the schedule goes. `patient_name`: for those who may see it."""

    id: UUID
    session_id: UUID
    practitioner_id: UUID
    service_id: UUID
    modality: str
    start: datetime
    end: datetime
    resource_ids: tuple[UUID, ...]
    patient_id: UUID | None = None
    patient_name: str | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra session somebody asked for, on each day from first to last; `slot_count`: all of its slots."""

    id: UUID
    practitioner_id: UUID
    first: date
    last: date
    slot_count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The schedule of a facility from today on: sessions by day, blockings, days over a limit, extras.

    `rooms`: the codes of its desks and rooms.
    """

    planned: Mapping[date, Sequence[PlannedSession]]
    blocked: frozenset[Blocked]
    over_limit: frozenset[tuple[UUID, date]]
    extras: Sequence[Extra] = ()
    rooms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session that stays with another shape."""

    before: PlannedSession
    after: PlannedSession

    @property
    def narrowed(self) -> bool:
        """Tell whether places are lost."""
        return self.after.slot_count * self.after.capacity < self.before.slot_count * self.before.capacity


@dataclass(frozen=True, slots=True)
class DayEffect:
    """What happens to the sessions of a day."""

    day: date
    added: tuple[PlannedSession, ...]
    removed: tuple[PlannedSession, ...]
    changed: tuple[SessionChange, ...]

    @property
    def practitioner_ids(self) -> set[UUID]:
        """Return whose sessions they are."""
        lost = (*self.removed, *(change.before for change in self.changed))
        return {session.practitioner_id for session in (*self.added, *lost)}


class WarningCode(StrEnum):
    """What somebody should look at; nothing is refused for it."""

    ROOM_TWICE = "room-twice"
    TWO_ROOMS = "two-rooms"
    OVER_LIMIT = "over-limit"
    EXTRA_CUT = "extra-cut"
    UNKNOWN_ROOM = "unknown-room"
    SAME_TWICE = "same-twice"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning: about whom, with whom, where, on which first day and on how many days in all."""

    code: WarningCode
    practitioner_id: UUID
    other_id: UUID | None
    room: str
    day: date
    days: int


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a change would do. `outside`: appointments without a time any more; `again`: that get it back."""

    days: tuple[DayEffect, ...] = ()
    outside: tuple[Standing, ...] = ()
    again: tuple[Standing, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    fingerprint: str = ""

    @property
    def quiet(self) -> bool:
        """Tell whether no session and no appointment is touched."""
        return not (self.days or self.outside or self.again or self.doubts)

    @property
    def totals(self) -> dict[str, int]:
        """Return how many sessions are added, removed, narrowed and otherwise changed."""
        changes = [change for effect in self.days for change in effect.changed]
        narrowed = sum(change.narrowed for change in changes)
        return {
            "added": sum(len(effect.added) for effect in self.days),
            "removed": sum(len(effect.removed) for effect in self.days),
            "narrowed": narrowed,
            "changed": len(changes) - narrowed,
        }


def day_effects(before: Snapshot, after: Snapshot) -> tuple[DayEffect, ...]:
    """Return the days on which the two plans differ."""
    effects = []
    for day in sorted(before.planned.keys() | after.planned.keys()):
        old = {session.id: session for session in before.planned.get(day, ())}
        new = {session.id: session for session in after.planned.get(day, ())}
        added = tuple(new[key] for key in new if key not in old)
        removed = tuple(old[key] for key in old if key not in new)
        changed = tuple(
            SessionChange(old[key], new[key])
            for key in old
            if key in new and shape(old[key]) != shape(new[key])
        )
        if added or removed or changed:
            effects.append(DayEffect(day, added, removed, changed))
    return tuple(effects)


def shape(session: PlannedSession) -> tuple[Any, ...]:
    """Return what of a session people notice: all but which line or exception it comes from."""
    return tuple(
        getattr(session, field.name)
        for field in fields(session)
        if field.name not in ("schedule_id", "exception_id")
    )


def stands(appointment: Standing, snapshot: Snapshot, day: date) -> bool:
    """Tell whether the schedule has that practitioner for that service there and then, unblocked."""
    return not _blocked(appointment, snapshot.blocked) and any(
        (session.practitioner_id, session.service_id, session.modality)
        == (appointment.practitioner_id, appointment.service_id, appointment.modality)
        and session.start_at <= appointment.start
        and appointment.end <= session.end_at
        for session in snapshot.planned.get(day, ())
    )


def doubts(before: Snapshot, after: Snapshot, effects: Iterable[DayEffect]) -> tuple[Doubt, ...]:
    """Return what the sessions that are new or changed newly collide with, and days newly over a limit."""
    found: dict[tuple[WarningCode, UUID, UUID | None, str], list[date]] = defaultdict(list)
    for effect in effects:
        fresh = [*effect.added, *(change.after for change in effect.changed)]
        for session in fresh:
            if _is_nowhere(session, after.rooms):
                key = WarningCode.UNKNOWN_ROOM, session.practitioner_id, None, session.room
                found[key].append(effect.day)
            for other in after.planned[effect.day]:
                code = _collision(session, other)
                if code is not None:
                    found[code, session.practitioner_id, other.practitioner_id, session.room].append(
                        effect.day
                    )
    for practitioner_id, day in sorted(after.over_limit - before.over_limit):
        found[WarningCode.OVER_LIMIT, practitioner_id, None, ""].append(day)
    for _id, practitioner_id, day in sorted(cut_extras(after) - cut_extras(before)):
        found[WarningCode.EXTRA_CUT, practitioner_id, None, ""].append(day)
    return tuple(
        Doubt(code, who, other_id, room, min(days), len(set(days)))
        for (code, who, other_id, room), days in found.items()
    )


def cut_extras(snapshot: Snapshot) -> set[tuple[UUID, UUID, date]]:
    """Return the extra sessions (id, practitioner, day) that open with fewer slots than asked for, or not."""
    opened: dict[tuple[UUID | None, date], int] = defaultdict(int)
    for day, sessions in snapshot.planned.items():
        for session in sessions:
            opened[session.exception_id, day] += session.slot_count
    return {
        (extra.id, extra.practitioner_id, day)
        for extra in snapshot.extras
        for day in snapshot.planned
        if extra.first <= day <= extra.last and opened[extra.id, day] < extra.slot_count
    }


def fingerprint(asked: str, found: Consequences) -> str:
    """Return what stands for exactly this change with exactly these consequences."""
    parts = {
        "asked": asked,
        "days": [
            [
                effect.day.isoformat(),
                [str(shape(session)) for session in effect.added],
                [str(session.id) for session in effect.removed],
                [[str(shape(change.before)), str(shape(change.after))] for change in effect.changed],
            ]
            for effect in found.days
        ],
        "outside": sorted(str(each.id) for each in found.outside),
        "again": sorted(str(each.id) for each in found.again),
        "doubts": sorted(str(each) for each in found.doubts),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _blocked(appointment: Standing, blocked: Iterable[Blocked]) -> bool:
    return any(
        item.from_at < appointment.end
        and appointment.start < item.to_at
        and (item.practitioner_id is None or item.practitioner_id == appointment.practitioner_id)
        and (item.resource_id is None or item.resource_id in appointment.resource_ids)
        for item in blocked
    )


def _is_nowhere(session: PlannedSession, rooms: frozenset[str]) -> bool:
    """Tell whether patients would look for a room that the facility does not have: it gives no numbers."""
    named = session.modality != Modality.VIDEO and session.room != ""
    return named and bool(rooms) and session.room not in rooms


def _collision(session: PlannedSession, other: PlannedSession) -> WarningCode | None:
    if session.id == other.id or not (session.start_at < other.end_at and other.start_at < session.end_at):
        return None
    if session.practitioner_id == other.practitioner_id:
        apart = (session.room, session.modality) != (other.room, other.modality)
        if apart:
            return WarningCode.TWO_ROOMS
        return WarningCode.SAME_TWICE if session.service_id == other.service_id else None
    shared = session.room == other.room != "" and Modality.VIDEO not in (session.modality, other.modality)
    return WarningCode.ROOM_TWICE if shared else None
