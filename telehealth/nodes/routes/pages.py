"""Pages: a facility's node for its administrator, what did not fit for the desk, and on a node how it is."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.booking.attempts import attempted
from telehealth.core.errors import DomainError, Forbidden, NotFound, Unprocessable, http_status
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.nodes import queries
from telehealth.nodes.services import duty, worklist
from telehealth.web.context import cipher, now, permit, principal, session, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import t
from telehealth.web.workplace import workplace

pages = Blueprint("nodes", __name__, template_folder="../templates")

_LONGEST_NAME = 60
_LONGEST_NOTE = 200
_WATCHERS = (Role.DESK, Role.FACILITY_ADMIN)


@pages.get("/node")
@public
def here() -> str:
    """Show how this node is; `?part=state` is just what changes."""
    with unit_of_work() as work:
        found = queries.here(work, now())
    part = "nodes/_here.html" if request.args.get("part") == "state" else "nodes/here.html"
    return render_template(part, node=found, now=now())


@pages.get("/admin/facilities/<uuid:facility_id>/node")
@guarded("node.arrange")
def overview(facility_id: UUID) -> str:
    """Show where the facility's queues are run, and its nodes."""
    permit("node.arrange", facility_id)
    return _overview(facility_id)


@pages.post("/admin/facilities/<uuid:facility_id>/node")
@guarded("node.arrange")
def announce(facility_id: UUID) -> ResponseReturnValue:
    """Announce a node and show its code."""
    permit("node.arrange", facility_id)
    name = request.form.get("name", "").strip()[:_LONGEST_NAME]
    try:
        if not name:
            raise Unprocessable({"name": ["nodes-name-missing"]})
        with unit_of_work() as work:
            code = duty.announce_node(work, principal(), facility_id, name, now=now(), cipher=cipher())
    except DomainError as error:
        return _overview(facility_id, errors=form_errors(error, "name")), http_status(error)
    return _overview(facility_id, code=code)


@pages.post("/admin/facilities/<uuid:facility_id>/node/take-back")
@guarded("node.arrange")
@attempted
def take_back(facility_id: UUID) -> ResponseReturnValue:
    """Let the centre run the queues again."""
    permit("node.arrange", facility_id)
    with unit_of_work() as work:
        duty.take_back(work, principal(), facility_id, now=now())
    flash(t("nodes-taken-back"), "success")
    return redirect(url_for("nodes.overview", facility_id=facility_id), 303)


@pages.post("/admin/nodes/<uuid:node_id>/<any(duty, revoke):step>")
@guarded("node.arrange")
@attempted
def change(node_id: UUID, step: str) -> ResponseReturnValue:
    """Give a node the facility's day, or refuse it from now on."""
    try:
        with unit_of_work() as work:
            facility_id = queries.facility_of_node(work, node_id)
            permit("node.arrange", facility_id)
            take = duty.give_duty if step == "duty" else duty.revoke
            take(work, principal(), node_id, now=now())
    except (Forbidden, NotFound):
        raise
    except DomainError as error:
        return _overview(facility_id, refusal=error_text(error)), http_status(error)
    flash(t(f"nodes-done-{step}"), "success")
    return redirect(url_for("nodes.overview", facility_id=facility_id), 303)


@pages.get("/desk/node-exceptions")
@guarded("node.settle")
def exceptions() -> ResponseReturnValue:
    """Show what a node handed in and what did not fit."""
    return _exceptions()


@pages.post("/desk/node-exceptions/<uuid:exception_id>/<any(apply, dismiss):step>")
@guarded("node.settle")
@attempted
def settle(exception_id: UUID, step: str) -> ResponseReturnValue:
    """Take something in after all, or off the list for a reason."""
    note = request.form.get("note", "").strip()[:_LONGEST_NOTE]
    try:
        with unit_of_work() as work:
            permit("node.settle", queries.facility_of_exception(work, exception_id))
            if step == "apply":
                worklist.take_in_after_all(work, principal(), exception_id, now=now(), cipher=cipher())
            else:
                worklist.dismiss(work, principal(), exception_id, note, now=now())
    except (Forbidden, NotFound):
        raise
    except DomainError as error:
        return _exceptions(error_text(error)), http_status(error)
    flash(t(f"nodes-done-{step}"), "success")
    return redirect(url_for("nodes.exceptions"), 303)


def _overview(
    facility_id: UUID, *, code: str | None = None, refusal: str | None = None, errors: Any = None
) -> str:
    own = directory.facilities_by_id(session(), list(principal().facilities(Role.FACILITY_ADMIN)))
    return render_template(
        "nodes/overview.html",
        facility=own[facility_id],
        others=[],
        current="node",
        home=queries.home_of(session(), facility_id),
        nodes=queries.nodes_of(session(), facility_id),
        waiting=len(queries.open_exceptions(session(), facility_id, cipher())),
        code=code,
        refusal=refusal,
        errors=errors or {},
        now=now(),
    )


def _exceptions(refusal: str | None = None) -> str:
    facility_id = workplace(principal().facilities(*_WATCHERS))
    permit("node.settle", facility_id)
    if facility_id is None:
        raise Forbidden
    own = directory.facilities_by_id(session(), [facility_id])
    return render_template(
        "nodes/exceptions.html",
        facility=own[facility_id],
        current="node",
        items=queries.open_exceptions(session(), facility_id, cipher()),
        refusal=refusal,
    )
