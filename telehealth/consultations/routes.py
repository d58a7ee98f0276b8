"""The room's page, its doors, and the JSON that gives tickets."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint
from sqlalchemy.orm import Session

from telehealth.consultations import queries, services
from telehealth.consultations.errors import JoinLinkGone, NotInThisRoom
from telehealth.consultations.policies import is_its_practitioner
from telehealth.consultations.queries import Consultation, Participant
from telehealth.consultations.schemas import JoinAnswer
from telehealth.consultations.texts import room_texts
from telehealth.core import join_ticket
from telehealth.core.errors import NotFound, Unauthenticated
from telehealth.core.join_ticket import JoinTicket, ParticipantRole
from telehealth.web.context import now, permit, principal, settings, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.requests import rfc3339

pages = Blueprint("consultations", __name__, template_folder="templates")
api = ApiBlueprint("consultations-api", __name__, url_prefix="/api/v1", description="Consultations by video")

_LINK = "join_link"


@api.route("/appointments/<uuid:appointment_id>/join", methods=["POST"])
@guarded("room.join")
@api.response(200, JoinAnswer)
def join_appointment(appointment_id: UUID) -> Response:
    """Open the room of a video appointment and let the caller in."""
    with unit_of_work() as work:
        found = queries.consultation(work, appointment_id)
        if found is None:
            raise NotFound
        permit("room.join", found)
        ticket = services.join(work, principal(), found, _participant(work, found), now=now())
    return _answer(ticket)


@pages.post("/appointments/<uuid:appointment_id>/room")
@guarded("room.join")
def open_room(appointment_id: UUID) -> ResponseReturnValue:
    """Go to the room of an appointment: the form behind the button of a list."""
    with unit_of_work() as work:
        found = queries.consultation(work, appointment_id)
        if found is None:
            raise NotFound
        permit("room.join", found)
        room = services.open_room(work, found, now=now())
    return redirect(url_for("consultations.room_page", room_id=room.id), 303)


@pages.get("/room/<uuid:room_id>")
@public
def room_page(room_id: UUID) -> str:
    """Show the room to who takes part in it, by sign-in or by link."""
    with unit_of_work() as work:
        found = services.shown(work, principal(), _enter(work, room_id)[0], now=now())
    leads = is_its_practitioner(principal(), found)
    config = {
        "ticketUrl": url_for("consultations.give_ticket", room_id=room_id),
        "endUrl": url_for("consultations.end_room", room_id=room_id) if leads else None,
        "socketUrl": "/rt/rooms",
        "lineUrl": "/rt/media/test",
        "texts": room_texts(leads=leads, practitioner=found.practitioner_name),
    }
    return render_template("consultations/room.html", consultation=found, leads=leads, config=config)


@pages.post("/room/<uuid:room_id>/ticket")
@public
def give_ticket(room_id: UUID) -> Response:
    """Let the reader of the room's page in."""
    with unit_of_work() as work:
        found, participant = _enter(work, room_id)
        ticket = services.join(work, principal(), found, participant, now=now())
    return _answer(ticket)


@pages.post("/room/<uuid:room_id>/end")
@guarded("room.end")
def end_room(room_id: UUID) -> Response:
    """End the consultation for both sides."""
    with unit_of_work() as work:
        found = _consultation_of_room(work, room_id)
        if found is None:
            raise NotFound
        permit("room.end", found)
        services.end(work, principal(), found, now=now())
    return jsonify(status="ended")


@pages.get("/j/<token>")
@public
def link_page(token: str) -> str:
    """Show what a link opens. Changes nothing: previews of messages open links too."""
    with unit_of_work() as work:
        found = services.shown(work, principal(), _by_link(work, token)[0], now=now())
    return render_template("consultations/link.html", consultation=found, token=token)


@pages.post("/j/<token>")
@public
def follow_link(token: str) -> ResponseReturnValue:
    """Take the link into this browser's session and go to its room."""
    with unit_of_work() as work:
        found, _ = _by_link(work, token)
        room = services.open_room(work, found, now=now())
    cookie[_LINK] = token
    return redirect(url_for("consultations.room_page", room_id=room.id), 303)


def _enter(work: Session, room_id: UUID) -> tuple[Consultation, Participant]:
    """Return the room's consultation and who the reader is in it, by sign-in first, then by link."""
    principal()
    found = _consultation_of_room(work, room_id)
    if found is not None and principal().signed_in:
        permit("room.join", found)
        return found, _participant(work, found)
    room = queries.room(work, room_id)
    by_link = queries.consultation_by_link(work, cookie.get(_LINK, ""), now=now())
    if room is not None and by_link is not None and by_link[0].appointment_id == room.appointment_id:
        return by_link
    raise NotInThisRoom if principal().signed_in else Unauthenticated


def _consultation_of_room(work: Session, room_id: UUID) -> Consultation | None:
    room = queries.room(work, room_id)
    return None if room is None else queries.consultation(work, room.appointment_id)


def _by_link(work: Session, token: str) -> tuple[Consultation, Participant]:
    principal()
    found = queries.consultation_by_link(work, token, now=now())
    if found is None:
        raise JoinLinkGone
    return found


def _participant(work: Session, found: Consultation) -> Participant:
    actor = principal()
    if is_its_practitioner(actor, found):
        return Participant(found.practitioner_id, ParticipantRole.PRACTITIONER, found.practitioner_name)
    if actor.id is None:
        raise NotInThisRoom
    return queries.family_member(work, actor.id, found)


def _answer(ticket: JoinTicket) -> Response:
    key = join_ticket.signing_key(settings().secret_key)
    body: dict[str, Any] = {
        "url": url_for("consultations.room_page", room_id=ticket.room_id, _external=False),
        "ticket": join_ticket.encode(ticket, key),
        "expires_at": rfc3339(ticket.expires_at),
    }
    return jsonify(body)
