"""Closing sessions, the list of those to care for, and the same for programs."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as Endpoints
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking.attempts import attempt
from telehealth.booking.recipients import recipients
from telehealth.closures import queries, services
from telehealth.closures.codes import CallOutcome, ClosureKind, ClosurePlan, ClosureReason, Standing
from telehealth.closures.errors import ClosureUnknown
from telehealth.closures.forms import PARTS, ClosureForm
from telehealth.closures.presentation import closure_json, item_json, preview_json, roster_change_json
from telehealth.closures.queries import ClosureView, ItemView
from telehealth.closures.rules import Span
from telehealth.closures.schemas import (
    ClosureCallSchema,
    ClosureItemListSchema,
    ClosureItemQuerySchema,
    ClosureItemSchema,
    ClosureListSchema,
    ClosureQuerySchema,
    ClosureRequestSchema,
    ClosureSchema,
    RosterChangeListSchema,
)
from telehealth.closures.services import Means, Order
from telehealth.core.clock import local
from telehealth.core.errors import BadRequest, DomainError, Forbidden, http_status
from telehealth.core.phone import display_phone
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.directory.naming import practitioner_title
from telehealth.web.api import located
from telehealth.web.context import (
    answer_links,
    cipher,
    may,
    now,
    outbox,
    permit,
    principal,
    session,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

pages = Blueprint("closures", __name__, template_folder="templates", url_prefix="/closures")
api = Endpoints("closures-api", __name__, url_prefix="/api/v1", description="Sessions that cannot be held")


@pages.app_template_filter()
def local_day(value: datetime) -> str:
    """`2026-11-24`: a day as date fields have it."""
    return local(value).date().isoformat()


_DESK_PLACE = "desk-facility"
_RECEPTION = (Role.DESK, Role.FACILITY_ADMIN)
_MOST_DOCTORS = 500
_MOST_ON_PAPER = 2000
# What the list shows: everybody to telephone, those still open, those done, all.
_SHOWN: dict[str, tuple[Standing, ...]] = {
    "call": (),
    "open": (
        Standing.WAITING,
        Standing.OFFERED,
        Standing.TOLD,
        Standing.DECLINED,
        Standing.UNANSWERED,
        Standing.UNREACHED,
    ),
    "done": (Standing.ACCEPTED, Standing.MOVED, Standing.CANCELLED, Standing.SETTLED, Standing.STANDS),
    "all": (),
}


# Programs.


@api.post("/closures")
@located("closures-api.show_closure", "closure_id")
@guarded("closures.open")
@api.arguments(ClosureRequestSchema())
@api.response(201, ClosureSchema)
@api.alt_response(200, schema=ClosureSchema, description="A dry run: what would happen")
def create_closure(asked: dict[str, Any]) -> ResponseReturnValue:
    """Close sessions and care for everybody in them; with `dry_run` only tell what would happen."""
    if asked["dry_run"]:
        with unit_of_work() as work:
            order = _asked_order(work, asked)
            found = services.preview(work, order, now=now())
        return jsonify(preview=preview_json(found)), 200
    view = attempt(lambda: _close(lambda work: _asked_order(work, asked)))
    return _shown(view), 201


@api.get("/closures")
@guarded("closures.read")
@api.arguments(ClosureQuerySchema(), location="query")
@api.response(200, ClosureListSchema)
def list_closures(asked: dict[str, Any]) -> Response:
    """List the newest closures that touch a facility, or the whole province."""
    facility_id = _facility_of(session(), asked["facility"])
    permit("closures.read", facility_id)
    return jsonify(items=[closure_json(view) for view in queries.closures_of(session(), facility_id)])


@api.get("/closures/<uuid:closure_id>")
@guarded("closures.read")
@api.response(200, ClosureSchema)
def show_closure(closure_id: UUID) -> Response:
    """Show a closure and how far it has come."""
    return _shown(_read(session(), closure_id))


@api.get("/closures/<uuid:closure_id>/items")
@guarded("closures.read")
@api.arguments(ClosureItemQuerySchema(), location="query")
@api.response(200, ClosureItemListSchema)
def list_items(asked: dict[str, Any], closure_id: UUID) -> Response:
    """List a closure's people, by the time they lost."""
    with unit_of_work() as work:
        _read(work, closure_id)
        page = queries.items(
            work,
            closure_id,
            facility_id=_facility_of(work, asked["facility"]),
            standings=() if asked["standing"] is None else (asked["standing"],),
            to_call=asked["to_call"],
            limit=asked["limit"],
            cursor=asked["cursor"],
        )
        _note_read(work, page.items)
    return jsonify(items=[item_json(item) for item in page.items], next=page.next)


@api.post("/closures/<uuid:closure_id>/undo")
@guarded("closures.open")
@api.response(200, ClosureSchema)
def undo_closure(closure_id: UUID) -> Response:
    """Open the sessions again: who has not moved keeps the time."""
    return _shown(_undone(closure_id))


@api.post("/closures/items/<uuid:item_id>/called")
@guarded("closures.call")
@api.arguments(ClosureCallSchema())
@api.response(200, ClosureItemSchema)
def note_call(asked: dict[str, Any], item_id: UUID) -> Response:
    """Record what a person said on the telephone, and do it."""
    return jsonify(item_json(attempt(lambda: _called(item_id, CallOutcome(asked["outcome"])))))


@api.get("/facilities/<code>/roster-changes")
@guarded("closures.read")
@api.response(200, RosterChangeListSchema)
def list_roster_changes(code: str) -> Response:
    """List a facility's sessions that the roster no longer has as they were, though people are in them."""
    facility_id = directory.facility_by_code(session(), code).id
    permit("closures.read", facility_id)
    found = queries.roster_changes(session(), facility_id, now=now())
    return jsonify(items=[roster_change_json(change) for change in found])


# People.


@pages.get("")
@guarded("closures.enter")
def enter() -> ResponseReturnValue:
    """Go to where one works: the desk's facility, else the province."""
    own = sorted(principal().facilities(*_RECEPTION))
    if not own:
        permit("closures.province")
        return redirect(url_for("closures.province"))
    chosen = next((place for place in own if str(place) == cookie.get(_DESK_PLACE)), own[0])
    return redirect(url_for("closures.overview", facility_id=chosen))


@pages.get("/facilities/<uuid:facility_id>")
@guarded("closures.enter")
def overview(facility_id: UUID) -> str:
    """Show a facility's closures, and the sessions that no longer fit its roster."""
    permit("closures.read", facility_id)
    found = queries.closures_of(session(), facility_id)
    return render_template(
        "closures/overview.html",
        **_frame(facility_id),
        closures=[(view, queries.progress(session(), view.id, facility_id=facility_id)) for view in found],
        changes=queries.roster_changes(session(), facility_id, now=now()),
    )


@pages.get("/facilities/<uuid:facility_id>/new")
@guarded("closures.enter")
def ask(facility_id: UUID) -> str:
    """Ask whose sessions cannot be held, and when."""
    permit("closures.open", facility_id)
    return _form_page(facility_id, ClosureForm.read(request.args, now()), {})


@pages.get("/facilities/<uuid:facility_id>/preview")
@guarded("closures.enter")
def preview(facility_id: UUID) -> ResponseReturnValue:
    """Show what would happen, before anything does."""
    form = ClosureForm.read(request.args, now())
    try:
        order = _permitted(form.order(facility_id, now=now()))
        found = services.preview(session(), order, now=now())
    except DomainError as error:
        return _form_page(facility_id, form, form_errors(error)), http_status(error)
    doctor = _doctors(facility_id).get(str(order.practitioner_id))
    return render_template(
        "closures/preview.html",
        **_frame(facility_id),
        form=form.values,
        order=order,
        found=found,
        doctor=doctor,
        address=url_for("closures.close", facility_id=facility_id),
        again=url_for("closures.ask", facility_id=facility_id) + "?" + urlencode(form.values),
    )


@pages.post("/facilities/<uuid:facility_id>")
@guarded("closures.open")
def close(facility_id: UUID) -> ResponseReturnValue:
    """Close the sessions."""
    form = ClosureForm.read(request.form, now())
    try:
        view = attempt(lambda: _close(lambda _work: _permitted(form.order(facility_id, now=now()))))
    except DomainError as error:
        return _form_page(facility_id, form, form_errors(error)), http_status(error)
    flash(t("closures-closed", sessions=view.sessions, people=view.people), "success")
    return redirect(url_for("closures.show", closure_id=view.id, place=facility_id), 303)


@pages.get("/province")
@guarded("closures.province")
def province() -> str:
    """Show the province's holidays, and the form to declare one."""
    permit("closures.province")
    return _province_page(ClosureForm.read({"part": "day", "reason": "holiday"}, now()), {})


@pages.get("/province/preview")
@guarded("closures.province")
def preview_holiday() -> ResponseReturnValue:
    """Show what a holiday would do, before it is declared."""
    permit("closures.province")
    form = ClosureForm.read({**request.args.to_dict(), "part": "day", "reason": "holiday"}, now())
    try:
        order = form.order(None, now=now(), province=True)
        found = services.preview(session(), order, now=now())
    except DomainError as error:
        return _province_page(form, form_errors(error)), http_status(error)
    return render_template(
        "closures/preview.html",
        form=form.values,
        order=order,
        found=found,
        doctor=None,
        facility=None,
        others=[],
        address=url_for("closures.declare"),
        again=url_for("closures.province"),
    )


@pages.post("/province")
@guarded("closures.province")
def declare() -> ResponseReturnValue:
    """Declare a holiday for the whole province."""
    permit("closures.province")
    form = ClosureForm.read({**request.form.to_dict(), "part": "day", "reason": "holiday"}, now())
    try:
        view = attempt(lambda: _close(lambda _work: form.order(None, now=now(), province=True)))
    except DomainError as error:
        return _province_page(form, form_errors(error)), http_status(error)
    flash(t("closures-closed", sessions=view.sessions, people=view.people), "success")
    return redirect(url_for("closures.show", closure_id=view.id), 303)


@pages.get("/<uuid:closure_id>")
@guarded("closures.enter")
def show(closure_id: UUID) -> str:
    """Show a closure's people: whom to telephone first, and how the others stand."""
    return _work_page(closure_id, {})


@pages.get("/<uuid:closure_id>/progress")
@guarded("closures.enter")
def progress(closure_id: UUID) -> str:
    """Show how far it has come: the part of the page that changes by itself."""
    view = _read(session(), closure_id)
    place = _place(view)
    return render_template(
        "closures/_progress.html",
        closure=view,
        progress=queries.progress(session(), closure_id, facility_id=place),
    )


@pages.get("/<uuid:closure_id>/call-list")
@guarded("closures.enter")
def call_list(closure_id: UUID) -> str:
    """Show the list to print and telephone from."""
    with unit_of_work() as work:
        view = _read(work, closure_id)
        place = _place(view)
        if place is None:
            raise Forbidden
        found = queries.items(work, closure_id, facility_id=place, to_call=True, limit=_MOST_ON_PAPER).items
        phones = _phones(work, found)
        _note_read(work, found)
    return render_template(
        "closures/call_list.html", **_frame(place), closure=view, items=found, phones=phones, printed=now()
    )


@pages.post("/items/<uuid:item_id>/called")
@guarded("closures.call")
def called(item_id: UUID) -> ResponseReturnValue:
    """Record what a person said on the telephone, and do it."""
    given = request.form.get("outcome", "")
    outcome = next((each for each in CallOutcome if each.value == given), None)
    if outcome is None:
        raise BadRequest
    before = queries.item(session(), item_id)
    if before is None:
        raise ClosureUnknown
    try:
        item = attempt(lambda: _called(item_id, outcome))
    except DomainError as error:
        return _work_page(before.closure_id, form_errors(error, f"call-{item_id}")), http_status(error)
    flash(t(f"closures-called-{outcome.value}", name=item.patient_name or item.appointment_code), "success")
    return redirect(
        url_for("closures.show", closure_id=item.closure_id, place=item.facility_id, show=_shown_part()), 303
    )


@pages.post("/<uuid:closure_id>/undo")
@guarded("closures.open")
def undo(closure_id: UUID) -> ResponseReturnValue:
    """Open the sessions again."""
    try:
        _undone(closure_id)
    except DomainError as error:
        return _work_page(closure_id, form_errors(error)), http_status(error)
    flash(t("closures-undone"), "success")
    return redirect(url_for("closures.show", closure_id=closure_id), 303)


# What both do.


def _close(order: Callable[[Session], Order]) -> ClosureView:
    with unit_of_work() as work:
        closure_id = services.close(work, principal(), order(work), now=now())
        view = queries.closure(work, closure_id)
    if view is None:
        raise ClosureUnknown
    return view


def _undone(closure_id: UUID) -> ClosureView:
    with unit_of_work() as work:
        view = queries.closure(work, closure_id)
        if view is None:
            raise ClosureUnknown
        _permit_span(view.kind, view.facility_id)
        services.undo(work, principal(), closure_id, now=now())
    return _read(session(), closure_id)


def _called(item_id: UUID, outcome: CallOutcome) -> ItemView:
    with unit_of_work() as work:
        item = queries.item(work, item_id)
        if item is None:
            raise ClosureUnknown
        permit("closures.call", item.facility_id)
        means = Means(cipher(), outbox(), answer_links())
        return services.note_call(work, principal(), item_id, outcome, means, now=now())


def _permitted(order: Order) -> Order:
    """Return an order that the caller may give: a whole place closes at its administrator's word."""
    _permit_span(order.kind, order.facility_id)
    return order


def _permit_span(kind: str, facility_id: UUID | None) -> None:
    permit("closures.open" if kind == ClosureKind.PRACTITIONER else "closures.open-all", facility_id)


def _asked_order(work: Session, asked: dict[str, Any]) -> Order:
    order = Order(
        kind=ClosureKind(asked["kind"]),
        facility_id=_facility_of(work, asked["facility"]),
        practitioner_id=asked["practitioner_id"],
        span=Span(
            asked["from_date"],
            asked["to_date"] or asked["from_date"],
            asked["start_minute"],
            asked["end_minute"],
        ),
        plan=ClosurePlan(asked["plan"]),
        reason=ClosureReason(asked["reason"]),
        note=asked["note"],
    )
    return _permitted(order)


def _facility_of(work: Session, code: str | None) -> UUID | None:
    return None if code is None else directory.facility_by_code(work, code).id


def _read(work: Session, closure_id: UUID) -> ClosureView:
    """Return a closure that touches a place of the caller's. Raises ClosureUnknown."""
    view = queries.closure(work, closure_id)
    if view is None:
        raise ClosureUnknown
    if view.facility_id is not None or not principal().facilities(*_RECEPTION):
        permit("closures.read", view.facility_id)
    return view


def _place(view: ClosureView) -> UUID | None:
    """Return whose part of a closure is shown: the place asked for, else the desk's; None: all of it."""
    own = sorted(principal().facilities(*_RECEPTION))
    if view.facility_id is not None and (view.facility_id in own or may("closures.read", view.facility_id)):
        return view.facility_id
    wanted = (request.args.get("place", ""), cookie.get(_DESK_PLACE, ""))
    return next((place for place in own if str(place) in wanted), own[0] if own else None)


def _shown(view: ClosureView) -> Response:
    return jsonify(closure_json(view, queries.progress(session(), view.id, facility_id=_place(view))))


def _note_read(work: Session, items: tuple[ItemView, ...]) -> None:
    entries = {
        item.patient_id: Entry("closures.read", "Appointment", None, item.patient_id, item.facility_id)
        for item in items
        if item.patient_id is not None
    }
    record(work, principal(), *entries.values(), now=now())


def _phones(work: Session, items: tuple[ItemView, ...]) -> dict[UUID, str]:
    """Return the numbers to telephone, by appointment, as people write them."""
    found = recipients(work, [item.appointment_id for item in items], cipher())
    return {each: display_phone(to.phone) for each, to in found.items() if to.phone is not None}


def _frame(facility_id: UUID) -> dict[str, Any]:
    own = principal().facilities(*_RECEPTION)
    places = directory.facilities_by_id(session(), list({*own, facility_id}))
    return {
        "facility": places[facility_id],
        "others": [place for place in places.values() if place.id != facility_id],
    }


def _doctors(facility_id: UUID) -> dict[str, str]:
    code = directory.facility(session(), facility_id).code
    found = directory.practitioners(session(), facility_code=code, limit=_MOST_DOCTORS).items
    return {str(each.id): f"{practitioner_title(each.title)} {each.name}".strip() for each in found}


def _form_page(facility_id: UUID, form: ClosureForm, errors: dict[str, Any]) -> str:
    return render_template(
        "closures/form.html",
        **_frame(facility_id),
        form=form.values,
        doctors=_doctors(facility_id),
        whole=may("closures.open-all", facility_id),
        day_parts=PARTS,
        plans=[each.value for each in ClosurePlan],
        reasons=[each.value for each in ClosureReason],
        errors=errors,
    )


def _province_page(form: ClosureForm, errors: dict[str, Any]) -> str:
    found = queries.closures_of(session(), None)
    return render_template(
        "closures/province.html",
        facility=None,
        others=[],
        form=form.values,
        plans=[each.value for each in ClosurePlan],
        closures=[(view, queries.progress(session(), view.id)) for view in found],
        errors=errors,
    )


def _work_page(closure_id: UUID, errors: dict[str, Any]) -> str:
    with unit_of_work() as work:
        view = _read(work, closure_id)
        place = _place(view)
        counted = queries.progress(work, closure_id, facility_id=place)
        part = _shown_part() or ("call" if counted.to_call else "open" if counted.waiting else "all")
        page = None
        if place is not None:
            page = queries.items(
                work,
                closure_id,
                facility_id=place,
                standings=_SHOWN[part],
                to_call=part == "call",
                cursor=request.args.get("cursor"),
            )
            _note_read(work, page.items)
        phones = {} if page is None else _phones(work, page.items)
        touched = queries.facilities_touched(work, closure_id) if place is None else []
    frame = _frame(place) if place is not None else {"facility": None, "others": []}
    return render_template(
        "closures/show.html",
        **frame,
        closure=view,
        progress=counted,
        part=part,
        shown=list(_SHOWN),
        page=page,
        phones=phones,
        touched=touched,
        outcomes=[each.value for each in CallOutcome],
        undoable=view.state in ("running", "finished") and view.span.end > now(),
        errors=errors,
    )


def _shown_part() -> str:
    given = request.args.get("show", "") or request.form.get("show", "")
    return given if given in _SHOWN else ""
