"""Schedule (a clinic session) and Slot, which everybody may read as the free times are read."""

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.fhir import queries, resources
from telehealth.fhir.asking import MOST, Asked, as_uuid, between, reference_part
from telehealth.fhir.codes import Kind, SlotStatus
from telehealth.fhir.errors import BadParameter, TooBroad
from telehealth.fhir.offers import OfferQuery, offered
from telehealth.fhir.queries import ScheduleView, SessionQuery, SlotState
from telehealth.fhir.resources import Issue
from telehealth.fhir.routes.blueprint import address, bundle, fhir, many, one, search_of, window
from telehealth.scheduling.queries import SlotQuery
from telehealth.scheduling.rules import SlotId
from telehealth.scheduling.services import find_slots
from telehealth.web.context import now, unit_of_work
from telehealth.web.guard import public
from telehealth.web.localization import current_locale, t

ACTORS = (Kind.PRACTITIONER, Kind.LOCATION, Kind.HEALTHCARE_SERVICE)
_MODALITIES = {"VR": "video", "AMB": "in-person"}


@fhir.get("/Schedule")
@public
def search_schedules() -> Response:
    """Search clinic sessions, by who, where or what, and when."""
    question = search_of(Kind.SCHEDULE)
    actors = actors_of(question, "actor")
    asked = SessionQuery(
        ids=question.uuids("_id") if question.all("_id") else None,
        facilities=actors[Kind.LOCATION],
        practitioners=actors[Kind.PRACTITIONER],
        services=actors[Kind.HEALTHCARE_SERVICE],
        codes=question.codes("service-type"),
        when=between(question.all("date"), "date"),
    )
    if asked.ids is None and not any(actors.values()):
        raise TooBroad(name="actor")
    with unit_of_work() as session:
        found = queries.schedules(session, asked, window(question))
        known = queries.schedules_by_id(session, found.ids)
    return many([resources.schedule(known[key], address()) for key in found.ids], found)


@fhir.get("/Schedule/<identifier>")
@public
def read_schedule(identifier: str) -> Response:
    """Show a clinic session."""
    with unit_of_work() as session:
        return one(resources.schedule(_schedule(session, as_uuid(identifier)), address()))


@fhir.get("/Slot")
@public
def search_slots() -> Response:
    """Search the slots of a clinic session in any status, or free ones over the whole province."""
    question = search_of(Kind.SLOT)
    statuses = set(question.codes("status"))
    when = between(question.all("start"), "start")
    if question.all("schedule"):
        return _slots_of_schedules(question, statuses)
    if statuses != {SlotStatus.FREE}:
        raise TooBroad(name="schedule")
    actors = actors_of(question, "schedule.actor")
    wanted = OfferQuery(
        codes=question.codes("service-type"),
        facilities=actors[Kind.LOCATION],
        practitioners=actors[Kind.PRACTITIONER],
        modality=modality_of(question, "appointment-type"),
        first=when.first,
        before=when.before,
    )
    limit = question.count()
    with unit_of_work() as session:
        slots = offered(session, wanted, limit=min(limit + 1, MOST), now=now())
    at, locale = address(), current_locale()
    notes = [_more(limit)] if len(slots) > limit else []
    return bundle([resources.free_slot(slot, at, locale) for slot in slots[:limit]], notes=notes)


@fhir.get("/Slot/<identifier>")
@public
def read_slot(identifier: str) -> Response:
    """Show a slot, free or not."""
    parsed = SlotId.parse(identifier)
    with unit_of_work() as session:
        schedule = _schedule(session, None if parsed is None else parsed.session_id)
        found = [state for state in _states(session, schedule) if state.id == identifier]
    if not found:
        raise NotFound
    return one(_shown(found[0], schedule))


def actors_of(question: Asked, name: str) -> dict[Kind, list[UUID]]:
    """Return the ids that references to practitioners, places and services name, by what they are."""
    found: dict[Kind, list[UUID]] = {kind: [] for kind in ACTORS}
    for value in question.all(name):
        kind = value.rstrip("/").split("/")[-2:][0]
        if kind not in set(ACTORS):
            raise BadParameter(name=name)
        found[Kind(kind)] += Asked({name: [value]}).ids(name, *ACTORS)
    return found


def modality_of(question: Asked, name: str) -> str | None:
    """Return how people meet, of an HL7 code. Raises BadParameter."""
    codes = question.codes(name)
    if not codes:
        return None
    if len(codes) > 1 or codes[0] not in _MODALITIES:
        raise BadParameter(name=name)
    return _MODALITIES[codes[0]]


def more_than(count: int) -> Issue:
    """Return what to say of a list that is longer than may be shown."""
    return Issue("information", "incomplete", "fhir-more", t("fhir-more", count=count))


def _more(count: int) -> dict[str, Any]:
    return resources.outcome([more_than(count)], address())


def _slots_of_schedules(question: Asked, statuses: set[str]) -> Response:
    parts = [as_uuid(reference_part(value, "schedule", Kind.SCHEDULE)) for value in question.all("schedule")]
    if len(parts) > 1:
        raise BadParameter(name="schedule")
    when = between(question.all("start"), "start")
    with unit_of_work() as session:
        schedule = _known(session, parts[0])
        states = [
            state
            for state in ([] if schedule is None else _states(session, schedule))
            if (not statuses or state.status in statuses)
            and (when.first is None or state.start >= when.first)
            and (when.before is None or state.start < when.before)
        ]
    limit = question.count()
    notes = [_more(limit)] if len(states) > limit else []
    shown = [] if schedule is None else [_shown(state, schedule) for state in states[:limit]]
    return bundle(shown, total=len(states), notes=notes)


def _states(session: Session, schedule: ScheduleView) -> list[SlotState]:
    """Return every slot of a session; what is free is what the one search for free slots says."""
    query = SlotQuery(
        service_code=schedule.service_code,
        facility_id=schedule.facility_id,
        practitioner_id=schedule.practitioner_id,
        modality=schedule.modality,
        from_=schedule.start,
        to=schedule.end,
        limit=MOST,
    )
    free = frozenset(slot.id for slot in find_slots(session, query, now=now()))
    return queries.slots_of(session, schedule, free)


def _shown(state: SlotState, schedule: ScheduleView) -> resources.Json:
    return resources.slot(state, schedule, address())


def _known(session: Session, identifier: UUID | None) -> ScheduleView | None:
    return None if identifier is None else queries.schedules_by_id(session, [identifier]).get(identifier)


def _schedule(session: Session, identifier: UUID | None) -> ScheduleView:
    found = _known(session, identifier)
    if found is None:
        raise NotFound
    return found
