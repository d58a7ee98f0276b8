"""Pages of the desk: everything with the keyboard, nothing that needs scripts."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import segno
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from notifications.preferences import Source
from telehealth.accounts.queries import account_names
from telehealth.answers.choices import chosen
from telehealth.answers.queries import phone_of
from telehealth.answers.services import choose
from telehealth.audit.services import Entry, record
from telehealth.booking import queries as bookings
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt, attempted
from telehealth.booking.codes import AppointmentStatus, CancelReason, CoverageBasis
from telehealth.booking.presentation import same_day_text
from telehealth.booking.queries import AppointmentView, DayCount, FullSlot
from telehealth.booking.services import AnyPractitioner
from telehealth.core.clock import at_local, business_date, local
from telehealth.core.errors import BadRequest, DomainError, http_status
from telehealth.core.ids import new_id
from telehealth.core.text import whole_number
from telehealth.desk import services
from telehealth.desk.choosing import Offered, Suggestion, offered_at, suggestions
from telehealth.desk.errors import BookedThatDay, NobodyAsked, NoQueue, NoReason, NoService, NothingTyped
from telehealth.desk.forms import PersonForm, written
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.frame import known_person as _seen
from telehealth.desk.queries import BlockedTime, blocked_times, doctors_of_service
from telehealth.desk.rules import Asked, read_box
from telehealth.desk.services import Desk, Order
from telehealth.desk.times import When, blocked_slots
from telehealth.directory.codes import Modality
from telehealth.patients import queries as patients
from telehealth.patients import services as people
from telehealth.patients.rules import age_on, is_child
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.services import TicketView
from telehealth.referrals import queries as referrals
from telehealth.referrals import services as referring
from telehealth.referrals.queries import RequestView
from telehealth.referrals.routes.means import means as slip_means
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import PractitionerRef, SlotQuery, SlotView, earliest_slots, slot_by_id
from telehealth.scheduling.rules import DAY_MINUTES
from telehealth.visits import services as visits
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    now,
    outbox,
    permit,
    principal,
    session,
    settings,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t
from telehealth.web.workplace import choose_workplace

pages = Blueprint("desk", __name__, template_folder="templates", url_prefix="/desk")

_SERVICE = "desk-service"
_SLOTS = 8
_SLOTS_ASKED = 12
_MOST_OFFERED = 5
_MOST_LOOKED_AT = 40
_MOST_IN_LIST = 200
_HERE, _ANYWHERE = "here", "anywhere"
_ANY = "any"
_MISSING = "field-required"
_MOST_SLIPS = 10
_NOT_ASKED_AGAIN = ("csrf_token", "again")
_LONGEST_REASON = 200
_SHORTEST_WHY = 3
GROUNDS = tuple(basis.value for basis in CoverageBasis)
CANCEL_REASONS = (
    CancelReason.PATIENT,
    CancelReason.PATIENT_BETTER,
    CancelReason.PATIENT_ELSEWHERE,
    CancelReason.PRACTITIONER_AWAY,
    CancelReason.FACILITY,
    CancelReason.ENTERED_IN_ERROR,
)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which times the clerk looks for."""

    service: str
    where: str
    modality: str
    when: When


@dataclass(frozen=True, slots=True)
class _Blocked:
    """What is blocked when the clerk looks, and the times of it that they may book all the same."""

    times: list[BlockedTime]
    slots: list[SlotView]


@dataclass(frozen=True, slots=True)
class _Offering:
    """Other times for an appointment; `asked` is the one already offered, open `until`."""

    slots: list[SlotView]
    reachable: bool
    asked: datetime | None
    until: datetime | None


@pages.get("")
@guarded("desk.enter")
def home() -> ResponseReturnValue:
    """Show the one box, and the day in figures."""
    return _home("", {})


@pages.post("/facility")
@guarded("desk.enter")
def choose_facility() -> ResponseReturnValue:
    """Work at another of one's facilities."""
    facility_id = _uuid(request.form.get("facility", ""))
    permit("desk.use", facility_id)
    choose_workplace(facility_id)
    return redirect(url_for("desk.home"))


@pages.post("/find")
@guarded("desk.enter")
def find() -> ResponseReturnValue:
    """Look for whoever was scanned or typed. Posted, so that no name stands in an address."""
    desk = _desk()
    text = request.form.get("box", "")
    typed = read_box(text)
    if typed is None:
        return _home(text, form_errors(NothingTyped({"box": ["error-desk-nothing-typed"]}))), 422
    with unit_of_work() as work:
        if typed.code is not None:
            view = bookings.appointment_by_code(work, typed.code)
            if view is not None and view.facility.id == desk.facility_id:
                return redirect(url_for("desk.show", appointment_id=view.id))
        found = services.find(work, desk, typed, now=now(), cipher=cipher())
    if len(found) == 1 and (typed.card or typed.national_id or typed.insurance_no):
        return redirect(url_for("desk.person", patient_id=found[0].id))
    form = PersonForm.of(services.draft_of(typed))
    return render_template(
        "desk/found.html",
        **_frame(desk),
        found=found,
        form=form.values,
        box="" if typed.card else text,
        was_code=typed.code is not None,
        errors={},
        warnings=[t(key) for key in form.warnings()],
        birth=written,
    )


@pages.get("/people/new")
@guarded("desk.enter")
def new_person() -> ResponseReturnValue:
    """Show the empty form."""
    return _person_form(PersonForm.read({}), {})


@pages.post("/people")
@guarded("desk.enter")
def register() -> ResponseReturnValue:
    """Register a person and go on to them."""
    desk, form = _desk(), PersonForm.read(request.form)
    try:
        with unit_of_work() as work:
            new = form.new_patient(current_locale())
            doubles = services.doubles(work, desk, new, now=now(), cipher=cipher())
            if doubles.any and request.form.get("different") != "yes":
                return render_template(
                    "desk/doubles.html",
                    **_frame(desk, "new"),
                    form=form.values,
                    doubles=doubles,
                    birth=written,
                )
            patient_id = services.register(work, desk, new, now=now(), cipher=cipher())
    except DomainError as error:
        errors = {
            ("birth" if name == "birth_date" else name): text for name, text in form_errors(error).items()
        }
        return _person_form(form, errors), http_status(error)
    for key in form.warnings():
        flash(t(key), "warning")
    return redirect(url_for("desk.person", patient_id=patient_id))


@pages.get("/people/<uuid:patient_id>")
@guarded("desk.enter")
def person(patient_id: UUID) -> ResponseReturnValue:
    """Show a person: today's appointment, and the earliest times of the service that the clerk chose."""
    choice = _choice(request.args.to_dict())
    if "service" in request.args and not choice.service:
        refused = NoService({"service": [_MISSING]})
        return _person_page(patient_id, choice, form_errors(refused)), http_status(refused)
    return _person_page(patient_id, choice, {})


@pages.post("/people/<uuid:patient_id>/book")
@guarded("desk.enter")
def book(patient_id: UUID) -> ResponseReturnValue:
    """Book the chosen time and show the slip."""
    return _booked(patient_id, "slot_id")


@pages.post("/people/<uuid:patient_id>/overbook")
@guarded("booking.overbook")
def overbook(patient_id: UUID) -> ResponseReturnValue:
    """Put somebody beside those who have a time, for a reason, and show the slip."""
    return _booked(patient_id, "why")


@pages.post("/people/<uuid:patient_id>/override")
@guarded("booking.overbook")
def override(patient_id: UUID) -> ResponseReturnValue:
    """Book a time that a blocking closes to others, for a reason, and show the slip."""
    return _booked(patient_id, "override_why")


def _booked(patient_id: UUID, place_of_errors: str) -> ResponseReturnValue:
    desk, choice = _desk(), _choice(request.form.to_dict())

    def unit() -> UUID:
        with unit_of_work() as work:
            _seen(work, patient_id)
            return services.book(
                work,
                desk,
                _order(patient_id, desk, choice, place_of_errors),
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
                links=answer_links(),
            ).id

    try:
        appointment_id = attempt(unit)
    except BookedThatDay as refusal:
        return _again_page(patient_id, refusal.already), http_status(refusal)
    except DomainError as error:
        return _person_page(patient_id, choice, form_errors(error, place_of_errors)), http_status(error)
    cookie[_SERVICE] = choice.service
    return redirect(url_for("desk.slip", appointment_id=appointment_id))


@pages.get("/people/<uuid:patient_id>/messages")
@guarded("desk.enter")
def person_messages(patient_id: UUID) -> ResponseReturnValue:
    """Show what the person's phone is told, to choose for who asks at the desk."""
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        people.note_read(work, principal(), view.id, now=now(), facility_id=_desk().facility_id)
        phone = phone_of(work, view.id, None, cipher())
    return render_template("desk/messages.html", **_frame(_desk()), person=view, phone=phone)


@pages.post("/people/<uuid:patient_id>/messages")
@guarded("desk.enter")
def choose_messages(patient_id: UUID) -> ResponseReturnValue:
    """Keep what was chosen for the person's phone."""
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        phone = phone_of(work, view.id, None, cipher())
        if phone is None:
            raise BadRequest
        choose(
            work,
            principal(),
            phone,
            chosen(request.form.to_dict(flat=False)),
            source=Source.DESK,
            facility_id=_desk().facility_id,
            now=now(),
            cipher=cipher(),
        )
    flash(t("answers-messages-kept"), "success")
    return redirect(url_for("desk.person_messages", patient_id=patient_id), 303)


@pages.post("/people/<uuid:patient_id>/number")
@guarded("desk.enter")
@attempted
def walk_in(patient_id: UUID) -> ResponseReturnValue:
    """Give somebody without an appointment a number."""
    desk = _desk()
    if not request.form.get("queue"):
        refused = NoQueue({"queue": [_MISSING]})
        return _person_page(patient_id, _choice({}), form_errors(refused)), http_status(refused)
    queue_id = _uuid(request.form["queue"])
    press_key = _press_key()
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        queue = queues.queue_by_id(work, queue_id)
        if queue is None or queue.facility_id != desk.facility_id:
            raise BadRequest
        visits.name_the_person(work, principal(), desk.facility_id, view.id)
        ticket = queueing.take_number(
            work,
            principal(),
            queue_id,
            priority=_priority(),
            press_key=press_key,
            now=now(),
            cipher=cipher(),
            patient_id=view.id,
        )
        people.link_facility(work, view.id, desk.facility_id, now())
    return _ticket_page(ticket, None, patient_id)


@pages.get("/today")
@guarded("desk.enter")
def today() -> ResponseReturnValue:
    """Show the day's appointments, of all doctors or one."""
    desk = _desk()
    doctor = request.args.get("doctor", "")
    practitioner_id = _uuid(doctor) if doctor else None
    with unit_of_work() as work:
        day = bookings.day_counts(work, desk.facility_id, business_date(now()))
        page = bookings.day_page(
            work, desk.facility_id, practitioner_id, business_date(now()), limit=_MOST_IN_LIST
        )
        shown = list(page.items)
        _note_list(work, desk, shown)
    return render_template(
        "desk/today.html",
        **_frame(desk, "today"),
        appointments=shown,
        doctors=_doctors(day),
        doctor=doctor,
        total=sum(each.count for each in day),
    )


@pages.get("/appointments/<uuid:appointment_id>")
@guarded("desk.enter")
def show(appointment_id: UUID) -> ResponseReturnValue:
    """Show an appointment and what can be done with it."""
    return _appointment_page(appointment_id, {})


@pages.get("/appointments/<uuid:appointment_id>/slip")
@guarded("desk.enter")
def slip(appointment_id: UUID) -> ResponseReturnValue:
    """Show the paper for the patient."""
    desk = _desk()
    with unit_of_work() as work:
        view = services.appointment(work, desk, appointment_id)
        _note(work, desk, "desk.slip", view)
        born = _born(work, view)
    return render_template("desk/slip.html", **_frame(desk), **_paper(view, born), today=_is_today(view))


@pages.post("/appointments/<uuid:appointment_id>/check-in")
@guarded("desk.enter")
@attempted
def check_in(appointment_id: UUID) -> ResponseReturnValue:
    """Check in and show the number; again, the same number."""
    desk = _desk()
    try:
        with unit_of_work() as work:
            view = services.appointment(work, desk, appointment_id)
            permit("appointment.check-in", view.facility.id)
            if view.patient_id is not None:
                visits.name_the_person(work, principal(), view.facility.id, view.patient_id)
            ticket = queueing.check_in(
                work,
                principal(),
                appointment_id,
                press_key=str(new_id()),
                now=now(),
                cipher=cipher(),
                priority=_priority(),
            )
    except DomainError as error:
        return _appointment_page(appointment_id, form_errors(error)), http_status(error)
    return _ticket_page(ticket, view, view.patient_id)


@pages.post("/appointments/<uuid:appointment_id>/coverage")
@guarded("desk.enter")
def confirm_coverage(appointment_id: UUID) -> ResponseReturnValue:
    """Record that the papers were seen."""

    def confirm(work: Session, view: AppointmentView) -> str:
        basis = request.form.get("basis", "")
        if basis not in GROUNDS:
            raise BadRequest
        permit("desk.use", view.facility.id)
        booking.confirm_coverage(work, principal(), view.id, basis=basis, version=_version(), now=now())
        return "desk-coverage-done"

    return _change(appointment_id, confirm)


@pages.post("/appointments/<uuid:appointment_id>/cancel")
@guarded("desk.enter")
def cancel(appointment_id: UUID) -> ResponseReturnValue:
    """Cancel, for the patient or for the facility."""

    def give_up(work: Session, view: AppointmentView) -> str:
        reason = request.form.get("reason", "")
        if reason not in {known.value for known in CANCEL_REASONS}:
            raise BadRequest
        booking.cancel(
            work,
            principal(),
            view.id,
            version=_version(),
            reason_code=reason,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
        return "desk-cancelled"

    return _change(appointment_id, give_up)


@pages.post("/appointments/<uuid:appointment_id>/offer")
@guarded("desk.enter")
def offer(appointment_id: UUID) -> ResponseReturnValue:
    """Offer another time by message; the old one stays until the patient takes the new one."""

    def ask(work: Session, view: AppointmentView) -> str:
        permit("booking.offer", view.scope)
        booking.offer(
            work,
            principal(),
            view.id,
            request.form.get("slot_id", "")[:80],
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
            links=answer_links(),
        )
        return "desk-offer-sent"

    return _change(appointment_id, ask, field="offer-slot")


@pages.post("/appointments/<uuid:appointment_id>/missed")
@guarded("desk.enter")
def missed(appointment_id: UUID) -> ResponseReturnValue:
    """Record that nobody came."""

    def miss(work: Session, view: AppointmentView) -> str:
        permit("desk.use", view.facility.id)
        booking.record_no_show(work, principal(), view.id, version=_version(), now=now())
        return "desk-missed-done"

    return _change(appointment_id, miss)


@pages.get("/staff-calls")
@guarded("desk.enter")
def staff_calls() -> ResponseReturnValue:
    """Show what the kiosks call for: the part of each page that changes by itself."""
    calls = queues.open_staff_calls(session(), _desk().facility_id)
    return render_template("desk/_calls.html", staff_calls=calls)


@pages.post("/staff-calls/<uuid:call_id>/answer")
@guarded("staff-call.answer")
def answer_staff_call(call_id: UUID) -> ResponseReturnValue:
    """Say that I go to the kiosk."""
    with unit_of_work() as work:
        permit("staff-call.answer", queues.facility_of_staff_call(work, call_id))
        queueing.answer_staff_call(work, principal(), call_id, now=now())
    return redirect(url_for("desk.home"), 303)


def _change(
    appointment_id: UUID, do: Callable[[Session, AppointmentView], str], *, field: str | None = None
) -> ResponseReturnValue:
    desk = _desk()
    try:
        with unit_of_work() as work:
            done = do(work, services.appointment(work, desk, appointment_id))
    except DomainError as error:
        errors = form_errors(error, field) if field else form_errors(error)
        return _appointment_page(appointment_id, errors), http_status(error)
    flash(t(done), "success")
    return redirect(url_for("desk.show", appointment_id=appointment_id))


def _home(text: str, errors: dict[str, Any]) -> str:
    desk = _desk()
    day = bookings.day_counts(session(), desk.facility_id, business_date(now()))
    counts = {
        status: sum(each.count for each in day if each.status == status) for status in AppointmentStatus
    }
    return render_template(
        "desk/home.html",
        **_frame(desk),
        box=text,
        errors=errors,
        counts=counts,
        doctors=_doctors(day),
    )


def _doctors(day: list[DayCount]) -> list[tuple[PractitionerRef, int, int]]:
    """Return who sees patients today: the doctor, how many are booked, how many have come."""
    booked: Counter[PractitionerRef] = Counter()
    come: Counter[PractitionerRef] = Counter()
    for each in day:
        if each.status != AppointmentStatus.CANCELLED:
            booked[each.practitioner] += each.count
        if each.status in (AppointmentStatus.ARRIVED, AppointmentStatus.FULFILLED):
            come[each.practitioner] += each.count
    return [(doctor, count, come[doctor]) for doctor, count in booked.items()]


def _person_form(form: PersonForm, errors: dict[str, Any]) -> str:
    return render_template(
        "desk/person_form.html",
        **_frame(_desk(), "new"),
        form=form.values,
        errors=errors,
        warnings=[t(key) for key in form.warnings()] if not errors else [],
    )


def _choice(given: dict[str, str]) -> _Choice:
    where, modality = given.get("where", ""), given.get("modality", "")
    return _Choice(
        service=given.get("service", ""),
        where=where if where in (_HERE, _ANYWHERE) else _HERE,
        modality=modality if modality in {known.value for known in Modality} else Modality.IN_PERSON.value,
        when=When.read(given),
    )


def _person_page(patient_id: UUID, choice: _Choice, errors: dict[str, Any]) -> str:
    desk = _desk()
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        people.note_read(work, principal(), view.id, now=now(), facility_id=desk.facility_id)
        coming = _coming(work, desk, view.id)
        offered = offered_at(work, desk.facility_id, current_locale())
        chosen = choice if choice.service in offered.names else replace(choice, service=offered.only or "")
        slots = _slots(work, desk, chosen)
        full = _full(work, desk, chosen)
        blocked = _blocked(work, desk, chosen)
        doctors = doctors_of_service(work, desk.facility_id, chosen.service, now=now())
        slips = _slips(work, desk, view.id)
        suggested = [] if chosen.service else _suggested(work, desk, view.id, offered)
        lines = queues.queues_of(work, desk.facility_id)
    return render_template(
        "desk/person.html",
        **_frame(desk),
        person=view,
        age=age_on(view.birth_date, business_date(now())),
        birth=written(view.birth_date),
        coming=coming,
        due=_due(desk, coming),
        choice=chosen,
        offered=list(offered.names.items()),
        chosen_name=offered.names.get(chosen.service),
        slips=slips,
        suggested=suggested,
        slots=slots,
        later=_later(slots),
        moment=now(),
        full=full,
        blocked=blocked,
        doctors=doctors,
        business_date=business_date,
        queues=[queue for queue in lines if queue.active],
        grounds=GROUNDS,
        asked=[each.value for each in Asked],
        priorities=[each.value for each in PriorityClass],
        press_key=f"{principal().session_id}-{now().timestamp():.0f}",
        given=request.form,
        errors=errors,
    )


def _coming(work: Session, desk: Desk, patient_id: UUID) -> list[AppointmentView]:
    """Return the person's appointments here today and later ones, and those this clerk made elsewhere."""
    return bookings.coming_of(work, patient_id, since=at_local(business_date(now()), 0), limit=10)


def _due(desk: Desk, coming: list[AppointmentView]) -> UUID | None:
    """Return the appointment that the person has most likely come for."""
    return next(
        (
            view.id
            for view in coming
            if view.facility.id == desk.facility_id
            and view.status == AppointmentStatus.BOOKED
            and view.modality != Modality.VIDEO
            and _is_today(view)
        ),
        None,
    )


def _slips(work: Session, desk: Desk, patient_id: UUID) -> list[RequestView]:
    """Return the person's papers that this facility may book on, each shown to the clerk and noted."""
    page = referrals.requests_of(work, [patient_id], limit=_MOST_SLIPS, **slip_means().reading)
    here = [
        slip
        for slip in page.items
        if slip.bookable and (slip.target is None or slip.target.id == desk.facility_id)
    ]
    for slip in here:
        referring.note(work, principal(), "referral.list", slip.id, patient_id, desk.facility_id, now())
    return here


def _suggested(work: Session, desk: Desk, patient_id: UUID, offered: Offered) -> list[Suggestion]:
    """Return what is likely meant, for the clerk to take with one key; nothing of it is chosen for them."""
    last = bookings.last_visit(work, patient_id, desk.facility_id, before=now())
    return suggestions(offered, last, cookie.get(_SERVICE))


def _slots(work: Session, desk: Desk, choice: _Choice) -> list[SlotView]:
    """Return the earliest times of the chosen service; none before one is chosen."""
    if not choice.service:
        return []
    limit = _SLOTS_ASKED if choice.when.asked else _SLOTS
    return earliest_slots(work, replace(_query(desk, choice), limit=limit), now=now())


def _later(slots: list[SlotView]) -> dict[str, str] | None:
    """Return from when the next times are, when there may be more than are shown."""
    if len(slots) < _SLOTS:
        return None
    last = local(slots[-1].start)
    return {"day": last.date().isoformat(), "hour": f"{last:%H:%M}"}


def _query(desk: Desk, choice: _Choice) -> SlotQuery:
    here = choice.where == _HERE
    return SlotQuery(
        service_code=choice.service,
        facility_id=desk.facility_id if here else None,
        practitioner_id=choice.when.doctor if here else None,
        modality=choice.modality,
        from_=choice.when.from_,
        channel=Channel.DESK if here else Channel.ONLINE,
    )


def _blocked(work: Session, desk: Desk, choice: _Choice) -> _Blocked:
    """Return what is blocked here on the day that was asked for, else today and tomorrow."""
    if choice.where != _HERE or not choice.service:
        return _Blocked([], [])
    start, end = choice.when.span(now())
    times = blocked_times(
        work, desk.facility_id, choice.service, doctor_id=choice.when.doctor, from_=start, to=end
    )
    query = replace(_query(desk, choice), from_=start, to=end)
    return _Blocked(times, blocked_slots(work, desk, query, times, now=now()))


def _full(work: Session, desk: Desk, choice: _Choice) -> list[FullSlot]:
    """Return the taken times here beside which somebody may be put: that day, else today and tomorrow."""
    if choice.where != _HERE or not choice.service:
        return []
    start, until = choice.when.span(now())
    return bookings.full_slots(
        work, desk.facility_id, choice.service, choice.modality, now=start, until=until
    )


def _order(patient_id: UUID, desk: Desk, choice: _Choice, place_of_errors: str) -> Order:
    form = request.form
    if not choice.service:
        raise NoService({"service": [_MISSING]})
    asked, basis = form.get("asked", ""), form.get("coverage", "")
    if asked not in {each.value for each in Asked}:
        raise NobodyAsked({"asked": ["error-desk-nobody-asked"]})
    return Order(
        patient_id=patient_id,
        slot_id=form.get("slot_id", "")[:80],
        asked=Asked(asked),
        coverage_basis=basis if basis in GROUNDS else CoverageBasis.NONE.value,
        companion=form.get("companion") == "yes",
        reason=form.get("reason", "").strip()[:_LONGEST_REASON] or None,
        overbook=_reason_given(form, "why", "error-desk-no-reason") if place_of_errors == "why" else None,
        override=_reason_given(form, "override_why", "error-desk-no-override-reason")
        if place_of_errors == "override_why"
        else None,
        any_of=_any_of(form.get("slot_id", ""), desk, choice),
        again=form.get("again") == "yes",
    )


def _again_page(patient_id: UUID, already: Sequence[UUID]) -> str:
    """Show what the person has that day, and ask whether another one is meant."""
    desk = _desk()
    enter_again()
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        found = bookings.appointments_by_ids(work, already)
        _note_list(work, desk, found)
    locale = current_locale()
    return render_template(
        "desk/again.html",
        **_frame(desk),
        person=view,
        already=[(each, same_day_text(each, locale)) for each in found],
        wanted={name: value for name, value in request.form.items() if name not in _NOT_ASKED_AGAIN},
    )


def _reason_given(form: Mapping[str, str], field: str, refusal: str) -> str:
    """Return why a rule is passed over. Raises NoReason."""
    why = " ".join(form.get(field, "").split())[:_LONGEST_REASON]
    if len(why) < _SHORTEST_WHY:
        raise NoReason({field: [refusal]})
    return why


def _any_of(chosen: str, desk: Desk, choice: _Choice) -> AnyPractitioner | None:
    """Return what "any doctor" on a day means: its value in the form is `any.` and the day."""
    word, _dot, day = chosen.partition(".")
    if word != _ANY or not choice.service:
        return None
    try:
        asked = date.fromisoformat(day)
    except ValueError:
        return None
    from_, to = at_local(asked, 0), at_local(asked, DAY_MINUTES)
    if choice.when.from_ is not None and choice.when.day == asked:
        from_ = choice.when.from_
    return AnyPractitioner(choice.service, desk.facility_id, from_, to, choice.modality)


def _appointment_page(appointment_id: UUID, errors: dict[str, Any]) -> str:
    desk = _desk()
    with unit_of_work() as work:
        view = services.appointment(work, desk, appointment_id)
        _note(work, desk, "booking.read", view)
        who = patients.patient(work, view.patient_id, cipher()) if view.patient_id else None
        offering = _offering(work, desk, view)
        behalf = patients.on_behalf(work, view.id)
        clerks = account_names(work, [behalf.written_by]) if behalf and behalf.written_by else {}
    here = view.facility.id == desk.facility_id
    return render_template(
        "desk/appointment.html",
        **_frame(desk),
        view=view,
        person=who,
        birth=written(who.birth_date) if who else "",
        here=here,
        is_today=_is_today(view),
        may_come=here and view.status in ("booked", "noshow", "arrived") and view.modality != Modality.VIDEO,
        grounds=GROUNDS,
        reasons=[reason.value for reason in CANCEL_REASONS],
        offering=offering,
        behalf=behalf,
        behalf_clerk=next(iter(clerks.values()), None),
        priorities=[each.value for each in PriorityClass],
        errors=errors,
    )


def _offering(work: Session, desk: Desk, view: AppointmentView) -> _Offering | None:
    """Return what can be offered instead of an appointment here that is still to come, else None."""
    still_to_come = view.status == AppointmentStatus.BOOKED and view.start > now()
    if view.facility.id != desk.facility_id or view.patient_id is None or not still_to_come:
        return None
    query = SlotQuery(
        service_code=view.service.code,
        facility_id=desk.facility_id,
        modality=view.modality,
        limit=_MOST_LOOKED_AT,
        channel=Channel.DESK,
    )
    # The same hour with somebody else would read as no change at all in the message.
    others = [slot for slot in earliest_slots(work, query, now=now()) if slot.start != view.start]
    standing = bookings.open_offer(work, view.id, now=now())
    asked = None if standing is None else slot_by_id(work, standing.slot_id, now(), channel=Channel.DESK)
    return _Offering(
        slots=others[:_MOST_OFFERED],
        reachable=patients.recipient_of(work, view.patient_id, view.account_id, cipher()) is not None,
        asked=None if asked is None else asked.start,
        until=None if standing is None else standing.expires_at,
    )


def _ticket_page(ticket: TicketView, view: AppointmentView | None, patient_id: UUID | None) -> str:
    desk = _desk()
    follow = url_for("queueing.follow", public_token=ticket.public_token, _external=False)
    return render_template(
        "desk/number.html",
        **_frame(desk),
        ticket=ticket,
        view=view,
        patient_id=patient_id,
        qr=_qr(settings().public_base_url + follow),
    )


def _paper(view: AppointmentView, born: str | None) -> dict[str, Any]:
    return {
        "view": view,
        "qr": _qr(view.code),
        "bring": [t(key) for key in _bring(view, child=is_child(born, business_date(now())))],
    }


def _bring(view: AppointmentView, *, child: bool) -> list[str]:
    """Return the message keys of what to have at hand."""
    if view.modality == Modality.VIDEO:
        return ["desk-bring-video"]
    papers = ["desk-bring-child" if child else "desk-bring-identity"]
    if view.coverage_basis != CoverageBasis.NONE:
        papers.append("desk-bring-insurance")
    if view.coverage_basis in (CoverageBasis.REFERRAL_SLIP, CoverageBasis.REEXAMINATION_SLIP):
        papers.append(f"desk-bring-{view.coverage_basis}")
    return [*papers, "desk-bring-medicines"]


def _qr(text: str) -> Markup:
    drawn = segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=2, title=t("desk-qr"))
    return Markup(drawn)  # noqa: S704  drawn by segno from our own text


def _born(work: Session, view: AppointmentView) -> str | None:
    found = patients.patient(work, view.patient_id, cipher()) if view.patient_id else None
    return None if found is None else found.birth_date


def _note(work: Session, desk: Desk, action: str, view: AppointmentView) -> None:
    entry = Entry(action, "Appointment", view.id, view.patient_id, desk.facility_id)
    record(work, principal(), entry, now=now())


def _note_list(work: Session, desk: Desk, views: list[AppointmentView]) -> None:
    ids = {view.patient_id for view in views if view.patient_id is not None}
    entries = [Entry("booking.list", "Appointment", None, each, desk.facility_id) for each in sorted(ids)]
    record(work, principal(), *entries, now=now())


def _is_today(view: AppointmentView) -> bool:
    return business_date(view.start) == business_date(now())


def _priority() -> PriorityClass:
    given = request.form.get("priority", "")
    return next((each for each in PriorityClass if each.value == given), PriorityClass.NONE)


def _press_key() -> str:
    key = request.form.get("press_key", "")[:100]
    if not key:
        raise BadRequest
    return key


def _version() -> int:
    version = whole_number(request.form.get("version", ""))
    if version is None:
        raise BadRequest
    return version


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise BadRequest from error
