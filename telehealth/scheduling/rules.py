"""Pure rules: clinic sessions from rosters, and free slots from clinic sessions and claims.

Everything is an integer inside: local minutes of day for rosters, minutes since 1970-01-01T00:00Z
("epoch minutes") for slots and claims. Zones are met only at the edges (core/clock.py).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from telehealth.core.clock import at_local
from telehealth.core.ids import derived_id
from telehealth.directory.codes import CareLevel, Modality
from telehealth.scheduling.codes import Channel, Door, ExceptionKind, ScheduleOrigin, SessionMode

DAY_MINUTES = 24 * 60
Span = tuple[int, int]

EARLIEST, LATEST = -(10**9), 10**9  # epoch minutes before and after everything
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeptPlaces:
    """Places of a whole session that are kept for a door until `falls_minutes` before its start."""

    door: str
    places: int
    falls_minutes: int


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A roster line, by ids.

    `slot_minutes` is the patient's time; `lead_minutes` before and `tail_minutes` after it are the
    practitioner's and the resources' alone. `further_service_ids` are offered over the same time, each in a
    session of its own. `resource_ids`, sorted, are what every slot needs.
    """

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
    every_weeks: int = 1
    mode: str = SessionMode.SLOT
    lead_minutes: int = 0
    tail_minutes: int = 0
    overbook_most: int = 2
    further_service_ids: Sequence[UUID] = ()
    resource_ids: Sequence[UUID] = ()
    kept: Sequence[KeptPlaces] = ()

    @property
    def step(self) -> int:
        """Return the minutes from one slot to the next: lead, the patient's time, tail."""
        return self.lead_minutes + self.slot_minutes + self.tail_minutes

    def works_on(self, day: date, weekday: int) -> bool:
        """Tell whether the line holds on a day that follows that weekday's roster."""
        return (
            weekday in self.weekdays
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
            and weeks_between(self.valid_from, day) % self.every_weeks == 0
        )


def weeks_between(first: date, day: date) -> int:
    """Return how many ISO weeks (Monday to Sunday) a day's week is after another day's."""
    return ((day - timedelta(day.weekday())) - (first - timedelta(first.weekday()))).days // 7


@dataclass(frozen=True, slots=True)
class RosterException:
    """An exception, by ids; `extra` carries the fields of the session it adds, as a RosterLine has them.

    A leave with `schedule_id` is about that line alone.
    """

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
    schedule_id: UUID | None = None
    mode: str = SessionMode.SLOT
    lead_minutes: int = 0
    tail_minutes: int = 0
    overbook_most: int = 2
    resource_ids: Sequence[UUID] = ()
    origin: str = ScheduleOrigin.IMPORT
    kept: Sequence[KeptPlaces] = ()

    def covers(self, day: date) -> bool:
        """Tell whether the exception is about the day."""
        return self.from_date <= day <= self.to_date

    @property
    def span(self) -> Span:
        """Return its minutes; a whole day without any."""
        return self.start_minute or 0, DAY_MINUTES if self.end_minute is None else self.end_minute


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A clinic session as the roster wants it.

    `start_minute` is the first step's start and `slot_minutes` the step: slot i is the patient's from
    start_minute + lead + i * step, for step - lead - tail minutes.
    """

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
    mode: str = SessionMode.SLOT
    lead_minutes: int = 0
    tail_minutes: int = 0
    overbook_most: int = 2
    resource_ids: Sequence[UUID] = ()
    kept: Sequence[KeptPlaces] = ()

    @property
    def start_at(self) -> datetime:
        """Return the first step's start."""
        return at_local(self.day, self.start_minute)

    @property
    def end_at(self) -> datetime:
        """Return the last step's end."""
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


def opens_at(day: date, window_days: int | None, release_minute: int | None) -> datetime | None:
    """Return from when on a day is booked online: at the release minute of the day `window_days` before.

    None, where a service's policy says neither: the province's default window, to the minute.
    """
    if window_days is None and release_minute is None:
        return None
    ahead = POLICIES[Channel.ONLINE].window_days if window_days is None else window_days
    return at_local(day - timedelta(days=ahead), release_minute or 0)


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
        spans = subtract(spans, [item.span for item in todays if _removes(item, line)])
        for session in _cut(day, line, spans):
            found.setdefault(session.id, session)
    for item in todays:
        for span in subtract([item.span], [leave.span for leave in todays if _own_leave(leave, item)]):
            session_added = _extra(day, item, span)
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


def _removes(item: RosterException, line: RosterLine) -> bool:
    return (
        item.kind in (ExceptionKind.LEAVE, ExceptionKind.CLOSED)
        and item.practitioner_id in (None, line.practitioner_id)
        and item.schedule_id in (None, line.id)
    )


def _cut(day: date, line: RosterLine, spans: Iterable[Span]) -> Iterator[PlannedSession]:
    """Yield a session of each service for each span that holds at least one whole step of the line's grid."""
    whole = (line.end_minute - line.start_minute) // line.step
    for start, end in spans:
        first = line.start_minute + -(-(start - line.start_minute) // line.step) * line.step
        count = (end - first) // line.step
        if count < 1:
            continue
        for service_id in (line.service_id, *line.further_service_ids):
            yield PlannedSession(
                id=clinic_session_id(
                    line.facility_id, line.practitioner_id, service_id, line.modality, first, day
                ),
                schedule_id=line.id,
                exception_id=None,
                facility_id=line.facility_id,
                practitioner_id=line.practitioner_id,
                service_id=service_id,
                modality=line.modality,
                day=day,
                start_minute=first,
                slot_minutes=line.step,
                slot_count=count,
                capacity=line.capacity,
                room=line.room,
                mode=line.mode,
                lead_minutes=line.lead_minutes,
                tail_minutes=line.tail_minutes,
                overbook_most=line.overbook_most,
                resource_ids=line.resource_ids,
                kept=[replace(kept, places=kept.places * count // whole) for kept in line.kept],
            )


def _own_leave(leave: RosterException, item: RosterException) -> bool:
    """Tell whether somebody is away from what was added for them; a closed place stays open for it.

    The province's files may say both of a day: away from the regular clinic, and there for the extra one.
    """
    if leave.kind != ExceptionKind.LEAVE or leave.origin == item.origin == ScheduleOrigin.IMPORT:
        return False
    return leave.schedule_id is None and leave.practitioner_id == item.practitioner_id is not None


def _extra(day: date, item: RosterException, span: Span) -> PlannedSession | None:
    if item.kind != ExceptionKind.EXTRA:
        return None
    if (
        item.practitioner_id is None
        or item.service_id is None
        or item.modality is None
        or item.slot_minutes is None
    ):
        return None
    start, end = span
    step = item.lead_minutes + item.slot_minutes + item.tail_minutes
    count, whole = (end - start) // step, (item.span[1] - item.span[0]) // step
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
        slot_minutes=step,
        slot_count=count,
        capacity=item.capacity or 1,
        room=item.room or "",
        mode=item.mode,
        lead_minutes=item.lead_minutes,
        tail_minutes=item.tail_minutes,
        overbook_most=item.overbook_most,
        resource_ids=item.resource_ids,
        kept=[replace(kept, places=kept.places * count // whole) for kept in item.kept],
    )


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """When a place may be taken through one door, where the session does not say otherwise.

    Only `online` doors are bound by a session's own opening, notice and online quota; staff are not.
    `grace_minutes`: so much of the notice is let go.
    """

    min_notice_minutes: int = 30
    window_days: int = 60
    online: bool = True
    grace_minutes: int = 0

    def notice(self, own: int | None) -> int:
        """Return how many minutes before its start a slot must be taken, by a session's own notice or not."""
        asked = own if self.online and own is not None else self.min_notice_minutes
        return max(0, asked - self.grace_minutes)

    def bounds(self, now: datetime, *, opens: datetime | None, notice: int | None) -> Span:
        """Return the first and last epoch minute at which a slot may start, by a session's own terms.

        The first is now + notice, rounded up to a minute; what begins now has begun. The last is
        now + window, rounded down; for a session with an opening of its own there is none once that has
        come, and before it no slot at all.
        """
        first = max(epoch_minute(now) + self.notice(notice), _minute_reached(now) + 1)
        if not self.online or opens is None:
            return first, _minute_reached(now) + self.window_days * DAY_MINUTES
        return first, LATEST if opens <= now else EARLIEST

    def window(
        self, now: datetime, door: str, *, first: int | None = None, last: int | None = None
    ) -> "Window":
        """Return what may be booked now through a door, within `first` to `last` (epoch minutes) if given."""
        return Window(
            now=now,
            door=door,
            policy=self,
            first=EARLIEST if first is None else first,
            last=LATEST if last is None else last,
        )


POLICIES: Mapping[str, SlotPolicy] = {
    Channel.ONLINE: SlotPolicy(min_notice_minutes=30, window_days=60),
    Channel.KIOSK: SlotPolicy(min_notice_minutes=0, window_days=1, online=False),
    Channel.DESK: SlotPolicy(min_notice_minutes=0, window_days=180, online=False),
    Channel.REFERRAL: SlotPolicy(min_notice_minutes=0, window_days=180, online=False),
}

SHOWN: Mapping[str, SlotPolicy] = {
    **POLICIES,
    Channel.ONLINE: replace(POLICIES[Channel.ONLINE], grace_minutes=10),
}
"""For a place that was shown: its notice may end while a telephone number and a code are typed slowly."""

_REFERRED_FROM: Mapping[str, Door] = {
    CareLevel.INITIAL: Door.REFERRAL_INITIAL,
    CareLevel.BASIC: Door.REFERRAL_BASIC,
    CareLevel.SPECIALISED: Door.REFERRAL_SPECIALISED,
}


def door_of(channel: str, care_level: str | None = None) -> Door:
    """Return the door that a booking through a channel takes its place by.

    A referral goes by the care level of the facility that refers; one whose referrer is not known goes,
    like desk and kiosk, by the counter, for which nobody has to give up a reserve.
    """
    if channel == Channel.ONLINE:
        return Door.ONLINE
    if channel == Channel.REFERRAL and care_level is not None:
        return _REFERRED_FROM[care_level]
    return Door.COUNTER


@dataclass(frozen=True, slots=True)
class Window:
    """Who asks, when, and for which starts (epoch minutes, both included)."""

    now: datetime
    door: str
    policy: SlotPolicy
    first: int
    last: int

    def starts(self, session: "Grid") -> Span:
        """Return the first and last epoch minute at which a slot of the session may start."""
        earliest, latest = self.policy.bounds(self.now, opens=session.opens_at, notice=session.notice)
        return max(self.first, earliest), min(self.last, latest)


@dataclass(frozen=True, slots=True)
class Reserve:
    """Places of one session kept for a door until `falls_at`, and how many that door has taken."""

    door: str
    reserved: int
    booked: int
    falls_at: datetime

    def kept(self, door: str, now: datetime) -> int:
        """Return how many places it still keeps from a door: none from its own, none once it has fallen."""
        if door == self.door or now >= self.falls_at:
            return 0
        return max(0, self.reserved - self.booked)


Taken = tuple[int, int, int]  # start and end in epoch minutes, lane


@dataclass(frozen=True, slots=True)
class Grid:
    """A clinic session as slots are cut from it. `start` is the epoch minute of its first step.

    Step i is [start + i * slot_minutes, + slot_minutes); its slot, the patient's part, begins `lead` after
    its start and ends `tail` before its end. The counters leave out holds whose time is over.
    `online_left`: what its online quota still holds. `resources`: the lanes of each resource that every step
    needs (0: out of use). `blocked`: when nobody is booked who may not override it. `day_left`: how many
    more people its practitioner sees that day (None: no limit).
    """

    id: UUID
    practitioner_id: UUID
    start: int
    slot_minutes: int
    slot_count: int
    capacity: int
    online_left: int
    booked: int = 0
    lead: int = 0
    tail: int = 0
    opens_at: datetime | None = None
    notice: int | None = None
    reserves: Sequence[Reserve] = ()
    resources: Sequence[tuple[UUID, int]] = ()
    blocked: Sequence[Span] = ()
    day_left: int | None = None


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A slot with at least one free place. `start` is an epoch minute."""

    session_id: UUID
    start: int
    free: int


Claims = Mapping[UUID, Sequence[Taken]]  # the live ones, by practitioner or resource


def free_slots(sessions: Iterable[Grid], claims: Claims, window: Window) -> list[FreeSlot]:
    """Return the slots that may be booked through the window's door, earliest first.

    The one function behind find, hold, book and the property tests. A slot may be booked when it starts
    within the window (SlotPolicy.bounds), no blocking overlaps its step, its step is free
    (free_in_steps) and the session has room for the door (room).
    """
    found = []
    for session in sessions:
        most = room(session, window)
        if most < 1:
            continue
        found += [
            FreeSlot(session.id, start, min(free, most))
            for start, free in _bookable(session, claims, window)
            if free > 0
        ]
    found.sort(key=lambda slot: slot.start)
    return found


def free_places(session: Grid, claims: Claims, window: Window) -> int:
    """Return how many people may still be booked into a session through the window's door."""
    most = room(session, window)
    return 0 if most < 1 else min(most, sum(free for _start, free in _bookable(session, claims, window)))


def room(session: Grid, window: Window) -> int:
    """Return how many more places of a session the door may take, whatever the slot.

    places - booked - what other doors' reserves still keep; for an online door no more than the online
    quota; and no more than the practitioner's daily limit leaves.
    """
    places = session.slot_count * session.capacity
    left = places - session.booked - sum(kept.kept(window.door, window.now) for kept in session.reserves)
    if window.policy.online:
        left = min(left, session.online_left)
    return left if session.day_left is None else min(left, session.day_left)


def free_in_steps(session: Grid, claims: Claims) -> list[int]:
    """Return for each step how many people it still takes.

    The least of: the lanes 1..capacity of the practitioner, and the lanes of each resource, that no live
    claim overlaps during the step.
    """
    free = _free_lanes(session, session.capacity, claims.get(session.practitioner_id, ()))
    for resource_id, lanes in session.resources:
        free = list(map(min, free, _free_lanes(session, lanes, claims.get(resource_id, ()))))
    return free


def _bookable(session: Grid, claims: Claims, window: Window) -> Iterator[tuple[int, int]]:
    """Yield start and free places of the steps in the window that no blocking overlaps."""
    earliest, latest = window.starts(session)
    step = session.start
    for free in free_in_steps(session, claims):
        end = step + session.slot_minutes
        if earliest <= step + session.lead <= latest and not any(
            a < end and step < b for a, b in session.blocked
        ):
            yield step + session.lead, free
        step = end


def _free_lanes(session: Grid, lanes: int, claims: Sequence[Taken]) -> list[int]:
    if not claims:
        return [lanes] * session.slot_count
    masks = [0] * session.slot_count  # bit n is set when lane n + 1 is taken
    for start, end, lane in claims:
        if lane > lanes:
            continue
        first = max(0, (start - session.start) // session.slot_minutes)
        beyond = min(session.slot_count, -(-(end - session.start) // session.slot_minutes))
        for index in range(first, beyond):
            masks[index] |= 1 << (lane - 1)
    return [lanes - mask.bit_count() for mask in masks]


def on_grid(
    minute: int, start_minute: int, slot_minutes: int, slot_count: int, *, lead_minutes: int = 0
) -> bool:
    """Tell whether a session has a slot that the patient's time of which starts at a local minute of day."""
    index, off = divmod(minute - start_minute - lead_minutes, slot_minutes)
    return off == 0 and 0 <= index < slot_count


def _minute_reached(instant: datetime) -> int:
    return (instant - _EPOCH) // _MINUTE


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
