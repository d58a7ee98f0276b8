"""One person's page: what is theirs, and the times that can be booked for them."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import render_template, request
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.booking import queries as bookings
from telehealth.booking.codes import AppointmentStatus, CoverageBasis
from telehealth.booking.queries import AppointmentView, FullSlot
from telehealth.core.clock import at_local, business_date, local
from telehealth.core.errors import http_status
from telehealth.desk.choosing import Offered, Suggestion, offered_at, suggestions
from telehealth.desk.errors import NoService
from telehealth.desk.forms import written
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.frame import known_person as _seen
from telehealth.desk.queries import BlockedTime, blocked_times, doctors_of_service
from telehealth.desk.routes.blueprint import pages
from telehealth.desk.routes.noting import is_today
from telehealth.desk.rules import Asked
from telehealth.desk.services import Desk
from telehealth.desk.times import When, blocked_slots
from telehealth.directory.codes import Modality
from telehealth.patients import services as people
from telehealth.patients.rules import age_on
from telehealth.queueing import queries as queues
from telehealth.queueing.codes import PriorityClass
from telehealth.referrals import queries as referrals
from telehealth.referrals import services as referring
from telehealth.referrals.queries import RequestView
from telehealth.referrals.routes.means import means as slip_means
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots
from telehealth.web.context import (
    now,
    principal,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale

_SERVICE = "desk-service"
_SLOTS = 8
_SLOTS_ASKED = 12
_HERE, _ANYWHERE = "here", "anywhere"
_MISSING = "field-required"
_MOST_SLIPS = 10
GROUNDS = tuple(basis.value for basis in CoverageBasis)


@dataclass(frozen=True, slots=True)
class Choice:
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


@pages.get("/people/<uuid:patient_id>")
@guarded("desk.enter")
def person(patient_id: UUID) -> ResponseReturnValue:
    """Show a person: today's appointment, and the earliest times of the service that the clerk chose."""
    choice = choice_of(request.args.to_dict())
    if "service" in request.args and not choice.service:
        refused = NoService({"service": [_MISSING]})
        return person_page(patient_id, choice, form_errors(refused)), http_status(refused)
    return person_page(patient_id, choice, {})


def choice_of(given: dict[str, str]) -> Choice:
    """Read which times are looked for."""
    where, modality = given.get("where", ""), given.get("modality", "")
    return Choice(
        service=given.get("service", ""),
        where=where if where in (_HERE, _ANYWHERE) else _HERE,
        modality=modality if modality in {known.value for known in Modality} else Modality.IN_PERSON.value,
        when=When.read(given),
    )


def person_page(patient_id: UUID, choice: Choice, errors: dict[str, Any]) -> str:
    """Return the page of a person, with the times that are looked for. Raises PatientNotFound."""
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
            and is_today(view)
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


def _slots(work: Session, desk: Desk, choice: Choice) -> list[SlotView]:
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


def _query(desk: Desk, choice: Choice) -> SlotQuery:
    here = choice.where == _HERE
    return SlotQuery(
        service_code=choice.service,
        facility_id=desk.facility_id if here else None,
        practitioner_id=choice.when.doctor if here else None,
        modality=choice.modality,
        from_=choice.when.from_,
        channel=Channel.DESK if here else Channel.ONLINE,
    )


def _blocked(work: Session, desk: Desk, choice: Choice) -> _Blocked:
    """Return what is blocked here on the day that was asked for, else today and tomorrow."""
    if choice.where != _HERE or not choice.service:
        return _Blocked([], [])
    start, end = choice.when.span(now())
    times = blocked_times(
        work, desk.facility_id, choice.service, doctor_id=choice.when.doctor, from_=start, to=end
    )
    query = replace(_query(desk, choice), from_=start, to=end)
    return _Blocked(times, blocked_slots(work, desk, query, times, now=now()))


def _full(work: Session, desk: Desk, choice: Choice) -> list[FullSlot]:
    """Return the taken times here beside which somebody may be put: that day, else today and tomorrow."""
    if choice.where != _HERE or not choice.service:
        return []
    start, until = choice.when.span(now())
    return bookings.full_slots(
        work, desk.facility_id, choice.service, choice.modality, now=start, until=until
    )
