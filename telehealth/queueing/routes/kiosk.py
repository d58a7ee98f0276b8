"""The kiosk: plain forms, one question at a time, nothing kept of the last person."""

from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import segno
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import login_user
from markupsafe import Markup
from sqlalchemy.orm import Session

from telehealth.accounts.browser import BrowserSession
from telehealth.accounts.services.devices import redeem_device_code
from telehealth.booking.attempts import attempted
from telehealth.core.errors import DomainError, NotFound, Unprocessable, http_status
from telehealth.core.ids import CODE_ALPHABET, new_id
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.queueing import queries, services
from telehealth.queueing.codes import PriorityClass, Purpose, StaffCallKind
from telehealth.queueing.errors import PressReused, QueueClosed
from telehealth.queueing.rules import LONGEST_SCAN
from telehealth.queueing.services import TicketView
from telehealth.web.context import cipher, now, permit, principal, session, settings, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale

kiosk = Blueprint("kiosk", __name__, url_prefix="/kiosk", template_folder="../templates")

Choice = TypeVar("Choice", PriorityClass, Purpose, StaffCallKind)

CLEAR_AFTER_SECONDS = 25
PRESS_LASTS = timedelta(minutes=2)
"""After so long whoever presses on the same page again is somebody else."""
_ENROLMENT_CODE_LENGTH = 16
_REGISTRATION = "registration"


@kiosk.get("")
@public
def home() -> ResponseReturnValue:
    """Ask what the person needs; a machine that is no kiosk yet is put into use first."""
    if not principal().has(Role.KIOSK):
        return redirect(url_for("kiosk.activate"))
    return _page("queueing/kiosk_home.html", press_key=new_id())


@kiosk.route("/activate", methods=["GET", "POST"])
@public
def activate() -> ResponseReturnValue:
    """Put a machine into use by its token, or by a code that an administrator just made."""
    if request.method != "POST":
        return render_template("queueing/kiosk_activate.html", refused=None)
    given = request.form.get("code", "").strip()
    try:
        token = _redeemed(given) if len(given) <= _ENROLMENT_CODE_LENGTH else given
    except DomainError as error:
        return render_template("queueing/kiosk_activate.html", refused=error_text(error)), 422
    cookie.clear()
    cookie.permanent = True
    login_user(BrowserSession(token))
    g.pop("principal", None)
    if not principal().has(Role.KIOSK):
        cookie.clear()
        return render_template("queueing/kiosk_activate.html", refused="error-kiosk-token"), 422
    return redirect(url_for("kiosk.home"))


@kiosk.get("/code")
@guarded("kiosk.use")
def code() -> ResponseReturnValue:
    """Ask for the booking code."""
    return _page("queueing/kiosk_code.html", alphabet=CODE_ALPHABET, press_key=new_id())


@kiosk.get("/priority")
@guarded("kiosk.use")
def priority() -> ResponseReturnValue:
    """Ask which statutory class the person belongs to."""
    classes = [each for each in PriorityClass if each is not PriorityClass.NONE]
    return _page("queueing/kiosk_priority.html", classes=classes, press_key=new_id())


@kiosk.post("/check-in")
@guarded("kiosk.use")
@attempted
def check_in() -> ResponseReturnValue:
    """Check in by a scanned or typed code."""
    with unit_of_work() as work:
        facility_id = _facility_id()
        code = request.form.get("code", "")[:LONGEST_SCAN]
        arrived = services.arrive_by_slip(work, principal(), code, facility_id, now=now(), cipher=cipher())
        ticket = arrived or services.check_in(
            work,
            principal(),
            services.find_by_code(work, code, facility_id),
            press_key=_press_key(),
            now=now(),
            cipher=cipher(),
        )
    return _slip(ticket)


@kiosk.post("/number")
@guarded("kiosk.use")
@attempted
def number() -> ResponseReturnValue:
    """Give a walk-in a number for registration."""
    with unit_of_work() as work:
        ticket = services.take_number(
            work,
            principal(),
            _registration(work),
            priority=_chosen(PriorityClass, "priority", PriorityClass.NONE),
            purpose=_chosen(Purpose, "purpose", Purpose.OTHER),
            press_key=_press_key(),
            now=now(),
            cipher=cipher(),
        )
        if now() - ticket.issued_at > PRESS_LASTS:
            raise PressReused
    return _slip(ticket)


@kiosk.post("/help")
@guarded("kiosk.use")
def call_staff() -> ResponseReturnValue:
    """Call people: for an emergency, or for help."""
    kind = _chosen(StaffCallKind, "kind", StaffCallKind.HELP)
    with unit_of_work() as work:
        services.call_staff(work, principal(), _facility_id(), kind, now=now())
    return _page("queueing/kiosk_help.html", emergency=kind is StaffCallKind.EMERGENCY)


@kiosk.errorhandler(DomainError)
def refused(error: DomainError) -> ResponseReturnValue:
    """Refuse on the kiosk's own screen, large, with the way back and the call for help."""
    if not principal().has(Role.KIOSK):
        return redirect(url_for("kiosk.activate"))
    page = _page("queueing/kiosk_refused.html", refusal=error_text(error), code=error.code)
    return page, http_status(error)


def _page(template: str, **values: Any) -> str:
    facility = directory.facility(session(), _facility_id())
    return render_template(
        template,
        facility=facility,
        clear_after=CLEAR_AFTER_SECONDS,
        lang=None if current_locale() == "vi" else current_locale(),
        now=now(),
        **values,
    )


def _slip(ticket: TicketView) -> str:
    address = settings().public_base_url + url_for("queueing.follow", public_token=ticket.public_token)
    picture = segno.make(address, error="m").svg_inline(
        border=2, omitsize=True, svgclass=None, lineclass=None
    )
    return _page("queueing/kiosk_slip.html", ticket=ticket, qr=Markup(picture))  # noqa: S704  drawn by us


def _redeemed(given: str) -> str:
    with unit_of_work() as work:
        return redeem_device_code(work, code=given, ip=request.remote_addr, now=now(), cipher=cipher()).token


def _facility_id() -> UUID:
    facility_id = next(iter(principal().facilities(Role.KIOSK)), None)
    if facility_id is None:
        raise NotFound
    permit("kiosk.use", facility_id)
    return facility_id


def _registration(work: Session) -> UUID:
    queue = next((q for q in queries.queues_of(work, _facility_id()) if q.code == _REGISTRATION), None)
    if queue is None:
        raise QueueClosed
    return queue.id


def _press_key() -> str:
    given = request.form.get("press_key", "")
    return given if 0 < len(given) <= 64 and given.isascii() and given.isprintable() else str(new_id())


def _chosen(kinds: type[Choice], field: str, default: Choice) -> Choice:
    try:
        return kinds(request.form.get(field, default))
    except ValueError as error:
        raise Unprocessable({field: ["error-invalid"]}) from error
