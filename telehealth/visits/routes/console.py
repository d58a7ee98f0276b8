"""The buttons of rooms and counters, for hospitals whose system says nothing: one press, one event."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.booking.attempts import attempted
from telehealth.core.errors import BadRequest
from telehealth.core.ids import new_id
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing.queries import QueueView, facility_of_ticket, queues_of
from telehealth.visits import queries, services
from telehealth.visits.codes import Category, EventKind
from telehealth.visits.queries import Journey, OutForTests, VisitView
from telehealth.visits.rules import STATION
from telehealth.visits.services import CONSOLE, CONSOLE_ORDERS, NewEvent, OrderRef
from telehealth.web.context import cipher, may, now, permit, principal, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.localization import t

pages = Blueprint("visits", __name__, template_folder="../templates", url_prefix="/clinic")

_LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class Console:
    """What a room or counter shows of visits: the person's who is there, and whose results are awaited."""

    visit: VisitView | None
    out: Sequence[OutForTests]
    tests: Sequence[Category]
    elsewhere: Sequence[tuple[str, str]]
    press_key: str


@pages.app_template_global()
def visit_console(queue: QueueView, ticket_id: UUID | None) -> Console | None:
    """Return what a console shows of visits; None for whom it is not."""
    if not may("visit.read", queue.facility_id):
        return None
    with unit_of_work() as work:
        visit_id = queries.visit_of_ticket(work, ticket_id) if ticket_id else None
        queues = queues_of(work, queue.facility_id)
        kinds = {each.kind for each in queues}
        in_room = queue.kind is ServicePointKind.CLINIC
        return Console(
            visit=queries.visit_view(work, visit_id) if visit_id else None,
            out=queries.out_for_tests(work, queue.id, now())
            if in_room
            else queries.awaiting_results(work, queue, now()),
            tests=[each for each, kind in STATION.items() if kind in kinds] if in_room else [],
            elsewhere=[(str(each.id), each.name) for each in queues if each.id != queue.id],
            press_key=str(new_id()),
        )


@pages.app_template_global()
def visit_journey(public_token: str) -> Journey | None:
    """Return the visit behind a slip, for the page that follows it."""
    with unit_of_work() as work:
        return queries.journey(work, public_token, now())


@pages.app_template_global()
def visit_goes_on(public_token: str) -> bool:
    """Tell whether the visit behind a slip is not over, so that nobody is wished well too soon."""
    journey = visit_journey(public_token)
    return journey is not None and not journey.ended


@pages.post("/tickets/<uuid:ticket_id>/tests")
@guarded("visit.tell")
@attempted
def order_tests(ticket_id: UUID) -> ResponseReturnValue:
    """`Chỉ định xét nghiệm`: the person goes to be tested and comes back to this room."""
    key = _press_key()
    orders = tuple(
        OrderRef(CONSOLE_ORDERS, f"{key}.{each}", each)
        for each in Category
        if each.value in request.form.getlist("tests")
    )
    with unit_of_work() as work:
        view = _visit(work, ticket_id)
        if not orders:
            flash(t("visits-tests-missing"), "error")
            return _back()
        _say(work, view, EventKind.TESTS_ORDERED, key, orders)
        told = queries.visit_view(work, view.id)
    _tell_where(told)
    return _back()


@pages.post("/tickets/<uuid:ticket_id>/prescription")
@guarded("visit.tell")
@attempted
def prescribe(ticket_id: UUID) -> ResponseReturnValue:
    """`Kê đơn`: the way home leads over the pharmacy."""
    with unit_of_work() as work:
        _say(work, _visit(work, ticket_id), EventKind.PRESCRIBED, _press_key())
    flash(t("visits-prescribed"), "success")
    return _back()


@pages.post("/visits/<uuid:visit_id>/results")
@guarded("visit.tell")
@attempted
def results_ready(visit_id: UUID) -> ResponseReturnValue:
    """`Có kết quả`: what was performed and asked for by this room or station has its result."""
    categories = {each for each in Category if each.value in request.form.getlist("category")} or set(
        Category
    )
    with unit_of_work() as work:
        permit("visit.tell", queries.facility_of_visit(work, visit_id))
        view = queries.visit_view(work, visit_id)
        orders = tuple(
            OrderRef(each.identifier_system, each.identifier_value)
            for each in view.orders
            if each.ready_at is None and each.revoked_at is None and each.category in categories
        )
        if not orders:
            raise BadRequest
        _say(work, view, EventKind.RESULT_READY, _press_key(), orders)
    flash(t("visits-results-noted", code=view.code), "success")
    return _back()


@pages.post("/tickets/<uuid:ticket_id>/send")
@guarded("visit.move")
@attempted
def send(ticket_id: UUID) -> ResponseReturnValue:
    """Send the person to another station."""
    with unit_of_work() as work:
        permit("visit.move", facility_of_ticket(work, ticket_id))
        view = _visit(work, ticket_id)
        services.move(
            work, principal(), view.id, _uuid(request.form.get("queue", "")), now=now(), cipher=cipher()
        )
        told = queries.visit_view(work, view.id)
    _tell_where(told)
    return _back()


def _visit(work: Session, ticket_id: UUID) -> VisitView:
    permit("visit.tell", facility_of_ticket(work, ticket_id))
    visit_id = queries.visit_of_ticket(work, ticket_id)
    if visit_id is None:
        raise BadRequest
    return queries.visit_view(work, visit_id)


def _say(
    work: Session, view: VisitView, kind: EventKind, key: str, orders: tuple[OrderRef, ...] = ()
) -> None:
    event = NewEvent(CONSOLE, key, kind, now(), code=view.code, day=view.business_date, orders=orders)
    services.receive(work, principal(), view.facility_id, event, now=now(), cipher=cipher())


def _tell_where(view: VisitView) -> None:
    """Say to the doctor where the person goes now, so that the person hears it too."""
    leg = view.standing
    if leg is None:
        flash(t("visits-sent-nowhere", code=view.code), "warning")
    else:
        flash(t("visits-sent", number=leg.number_text, place=leg.place), "success")


def _back() -> ResponseReturnValue:
    return redirect(url_for("clinic.day"), 303)


def _press_key() -> str:
    given = request.form.get("press_key", "")
    return (
        given if 0 < len(given) <= _LONGEST_KEY and given.isascii() and given.isprintable() else str(new_id())
    )


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise BadRequest from error
