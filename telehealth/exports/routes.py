"""Lists to take along. That somebody took one is in the trail before its first line leaves."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask_smorest import Blueprint as ApiBlueprint
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.errors import Unprocessable
from telehealth.core.principal import Role
from telehealth.directory.queries import FacilityView, facilities_by_id, facility_by_code
from telehealth.exports import queries
from telehealth.exports.rules import COLUMNS, Cell, Format, Span, Subject, columns_used
from telehealth.exports.schemas import ExportSchema, RosterExportSchema
from telehealth.exports.writing import as_csv, as_xlsx
from telehealth.provincial_import.layout import COLUMNS as PROVINCE
from telehealth.web.context import may, now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale

pages = Blueprint("exports", __name__, template_folder="templates")
api = ApiBlueprint("exports-api", __name__, url_prefix="/api/v1", description="Lists as CSV and Excel")

MEDIA = {
    Format.CSV: "text/csv",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FILES = {
    200: {
        "description": "The list",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()},
    }
}


@api.get("/exports/appointments")
@guarded("export.appointments")
@api.arguments(ExportSchema, location="query")
@api.doc(responses=_FILES)
def export_appointments(asked: dict[str, Any]) -> Response:
    """Export a facility's appointments of some days: who comes when to whom, and no number of theirs."""
    return _exported(Subject.APPOINTMENTS, asked)


@api.get("/exports/sessions")
@guarded("export.sessions")
@api.arguments(ExportSchema, location="query")
@api.doc(responses=_FILES)
def export_sessions(asked: dict[str, Any]) -> Response:
    """Export a facility's clinic sessions of some days with their figures."""
    return _exported(Subject.SESSIONS, asked)


@api.get("/exports/rosters")
@guarded("export.rosters")
@api.arguments(RosterExportSchema, location="query")
@api.doc(responses=_FILES)
def export_rosters(asked: dict[str, Any]) -> Response:
    """Export a facility's roster lines in the columns in which the province imports them."""
    return _exported(Subject.ROSTERS, asked)


@api.get("/exports/queues")
@guarded("export.queues")
@api.arguments(ExportSchema, location="query")
@api.doc(responses=_FILES)
def export_queues(asked: dict[str, Any]) -> Response:
    """Export how long people of some days waited in a facility's queues and who left: figures, no patient."""
    return _exported(Subject.QUEUES, asked)


@pages.get("/exports")
@guarded("export.enter")
def choose() -> str:
    """Let staff choose a list, a facility and days."""
    permit("export.enter")
    return _page({})


@pages.get("/exports/file")
@guarded("export.enter")
def download() -> Response | tuple[str, int]:
    """Give the list that was chosen."""
    permit("export.enter")
    try:
        asked = _chosen()
        return _exported(Subject(request.args["subject"]), asked)
    except (KeyError, ValueError):
        return _page({"subject": form_errors(Unprocessable(), "subject")["subject"]}), 422
    except Unprocessable as error:
        return _page(form_errors(error, "to")), 422


def _exported(subject: Subject, asked: dict[str, Any]) -> Response:
    kind = Format(asked["format"])
    span = _span(asked)
    with unit_of_work() as work:
        place = facility_by_code(work, asked["facility"])
        permit(f"export.{subject}", place.id)
        details = {"format": kind.value, "from": span.first.isoformat(), "to": span.last.isoformat()}
        entry = Entry(f"export.{subject}", "List", None, facility_id=place.id, details=details)
        record(work, principal(), entry, now=now())
    locale, today = current_locale(), business_date(now())

    def pieces() -> Iterator[bytes]:
        with unit_of_work() as work:
            header, rows = _table(work, subject, place, span, locale, today)
            yield from as_csv(header, rows) if kind is Format.CSV else as_xlsx(subject.value, header, rows)

    answer = Response(stream_with_context(pieces()), mimetype=MEDIA[kind])
    days = "" if subject is Subject.ROSTERS else f"-{span.first}-{span.last}"
    name = f"{subject}-{place.code}{days}.{kind}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _table(
    session: Session, subject: Subject, place: FacilityView, span: Span, locale: str, today: date
) -> tuple[Sequence[str], Iterable[Sequence[Cell]]]:
    if subject is Subject.APPOINTMENTS:
        return COLUMNS[subject], queries.appointments(session, place.id, span, locale)
    if subject is Subject.SESSIONS:
        return COLUMNS[subject], queries.sessions(session, place.id, span, locale)
    if subject is Subject.QUEUES:
        return COLUMNS[subject], queries.queues(session, place.id, span, today)
    lines = list(queries.rosters(session, place.id))
    header = columns_used(lines, PROVINCE["rosters"])
    return header, [[line[column] for column in header] for line in lines]


def _span(asked: dict[str, Any]) -> Span:
    today = business_date(now())
    first = asked.get("from_") or today
    return Span.of(first, asked.get("to") or first)


def _chosen() -> dict[str, Any]:
    return {
        "facility": request.args.get("facility", ""),
        "format": Format(request.args.get("format", Format.CSV.value)).value,
        "from_": _day("from"),
        "to": _day("to"),
    }


def _day(name: str) -> date | None:
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Unprocessable({name: ["export-bad-day"]}) from error


def _page(errors: dict[str, Any]) -> str:
    own: set[UUID] = set(principal().facilities(Role.DESK, Role.FACILITY_ADMIN))
    places = facilities_by_id(session(), sorted(own))
    found = sorted(places.values(), key=lambda place: place.name)
    return render_template(
        "exports/choose.html",
        facility=found[0] if found else None,
        facilities=[(place.code, place.name) for place in found],
        subjects=[
            subject.value for subject in Subject if any(may(f"export.{subject}", place) for place in own)
        ],
        today=business_date(now()).isoformat(),
        form=request.args,
        errors=errors,
    )
