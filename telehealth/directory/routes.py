"""The public directory over HTTP."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

from flask_smorest import Blueprint

from telehealth.directory import queries
from telehealth.directory.queries import (
    FacilityPage,
    FacilityQuery,
    FacilityView,
    PractitionerPage,
    ServiceView,
)
from telehealth.directory.schemas import (
    FacilityPageSchema,
    FacilityQuerySchema,
    FacilitySchema,
    PractitionerPageSchema,
    PractitionerQuerySchema,
    ServicesSchema,
)
from telehealth.web.context import unit_of_work
from telehealth.web.guard import public

api = Blueprint("directory-api", __name__, url_prefix="/api/v1", description="Facilities and services")


@api.get("/facilities")
@public
@api.arguments(FacilityQuerySchema, location="query")
@api.response(200, FacilityPageSchema)
def list_facilities(query: FacilityQuery) -> FacilityPage:
    """List facilities by name (found with or without marks) or by distance."""
    with unit_of_work() as session:
        return queries.facilities(session, query)


@api.get("/facilities/<string:code>")
@public
@api.response(200, FacilitySchema)
def show_facility(code: str) -> FacilityView:
    """Show a facility."""
    with unit_of_work() as session:
        return queries.facility_by_code(session, code)


@api.get("/facilities/<string:code>/services")
@public
@api.response(200, ServicesSchema)
def list_services(code: str) -> dict[str, tuple[ServiceView, ...]]:
    """List a facility's services with their public prices."""
    with unit_of_work() as session:
        return {"items": queries.services_of(session, queries.facility_by_code(session, code).id)}


@api.get("/practitioners")
@public
@api.arguments(PractitionerQuerySchema, location="query")
@api.response(200, PractitionerPageSchema)
def list_practitioners(query: dict[str, Any]) -> PractitionerPage:
    """List practitioners by given name."""
    with unit_of_work() as session:
        return queries.practitioners(
            session,
            q=query["q"],
            facility_code=query["facility"],
            service_code=query["service"],
            limit=query["limit"],
            cursor=query["cursor"],
        )
