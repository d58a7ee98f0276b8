"""The kiosk's pages: plain forms, one question at a time, nothing kept of the last person.

Who stands there travels in a sealed pass from form to form (kiosk/passes.py): no cookie of a person, nothing
in an address, and a press that comes too late is refused.
"""

from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

import segno
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import login_user
from markupsafe import Markup

from telehealth.accounts.browser import BrowserSession
from telehealth.accounts.enrolment import enrolled
from telehealth.booking.attempts import attempted
from telehealth.core.errors import DomainError, NotFound, Unprocessable, http_status
from telehealth.core.ids import new_id
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.kiosk import queries, services
from telehealth.kiosk.codes import FeedbackTopic
from telehealth.kiosk.passes import Pass, open_pass, seal
from telehealth.kiosk.prompts import clip_path
from telehealth.kiosk.rules import CLEAR_AFTER_SECONDS, PASS_LASTS
from telehealth.kiosk.services import Kiosk, Opinion, Seen, Wish
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PriorityClass, Purpose, StaffCallKind
from telehealth.queueing.errors import PressReused
from telehealth.queueing.places import place_of
from telehealth.queueing.services import TicketView
from telehealth.web.context import cipher, now, permit, principal, session, settings, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale, format_date, format_time, t
from telehealth.web.security import may_connect

pages = Blueprint("kiosk", __name__, url_prefix="/kiosk", template_folder="../templates")

Choice = TypeVar("Choice", PriorityClass, Purpose, StaffCallKind)

LOOK_UP = "look-up"
"""Not a purpose to take a number for: only to see when the appointment is."""
KEYS = "1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ENROLMENT_CODE_LENGTH = 16
_ROOMS_AT_A_GLANCE = 6
_NEEDS_A_ROOM = (Purpose.INSURED, Purpose.SELF_PAY, Purpose.FOREIGNER, Purpose.FAMILY)


@pages.get("")
@public
def home() -> ResponseReturnValue:
    """Ask what the person needs; a machine that is no kiosk yet is put into use first."""
    if not principal().has(Role.KIOSK):
        return redirect(url_for("kiosk.activate"))
    return _page("kiosk/home.html", said="welcome")


@pages.route("/activate", methods=["GET", "POST"])
@public
def activate() -> ResponseReturnValue:
    """Put a machine into use by its token, or by a code that an administrator just made."""
    if request.method != "POST":
        return render_template("kiosk/activate.html", refused=None)
    given = request.form.get("code", "").strip()
    try:
        token = enrolled(given).token if len(given) <= _ENROLMENT_CODE_LENGTH else given
    except DomainError as error:
        return render_template("kiosk/activate.html", refused=error_text(error)), 422
    cookie.clear()
    cookie.permanent = True
    login_user(BrowserSession(token))
    g.pop("principal", None)
    if not principal().has(Role.KIOSK):
        cookie.clear()
        return render_template("kiosk/activate.html", refused="error-kiosk-token"), 422
    return redirect(url_for("kiosk.home"))


@pages.get("/read")
@guarded("kiosk.use")
def ask() -> ResponseReturnValue:
    """Ask for a card, a code or a number."""
    purpose = request.args.get("purpose", Purpose.OTHER.value)
    if purpose != LOOK_UP:
        purpose = _chosen(Purpose, "purpose", Purpose.OTHER).value
    priority = _chosen(PriorityClass, "priority", PriorityClass.NONE).value
    return _page("kiosk/read.html", keys=KEYS, purpose=purpose, priority=priority, said="read")


@pages.post("/identify")
@guarded("kiosk.use")
def identify() -> ResponseReturnValue:
    """Show who was found, masked, to be confirmed by whoever stands there."""
    look_up = request.form.get("purpose") == LOOK_UP
    kiosk = _kiosk()
    with unit_of_work() as work:
        text = request.form.get("text", "")
        seen = services.identify(work, kiosk, text, ahead=look_up, now=now(), cipher=cipher())
    if seen.ticket is not None:
        return _page("kiosk/ticket.html", ticket=seen.ticket)
    if look_up:
        return _page("kiosk/coming.html", seen=seen)
    return _confirm(seen, kiosk)


@pages.post("/choose")
@guarded("kiosk.use")
def choose() -> ResponseReturnValue:
    """Ask which room, or none: registration then decides. A large house is first asked for the service."""
    services = queries.by_service(queries.rooms_today(session(), _facility_id(), now()))
    chosen = next((each for each in services if str(each.id) == request.form.get("service")), None)
    asks_service = chosen is None and sum(len(each.rooms) for each in services) > _ROOMS_AT_A_GLANCE
    shown = [chosen] if chosen else services
    return _page(
        "kiosk/choose.html",
        services=shown,
        asks_service=asks_service,
        who=_form_pass(),
        **_wished(),
        said="choose",
    )


@pages.get("/priority")
@guarded("kiosk.use")
def priority() -> ResponseReturnValue:
    """Ask which statutory class the person belongs to."""
    classes = [each for each in PriorityClass if each is not PriorityClass.NONE]
    return _page("kiosk/priority.html", classes=classes, said="priority")


@pages.post("/check-in")
@guarded("kiosk.use")
@attempted
def check_in() -> ResponseReturnValue:
    """Check in to an appointment that was just shown."""
    kiosk = _kiosk()
    appointment_id = _uuid(request.form.get("appointment", ""))
    with unit_of_work() as work:
        ticket = services.check_in(
            work,
            kiosk,
            _held(kiosk) or Pass(),
            appointment_id,
            press_key=_press_key(),
            now=now(),
            cipher=cipher(),
        )
    return _slip(ticket)


@pages.post("/number")
@guarded("kiosk.use")
@attempted
def number() -> ResponseReturnValue:
    """Give a walk-in a number: for a room, or for registration."""
    kiosk = _kiosk()
    wish = Wish(
        purpose=_chosen(Purpose, "purpose", Purpose.OTHER),
        priority=_chosen(PriorityClass, "priority", PriorityClass.NONE),
        queue_id=_uuid(request.form["queue"]) if request.form.get("queue") else None,
        phone=request.form.get("phone", "").strip()[:20] or None,
    )
    with unit_of_work() as work:
        ticket = services.take_number(
            work, kiosk, _held(kiosk), wish, press_key=_press_key(), now=now(), cipher=cipher()
        )
        if "who" not in request.form and now() - ticket.issued_at > PASS_LASTS:
            raise PressReused
    return _slip(ticket)


@pages.get("/prices")
@guarded("kiosk.use")
def prices() -> ResponseReturnValue:
    """Show what the services cost."""
    return _page("kiosk/prices.html", services=directory.services_of(session(), _facility_id()))


@pages.route("/feedback", methods=["GET", "POST"])
@guarded("feedback.give")
def feedback() -> ResponseReturnValue:
    """Take what a person wants to say, and where to answer a complaint."""
    if request.method != "POST":
        return _page("kiosk/feedback.html", topics=list(FeedbackTopic), said="feedback")
    kiosk = _kiosk()
    opinion = Opinion(
        rating=int(request.form["rating"]) if request.form.get("rating", "") in set("12345") else 0,
        topics=_topics(request.form.getlist("topic")),
        phone=request.form.get("phone", "").strip()[:20] or None,
    )
    with unit_of_work() as work:
        services.give_feedback(work, kiosk, opinion, now=now(), cipher=cipher())
    return _page("kiosk/thanks.html", answered=opinion.phone is not None)


@pages.post("/help")
@guarded("kiosk.use")
def call_staff() -> ResponseReturnValue:
    """Call people: for an emergency, or for help."""
    kind = _chosen(StaffCallKind, "kind", StaffCallKind.HELP)
    if kind is StaffCallKind.PRINTER:
        raise Unprocessable({"kind": ["error-invalid"]})
    with unit_of_work() as work:
        queueing.call_staff(work, principal(), _facility_id(), kind, now=now())
    emergency = kind is StaffCallKind.EMERGENCY
    return _page("kiosk/help.html", emergency=emergency, said="emergency" if emergency else "help")


@pages.errorhandler(DomainError)
def refused(error: DomainError) -> ResponseReturnValue:
    """Refuse on the kiosk's own screen, large, with the way back and the call for help."""
    if not principal().has(Role.KIOSK):
        return redirect(url_for("kiosk.activate"))
    page = _page("kiosk/refused.html", refusal=_why(error), code=error.code, **_asked(), said="refused")
    return page, http_status(error)


def _asked() -> dict[str, Any]:
    """Return what the refused screen may offer: trying again for the same, or a number for reception."""
    try:
        return {**_wished(), "looked_up": False}
    except Unprocessable:
        looked_up = request.values.get("purpose") == LOOK_UP
        return {"purpose": Purpose.OTHER.value, "priority": PriorityClass.NONE.value, "looked_up": looked_up}


def _why(error: DomainError) -> str:
    """Return the words of the field that is wrong, where there is one: they say more."""
    wrong = [key for keys in getattr(error, "fields", {}).values() for key in keys]
    return t(wrong[0]) if wrong and not wrong[0].startswith("error-") else error_text(error)


def _confirm(seen: Seen, kiosk: Kiosk) -> str:
    """One person, or several behind one number: each is asked for by a button of their own."""
    if seen.new is not None:
        who = _sealed(kiosk, Pass(person=seen.new))
        return _page("kiosk/new.html", new=seen.new, who=who, warnings=seen.warnings, **_wished(), said="new")
    shown = [
        (each, [due for due in seen.due if due.person.id == each.id], _sealed(kiosk, _pass_of(each.id, seen)))
        for each in seen.people
    ]
    return _page("kiosk/confirm.html", shown=shown, warnings=seen.warnings, **_wished(), said="confirm")


def _pass_of(patient_id: UUID, seen: Seen) -> Pass:
    own = frozenset(due.id for due in seen.due if due.person.id == patient_id)
    return Pass(patient_id=patient_id, appointments=own)


def _sealed(kiosk: Kiosk, held: Pass) -> str:
    return seal(held, kiosk.device_id, now=now(), cipher=cipher())


def _form_pass() -> str:
    return request.form.get("who", "")


def _held(kiosk: Kiosk) -> Pass | None:
    given = _form_pass()
    return open_pass(given, kiosk.device_id, now=now(), cipher=cipher()) if given else None


def _wished() -> dict[str, Any]:
    purpose = _chosen(Purpose, "purpose", Purpose.OTHER)
    return {
        "purpose": purpose.value,
        "priority": _chosen(PriorityClass, "priority", PriorityClass.NONE).value,
        "chooses_room": purpose in _NEEDS_A_ROOM,
        "phone": request.form.get("phone", "")[:20],
    }


def _topics(given: Iterable[str]) -> list[FeedbackTopic]:
    try:
        return sorted({FeedbackTopic(each) for each in given})
    except ValueError as error:
        raise Unprocessable({"topics": ["error-invalid"]}) from error


def _page(template: str, *, said: str | None = None, **values: Any) -> str:
    """Render a screen; `said` names the prompt that is spoken on it."""
    facility = directory.facility(session(), _facility_id())
    clip = None if said is None else clip_path(current_locale(), said)
    return render_template(
        template,
        facility=facility,
        clip=clip,
        speaks=said != "welcome",
        clear_after=CLEAR_AFTER_SECONDS,
        lang=None if current_locale() == "vi" else current_locale(),
        now=now(),
        press_key=new_id(),
        **values,
    )


def _slip(ticket: TicketView) -> str:
    address = settings().slip_base_url + url_for("queueing.follow", public_token=ticket.public_token)
    picture = segno.make(address, error="m").svg_inline(
        border=2, omitsize=True, svgclass=None, lineclass=None
    )
    drawn = Markup(picture)  # noqa: S704  drawn by us
    agent = settings().print_agent_url
    if agent:
        may_connect(agent)
    slip = _paper(ticket, address)
    english = current_locale() == "en"
    room_en = place_of(ticket.queue.kind, name=ticket.room).en if english else None
    return _page(
        "kiosk/slip.html", ticket=ticket, room_en=room_en, qr=drawn, slip=slip, agent=agent, said="slip"
    )


def _paper(ticket: TicketView, address: str) -> dict[str, Any]:
    """Return what the print agent puts on paper (printing/slips.py)."""
    lines = [f"{t('visits-code')} {ticket.visit_code}"] if ticket.visit_code else []
    if ticket.people_ahead is not None and ticket.wait_range is not None:
        wait = ticket.wait_range
        lines.append(t("queue-people-ahead", count=ticket.people_ahead))
        lines.append(t("queue-wait" if wait.low else "queue-wait-short", low=wait.low, high=wait.high))
    if ticket.appointment_start is not None:
        lines.append(t("clinic-appointment-at", time=format_time(ticket.appointment_start)))
    issued = t("slip-issued", time=format_time(ticket.issued_at), date=format_date(ticket.issued_at, "short"))
    return {
        "key": str(ticket.id),
        "place": directory.facility(session(), ticket.queue.facility_id).name,
        "number": ticket.number_text,
        "room": ticket.room,
        "lines": lines,
        "address": address,
        "foot": [t("slip-follow"), t("slip-missed"), issued],
    }


def _kiosk() -> Kiosk:
    return Kiosk.of(principal(), _facility_id())


def _facility_id() -> UUID:
    facility_id = next(iter(principal().facilities(Role.KIOSK)), None)
    if facility_id is None:
        raise NotFound
    permit("kiosk.use", facility_id)
    return facility_id


def _press_key() -> str:
    given = request.form.get("press_key", "")
    return given if 0 < len(given) <= 64 and given.isascii() and given.isprintable() else str(new_id())


def _chosen(kinds: type[Choice], field: str, default: Choice) -> Choice:
    try:
        return kinds(request.values.get(field, default))
    except ValueError as error:
        raise Unprocessable({field: ["error-invalid"]}) from error


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound from error
