"""Reading the directory: facilities, services, practitioners and the calendar."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Select, and_, case, exists, func, literal, select, tuple_
from sqlalchemy.orm import Session

from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.core.text import clean, search_form, sort_key
from telehealth.directory import calendar
from telehealth.directory.calendar import CalendarDayView, Override, OverrideKind
from telehealth.directory.errors import NoSuchFacility
from telehealth.directory.hours import OpeningPeriod
from telehealth.directory.models import (
    CalendarDay,
    Facility,
    HealthcareService,
    OnCall,
    Practitioner,
    ServicePoint,
)
from telehealth.directory.naming import short_name
from telehealth.directory.places import EARTH_RADIUS_KM, Place
from telehealth.directory.preparation import preparation

SIMILAR_ENOUGH = 0.25
SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class FacilityView:
    """A facility as others see it; `distance_km` is as the crow flies from the place asked about."""

    id: UUID
    code: str
    national_code: str
    name: str
    short_name: str
    kind: str
    care_level: str
    address: str
    area: str
    province: str
    hotline: str
    latitude: float | None
    longitude: float | None
    hours: tuple[OpeningPeriod, ...]
    after_hours: tuple[OpeningPeriod, ...]
    parent_id: UUID | None
    distance_km: float | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in đồng by class; None where the class is not offered."""

    insured: int | None
    self: int | None
    on_request: int | None
    after_hours: int | None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service of a facility."""

    id: UUID
    facility_id: UUID
    code: str
    name_vi: str
    name_en: str
    duration_minutes: int
    prices: Prices
    modalities: tuple[str, ...]
    online_booking: bool
    online_share_percent: int
    own_preparation_vi: str = ""
    own_preparation_en: str = ""

    def name(self, locale: str) -> str:
        """Return the name in a language."""
        return self.name_en if locale == "en" else self.name_vi

    def preparation(self, locale: str) -> tuple[str, ...]:
        """Return how to prepare, one line for each thing; in Vietnamese where a facility wrote no English."""
        own = (self.own_preparation_en if locale == "en" else "") or self.own_preparation_vi
        return preparation(self.code, own, locale)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A service that some facilities of the province offer; `facilities` counts them."""

    code: str
    name_vi: str
    name_en: str
    modalities: tuple[str, ...]
    facilities: int

    def name(self, locale: str) -> str:
        """Return the name in a language."""
        return self.name_en if locale == "en" else self.name_vi


@dataclass(frozen=True, slots=True)
class PractitionerView:
    """A doctor and where they belong."""

    id: UUID
    licence_no: str
    name: str
    title: str
    specialty: str
    facility_id: UUID
    facility_code: str
    facility_name: str


@dataclass(frozen=True, slots=True)
class ServicePointView:
    """A desk, room or counter."""

    id: UUID
    facility_id: UUID
    code: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class OnCallView:
    """Who is on call for a specialty on a day."""

    specialty: str
    day: date
    first_practitioner_id: UUID
    second_practitioner_id: UUID | None


@dataclass(frozen=True, slots=True)
class AreaView:
    """A part of the province where there are facilities, and the middle of them."""

    name: str
    centre: Place | None


@dataclass(frozen=True, slots=True)
class FacilityPage:
    """A page of facilities. `approximate`: nothing has the name asked for, these come near it."""

    items: tuple[FacilityView, ...]
    next: str | None = None
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class PractitionerPage:
    """A page of practitioners, by given name."""

    items: tuple[PractitionerView, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class FacilityQuery:
    """What somebody looks for; empty fields ask nothing."""

    q: str = ""
    care_level: str = ""
    service: str = ""
    near: Place | None = None
    limit: int = 20
    cursor: str = ""


def facilities(session: Session, query: FacilityQuery) -> FacilityPage:
    """Return facilities by distance if a place is given, else by name in Vietnamese order.

    Names are found with and without marks; those that carry the marks as typed come first.
    Raises BadCursor.
    """
    page = _facility_page(session, query, _named(Facility.name_search, query.q))
    if page.items or query.cursor or not search_form(query.q):
        return page
    return _similar_facilities(session, query)


def facility_by_code(session: Session, code: str) -> FacilityView:
    """Return the facility in service with this code. Raises NoSuchFacility."""
    found = session.scalar(select(Facility).where(Facility.code == code, Facility.active))
    if found is None:
        raise NoSuchFacility(code=code[:40])
    return _facility_view(found)


def facility(session: Session, facility_id: UUID) -> FacilityView:
    """Return a facility. Raises NoSuchFacility."""
    found = session.get(Facility, facility_id)
    if found is None:
        raise NoSuchFacility(code="")
    return _facility_view(found)


def facilities_by_id(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, FacilityView]:
    """Return facilities by id."""
    found = session.scalars(select(Facility).where(Facility.id.in_(ids)))
    return {row.id: _facility_view(row) for row in found}


def areas(session: Session) -> tuple[AreaView, ...]:
    """Return the areas that have facilities, in Vietnamese order."""
    rows = session.execute(
        select(Facility.area, func.avg(Facility.latitude), func.avg(Facility.longitude))
        .where(Facility.active)
        .group_by(Facility.area)
    )
    found = [
        AreaView(name, None if latitude is None else Place(float(latitude), float(longitude)))
        for name, latitude, longitude in rows
    ]
    return tuple(sorted(found, key=lambda area: sort_key(area.name)))


def services_of(session: Session, facility_id: UUID) -> tuple[ServiceView, ...]:
    """Return what a facility offers, by name in Vietnamese order."""
    found = session.scalars(
        select(HealthcareService).where(
            HealthcareService.facility_id == facility_id, HealthcareService.active
        )
    )
    return tuple(_service_view(row) for row in sorted(found, key=lambda row: sort_key(row.name_vi)))


def service(session: Session, service_id: UUID) -> ServiceView | None:
    """Return a service."""
    found = session.get(HealthcareService, service_id)
    return None if found is None else _service_view(found)


def services_by_id(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, ServiceView]:
    """Return services by id."""
    found = session.scalars(select(HealthcareService).where(HealthcareService.id.in_(ids)))
    return {row.id: _service_view(row) for row in found}


def service_catalogue(session: Session, *, online_only: bool = True) -> tuple[CatalogueEntry, ...]:
    """Return the distinct services of the province, by name in Vietnamese order."""
    offered = [HealthcareService.active]
    if online_only:
        offered.append(HealthcareService.online_booking)
    modality = func.unnest(HealthcareService.modalities).label("modality")
    each = (
        select(HealthcareService.code, HealthcareService.facility_id, modality)
        .add_columns(HealthcareService.name_vi, HealthcareService.name_en)
        .where(*offered)
        .subquery()
    )
    rows = session.execute(
        select(
            each.c.code,
            func.min(each.c.name_vi),
            func.min(each.c.name_en),
            func.array_agg(each.c.modality.distinct()),
            func.count(each.c.facility_id.distinct()),
        ).group_by(each.c.code)
    )
    entries = [CatalogueEntry(code, vi, en, tuple(ways), count) for code, vi, en, ways, count in rows]
    return tuple(sorted(entries, key=lambda entry: sort_key(entry.name_vi)))


def practitioners(
    session: Session,
    *,
    q: str = "",
    facility_code: str = "",
    service_code: str = "",
    limit: int = 20,
    cursor: str = "",
) -> PractitionerPage:
    """Return practitioners by given name, as Vietnamese lists do. Raises BadCursor."""
    conditions = [Practitioner.active, *_named(Practitioner.name_search, q)]
    if facility_code:
        conditions.append(Facility.code == facility_code)
    if service_code:
        conditions.append(Practitioner.specialty == service_code)
    if cursor:
        after, last = _text_cursor(cursor)
        conditions.append(tuple_(Practitioner.name_sort, Practitioner.id) > tuple_(literal(after), last))
    rows = session.execute(
        select(Practitioner, Facility.code, Facility.name)
        .join(Facility, Facility.id == Practitioner.facility_id)
        .where(*conditions)
        .order_by(Practitioner.name_sort, Practitioner.id)
        .limit(limit + 1)
    ).all()
    items = tuple(_practitioner_view(row, code, name) for row, code, name in rows[:limit])
    if len(rows) <= limit:
        return PractitionerPage(items)
    last_row = rows[limit - 1][0]
    return PractitionerPage(items, encode_cursor(last_row.name_sort, str(last_row.id)))


def practitioner(session: Session, practitioner_id: UUID) -> PractitionerView | None:
    """Return a practitioner."""
    row = session.execute(
        select(Practitioner, Facility.code, Facility.name)
        .join(Facility, Facility.id == Practitioner.facility_id)
        .where(Practitioner.id == practitioner_id)
    ).one_or_none()
    return None if row is None else _practitioner_view(*row)


def practitioners_by_id(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, PractitionerView]:
    """Return practitioners by id."""
    rows = session.execute(
        select(Practitioner, Facility.code, Facility.name)
        .join(Facility, Facility.id == Practitioner.facility_id)
        .where(Practitioner.id.in_(ids))
    )
    return {row.id: _practitioner_view(row, code, name) for row, code, name in rows}


def service_points(session: Session, facility_id: UUID, kind: str = "") -> tuple[ServicePointView, ...]:
    """Return a facility's desks, rooms and counters, by code."""
    query = select(ServicePoint).where(ServicePoint.facility_id == facility_id, ServicePoint.active)
    if kind:
        query = query.where(ServicePoint.kind == kind)
    return tuple(
        ServicePointView(row.id, row.facility_id, row.code, row.name, row.kind)
        for row in session.scalars(query.order_by(ServicePoint.code))
    )


def on_call(session: Session, facility_id: UUID, day: date) -> tuple[OnCallView, ...]:
    """Return who is on call at a facility on a day, by specialty."""
    query = select(OnCall).where(OnCall.facility_id == facility_id, OnCall.day == day)
    return tuple(
        OnCallView(row.specialty, row.day, row.first_practitioner_id, row.second_practitioner_id)
        for row in session.scalars(query.order_by(OnCall.specialty))
    )


def calendar_overrides(session: Session, first: date, last: date) -> tuple[Override, ...]:
    """Return every override of these days, the province's and the facilities'."""
    rows = session.scalars(
        select(CalendarDay).where(CalendarDay.day.between(first, last)).order_by(CalendarDay.day)
    )
    return tuple(
        Override(row.day, OverrideKind(row.kind), row.like_weekday, row.facility_id, row.note) for row in rows
    )


def day_kind(session: Session, facility_id: UUID | None, day: date) -> CalendarDayView:
    """Return what sort of day it is at a facility, or (None) in the province."""
    return calendar.day_kind(day, calendar_overrides(session, day, day), facility_id)


def is_working_day(session: Session, day: date) -> bool:
    """Tell whether it counts as a working day in law."""
    return calendar.is_working_day(day, calendar_overrides(session, day, day))


def calendar_days(
    session: Session, first: date, last: date, *, facility_code: str = ""
) -> tuple[CalendarDayView, ...]:
    """Return what sort of day each is. Raises NoSuchFacility."""
    place = facility_by_code(session, facility_code).id if facility_code else None
    overrides = calendar_overrides(session, first, last)
    span = (last - first).days + 1
    return tuple(calendar.day_kind(first + timedelta(days=n), overrides, place) for n in range(span))


def _named(column: Any, q: str) -> list[ColumnElement[bool]]:
    """Return the conditions that every word of `q` is in the search form."""
    return [column.contains(word, autoescape=True) for word in search_form(q).split()]


def _facility_page(
    session: Session, query: FacilityQuery, named: Sequence[ColumnElement[bool]]
) -> FacilityPage:
    rank = _distance(query.near) if query.near else _as_typed(query.q)
    select_ = (
        select(Facility, rank.label("rank"))
        .where(Facility.active, *named, *_filters(query))
        .order_by(rank, Facility.name_sort, Facility.id)
        .limit(query.limit + 1)
    )
    rows = session.execute(_after(select_, rank, query.cursor)).all()
    items = tuple(_facility_view(row, rank if query.near else None) for row, rank in rows[: query.limit])
    if len(rows) <= query.limit:
        return FacilityPage(items)
    last, last_rank = rows[query.limit - 1]
    return FacilityPage(items, encode_cursor(float(last_rank), last.name_sort, str(last.id)))


def _similar_facilities(session: Session, query: FacilityQuery) -> FacilityPage:
    likeness = func.word_similarity(search_form(query.q), Facility.name_search)
    rows = session.scalars(
        select(Facility)
        .where(Facility.active, *_filters(query), likeness >= SIMILAR_ENOUGH)
        .order_by(likeness.desc(), Facility.name_sort)
        .limit(min(query.limit, SUGGESTIONS))
    )
    items = tuple(_facility_view(row) for row in rows)
    return FacilityPage(items, approximate=bool(items))


def _filters(query: FacilityQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.care_level:
        conditions.append(Facility.care_level == query.care_level)
    if query.near:
        conditions.append(and_(Facility.latitude.is_not(None), Facility.longitude.is_not(None)))
    if query.service:
        conditions.append(
            exists().where(
                HealthcareService.facility_id == Facility.id,
                HealthcareService.code == query.service,
                HealthcareService.active,
            )
        )
    return conditions


def _after(select_: Select[Any], rank: ColumnElement[Any], cursor: str) -> Select[Any]:
    if not cursor:
        return select_
    number, name, last = decode_cursor(cursor, 3)
    if not isinstance(number, int | float) or not isinstance(name, str):
        raise BadCursor
    key = tuple_(literal(float(number), Float), literal(name), literal(_uuid(last)))
    return select_.where(tuple_(rank, Facility.name_sort, Facility.id) > key)


def _text_cursor(cursor: str) -> tuple[str, UUID]:
    name, last = decode_cursor(cursor, 2)
    if not isinstance(name, str):
        raise BadCursor
    return name, _uuid(last)


def _uuid(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise BadCursor from error


def _as_typed(q: str) -> ColumnElement[Any]:
    """Return 0 for names that carry the words as typed, marks included, and 1 for the others."""
    typed = clean(q)
    if not typed:
        return literal(0.0, Float)
    return case((Facility.name.icontains(typed, autoescape=True), 0.0), else_=1.0)


def _distance(place: Place) -> ColumnElement[Any]:
    """Return kilometres from the place (haversine)."""
    half_lat = func.radians(Facility.latitude - place.latitude) / 2
    half_lon = func.radians(Facility.longitude - place.longitude) / 2
    chord = func.pow(func.sin(half_lat), 2) + math.cos(math.radians(place.latitude)) * func.cos(
        func.radians(Facility.latitude)
    ) * func.pow(func.sin(half_lon), 2)
    return 2 * EARTH_RADIUS_KM * func.asin(func.sqrt(func.least(1.0, chord)))


def _facility_view(row: Facility, distance_km: float | None = None) -> FacilityView:
    return FacilityView(
        id=row.id,
        code=row.code,
        national_code=row.national_code,
        name=row.name,
        short_name=short_name(row.name),
        kind=row.kind,
        care_level=row.care_level,
        address=row.address,
        area=row.area,
        province=row.province,
        hotline=row.hotline,
        latitude=row.latitude,
        longitude=row.longitude,
        hours=tuple(OpeningPeriod.from_json(period) for period in row.hours),
        after_hours=tuple(OpeningPeriod.from_json(period) for period in row.after_hours),
        parent_id=row.parent_id,
        distance_km=distance_km,
    )


def _service_view(row: HealthcareService) -> ServiceView:
    return ServiceView(
        id=row.id,
        facility_id=row.facility_id,
        code=row.code,
        name_vi=row.name_vi,
        name_en=row.name_en,
        duration_minutes=row.duration_minutes,
        prices=Prices(
            insured=row.price_insured_vnd,
            self=row.price_self_vnd,
            on_request=row.price_on_request_vnd,
            after_hours=row.price_after_hours_vnd,
        ),
        modalities=tuple(row.modalities),
        online_booking=row.online_booking,
        online_share_percent=row.online_share_percent,
        own_preparation_vi=row.preparation_vi,
        own_preparation_en=row.preparation_en,
    )


def _practitioner_view(row: Practitioner, facility_code: str, facility_name: str) -> PractitionerView:
    return PractitionerView(
        id=row.id,
        licence_no=row.licence_no,
        name=row.name,
        title=row.title,
        specialty=row.specialty,
        facility_id=row.facility_id,
        facility_code=facility_code,
        facility_name=facility_name,
    )
