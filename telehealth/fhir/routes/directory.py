"""Organization, Location, HealthcareService, Practitioner, PractitionerRole: the public directory."""

from collections.abc import Callable
from uuid import UUID

from flask import Response
from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.directory.queries import facilities_by_id, practitioners_by_id, services_by_id
from telehealth.fhir import queries, resources
from telehealth.fhir.asking import Asked, as_uuid
from telehealth.fhir.codes import Kind
from telehealth.fhir.queries import DirectoryQuery, Found, Window
from telehealth.fhir.resources import Json
from telehealth.fhir.routes.blueprint import address, fhir, many, one, search_of, window
from telehealth.web.context import unit_of_work
from telehealth.web.guard import public
from telehealth.web.localization import current_locale

_PLACES = (Kind.ORGANIZATION, Kind.LOCATION)
_PUBLIC = "Organization, Location, HealthcareService, Practitioner, PractitionerRole"

Show = Callable[[Session, list[UUID]], list[Json]]
Find = Callable[[Session, Asked, Window], Found]


@fhir.get(f"/<any({_PUBLIC}):kind>")
@public
def search_directory(kind: str) -> Response:
    """Search one of the directory's resource types."""
    wanted = Kind(kind)
    question = search_of(wanted)
    with unit_of_work() as session:
        found = _FIND[wanted](session, question, window(question))
        shown = _SHOW[wanted](session, found.ids)
    return many(shown, found)


@fhir.get(f"/<any({_PUBLIC}):kind>/<identifier>")
@public
def read_directory(kind: str, identifier: str) -> Response:
    """Show a record of the directory."""
    wanted = as_uuid(identifier)
    if wanted is None:
        raise NotFound
    with unit_of_work() as session:
        shown = _SHOW[Kind(kind)](session, [wanted])
    if not shown:
        raise NotFound
    return one(shown[0])


def _ids(question: Asked) -> list[UUID] | None:
    return question.uuids("_id") if question.all("_id") else None


def _facilities(session: Session, question: Asked, page: Window) -> Found:
    asked = DirectoryQuery(
        ids=_ids(question),
        codes=question.codes("identifier"),
        name=question.one("name") or "",
        facilities=question.ids("organization", *_PLACES),
    )
    return queries.facilities(session, asked, page)


def _services(session: Session, question: Asked, page: Window) -> Found:
    asked = DirectoryQuery(
        ids=_ids(question),
        codes=question.codes("service-type"),
        facilities=[*question.ids("organization", *_PLACES), *question.ids("location", *_PLACES)],
    )
    return queries.services(session, asked, page)


def _practitioners(session: Session, question: Asked, page: Window) -> Found:
    asked = DirectoryQuery(
        ids=_ids(question), codes=question.codes("identifier"), name=question.one("name") or ""
    )
    return queries.practitioners(session, asked, page, by_licence=True)


def _roles(session: Session, question: Asked, page: Window) -> Found:
    asked = DirectoryQuery(
        ids=_ids(question),
        codes=question.codes("specialty"),
        facilities=question.ids("organization", *_PLACES),
        practitioners=question.ids("practitioner", Kind.PRACTITIONER),
    )
    return queries.practitioners(session, asked, page)


def _organizations(session: Session, ids: list[UUID]) -> list[Json]:
    found = facilities_by_id(session, ids)
    return [resources.organization(found[key], address()) for key in ids if key in found]


def _locations(session: Session, ids: list[UUID]) -> list[Json]:
    found = facilities_by_id(session, ids)
    return [resources.location(found[key], address()) for key in ids if key in found]


def _healthcare_services(session: Session, ids: list[UUID]) -> list[Json]:
    found = services_by_id(session, ids)
    locale = current_locale()
    return [resources.healthcare_service(found[key], address(), locale) for key in ids if key in found]


def _doctors(session: Session, ids: list[UUID]) -> list[Json]:
    found = practitioners_by_id(session, ids)
    return [resources.practitioner(found[key], address()) for key in ids if key in found]


def _doctor_roles(session: Session, ids: list[UUID]) -> list[Json]:
    found = practitioners_by_id(session, ids)
    return [resources.practitioner_role(found[key], address()) for key in ids if key in found]


_FIND: dict[Kind, Find] = {
    Kind.ORGANIZATION: _facilities,
    Kind.LOCATION: _facilities,
    Kind.HEALTHCARE_SERVICE: _services,
    Kind.PRACTITIONER: _practitioners,
    Kind.PRACTITIONER_ROLE: _roles,
}
_SHOW: dict[Kind, Show] = {
    Kind.ORGANIZATION: _organizations,
    Kind.LOCATION: _locations,
    Kind.HEALTHCARE_SERVICE: _healthcare_services,
    Kind.PRACTITIONER: _doctors,
    Kind.PRACTITIONER_ROLE: _doctor_roles,
}
