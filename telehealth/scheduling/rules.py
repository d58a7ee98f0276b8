"""Pure rules: clinic sessions from rosters, and free slots from clinic sessions and claims.

Everything is an integer inside: local minutes of day for rosters, minutes since 1970-01-01T00:00Z
("epoch minutes") for slots and claims. Zones are met only at the edges (core/clock.py).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from telehealth.core.clock import at_local
from telehealth.core.ids import derived_id
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import Channel, ExceptionKind

DAY_MINUTES = 24 * 60
Span = tuple[int, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A roster line, by ids."""

    id: UUID
    facility_id: UUID
    practitioner_id: UUID
    service_id: UUID
    modality: str
    weekdays: Collection[int]
    start_minute: int
    end_minute: int
    slot_minutes: int
    capacity: int
    room: str
    valid_from: date
    valid_to: date | None

    def works_on(self, day: date, weekday: int) -> bool:
        """Tell whether the line holds on a day that follows that weekday's roster."""
        return (
            weekday in self.weekdays
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class RosterException:
    """An exception, by ids; `extra` carries the fields of the session it adds."""

    id: UUID
    facility_id: UUID
    practitioner_id: UUID | None
    kind: str
    from_date: date
    to_date: date
    start_minute: int | None = None
    end_minute: int | None = None
    service_id: UUID | None = None
    modality: str | None = None
    slot_minutes: int | None = None
    capacity: int | None = None
    room: str | None = None
    like_weekday: int | None = None

    def covers(self, day: date) -> bool:
        """Tell whether the exception is about the day."""
        return self.from_date <= day <= self.to_date

    @property
    def span(self) -> Span:
        """Return its minutes; a whole day without any."""
        return self.start_minute or 0, DAY_MINUTES if self.end_minute is None else self.end_minute


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A clinic session as the roster wants it."""

    id: UUID
    schedule_id: UUID | None
    exception_id: UUID | None
    facility_id: UUID
    practitioner_id: UUID
    service_id: UUID
    modality: str
    day: date
    start_minute: int
    slot_minutes: int
    slot_count: int
    capacity: int
    room: str

    @property
    def start_at(self) -> datetime:
        """Return the first slot's start."""
        return at_local(self.day, self.start_minute)

    @property
    def end_at(self) -> datetime:
        """Return the last slot's end."""
        return at_local(self.day, self.start_minute + self.slot_count * self.slot_minutes)


def clinic_session_id(
    facility_id: UUID, practitioner_id: UUID, service_id: UUID, modality: str, start_minute: int, day: date
) -> UUID:
    """Return the id that a session keeps through every re-import: who, where, what and when."""
    return derived_id(
        "clinic_session", facility_id, practitioner_id, service_id, modality, start_minute, day.isoformat()
    )


def online_quota(share_percent: int, slot_count: int, capacity: int, *, bookable_online: bool) -> int:
    """Return how many places of a session may be booked online: floor(share x slots x capacity)."""
    return share_percent * slot_count * capacity // 100 if bookable_online else 0


def sessions_of_day(
    day: date,
    lines: Iterable[RosterLine],
    exceptions: Iterable[RosterException],
    *,
    weekday: int | None,
    open_spans: Mapping[int, Sequence[Span]],
) -> list[PlannedSession]:
    """Return one facility's clinic sessions of a day.

    `weekday` is the one whose roster the calendar applies, None on a holiday (no regular
    sessions). `open_spans` are the opening minutes by weekday; they bind regular in-person sessions
    only, and not at all when empty. Leave and closures cut regular sessions; an extra session was
    asked for by name and is cut by nothing.
    """
    todays = [item for item in exceptions if item.covers(day)]
    found: dict[UUID, PlannedSession] = {}
    for line in lines:
        followed = _followed(weekday, todays, line.practitioner_id)
        if followed is None or not line.works_on(day, followed):
            continue
        spans = [(line.start_minute, line.end_minute)]
        if line.modality == Modality.IN_PERSON and open_spans:
            spans = intersect(spans, open_spans.get(followed, ()))
        spans = subtract(spans, [item.span for item in todays if _removes(item, line.practitioner_id)])
        for session in _cut(day, line, spans):
            found.setdefault(session.id, session)
    for item in todays:
        session_added = _extra(day, item)
        if session_added is not None:
            found.setdefault(session_added.id, session_added)
    return sorted(found.values(), key=lambda session: (session.start_minute, session.id))


def intersect(spans: Iterable[Span], allowed: Iterable[Span]) -> list[Span]:
    """Return the parts of the spans inside the allowed ones."""
    allowed = merged(allowed)
    return [
        (max(start, first), min(end, last))
        for start, end in spans
        for first, last in allowed
        if max(start, first) < min(end, last)
    ]


def subtract(spans: Iterable[Span], removed: Iterable[Span]) -> list[Span]:
    """Return the parts of the spans outside the removed ones."""
    left = list(spans)
    for first, last in removed:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, first)), (max(start, last), end))
            if part[0] < part[1]
        ]
    return left


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same minutes as disjoint spans in order; those that touch become one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _followed(weekday: int | None, todays: Iterable[RosterException], practitioner_id: UUID) -> int | None:
    for item in todays:
        if item.kind == ExceptionKind.WORKS_LIKE and item.practitioner_id in (None, practitioner_id):
            return item.like_weekday
    return weekday


def _removes(item: RosterException, practitioner_id: UUID) -> bool:
    return item.kind in (ExceptionKind.LEAVE, ExceptionKind.CLOSED) and item.practitioner_id in (
        None,
        practitioner_id,
    )


def _cut(day: date, line: RosterLine, spans: Iterable[Span]) -> Iterator[PlannedSession]:
    """Yield a session for each span that holds at least one whole slot of the line's grid."""
    step = line.slot_minutes
    for start, end in spans:
        first = line.start_minute + -(-(start - line.start_minute) // step) * step
        count = (end - first) // step
        if count > 0:
            yield PlannedSession(
                id=clinic_session_id(
                    line.facility_id, line.practitioner_id, line.service_id, line.modality, first, day
                ),
                schedule_id=line.id,
                exception_id=None,
                facility_id=line.facility_id,
                practitioner_id=line.practitioner_id,
                service_id=line.service_id,
                modality=line.modality,
                day=day,
                start_minute=first,
                slot_minutes=step,
                slot_count=count,
                capacity=line.capacity,
                room=line.room,
            )


def _extra(day: date, item: RosterException) -> PlannedSession | None:
    if item.kind != ExceptionKind.EXTRA:
        return None
    if (
        item.practitioner_id is None
        or item.service_id is None
        or item.modality is None
        or item.slot_minutes is None
    ):
        return None
    start, end = item.span
    count = (end - start) // item.slot_minutes
    if count < 1:
        return None
    return PlannedSession(
        id=clinic_session_id(
            item.facility_id, item.practitioner_id, item.service_id, item.modality, start, day
        ),
        schedule_id=None,
        exception_id=item.id,
        facility_id=item.facility_id,
        practitioner_id=item.practitioner_id,
        service_id=item.service_id,
        modality=item.modality,
        day=day,
        start_minute=start,
        slot_minutes=item.slot_minutes,
        slot_count=count,
        capacity=item.capacity or 1,
        room=item.room or "",
    )


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """When a place may be taken through one door. Staff are not bound by the online quota."""

    min_notice_minutes: int = 30
    window_days: int = 60
    online: bool = True

    def window(self, now: int, *, first: int | None = None, last: int | None = None) -> "Window":
        """Return what may be booked at epoch minute `now`, within `first` to `last` if given."""
        earliest = now + self.min_notice_minutes
        latest = now + self.window_days * DAY_MINUTES
        return Window(
            earliest=earliest if first is None else max(earliest, first),
            latest=latest if last is None else min(latest, last),
            online=self.online,
        )


POLICIES: Mapping[str, SlotPolicy] = {
    Channel.ONLINE: SlotPolicy(min_notice_minutes=30, window_days=60),
    Channel.KIOSK: SlotPolicy(min_notice_minutes=0, window_days=1, online=False),
    Channel.DESK: SlotPolicy(min_notice_minutes=0, window_days=180, online=False),
    Channel.REFERRAL: SlotPolicy(min_notice_minutes=0, window_days=180, online=False),
}


@dataclass(frozen=True, slots=True)
class Window:
    """The first and last epoch minute a slot may start at, and whether the online quota binds."""

    earliest: int
    latest: int
    online: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """A clinic session as slots are cut from it. `start` is an epoch minute.

    `online_left` is what its online quota still holds.
    """

    id: UUID
    practitioner_id: UUID
    start: int
    slot_minutes: int
    slot_count: int
    capacity: int
    online_left: int


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A slot with at least one free place. `start` is an epoch minute."""

    session_id: UUID
    start: int
    free: int


Taken = tuple[int, int, int]  # start and end in epoch minutes, lane


def free_slots(
    sessions: Iterable[Grid], claims: Mapping[UUID, Iterable[Taken]], window: Window
) -> list[FreeSlot]:
    """Return the slots that may be booked in a policy's window, earliest first.

    `claims` are the live claims by practitioner: a place is free while no claim on its lane
    overlaps the slot. The one function behind find, hold, book and the property tests.
    """
    found: list[FreeSlot] = []
    for session in sessions:
        ceiling = min(session.capacity, session.online_left) if window.online else session.capacity
        if ceiling < 1:
            continue
        masks = _taken_lanes(session, claims.get(session.practitioner_id, ()))
        start = session.start
        for mask in masks:
            if window.earliest <= start <= window.latest:
                free = min(session.capacity - mask.bit_count(), ceiling)
                if free > 0:
                    found.append(FreeSlot(session.id, start, free))
            start += session.slot_minutes
    found.sort(key=lambda slot: slot.start)
    return found


def _taken_lanes(session: Grid, claims: Iterable[Taken]) -> list[int]:
    """Return one bit mask per slot: bit n is set when lane n + 1 is taken."""
    masks = [0] * session.slot_count
    for start, end, lane in claims:
        if lane > session.capacity:
            continue
        first = max(0, (start - session.start) // session.slot_minutes)
        beyond = min(session.slot_count, -(-(end - session.start) // session.slot_minutes))
        for index in range(first, beyond):
            masks[index] |= 1 << (lane - 1)
    return masks


def epoch_minute(instant: datetime) -> int:
    """Return whole minutes since 1970, rounded up: a slot that has begun is past."""
    return -(-(instant - _EPOCH) // _MINUTE)


def instant_of(minute: int) -> datetime:
    """Return the instant of an epoch minute."""
    return _EPOCH + minute * _MINUTE


@dataclass(frozen=True, slots=True)
class SlotId:
    """`<clinic_session id>.<start minute of the local day>`."""

    session_id: UUID
    minute: int

    def __str__(self) -> str:
        return f"{self.session_id}.{self.minute}"

    @classmethod
    def parse(cls, value: str) -> "SlotId | None":
        """Return the parts, or None of anything else."""
        session_id, dot, minute = value.partition(".")
        if not dot or not minute.isascii() or not minute.isdigit() or len(minute) > 4:
            return None
        try:
            return cls(UUID(session_id), int(minute))
        except ValueError:
            return None
