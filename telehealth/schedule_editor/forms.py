"""Reading the editor's forms. Fields are named as the drafts'; times are `07:30`, days `2026-12-01`."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from werkzeug.datastructures import MultiDict

from telehealth.core.clock import at_local
from telehealth.core.errors import Unprocessable
from telehealth.core.text import whole_number
from telehealth.scheduling.codes import Door, ExceptionKind, SessionMode
from telehealth.scheduling.drafts import (
    BlockingDraft,
    ExceptionDraft,
    LineDraft,
    MoveDraft,
    PolicyDraft,
    QuotaDraft,
    ResourceDraft,
)

T = TypeVar("T")

_TIME = re.compile(r"([01]?\d|2[0-4])[:hH.](\d\d)")
_MINUTES_AN_HOUR = 60


class Fields:
    """A posted form; what cannot be read is gathered by field and refused at once."""

    def __init__(self, form: "MultiDict[str, str]") -> None:
        self._form = form
        self._faults: dict[str, list[str]] = {}

    def text(self, name: str) -> str:
        """Return the text without spaces around it."""
        return self._form.get(name, "").strip()

    def several(self, name: str) -> list[str]:
        """Return every value that was ticked."""
        return self._form.getlist(name)

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number; an empty field is the default."""
        typed = self.text(name)
        value = default if not typed and default is not None else whole_number(typed)
        return self._or_fault(name, value, "field-number", 0)

    def perhaps_number(self, name: str) -> int | None:
        """Return a whole number, or None of an empty field."""
        return self.number(name) if self.text(name) else None

    def day(self, name: str) -> date:
        """Return a day."""
        return self._or_fault(name, read_day(self.text(name)), "field-date", date.min)

    def perhaps_day(self, name: str) -> date | None:
        """Return a day, or None of an empty field."""
        return self.day(name) if self.text(name) else None

    def minute(self, name: str) -> int:
        """Return a minute of day."""
        return self._or_fault(name, read_minute(self.text(name)), "schedule-time-unreadable", 0)

    def perhaps_minute(self, name: str) -> int | None:
        """Return a minute of day, or None of an empty field."""
        return self.minute(name) if self.text(name) else None

    def key(self, name: str) -> UUID:
        """Return the id that was chosen."""
        return self._or_fault(name, read_key(self.text(name)), "schedule-choice-missing", UUID(int=0))

    def perhaps_key(self, name: str) -> UUID | None:
        """Return the id that was chosen, or None."""
        return self.key(name) if self.text(name) else None

    def keys(self, name: str) -> tuple[UUID, ...]:
        """Return every id that was ticked."""
        found = [read_key(value) for value in self.several(name)]
        if None in found:
            self._faults[name] = ["schedule-choice-missing"]
        return tuple(sorted({value for value in found if value is not None}))

    def fault(self, name: str, message: str) -> None:
        """Note what is wrong with a field."""
        self._faults.setdefault(name, [message])

    def done(self) -> None:
        """Raise Unprocessable when something could not be read."""
        if self._faults:
            raise Unprocessable(self._faults)

    def _or_fault(self, name: str, value: T | None, message: str, instead: T) -> T:
        if value is None:
            self.fault(name, message if self.text(name) else "field-required")
            return instead
        return value


def read_day(typed: str) -> date | None:
    """Return the day of `2026-12-01`, or None."""
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None


def read_minute(typed: str) -> int | None:
    """Return the minute of day of `07:30`, `7h30` or `24:00`, or None."""
    found = _TIME.fullmatch(typed)
    if found is None:
        return None
    minute = int(found[1]) * _MINUTES_AN_HOUR + int(found[2])
    return minute if int(found[2]) < _MINUTES_AN_HOUR and minute <= 24 * _MINUTES_AN_HOUR else None


def written_minute(minute: int | None) -> str:
    """Return `07:30` of a minute of day."""
    return "" if minute is None else f"{minute // 60:02d}:{minute % 60:02d}"


def read_key(typed: str) -> UUID | None:
    """Return an id, or None of anything else."""
    try:
        return UUID(typed)
    except ValueError:
        return None


def read_line(form: "MultiDict[str, str]") -> LineDraft:
    """Return the roster line of a form. Raises Unprocessable."""
    fields = Fields(form)
    quotas = []
    for door in Door:
        places = fields.number(f"quota-{door}", 0)
        if places:
            hours = fields.number(f"falls-{door}", 0)
            quotas.append(QuotaDraft(door, places, hours * _MINUTES_AN_HOUR))
    draft = LineDraft(
        practitioner_id=fields.key("practitioner_id"),
        service_id=fields.key("service_id"),
        modality=fields.text("modality"),
        weekdays=_weekdays(fields),
        start_minute=fields.minute("start_minute"),
        end_minute=fields.minute("end_minute"),
        slot_minutes=fields.number("slot_minutes"),
        capacity=fields.number("capacity", 1),
        room=fields.text("room"),
        valid_from=fields.day("valid_from"),
        valid_to=fields.perhaps_day("valid_to"),
        every_weeks=fields.number("every_weeks", 1),
        mode=fields.text("mode") or SessionMode.SLOT,
        lead_minutes=fields.number("lead_minutes", 0),
        tail_minutes=fields.number("tail_minutes", 0),
        overbook_most=fields.number("overbook_most", 2),
        further_service_ids=fields.keys("further_service_ids"),
        resource_ids=fields.keys("resource_ids"),
        quotas=tuple(quotas),
    )
    fields.done()
    return draft


def read_exception(form: "MultiDict[str, str]") -> ExceptionDraft:
    """Return the exception of a form; fields of other kinds are left out. Raises Unprocessable."""
    fields = Fields(form)
    kind = fields.text("kind")
    extra = kind == ExceptionKind.EXTRA
    from_date = fields.day("from_date")
    draft = ExceptionDraft(
        kind=kind,
        from_date=from_date,
        to_date=fields.perhaps_day("to_date") or from_date,
        practitioner_id=fields.perhaps_key("practitioner_id"),
        start_minute=None if kind == ExceptionKind.WORKS_LIKE else fields.perhaps_minute("start_minute"),
        end_minute=None if kind == ExceptionKind.WORKS_LIKE else fields.perhaps_minute("end_minute"),
        service_id=fields.perhaps_key("service_id") if extra else None,
        modality=fields.text("modality") if extra else None,
        slot_minutes=fields.number("slot_minutes") if extra else None,
        capacity=fields.number("capacity", 1) if extra else None,
        room=fields.text("room") if extra else None,
        like_weekday=fields.number("like_weekday") if kind == ExceptionKind.WORKS_LIKE else None,
        note=fields.text("note"),
    )
    fields.done()
    return draft


def read_move(form: "MultiDict[str, str]") -> MoveDraft:
    """Return where a session is to be moved. Raises Unprocessable."""
    fields = Fields(form)
    draft = MoveDraft(
        day=fields.day("day"),
        start_minute=fields.minute("start_minute"),
        practitioner_id=fields.key("practitioner_id"),
        room=fields.text("room"),
        end_minute=fields.perhaps_minute("end_minute"),
    )
    fields.done()
    return draft


def read_blocking(form: "MultiDict[str, str]") -> BlockingDraft:
    """Return the blocking of a form. Raises Unprocessable."""
    fields = Fields(form)
    what = fields.text("subject")
    first = fields.day("from_date")
    last = fields.perhaps_day("to_date") or first
    begin, end = fields.minute("start_minute"), fields.minute("end_minute")
    practitioner_id = fields.key("practitioner_id") if what == "practitioner" else None
    resource_id = fields.key("resource_id") if what == "resource" else None
    if what not in ("practitioner", "resource", "facility"):
        fields.fault("subject", "schedule-choice-missing")
    fields.done()
    return BlockingDraft(
        from_at=_instant(first, begin),
        to_at=_instant(last, end),
        reason=fields.text("reason"),
        practitioner_id=practitioner_id,
        resource_id=resource_id,
        override_roles=tuple(sorted(set(fields.several("override_roles")))),
    )


def read_resource(form: "MultiDict[str, str]") -> ResourceDraft:
    """Return the room or device of a form. Raises Unprocessable."""
    fields = Fields(form)
    draft = ResourceDraft(
        kind=fields.text("kind"),
        code=fields.text("code"),
        name=fields.text("name"),
        lanes=fields.number("lanes", 1),
    )
    fields.done()
    return draft


def read_policy(form: "MultiDict[str, str]") -> PolicyDraft:
    """Return the booking policy of a form, which counts notices in hours. Raises Unprocessable."""
    fields = Fields(form)
    notice, cancel = fields.perhaps_number("notice_hours"), fields.perhaps_number("cancel_hours")
    hold = fields.perhaps_number("hold_minutes")
    draft = PolicyDraft(
        min_notice_minutes=_times(notice, _MINUTES_AN_HOUR),
        window_days=fields.perhaps_number("window_days"),
        release_minute=fields.perhaps_minute("release_minute"),
        cancel_notice_minutes=_times(cancel, _MINUTES_AN_HOUR),
        hold_seconds=_times(hold, 60),
    )
    fields.done()
    return draft


def kept_fields(form: "MultiDict[str, str]", without: frozenset[str]) -> list[tuple[str, str]]:
    """Return what was typed, for a page that asks once more before it is done."""
    return [(name, value) for name, value in form.items(multi=True) if name not in without]


def form_values(form: "MultiDict[str, str]") -> Mapping[str, list[str]]:
    """Return every field with all its values, to fill the form again."""
    return {name: form.getlist(name) for name in form}


def _weekdays(fields: Fields) -> tuple[int, ...]:
    found = [whole_number(value) for value in fields.several("weekdays")]
    return tuple(sorted({value for value in found if value is not None}))


def _instant(day: date, minute: int) -> datetime:
    return at_local(day, minute)


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor
