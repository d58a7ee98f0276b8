"""Numbers that were lent: the account of the day, the desk's worklist, printed lists."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local, business_date
from telehealth.core.errors import Conflict, DomainError, NotFound, Unprocessable, http_status
from telehealth.core.ids import new_id
from telehealth.core.text import whole_number
from telehealth.directory import queries as directory
from telehealth.queueing import leased, queries
from telehealth.queueing.codes import LeaseholderKind
from telehealth.queueing.rules import numbers_in
from telehealth.queueing.services import leases
from telehealth.queueing.services.leases import Leaseholder, LeaseView, Tally
from telehealth.web.context import cipher, enter_again, now, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

pages = Blueprint("lent", __name__, url_prefix="/clinic/numbers", template_folder="../templates")

LINES = (20, 40, 60, 100)
_CLOCK = re.compile(r"([01]?\d|2[0-3])[:hg.]([0-5]\d)\Z")


@pages.get("/<uuid:facility_id>")
@guarded("lease.read")
def account(facility_id: UUID) -> str:
    """Show what became of every number of today, who still holds some, and what waits for the desk."""
    permit("lease.read", facility_id)
    day = business_date(now())
    with unit_of_work() as session:
        queues = queries.queues_of(session, facility_id)
        return render_template(
            "queueing/numbers.html",
            facility=directory.facility(session, facility_id),
            queues=queues,
            days=leased.numbers_by_queue(session, [each.id for each in queues], day, now()),
            leases=leased.leases_of(session, facility_id, day),
            handed_in=leased.handed_in(session, facility_id, cipher()),
            sizes=[(str(each), str(each)) for each in LINES],
            press_key=new_id(),
            now=now(),
        )


@pages.post("/<uuid:facility_id>/lists")
@guarded("lease.settle")
def make_lists(facility_id: UUID) -> ResponseReturnValue:
    """Lend numbers to printed lists, one for each chosen queue, and show them as they are printed."""
    permit("lease.settle", facility_id)
    size, key = whole_number(request.form.get("size", "")) or 0, request.form.get("press_key", "")[:60]
    chosen = {_uuid(each) for each in request.form.getlist("queue")}
    if not chosen:
        raise Unprocessable({"queue": ["lent-choose-queue"]})
    with unit_of_work() as session:
        wanted = [each for each in queries.queues_of(session, facility_id) if each.id in chosen]
        holder = Leaseholder(LeaseholderKind.PAPER, principal().id or new_id())
        made = [
            leases.lease_block(
                session,
                principal(),
                each,
                holder,
                size,
                request_id=f"{key or new_id()}:{each.id}",
                now=now(),
                cipher=cipher(),
            ).id
            for each in wanted
        ]
    return redirect(url_for("lent.lists", facility_id=facility_id, lease=made), 303)


@pages.get("/<uuid:facility_id>/lists")
@guarded("lease.settle")
def lists(facility_id: UUID) -> str:
    """Show printed lists: the day's appointments, then numbers with room for a name."""
    permit("lease.settle", facility_id)
    with unit_of_work() as session:
        shown = [_lease(session, facility_id, _uuid(each)) for each in request.args.getlist("lease")]
        return render_template(
            "queueing/lists.html",
            facility=directory.facility(session, facility_id),
            shown=[(each, leased.appointments_of(session, each.queue, each.business_date)) for each in shown],
            now=now(),
        )


@pages.get("/<uuid:facility_id>/leases/<uuid:lease_id>")
@guarded("lease.settle")
def tally(facility_id: UUID, lease_id: UUID) -> str:
    """Ask what was given out of a block."""
    return _tally_page(facility_id, lease_id, {})


@pages.post("/<uuid:facility_id>/leases/<uuid:lease_id>")
@guarded("lease.settle")
def enter_tally(facility_id: UUID, lease_id: UUID) -> ResponseReturnValue:
    """Enter what was given out of a block."""
    try:
        with unit_of_work() as session:
            lease = _lease(session, facility_id, lease_id)
            entered = leases.enter_used(
                session, principal(), lease.id, _tally(lease), now=now(), cipher=cipher()
            )
    except (Conflict, Unprocessable) as error:
        enter_again()
        return _tally_page(
            facility_id, lease_id, form_errors(error) or {"used_to": error_text(error)}
        ), http_status(error)
    flash(t("lent-entered", count=len(entered)), "success")
    return redirect(url_for("lent.account", facility_id=facility_id), 303)


@pages.post("/<uuid:facility_id>/handed-in/<uuid:entry_id>/<any(settle, dismiss):decision>")
@guarded("lease.settle")
def decide(facility_id: UUID, entry_id: UUID, decision: str) -> ResponseReturnValue:
    """Write a number of the worklist as a ticket, or close it for a reason."""
    permit("lease.settle", facility_id)
    try:
        with unit_of_work() as session:
            if entry_id not in {each.id for each in leased.handed_in(session, facility_id, cipher())}:
                raise NotFound
            if decision == "settle":
                outcome = leases.settle_handed_in(session, principal(), entry_id, now=now(), cipher=cipher())
                said = "lent-settled" if outcome.ticket_id else "lent-not-settled"
            else:
                reason = request.form.get("reason", "")
                leases.dismiss_handed_in(session, principal(), entry_id, reason, now=now())
                said = "lent-dismissed"
    except Unprocessable:
        said = "lent-reason-missing"
    flash(t(said), "warning" if said in ("lent-not-settled", "lent-reason-missing") else "success")
    return redirect(url_for("lent.account", facility_id=facility_id), 303)


@pages.errorhandler(Conflict)
@pages.errorhandler(Unprocessable)
def refused(error: DomainError) -> ResponseReturnValue:
    """Show the account as it is, with what went otherwise than expected."""
    fields = getattr(error, "fields", {})
    keys = [key for keys in fields.values() for key in keys]
    flash(t(keys[0]) if keys else error_text(error), "warning")
    view = request.view_args or {}
    return redirect(url_for("lent.account", facility_id=view["facility_id"]), 303)


def _tally_page(facility_id: UUID, lease_id: UUID, errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        lease = _lease(session, facility_id, lease_id)
        return render_template(
            "queueing/tally.html",
            facility=directory.facility(session, facility_id),
            lease=lease,
            numbers=leased.numbers_of_the_day(session, lease.queue.id, lease.business_date, now()),
            form=request.form,
            errors=errors,
        )


def _tally(lease: LeaseView) -> Tally:
    wrong: dict[str, list[str]] = {}

    def numbers(field: str) -> frozenset[int]:
        found = numbers_in(request.form.get(field, ""), lease.queue.prefix)
        if found is None or any(not lease.first <= each <= lease.last for each in found):
            wrong[field] = ["field-lease-numbers"]
            return frozenset()
        return found

    used = numbers("used_to")
    if len(used) > 1:
        wrong["used_to"] = ["field-lease-used-to"]
    spoilt, seen = numbers("spoilt"), numbers("seen")
    began_at, until = _time(lease, "began_at", wrong), _time(lease, "until", wrong)
    if wrong:
        raise Unprocessable(wrong)
    return Tally(max(used, default=lease.first - 1), spoilt, seen, began_at, until)


def _time(lease: LeaseView, field: str, wrong: dict[str, list[str]]) -> datetime | None:
    given = request.form.get(field, "").strip().lower()
    if not given:
        return None
    read = _CLOCK.match(given)
    if read is None:
        wrong[field] = ["field-queue-until"]
        return None
    return at_local(lease.business_date, int(read[1]) * 60 + int(read[2]))


def _lease(session: Session, facility_id: UUID, lease_id: UUID) -> LeaseView:
    permit("lease.settle", facility_id)
    found = leases.lease(session, lease_id, cipher())
    if found.queue.facility_id != facility_id:
        raise NotFound
    return found


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound from error
