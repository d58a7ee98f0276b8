"""The calendar and the consequences of a change as pages show them: words made once, cells laid out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from telehealth.core.clock import local
from telehealth.directory.calendar import CalendarDayView, DayKind
from telehealth.directory.codes import Modality
from telehealth.directory.naming import practitioner_title
from telehealth.schedule_editor.forms import written_minute
from telehealth.schedule_editor.queries import Block, Calendar, Mark, Offered, Person, places_of
from telehealth.schedule_editor.rules import Consequences, DayEffect, Doubt, Standing
from telehealth.scheduling.codes import Channel, ExceptionKind, SessionMode, SessionStatus
from telehealth.scheduling.models import BookingPolicy
from telehealth.scheduling.rules import POLICIES, PlannedSession
from telehealth.web.localization import current_locale, format_date, t

QUARTER = 15
_FIRST_HOUR, _LAST_HOUR = 7, 17


class Grouping(StrEnum):
    """What the rows of the calendar are; a card says what its row does not."""

    DOCTOR = "doctor"
    ROOM = "room"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Card:
    """A session as the calendar draws it. `at`, `span`: quarters of an hour in the view of a day, from 1."""

    block: Block
    time: str
    head: str
    service: str
    places: str
    doors: str
    state: str
    kind: str
    fill: int
    movable: bool
    at: int = 1
    span: int = 1

    @property
    def label(self) -> str:
        """Return all of it in one line, as screen readers say it."""
        return ", ".join(
            part for part in (self.time, self.head, self.service, self.places, self.doors, self.state) if part
        )


@dataclass(frozen=True, slots=True)
class Note:
    """What takes time away, in words."""

    mark: Mark
    text: str
    at: int = 1
    span: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """What one row has on one day."""

    day: date
    cards: tuple[Card, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A doctor or a room, with a cell a day. `key` names the row in addresses."""

    key: str
    title: str
    detail: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A day's heading."""

    day: date
    weekday: str
    date: str
    note: str
    off: bool
    today: bool
    sessions: int
    places: int
    booked: int


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours a view of one day spans."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """Return how many there are."""
        return self.last - self.first


def who(person: Person | None) -> str:
    """Return a practitioner's title and name."""
    return "" if person is None else f"{practitioner_title(person.title)} {person.name}".strip()


def heads(calendar: Calendar, shown: Iterable[Block]) -> list[Head]:
    """Return the headings of the days, with what the blocks shown come to."""
    by_day: dict[date, list[Block]] = defaultdict(list)
    for block in shown:
        by_day[block.day].append(block)
    found = []
    for each in calendar.days:
        blocks = by_day[each.day]
        found.append(
            Head(
                each.day,
                t(f"editor-weekday-{each.day.weekday()}"),
                f"{each.day:%d/%m}",
                _day_note(each, calendar.marks),
                each.holiday or _closed(each.day, calendar.marks),
                each.day == calendar.today,
                len(blocks),
                places_of(blocks),
                sum(block.booked for block in blocks),
            )
        )
    return found


def rows(calendar: Calendar, shown: Sequence[Block], by: str, hours: Hours | None = None) -> list[Row]:
    """Return the calendar's rows in the order of their names; a row has a session or is marked."""
    cards = {id(block): card(block, calendar, by, hours) for block in shown}
    if by == Grouping.ROOM:
        keyed = [(_room_key(block), block) for block in shown]
        marks: list[tuple[str, Mark]] = [
            (calendar.resources[mark.resource_id].code, mark)
            for mark in calendar.marks
            if mark.resource_id is not None and mark.resource_id in calendar.resources
        ]
        titles = {key: _room_title(key) for key, _thing in (*keyed, *marks)}
        order = sorted(titles, key=lambda key: (key == "", key))
    else:
        keyed = [(str(block.practitioner_id), block) for block in shown]
        marks = [(str(mark.practitioner_id), mark) for mark in calendar.marks if mark.practitioner_id]
        titles = {str(key): who(person) for key, person in calendar.people.items()}
        present = {key for key, _block in keyed} | {key for key, _mark in marks}
        order = [key for key in titles if key in present]
    blocks_of: dict[tuple[str, date], list[Block]] = defaultdict(list)
    for key, block in keyed:
        blocks_of[key, block.day].append(block)
    marks_of: dict[tuple[str, date], list[Mark]] = defaultdict(list)
    for key, mark in marks:
        marks_of[key, mark.day].append(mark)
    return [
        Row(
            key,
            titles[key],
            _row_detail(block for each in calendar.days for block in blocks_of[key, each.day]),
            tuple(
                Cell(
                    each.day,
                    tuple(cards[id(block)] for block in blocks_of[key, each.day]),
                    tuple(note(mark, hours) for mark in marks_of[key, each.day] if _has_words(mark)),
                )
                for each in calendar.days
            ),
        )
        for key in order
    ]


def card(block: Block, calendar: Calendar, by: str, hours: Hours | None = None) -> Card:
    """Return a session in words."""
    locale = current_locale()
    service = calendar.services.get(block.service_id)
    parts = (
        who(calendar.people.get(block.practitioner_id)) if by != Grouping.DOCTOR else "",
        block.room if by != Grouping.ROOM else "",
        "Video" if block.modality == Modality.VIDEO else "",
    )
    at, span = _place(block.start_minute, block.end_minute, hours)
    return Card(
        block=block,
        time=f"{written_minute(block.start_minute)}–{written_minute(block.end_minute)}",
        head=" · ".join(part for part in parts if part),
        service=service.name(locale) if service else "",
        places=_places(block),
        doors=_doors(block),
        state=_state(block, calendar.today),
        kind=_kind(block, calendar.today),
        fill=block.fill,
        movable=block.id is not None and block.day >= calendar.today,
        at=at,
        span=span,
    )


def note(mark: Mark, hours: Hours | None = None) -> Note:
    """Return what takes time away, in words."""
    when = (
        t("editor-all-day")
        if mark.start_minute is None
        else f"{written_minute(mark.start_minute)}–{written_minute(mark.end_minute)}"
    )
    one_doctor = mark.kind == ExceptionKind.CLOSED and mark.practitioner_id is not None
    said = t("editor-mark-not-working" if one_doctor else f"editor-mark-{mark.kind}")
    text = f"{said} {when}" + (f" · {mark.text}" if mark.text else "")
    at, span = _place(mark.start_minute or 0, mark.end_minute or 24 * 60, hours)
    return Note(mark, text, at, span)


def hours_of(blocks: Iterable[Block]) -> Hours:
    """Return the hours that hold every session, and an ordinary day in any case."""
    known = list(blocks)
    first = min((block.start_minute // 60 for block in known), default=_FIRST_HOUR)
    last = max((-(-block.end_minute // 60) for block in known), default=_LAST_HOUR)
    return Hours(min(first, _FIRST_HOUR), min(24, max(last, _LAST_HOUR)))


def day_notes(calendar: Calendar, day: date) -> list[tuple[str, str]]:
    """Return what takes time away on a day: whose (empty: the whole facility's), and what."""
    found = []
    for mark in calendar.marks:
        if mark.day != day or not _has_words(mark):
            continue
        resource = calendar.resources.get(mark.resource_id) if mark.resource_id else None
        person = calendar.people.get(mark.practitioner_id) if mark.practitioner_id else None
        found.append((resource.name if resource else who(person), note(mark).text))
    return found


def effect_lines(
    found: Consequences, people: Mapping[UUID, Person], offered: Mapping[UUID, Offered]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the days a change touches, each with its lines: what happens (a kind for the eye), in words."""
    return [(_day_words(effect.day), list(_effect_words(effect, people, offered))) for effect in found.days]


def doubt_words(doubt: Doubt, people: Mapping[UUID, Person]) -> str:
    """Return a warning in words."""
    return t(
        f"editor-doubt-{doubt.code}",
        doctor=who(people.get(doubt.practitioner_id)),
        other=who(people.get(doubt.other_id)) if doubt.other_id else "",
        room=doubt.room,
        day=_day_words(doubt.day),
        days=doubt.days,
    )


def appointments_by_day(items: Iterable[Standing]) -> list[tuple[str, list[Standing]]]:
    """Return appointments by the day they were to be on."""
    found: dict[date, list[Standing]] = defaultdict(list)
    for item in items:
        found[local(item.start).date()].append(item)
    return [(_day_words(day), each) for day, each in sorted(found.items())]


def release_words(policy: BookingPolicy | None) -> str:
    """Return when a service's days are opened; empty where each day opens to the minute, as ever."""
    if policy is None or (policy.release_minute is None and policy.window_days is None):
        return ""
    ahead = POLICIES[Channel.ONLINE].window_days if policy.window_days is None else policy.window_days
    return t("editor-release-words", time=written_minute(policy.release_minute or 0), days=ahead)


def _effect_words(
    effect: DayEffect, people: Mapping[UUID, Person], offered: Mapping[UUID, Offered]
) -> Iterable[tuple[str, str]]:
    for session in effect.removed:
        yield "removed", t("editor-effect-removed", what=_session_words(session, people, offered))
    for session in effect.added:
        yield "added", t("editor-effect-added", what=_session_words(session, people, offered))
    for change in effect.changed:
        kind = "narrowed" if change.narrowed else "changed"
        yield (
            kind,
            t(
                f"editor-effect-{kind}",
                what=_session_words(change.after, people, offered),
                before=_session_places(change.before),
                after=_session_places(change.after),
            ),
        )


def _session_words(
    session: PlannedSession, people: Mapping[UUID, Person], offered: Mapping[UUID, Offered]
) -> str:
    service = offered.get(session.service_id)
    end = session.start_minute + session.slot_count * session.slot_minutes
    parts = [
        f"{written_minute(session.start_minute)}–{written_minute(end)}",
        who(people.get(session.practitioner_id)),
        t("editor-room", room=session.room) if session.room else "",
        service.name(current_locale()) if service else "",
    ]
    return " · ".join(part for part in parts if part)


def _session_places(session: PlannedSession) -> int:
    return session.slot_count * session.capacity


def _day_words(day: date) -> str:
    return format_date(day, "weekday")


def _place(start: int, end: int, hours: Hours | None) -> tuple[int, int]:
    """Return the first quarter and how many, clipped to the hours shown."""
    if hours is None:
        return 1, 1
    first, last = hours.first * 60, hours.last * 60
    start, end = max(start, first), min(end, last)
    at = (start - first) // QUARTER
    return at + 1, max(1, -(-(end - first) // QUARTER) - at)


def _places(block: Block) -> str:
    if block.id is None:
        return t("editor-places-planned", places=block.places)
    own = t("editor-places", booked=block.booked, places=block.places)
    return f"{own} ({t('editor-beside', count=block.beside)})" if block.beside else own


def _doors(block: Block) -> str:
    parts = []
    if block.online_quota:
        parts.append(t("editor-online", booked=block.online_booked, quota=block.online_quota))
    parts += [
        t(f"editor-kept-{kept.door}", booked=min(kept.booked, kept.reserved), reserved=kept.reserved)
        for kept in block.kept
    ]
    if block.overbooked:
        parts.append(t("editor-overbooked", count=block.overbooked))
    return " · ".join(parts)


def _state(block: Block, today: date) -> str:
    if block.status == SessionStatus.CLOSED:
        return t("editor-state-closed")
    if block.id is None:
        return t("editor-state-past" if block.day < today else "editor-state-planned")
    if block.exception_id is not None:
        return t("editor-state-extra")
    if block.mode == SessionMode.SESSION:
        return t("editor-state-session")
    if block.places and block.booked + block.beside >= block.places:
        return t("editor-state-full")
    return ""


def _kind(block: Block, today: date) -> str:
    if block.status == SessionStatus.CLOSED:
        return "closed"
    if block.id is None:
        return "past" if block.day < today else "planned"
    if block.exception_id is not None:
        return "extra"
    return "video" if block.modality == Modality.VIDEO else "room"


def _room_key(block: Block) -> str:
    return block.room if block.modality != Modality.VIDEO or block.room else ""


def _room_title(key: str) -> str:
    return t("editor-room", room=key) if key else t("editor-no-room")


def _row_detail(blocks: Iterable[Block]) -> str:
    known = list(blocks)
    if not known:
        return ""
    return t(
        "editor-row-detail",
        sessions=len(known),
        booked=sum(block.booked for block in known),
        places=places_of(known),
    )


def _has_words(mark: Mark) -> bool:
    """Tell whether the mark is drawn in a cell; an extra session is drawn as the session it makes."""
    return mark.kind != ExceptionKind.EXTRA


def _closed(day: date, marks: Iterable[Mark]) -> bool:
    return any(
        mark.day == day
        and mark.kind == ExceptionKind.CLOSED
        and mark.practitioner_id is None
        and mark.start_minute is None
        for mark in marks
    )


def _day_note(day: CalendarDayView, marks: Iterable[Mark]) -> str:
    notes = []
    if day.kind is DayKind.HOLIDAY:
        notes.append(day.name or t("editor-holiday"))
    elif day.kind is DayKind.WORKS_LIKE and day.weekday is not None:
        notes.append(t("editor-works-like", weekday=t(f"editor-weekday-{day.weekday}")))
    notes += [
        note(mark).text
        for mark in marks
        if mark.day == day.day
        and mark.practitioner_id is None
        and mark.resource_id is None
        and _has_words(mark)
    ]
    return " · ".join(notes)
