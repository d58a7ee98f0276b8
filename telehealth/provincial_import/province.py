"""The whole province as its files give it, and the rules that hold between lines and files."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations, groupby
from math import gcd
from typing import Any, TypeVar

from telehealth.directory.records import (
    FacilityRecord,
    OnCallRecord,
    PractitionerRecord,
    ServicePointRecord,
    ServiceRecord,
)
from telehealth.directory.services import DirectoryRecords
from telehealth.provincial_import import lines
from telehealth.provincial_import.findings import Finding, Place
from telehealth.provincial_import.lines import Sourced, read_lines
from telehealth.provincial_import.reading import Line, Tables
from telehealth.scheduling.codes import ExceptionKind
from telehealth.scheduling.records import (
    ExceptionRecord,
    LimitRecord,
    PolicyRecord,
    ResourceRecord,
    RosterRecord,
)
from telehealth.scheduling.rules import weeks_between

Record = TypeVar("Record")
_FOREVER = date.max


@dataclass(frozen=True, slots=True)
class Province:
    """Every record with its line."""

    facilities: Sequence[Sourced[FacilityRecord]]
    services: Sequence[Sourced[ServiceRecord]]
    practitioners: Sequence[Sourced[PractitionerRecord]]
    service_points: Sequence[Sourced[ServicePointRecord]]
    rosters: Sequence[Sourced[RosterRecord]]
    exceptions: Sequence[Sourced[ExceptionRecord]]
    on_call: Sequence[Sourced[OnCallRecord]]
    resources: Sequence[Sourced[ResourceRecord]] = ()
    policies: Sequence[Sourced[PolicyRecord]] = ()
    limits: Sequence[Sourced[LimitRecord]] = ()

    @property
    def directory(self) -> DirectoryRecords:
        """The directory's part."""
        return DirectoryRecords(
            facilities=[item.record for item in self.facilities],
            services=[item.record for item in self.services],
            practitioners=[item.record for item in self.practitioners],
            service_points=[item.record for item in self.service_points],
            on_call=[item.record for item in self.on_call],
        )

    def moved(self, span: timedelta) -> "Province":
        """Return the province with its dated lines (exceptions, on-call duty) moved in time."""
        return replace(
            self,
            exceptions=[
                replace(
                    item,
                    record=replace(
                        item.record,
                        from_date=item.record.from_date + span,
                        to_date=item.record.to_date + span,
                    ),
                )
                for item in self.exceptions
            ],
            on_call=[
                replace(item, record=replace(item.record, day=item.record.day + span))
                for item in self.on_call
            ],
        )


def read_province(tables: Tables, findings: list[Finding]) -> Province:
    """Read every line and check them against one another; what is wrong is added to findings."""
    province = Province(
        facilities=read_lines(tables["facilities"], lines.facility, findings),
        services=read_lines(tables["services"], lines.service, findings),
        practitioners=read_lines(tables["practitioners"], lines.practitioner, findings),
        service_points=read_lines(tables["service_points"], lines.service_point, findings),
        rosters=read_lines(tables["rosters"], lines.roster, findings),
        exceptions=read_lines(tables["exceptions"], lines.exception, findings),
        on_call=read_lines(tables["oncall"], lines.on_call, findings),
        resources=read_lines(tables["resources"], lines.resource, findings),
        policies=read_lines(tables["policies"], lines.policy, findings),
        limits=read_lines(tables["limits"], lines.limit, findings),
    )
    findings.extend(_duplicates(province))
    known = _Known.of(tables)
    findings.extend(_unknown(province, known))
    findings.extend(_unknown_in_terms(province, known))
    findings.extend(_parent_cycles(province.facilities))
    findings.extend(_not_offered(province))
    findings.extend(_overlaps(province))
    return province


@dataclass(frozen=True, slots=True)
class FacilityFacts:
    """What one facility has: ways by service, everybody's licences, rooms and devices, by their codes."""

    code: str
    services: Mapping[str, Sequence[str]]
    licences: Collection[str]
    rooms: Collection[str]
    resources: Collection[str]


def read_rosters(
    rows: Sequence[Line], facts: FacilityFacts, findings: list[Finding]
) -> list[Sourced[RosterRecord]]:
    """Read a facility's own roster lines and check them against what it has; faults go to findings."""
    known = _Known(
        facilities=frozenset({facts.code}),
        services=frozenset((facts.code, code) for code in facts.services),
        specialties=frozenset(),
        licences=frozenset(facts.licences),
        points=frozenset((facts.code, room) for room in facts.rooms),
        resources=frozenset((facts.code, resource) for resource in facts.resources),
    )
    offered = {(facts.code, code): ways for code, ways in facts.services.items()}
    rosters = read_lines(rows, lines.roster, findings)
    own = [item for item in rosters if item.record.facility_code == facts.code]
    findings.extend(
        item.finding("facility_code", "other-facility", facility=facts.code)
        for item in rosters
        if item.record.facility_code != facts.code
    )
    findings.extend(_twice(own, "valid_from", lambda item: (item.key, item.valid_from)))
    for item in own:
        findings.extend(_unknown_in_roster(item, item.record, known))
        findings.extend(_unknown_beside(item, known))
    findings.extend(_way_not_offered(own, offered))
    findings.extend(_way_not_offered_beside(own, offered))
    return own


def overlaps_of(rosters: Sequence[Sourced[RosterRecord]], settled: Collection[Place]) -> Iterator[Finding]:
    """Refuse a practitioner in two places at once, unless both lines are in force as they stand."""
    duties = [(item.record.licence_no, _roster_duty(item)) for item in rosters]
    for earlier, later in _meeting(duties):
        if not {earlier.item.place, later.item.place} <= set(settled):
            yield _overlap(earlier, later)


@dataclass(frozen=True, slots=True)
class _Known:
    """Codes that any line defines, even a faulty one: a fault is told once, not at each use."""

    facilities: frozenset[str]
    services: frozenset[tuple[str, str]]
    specialties: frozenset[str]
    licences: frozenset[str]
    points: frozenset[tuple[str, str]]
    resources: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, tables: Tables) -> "_Known":
        return cls(
            facilities=frozenset(_column(tables["facilities"], "facility_code")),
            services=frozenset(_pairs(tables["services"], "facility_code", "service_code")),
            specialties=frozenset(_column(tables["services"], "service_code")),
            licences=frozenset(
                text.upper().replace(" ", "") for text in _column(tables["practitioners"], "licence_no")
            ),
            points=frozenset(_pairs(tables["service_points"], "facility_code", "point_code")),
            resources=frozenset(_pairs(tables["resources"], "facility_code", "resource_code")),
        )


def _column(rows: Iterable[Line], column: str) -> Iterator[str]:
    return (line.cells[column] for line in rows)


def _pairs(rows: Iterable[Line], first: str, second: str) -> Iterator[tuple[str, str]]:
    return ((line.cells[first], line.cells[second]) for line in rows)


def _duplicates(province: Province) -> Iterator[Finding]:
    yield from _twice(province.facilities, "facility_code", lambda item: item.code)
    yield from _twice(province.facilities, "national_code", lambda item: item.national_code)
    yield from _twice(province.services, "service_code", lambda item: (item.facility_code, item.code))
    yield from _twice(province.practitioners, "licence_no", lambda item: item.licence_no)
    yield from _twice(province.service_points, "point_code", lambda item: (item.facility_code, item.code))
    yield from _twice(province.resources, "resource_code", lambda item: (item.facility_code, item.code))
    yield from _twice(province.policies, "service_code", lambda item: (item.facility_code, item.service_code))
    yield from _twice(province.limits, "licence_no", lambda item: item.licence_no)
    yield from _twice(province.exceptions, "from_date", lambda item: item.key)
    yield from _twice(province.on_call, "date", lambda item: (item.facility_code, item.specialty, item.day))


def _twice(
    items: Iterable[Sourced[Record]], column: str, key: Callable[[Record], Hashable]
) -> Iterator[Finding]:
    first: dict[Hashable, Sourced[Record]] = {}
    for item in items:
        earlier = first.setdefault(key(item.record), item)
        if earlier is not item:
            yield item.finding(column, "twice", other=str(earlier.place))


def _unknown(province: Province, known: _Known) -> Iterator[Finding]:
    for facility in province.facilities:
        if facility.record.parent_code and facility.record.parent_code not in known.facilities:
            yield facility.finding("parent_code", "unknown-facility")
    for service in province.services:
        yield from _unknown_facility(service, service.record.facility_code, known)
    for point in province.service_points:
        yield from _unknown_facility(point, point.record.facility_code, known)
    for doctor in province.practitioners:
        yield from _unknown_facility(doctor, doctor.record.facility_code, known)
        yield from _unknown_specialty(doctor, doctor.record.specialty, known)
    for roster in province.rosters:
        yield from _unknown_in_roster(roster, roster.record, known)
        yield from _unknown_beside(roster, known)
    for exception in province.exceptions:
        yield from _unknown_in_roster(exception, exception.record, known)
    for duty in province.on_call:
        yield from _unknown_facility(duty, duty.record.facility_code, known)
        yield from _unknown_specialty(duty, duty.record.specialty, known)
        yield from _unknown_licence(duty, "first_licence_no", duty.record.first_licence_no, known)
        yield from _unknown_licence(duty, "second_licence_no", duty.record.second_licence_no, known)


def _unknown_in_terms(province: Province, known: _Known) -> Iterator[Finding]:
    for resource in province.resources:
        yield from _unknown_facility(resource, resource.record.facility_code, known)
    for policy in province.policies:
        yield from _unknown_service(policy, "service_code", policy.record.service_code, known)
    for limit in province.limits:
        yield from _unknown_licence(limit, "licence_no", limit.record.licence_no, known)


def _unknown_facility(item: Sourced[Any], code: str, known: _Known) -> Iterator[Finding]:
    if code not in known.facilities:
        yield item.finding("facility_code", "unknown-facility")


def _unknown_specialty(item: Sourced[Any], code: str, known: _Known) -> Iterator[Finding]:
    if code not in known.specialties:
        yield item.finding("specialty", "unknown-specialty")


def _unknown_licence(item: Sourced[Any], column: str, number: str, known: _Known) -> Iterator[Finding]:
    if number and number not in known.licences:
        yield item.finding(column, "unknown-licence")


def _unknown_in_roster(
    item: Sourced[Any], record: RosterRecord | ExceptionRecord, known: _Known
) -> Iterator[Finding]:
    yield from _unknown_licence(item, "licence_no", record.licence_no, known)
    if record.facility_code not in known.facilities:
        yield item.finding("facility_code", "unknown-facility")
        return
    if record.service_code and (record.facility_code, record.service_code) not in known.services:
        yield item.finding("service_code", "unknown-service", facility=record.facility_code)
    if record.room and (record.facility_code, record.room) not in known.points:
        yield item.finding("room", "unknown-room", facility=record.facility_code)


def _unknown_service(item: Sourced[Any], column: str, code: str, known: _Known) -> Iterator[Finding]:
    facility = item.record.facility_code
    if facility not in known.facilities:
        yield item.finding("facility_code", "unknown-facility")
    elif (facility, code) not in known.services:
        yield item.finding(column, "unknown-service", facility=facility)


def _unknown_beside(item: Sourced[RosterRecord], known: _Known) -> Iterator[Finding]:
    """Say which of a line's further services and resources its facility does not have."""
    facility = item.record.facility_code
    if facility not in known.facilities:
        return
    for code in item.record.more_services:
        if (facility, code) not in known.services:
            yield item.finding("services", "unknown-service", facility=facility)
    for code in item.record.resources:
        if (facility, code) not in known.resources:
            yield item.finding("resources", "unknown-resource", facility=facility)


def _parent_cycles(facilities: Sequence[Sourced[FacilityRecord]]) -> Iterator[Finding]:
    parents = {item.record.code: item.record.parent_code for item in facilities}
    for item in facilities:
        chain = [item.record.code]
        while (parent := parents.get(chain[-1], "")) and parent not in chain:
            chain.append(parent)
        if parent == item.record.code:
            yield item.finding("parent_code", "parent-cycle", chain=" > ".join([*chain, parent]))


def _not_offered(province: Province) -> Iterator[Finding]:
    offered = {
        (item.record.facility_code, item.record.code): item.record.modalities for item in province.services
    }
    yield from _way_not_offered([*province.rosters, *province.exceptions], offered)
    yield from _way_not_offered_beside(province.rosters, offered)


_Offered = Mapping[tuple[str, str], Sequence[str]]


def _way_not_offered(scheduled: Iterable[Sourced[Any]], offered: _Offered) -> Iterator[Finding]:
    for item in scheduled:
        record: RosterRecord | ExceptionRecord = item.record
        modalities = offered.get((record.facility_code, record.service_code))
        if modalities is not None and record.modality not in modalities:
            yield item.finding("modality", "modality-not-offered", offered=", ".join(modalities))


def _way_not_offered_beside(rosters: Iterable[Sourced[RosterRecord]], offered: _Offered) -> Iterator[Finding]:
    for item in rosters:
        for code in item.record.more_services:
            modalities = offered.get((item.record.facility_code, code))
            if modalities is not None and item.record.modality not in modalities:
                yield item.finding("services", "modality-not-offered", offered=", ".join(modalities))


@dataclass(frozen=True, slots=True)
class _Duty:
    """When a practitioner is somewhere: weekdays and minutes within a span of days, every some weeks."""

    item: Sourced[Any]
    weekdays: frozenset[int]
    start: int
    end: int
    first_day: date
    last_day: date
    every_weeks: int = 1

    def meets(self, other: "_Duty") -> bool:
        """Tell whether one person would have to be at both at once."""
        return (
            self.start < other.end
            and other.start < self.end
            and self.first_day <= other.last_day
            and other.first_day <= self.last_day
            and bool(self.weekdays & other.weekdays)
            and weeks_between(self.first_day, other.first_day) % gcd(self.every_weeks, other.every_weeks) == 0
        )


def _overlaps(province: Province) -> Iterator[Finding]:
    """Refuse a practitioner in two places at once (Law 15/2023, articles 36-38).

    An extra session may fall into the hours of a roster line only on a day of leave.
    """
    away = _days_away(province.exceptions)
    duties = [(item.record.licence_no, _roster_duty(item)) for item in province.rosters]
    for item in province.exceptions:
        record = item.record
        if record.kind == ExceptionKind.EXTRA and not _is_away(away, record):
            duties.append((record.licence_no, _extra_duty(item)))
    for earlier, later in _meeting(duties):
        yield _overlap(earlier, later)


def _meeting(duties: list[tuple[str, _Duty]]) -> Iterator[tuple[_Duty, _Duty]]:
    """Yield the pairs of one person's duties that are at the same time."""
    duties.sort(key=lambda pair: pair[0])
    for _licence, mine in groupby(duties, key=lambda pair: pair[0]):
        for (_, earlier), (_, later) in combinations(list(mine), 2):
            if earlier.meets(later):
                yield earlier, later


def _overlap(earlier: _Duty, later: _Duty) -> Finding:
    return later.item.finding(
        "start",
        "roster-overlap",
        other=str(earlier.item.place),
        facility=earlier.item.record.facility_code,
    )


def _roster_duty(item: Sourced[RosterRecord]) -> _Duty:
    record = item.record
    return _Duty(
        item,
        frozenset(record.weekdays),
        record.start_minute,
        record.end_minute,
        record.valid_from,
        record.valid_to or _FOREVER,
        record.every_weeks,
    )


def _extra_duty(item: Sourced[ExceptionRecord]) -> _Duty:
    record = item.record
    days = min((record.to_date - record.from_date).days + 1, 7)
    weekdays = frozenset((record.from_date.weekday() + ahead) % 7 for ahead in range(days))
    start, end = record.start_minute or 0, record.end_minute or 0
    return _Duty(item, weekdays, start, end, record.from_date, record.to_date)


def _days_away(
    exceptions: Iterable[Sourced[ExceptionRecord]],
) -> Mapping[str, list[tuple[date, date]]]:
    away: dict[str, list[tuple[date, date]]] = {}
    for item in exceptions:
        if item.record.kind == ExceptionKind.LEAVE:
            away.setdefault(item.record.licence_no, []).append((item.record.from_date, item.record.to_date))
    return away


def _is_away(away: Mapping[str, list[tuple[date, date]]], record: ExceptionRecord) -> bool:
    return any(
        first <= record.from_date and record.to_date <= last
        for first, last in away.get(record.licence_no, ())
    )
