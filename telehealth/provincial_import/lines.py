"""From a line of text to a record, collecting every bad cell instead of stopping at the first."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from telehealth.directory.codes import CareLevel, FacilityKind, Modality, ServicePointKind
from telehealth.directory.records import (
    FacilityRecord,
    OnCallRecord,
    PractitionerRecord,
    ServicePointRecord,
    ServiceRecord,
)
from telehealth.provincial_import import cells
from telehealth.provincial_import.findings import BadValue, Finding, Place
from telehealth.provincial_import.reading import Line
from telehealth.scheduling.codes import ExceptionKind, ResourceKind, SessionMode
from telehealth.scheduling.drafts import MOST_CAPACITY
from telehealth.scheduling.records import (
    ExceptionRecord,
    LimitRecord,
    PolicyRecord,
    ResourceRecord,
    RosterRecord,
)

Value = TypeVar("Value")
Record = TypeVar("Record")

_NO_DAY = date.min
_LONGEST_STEP = 480
_ROOM = "room"  # what the files call the roster's room; ours is `clinic`


@dataclass(frozen=True, slots=True)
class Sourced(Generic[Record]):
    """A record and the line it came from."""

    record: Record
    line: Line

    @property
    def place(self) -> Place:
        """Where the line stands."""
        return self.line.place

    def finding(self, column: str, code: str, **params: str | int) -> Finding:
        """Return a finding about one of the line's cells."""
        return Finding(self.place, column, self.line.cells.get(column, ""), code, params)


class Cells:
    """The cells of one line; a bad one becomes a finding and its stand-in value."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.findings: list[Finding] = []

    def take(self, column: str, read: Callable[[str], Value], stand_in: Value) -> Value:
        """Return the value of a cell, or the stand-in; the record is then thrown away."""
        text = self.line.cells[column]
        try:
            return read(text)
        except BadValue as bad:
            self.findings.append(Finding(self.line.place, column, text, bad.code, bad.params))
            return stand_in

    def text(self, column: str, read: Callable[[str], str] = cells.free) -> str:
        """Return a text."""
        return self.take(column, read, "")

    def refuse(self, column: str, code: str, **params: str | int) -> None:
        """Refuse a cell that reads well but does not fit its line."""
        self.findings.append(Finding(self.line.place, column, self.line.cells[column], code, params))


def read_lines(
    lines: Iterable[Line], read: Callable[[Cells], Record], findings: list[Finding]
) -> list[Sourced[Record]]:
    """Return the records of the lines without fault; the others' faults are added to findings."""
    records = []
    for line in lines:
        row = Cells(line)
        record = read(row)
        findings.extend(row.findings)
        if not row.findings:
            records.append(Sourced(record, line))
    return records


def facility(row: Cells) -> FacilityRecord:
    """Read a line of facilities."""
    return FacilityRecord(
        code=row.text("facility_code", cells.code),
        national_code=row.text("national_code", cells.code),
        name=row.text("name", cells.title),
        kind=row.text("kind", cells.one_of(FacilityKind)),
        care_level=row.text("care_level", cells.one_of(CareLevel)),
        parent_code=row.text("parent_code"),
        address=row.text("address"),
        area=row.text("area"),
        province=row.text("province"),
        latitude=row.take("latitude", cells.optional(cells.degrees(90)), None),
        longitude=row.take("longitude", cells.optional(cells.degrees(180)), None),
        hotline=row.text("hotline"),
        hours=row.take("hours", cells.hours, ()),
        after_hours=row.take("after_hours", cells.hours, ()),
    )


def service(row: Cells) -> ServiceRecord:
    """Read a line of services."""
    return ServiceRecord(
        facility_code=row.text("facility_code", cells.code),
        code=row.text("service_code", cells.code),
        name_vi=row.text("name_vi", cells.title),
        name_en=row.text("name_en", cells.title),
        duration_minutes=row.take("duration_minutes", cells.whole(1, 480), 1),
        price_insured_vnd=row.take("price_insured_vnd", cells.price, None),
        price_self_vnd=row.take("price_self_vnd", cells.price, None),
        price_on_request_vnd=row.take("price_on_request_vnd", cells.price, None),
        price_after_hours_vnd=row.take("price_after_hours_vnd", cells.price, None),
        modalities=row.take("modalities", cells.several_of(Modality), ()),
        online_booking=row.take("online_booking", cells.yes_no, False),
        online_share_percent=row.take("online_share_percent", cells.whole(0, 100), 0),
    )


def practitioner(row: Cells) -> PractitionerRecord:
    """Read a line of practitioners."""
    return PractitionerRecord(
        licence_no=row.text("licence_no", cells.licence),
        name=row.text("name", cells.title),
        title=row.text("title"),
        specialty=row.text("specialty", cells.code),
        facility_code=row.text("facility_code", cells.code),
        phone=row.text("phone", cells.phone),
        email=row.text("email", cells.email),
    )


def service_point(row: Cells) -> ServicePointRecord:
    """Read a line of service points."""
    return ServicePointRecord(
        facility_code=row.text("facility_code", cells.code),
        code=row.text("point_code", cells.code),
        name=row.text("name", cells.title),
        kind=row.text("kind", _point_kind),
    )


def roster(row: Cells) -> RosterRecord:
    """Read a line of rosters."""
    record = RosterRecord(
        facility_code=row.text("facility_code", cells.code),
        licence_no=row.text("licence_no", cells.licence),
        service_code=row.text("service_code", cells.code),
        modality=row.text("modality", cells.one_of(Modality)),
        weekdays=row.take("weekdays", cells.weekdays, ()),
        start_minute=row.take("start", cells.minute, 0),
        end_minute=row.take("end", cells.minute, 1440),
        slot_minutes=row.take("slot_minutes", cells.whole(1, 480), 1),
        capacity=row.take("capacity", cells.whole(1, MOST_CAPACITY), 1),
        room=row.text("room"),
        valid_from=row.take("valid_from", cells.day, _NO_DAY),
        valid_to=row.take("valid_to", cells.optional(cells.day), None),
        every_weeks=row.take("every_weeks", cells.otherwise(cells.whole(1, 52), 1), 1),
        mode=row.text("mode", cells.otherwise(cells.one_of(SessionMode), SessionMode.SLOT)),
        lead_minutes=row.take("lead_minutes", cells.otherwise(cells.whole(0, 120), 0), 0),
        tail_minutes=row.take("tail_minutes", cells.otherwise(cells.whole(0, 120), 0), 0),
        overbook_most=row.take("overbook_most", cells.otherwise(cells.whole(0, 20), 2), 2),
        more_services=row.take("services", cells.codes, ()),
        resources=row.take("resources", cells.codes, ()),
        quotas=row.take("quotas", cells.quotas, ()),
    )
    _check_span(row, record.start_minute, record.end_minute, record.step)
    _check_quotas(row, record)
    if record.valid_to is not None and record.valid_to < record.valid_from:
        row.refuse("valid_to", "end-before-start", start=record.valid_from.isoformat())
    return record


def exception(row: Cells) -> ExceptionRecord:
    """Read a line of exceptions; what a line must hold depends on its kind."""
    from_date = row.take("from_date", cells.day, _NO_DAY)
    record = ExceptionRecord(
        facility_code=row.text("facility_code", cells.code),
        licence_no=row.text("licence_no", lambda text: cells.licence(text) if text else ""),
        kind=row.text("kind", cells.one_of(ExceptionKind)),
        from_date=from_date,
        to_date=row.take("to_date", cells.optional(cells.day), None) or from_date,
        start_minute=row.take("start", cells.optional(cells.minute), None),
        end_minute=row.take("end", cells.optional(cells.minute), None),
        service_code=row.text("service_code"),
        modality=row.text("modality", lambda text: cells.one_of(Modality)(text) if text else ""),
        slot_minutes=row.take("slot_minutes", cells.optional(cells.whole(1, 480)), None),
        capacity=row.take("capacity", cells.optional(cells.whole(1, 100)), None),
        room=row.text("room"),
        like_weekday=row.take("like_weekday", cells.optional(cells.weekday), None),
        note=row.text("note"),
    )
    if not row.findings:
        _check_exception(row, record)
    return record


def resource(row: Cells) -> ResourceRecord:
    """Read a line of resources."""
    return ResourceRecord(
        facility_code=row.text("facility_code", cells.code),
        code=row.text("resource_code", cells.code),
        name=row.text("name", cells.title),
        kind=row.text("kind", cells.one_of(ResourceKind)),
        lanes=row.take("lanes", cells.otherwise(cells.whole(1, 100), 1), 1),
    )


def policy(row: Cells) -> PolicyRecord:
    """Read a line of policies."""
    return PolicyRecord(
        facility_code=row.text("facility_code", cells.code),
        service_code=row.text("service_code", cells.code),
        min_notice_minutes=row.take("min_notice_minutes", cells.optional(cells.whole(0, 43200)), None),
        window_days=row.take("window_days", cells.optional(cells.whole(0, 366)), None),
        release_minute=row.take("release", cells.optional(cells.minute), None),
        cancel_notice_minutes=row.take("cancel_notice_minutes", cells.optional(cells.whole(0, 43200)), None),
        hold_seconds=row.take("hold_seconds", cells.optional(cells.whole(60, 1800)), None),
    )


def limit(row: Cells) -> LimitRecord:
    """Read a line of limits."""
    return LimitRecord(
        licence_no=row.text("licence_no", cells.licence),
        per_day=row.take("patients_per_day", cells.whole(1, 1000), 1),
    )


def on_call(row: Cells) -> OnCallRecord:
    """Read a line of on-call duty."""
    record = OnCallRecord(
        facility_code=row.text("facility_code", cells.code),
        specialty=row.text("specialty", cells.code),
        day=row.take("date", cells.day, _NO_DAY),
        first_licence_no=row.text("first_licence_no", cells.licence),
        second_licence_no=row.text("second_licence_no", lambda text: cells.licence(text) if text else ""),
    )
    if record.first_licence_no and record.first_licence_no == record.second_licence_no:
        row.refuse("second_licence_no", "same-person-twice")
    return record


_NEEDED_BY_KIND: Mapping[str, tuple[str, ...]] = {
    ExceptionKind.LEAVE: ("licence_no",),
    ExceptionKind.EXTRA: (
        "licence_no",
        "start",
        "end",
        "service_code",
        "modality",
        "slot_minutes",
        "capacity",
    ),
    ExceptionKind.CLOSED: (),
    ExceptionKind.WORKS_LIKE: ("like_weekday",),
}


def _check_exception(row: Cells, record: ExceptionRecord) -> None:
    for column in _NEEDED_BY_KIND[record.kind]:
        if not row.line.cells[column]:
            row.refuse(column, "needed-by-kind", kind=record.kind)
    if record.like_weekday is not None and record.kind != ExceptionKind.WORKS_LIKE:
        row.refuse("like_weekday", "not-of-kind", kind=record.kind)
    if record.to_date < record.from_date:
        row.refuse("to_date", "end-before-start", start=record.from_date.isoformat())
    if (record.start_minute is None) != (record.end_minute is None):
        row.refuse("start" if record.start_minute is None else "end", "start-and-end")
    elif record.start_minute is not None and record.end_minute is not None:
        _check_span(row, record.start_minute, record.end_minute, record.slot_minutes or 1)


def _check_quotas(row: Cells, record: RosterRecord) -> None:
    places = (record.end_minute - record.start_minute) // record.step * record.capacity
    if sum(quota.places for quota in record.quotas) > max(places, 0):
        row.refuse("quotas", "quota-too-large", places=max(places, 0))


def _check_span(row: Cells, start: int, end: int, slot: int) -> None:
    if end <= start:
        row.refuse("end", "end-before-start", start=row.line.cells["start"])
    elif slot > min(end - start, _LONGEST_STEP):
        row.refuse("slot_minutes", "slot-too-long", session=min(end - start, _LONGEST_STEP))


def _point_kind(text: str) -> str:
    if text.lower() == _ROOM:
        return ServicePointKind.CLINIC
    return cells.one_of(ServicePointKind)(text)
