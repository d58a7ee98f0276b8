"""Finding a time: service, place, day. Nobody needs to be signed in to look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.admission.queries import NearRelease, near
from telehealth.booking.queries import AppointmentView, appointments_of
from telehealth.core.clock import business_date
from telehealth.core.principal import PrincipalKind
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityQuery, FacilityView, PractitionerView
from telehealth.patient_portal.any_doctor import with_anybody
from telehealth.patient_portal.offers import Day, by_day
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.search import Search
from telehealth.scheduling.queries import SlotQuery, SlotView
from telehealth.scheduling.services import find_slots
from telehealth.web.context import now, principal, unit_of_work
from telehealth.web.guard import public
from telehealth.web.localization import current_locale

SLOTS_SHOWN = 40
PAST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The names behind the codes of a search."""

    service_name: str
    facility: FacilityView | None
    practitioner: PractitionerView | None


@pages.get("/book")
@public
def services() -> ResponseReturnValue:
    """Choose what for: a service of the province or of one facility; or one had before."""
    search = _search()
    follow_up = request.args.get("kind") == "follow-up"
    with unit_of_work() as session:
        facility = directory.facility_by_code(session, search.facility) if search.facility else None
        earlier = _earlier(session) if follow_up else []
        return render_template(
            "patient_portal/services.html",
            search=search,
            facility=facility,
            services=_services(session, facility),
            follow_up=follow_up,
            earlier=earlier,
            must_sign_in=follow_up and principal().kind is not PrincipalKind.PATIENT,
        )


@pages.get("/book/places")
@public
def places() -> ResponseReturnValue:
    """Choose where: facilities by name, found without marks, or by area."""
    search, q = _search(), request.args.get("q", "")[:100]
    with unit_of_work() as session:
        areas = directory.areas(session)
        query = FacilityQuery(
            q=q,
            service=search.service,
            near=search.centre(areas),
            limit=20,
            cursor=request.args.get("cursor", "")[:500],
        )
        return render_template(
            "patient_portal/places.html",
            search=search,
            q=q,
            page=directory.facilities(session, query),
            areas=areas,
            service_name=_service_name(session, search),
        )


@pages.get("/book/times")
@public
def times() -> ResponseReturnValue:
    """Choose when: the earliest free times, over the whole province unless a place was chosen."""
    search = _search()
    with unit_of_work() as session:
        chosen = _chosen(session, search)
        areas = directory.areas(session)
        slots = find_slots(session, _slot_query(search, chosen.facility), now=now())
        known = directory.facilities_by_id(session, list({slot.facility.id for slot in slots}))
        days = by_day(slots, known, search.centre(areas))
        return render_template(
            "patient_portal/times.html",
            search=search,
            chosen=chosen,
            days=days,
            anybody=bool(search.service) and search.practitioner is None,
            soonest=_soonest(search, days),
            areas=areas,
            today=business_date(now()),
            release=_release(session, search, chosen),
            later=search.later(slots[-1].start).after if len(slots) == SLOTS_SHOWN else None,
        )


def _search() -> Search:
    return Search.read(request.args, business_date(now()))


def _slot_query(search: Search, facility: FacilityView | None) -> SlotQuery:
    return SlotQuery(
        service_code=search.service or None,
        facility_id=None if facility is None else facility.id,
        practitioner_id=search.practitioner,
        modality=search.modality or None,
        from_=search.earliest,
        limit=SLOTS_SHOWN,
    )


def _soonest(search: Search, days: Sequence[Day]) -> SlotView | None:
    """Return the first start with whichever doctor, at the nearest place if an area was asked about."""
    if not days or not search.service or search.practitioner is not None or search.after is not None:
        return None
    return with_anybody([days[0].offers[0].first])[0]


def _services(session: Session, facility: FacilityView | None) -> Sequence[Any]:
    if facility is None:
        return directory.service_catalogue(session)
    return [item for item in directory.services_of(session, facility.id) if item.online_booking]


def _chosen(session: Session, search: Search) -> _Chosen:
    facility = directory.facility_by_code(session, search.facility) if search.facility else None
    doctor = directory.practitioner(session, search.practitioner) if search.practitioner else None
    return _Chosen(_service_name(session, search), facility, doctor)


def _release(session: Session, search: Search, chosen: _Chosen) -> NearRelease | None:
    """Return the release hour that a waiting room is open for, at the place that was chosen."""
    if chosen.facility is None or not search.service:
        return None
    return near(session, chosen.facility.id, search.service, now=now())


def _service_name(session: Session, search: Search) -> str:
    catalogue = directory.service_catalogue(session) if search.service else ()
    names = (entry.name(current_locale()) for entry in catalogue if entry.code == search.service)
    return next(names, "")


def _earlier(session: Session) -> list[AppointmentView]:
    """Return one past appointment of each service and doctor, latest first, to book again."""
    if principal().kind is not PrincipalKind.PATIENT:
        return []
    seen: dict[tuple[Any, ...], AppointmentView] = {}
    for view in appointments_of(session, principal()):
        if view.start < now():
            seen.setdefault((view.service.id, view.practitioner.id, view.modality), view)
    return list(seen.values())[:PAST_SHOWN]
