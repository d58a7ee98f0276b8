"""One slot: seen, taken by phone and code, held, given back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.accounts import browser
from telehealth.accounts.contacts import ending_of
from telehealth.accounts.errors import StepExpired
from telehealth.accounts.services import request_otp, sign_in_with_code
from telehealth.accounts.services.otp import SIGN_IN, request_again
from telehealth.booking import queries
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.booking.errors import HoldUnknown, NobodyFree, NotAdmitted, NotOpenYet, SlotTaken
from telehealth.booking.services import Hold
from telehealth.core.errors import Conflict, DomainError, Gone, Unprocessable, http_status
from telehealth.core.principal import PrincipalKind
from telehealth.directory.queries import facility as facility_of
from telehealth.directory.queries import facility_by_code
from telehealth.directory.queries import service as service_of
from telehealth.patient_portal import drafts
from telehealth.patient_portal.any_doctor import AnyDoctor, with_anybody
from telehealth.patient_portal.drafts import Draft
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.routes.held import keep
from telehealth.patient_portal.rules import prepare
from telehealth.payments.queries import deposit_terms
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotClosed, SlotInPast, SlotTooFar, SlotTooSoon, SlotUnknown
from telehealth.scheduling.queries import SlotView, earliest_slots, slot_by_id
from telehealth.web.context import cipher, enter_again, now, outbox, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale, t

_STEP = "portal-code"
_ALTERNATIVES = 3
_TITLED = frozenset(
    each.code for each in (SlotTaken, NobodyFree, SlotTooSoon, SlotInPast, SlotTooFar, SlotClosed, NotOpenYet)
)

_Given = ParamSpec("_Given")


@dataclass(frozen=True, slots=True)
class _Lost:
    """What could not be had; no practitioner when any would have done."""

    start: datetime
    service: str
    facility: str
    modality: str
    practitioner_id: UUID | None = None
    hotline: str = ""


class _NotToBeHad(Exception):
    """A slot that cannot be held now; says why."""

    def __init__(self, refusal: DomainError) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def _unless_it_cannot_be_had(
    view: Callable[_Given, ResponseReturnValue],
) -> Callable[_Given, ResponseReturnValue]:
    """Show why and what is free instead when a time is over, too near, taken, closed or not open yet."""

    @wraps(view)
    def shown(*args: _Given.args, **kwargs: _Given.kwargs) -> ResponseReturnValue:
        try:
            return view(*args, **kwargs)
        except NobodyFree as refusal:
            return gone_page(str(kwargs["slot_id"]), refusal)
        except _NotToBeHad as found:
            return gone_page(str(kwargs["slot_id"]), found.refusal)

    return shown


@pages.get("/book/slots/<slot_id>")
@public
@_unless_it_cannot_be_had
def slot(slot_id: str) -> ResponseReturnValue:
    """Show a slot: where, with whom, for how much. Who is not signed in gives a phone number here."""
    _check(slot_id)
    return _slot_page(_slot(slot_id), {})


@pages.post("/book/slots/<slot_id>")
@public
@_unless_it_cannot_be_had
def take_slot(slot_id: str) -> ResponseReturnValue:
    """Hold the slot, or send a code to the phone first."""
    if principal().kind is PrincipalKind.PATIENT:
        return _hold(slot_id)
    _check(slot_id)
    phone = request.form.get("phone", "")[:254]
    try:
        with unit_of_work() as session:
            challenge_id = request_otp(
                session,
                phone=phone,
                purpose=SIGN_IN,
                ip=browser.where().ip,
                language=current_locale(),
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
    except DomainError as error:
        errors = form_errors(error, "phone")
        errors = {"phone": errors.pop("email"), **errors} if "email" in errors else errors
        return _slot_page(_slot(slot_id), errors, phone), http_status(error)
    cookie[_STEP] = {"challenge": str(challenge_id), "ending": ending_of(phone)}
    return redirect(url_for("portal.code", slot_id=slot_id), 303)


@pages.get("/book/slots/<slot_id>/code")
@public
@_unless_it_cannot_be_had
def code(slot_id: str) -> ResponseReturnValue:
    """Ask for the code."""
    if principal().kind is PrincipalKind.PATIENT or _STEP not in cookie:
        return redirect(url_for("portal.slot", slot_id=slot_id))
    return _code_page(slot_id, {})


@pages.post("/book/slots/<slot_id>/code")
@public
@_unless_it_cannot_be_had
def check_code(slot_id: str) -> ResponseReturnValue:
    """Sign in with the code and hold the slot at once."""
    if principal().kind is PrincipalKind.PATIENT:
        return _hold(slot_id)
    step = _step()
    try:
        with unit_of_work() as session:
            signed_in = sign_in_with_code(
                session,
                challenge_id=UUID(step["challenge"]),
                code=request.form.get("code", "")[:40],
                ip=browser.where().ip,
                user_agent=browser.where().user_agent,
                source_port=browser.where().source_port,
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        return _code_page(slot_id, form_errors(error, "code")), http_status(error)
    browser.begin(signed_in)
    return _hold(slot_id)


@pages.post("/book/slots/<slot_id>/code/again")
@public
def send_again(slot_id: str) -> ResponseReturnValue:
    """Send a new code to the same phone."""
    step = _step()
    try:
        with unit_of_work() as session:
            challenge_id = request_again(
                session,
                UUID(step["challenge"]),
                ip=browser.where().ip,
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
    except DomainError as error:
        return _code_page(slot_id, form_errors(error, "code")), http_status(error)
    cookie[_STEP] = step | {"challenge": str(challenge_id)}
    flash(t("portal-code-sent-again"), "success")
    return redirect(url_for("portal.code", slot_id=slot_id), 303)


@pages.post("/book/holds/<uuid:hold_id>/release")
@guarded("booking.hold")
def release(hold_id: UUID) -> ResponseReturnValue:
    """Give the slot back and look for another time."""
    with unit_of_work() as session:
        view = queries.appointment(session, hold_id)
        if view is not None:
            booking.release(session, principal(), hold_id, now=now())
    drafts.forget(cookie)
    if view is None:
        return redirect(url_for("portal.services"), 303)
    return redirect(url_for("portal.times", service=view.service.code, facility=view.facility.code), 303)


def gone_page(slot_id: str, refusal: DomainError) -> ResponseReturnValue:
    """Say that a slot cannot be had, why, and what is free instead."""
    enter_again()
    anybody = AnyDoctor.parse(slot_id)
    with unit_of_work() as session:
        if anybody is not None and isinstance(refusal, NobodyFree):
            refusal = _why_nobody(session, anybody, refusal)
        page = render_template(
            "patient_portal/taken.html",
            lost=_lost(session, slot_id),
            title=t(f"portal-gone-title-{refusal.code}" if refusal.code in _TITLED else "portal-gone-title"),
            taken=isinstance(refusal, SlotTaken | NobodyFree),
            too_soon=isinstance(refusal, SlotTooSoon),
            why=error_text(refusal),
            anybody=anybody is not None,
            alternatives=booking.alternatives(session, slot_id, now=now())
            if anybody is None
            else _other_times(session, anybody),
        )
    return page, http_status(refusal)


def _lost(session: Session, slot_id: str) -> _Lost | None:
    anybody = AnyDoctor.parse(slot_id)
    if anybody is not None:
        place = facility_by_code(session, anybody.facility)
        return _Lost(anybody.start, anybody.service, place.code, anybody.modality, hotline=place.hotline)
    found = slot_by_id(session, slot_id[:80], now())
    if found is None:
        return None
    where = found.facility
    return _Lost(
        found.start,
        found.service.code,
        where.code,
        found.modality,
        found.practitioner.id,
        where.hotline,
    )


def _why_nobody(session: Session, anybody: AnyDoctor, refusal: NobodyFree) -> DomainError:
    """Return why nobody can be had at that time: what holds back a place that the desk could still give."""
    if anybody.start <= now():
        return SlotInPast()
    facility_id = facility_by_code(session, anybody.facility).id
    at_desk = replace(anybody.query(facility_id), channel=Channel.DESK, shown=False)
    reasons = (
        booking.hindrance(session, None, slot.id, now=now())
        for slot in earliest_slots(session, at_desk, now=now())
    )
    return next((reason for reason in reasons if reason is not None), refusal)


def _other_times(session: Session, anybody: AnyDoctor) -> Sequence[SlotView]:
    """Return the next starts with whichever doctor: there from that time on, else in the province."""
    query = anybody.later(facility_by_code(session, anybody.facility).id)
    return with_anybody(booking.next_free(session, query, now=now()))[:_ALTERNATIVES]


def _hold(slot_id: str) -> ResponseReturnValue:
    """Hold the slot instead of the one this browser held before."""
    permit("booking.hold")
    before = drafts.read(cookie, cipher())

    def unit() -> Hold:
        with unit_of_work() as session:
            if before is not None and slot_id not in (before.slot_id, before.anybody):
                _let_go(session, before.hold_id)
            return take_hold(session, slot_id)

    try:
        hold = attempt(unit)
    except NotAdmitted:
        return redirect(url_for("admission.room", service_id=_slot_again(slot_id).service.id), 303)
    except (Conflict, Gone, Unprocessable) as refusal:
        return gone_page(slot_id, refusal)
    anybody = slot_id if hold.slot_id != slot_id else ""
    keep(Draft(hold.id, hold.slot_id, hold.expires_at, anybody=anybody))
    return redirect(url_for("portal.who", hold_id=hold.id), 303)


def take_hold(session: Session, slot_id: str) -> Hold:
    """Hold a slot, or one of whichever doctor is free then. Raises what `hold` and `hold_any` raise."""
    anybody = AnyDoctor.parse(slot_id)
    if anybody is None:
        return booking.hold(session, principal(), slot_id, now=now())
    facility_id = facility_by_code(session, anybody.facility).id
    return booking.hold_any(session, principal(), anybody.wanted(facility_id), now=now())


def _let_go(session: Session, hold_id: UUID) -> None:
    """Give back what this browser held; another account may have held it before."""
    with suppress(HoldUnknown):
        booking.release(session, principal(), hold_id, now=now())


def _slot_again(slot_id: str) -> SlotView:
    """Return a slot after a refusal."""
    enter_again()
    return _slot(slot_id)


def _slot(slot_id: str) -> SlotView:
    """Return a slot, or for any doctor's the first that is free then. Raises SlotUnknown, NobodyFree."""
    anybody = AnyDoctor.parse(slot_id)
    with unit_of_work() as session:
        if anybody is not None:
            return _first_of(session, anybody)
        found = slot_by_id(session, slot_id[:80], now())
    if found is None:
        raise SlotUnknown
    return found


def _check(slot_id: str) -> None:
    """Raise _NotToBeHad, SlotUnknown. Times of any doctor are looked for where they are shown."""
    if AnyDoctor.parse(slot_id) is not None:
        return
    known = principal() if principal().kind is PrincipalKind.PATIENT else None
    with unit_of_work() as session:
        refusal = booking.hindrance(session, known, slot_id[:80], now=now())
    if refusal is not None:
        raise _NotToBeHad(refusal)


def _first_of(session: Session, anybody: AnyDoctor) -> SlotView:
    facility_id = facility_by_code(session, anybody.facility).id
    free = with_anybody(earliest_slots(session, anybody.query(facility_id), now=now()))
    if not free:
        raise NobodyFree
    return free[0]


def _step() -> dict[str, str]:
    step = cookie.get(_STEP)
    if not isinstance(step, dict):
        raise StepExpired
    return step


def _slot_page(found: SlotView, errors: dict[str, Any], phone: str = "") -> str:
    with unit_of_work() as session:
        service = service_of(session, found.service.id)
        return render_template(
            "patient_portal/slot.html",
            slot=found,
            anybody=AnyDoctor.parse(found.id) is not None,
            terms=deposit_terms(session, found.service.id),
            prepare=prepare(service, found.modality, current_locale()),
            facility=facility_of(session, found.facility.id),
            phone=phone,
            errors=errors,
            known=principal().kind is PrincipalKind.PATIENT,
        )


def _code_page(slot_id: str, errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/code.html", slot=_slot(slot_id), ending=_step()["ending"], errors=errors
    )
