"""The pages behind the links in messages of the waitlist. Opening changes nothing; a button does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.routing import BaseConverter

from telehealth.accounts.rules import Limit, address_key
from telehealth.accounts.services.limits import spend
from telehealth.booking import queries as bookings
from telehealth.booking.attempts import attempt
from telehealth.booking.queries import AppointmentView
from telehealth.core.answer_link import TOKEN_LENGTH, AnswerLink, Purpose, letters
from telehealth.core.errors import Conflict, DomainError, Gone, NotFound, http_status
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.scheduling.queries import SlotView, slot_by_id
from telehealth.waitlist import queries, services
from telehealth.waitlist.errors import PlaceGone, PlaceLinkUnknown
from telehealth.waitlist.queries import EntryView, PlaceOfferView
from telehealth.waitlist.routes.common import means, or_gone
from telehealth.waitlist.services import later_visit
from telehealth.web.context import answer_links, enter_again, now, outbox, session, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import public

links = Blueprint("waitlist-links", __name__, template_folder="../templates")
_SUBJECT = text("SELECT entry_id, offer_id, about FROM waitlist_subject(:id)")
_ENTER = text("SELECT set_config('app.kind', 'system', true)")
_STATUS = {"open": 200, "accepted": 200, "declined": 200, "left": 200, "gone": 409}


class PlaceTokenConverter(BaseConverter):
    """The form of the waitlist's tokens."""

    regex = rf"[{letters(Purpose.PLACE, Purpose.LEAVE_WAITLIST)}][A-Za-z0-9_-]{{{TOKEN_LENGTH - 1}}}"
    weight = 50  # asked before the converter that takes everything


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a genuine link is about. `later`: the visit that accepting would move; `given`: the booked one."""

    purpose: Purpose
    entry: EntryView
    offer: PlaceOfferView | None
    slot: SlotView | None
    later: AppointmentView | None
    given: AppointmentView | None

    @property
    def principal(self) -> Principal:
        """Return the holder of the link: they act for the one who waits."""
        return Principal(kind=PrincipalKind.LINK, patient_ids=frozenset({self.entry.patient_id}))

    @property
    def standing(self) -> str:
        """Return how the page stands: open, what became of the offer, or how the waiting ended."""
        if self.offer is not None and self.purpose is Purpose.PLACE:
            return self.offer.state.value
        return "open" if self.entry.waits else self.entry.state.value


@links.record_once
def _know_tokens(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["place_token"] = PlaceTokenConverter


@links.after_request
def _keep_to_ourselves(response: Response) -> Response:
    """Keep the token out of search engines, and out of every Referer."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


@links.get("/j/<place_token:token>")
@public
def show(token: str) -> ResponseReturnValue:
    """Show the place that is offered, or what leaving means."""
    with _opened(token) as (_work, opened):
        pass
    return _page(token, opened)


@links.get("/j/<place_token:token>/<any(accept, decline, leave):answer>")
@public
def back(token: str, answer: str) -> ResponseReturnValue:
    """Go back to the page of a button: its address stands in the browser after a refusal."""
    return redirect(url_for("waitlist-links.show", token=token), 303)


@links.post("/j/<place_token:token>/<any(accept, decline, leave):answer>")
@public
def press(token: str, answer: str) -> ResponseReturnValue:
    """Do what the button says, and nothing else. Pressed again it says how things stand."""
    _count(session())
    try:
        if answer == "accept":
            or_gone(lambda: _accept(token), lambda: _give_up(token))
        else:
            attempt(lambda: _decline(token) if answer == "decline" else _leave(token))
    except PlaceGone:
        pass  # the page says it, and that the place in line is kept
    except (Conflict, Gone) as refusal:
        enter_again()
        with _opened(token) as (_work, opened):
            pass
        return _page(token, opened, refusal)
    return redirect(url_for("waitlist-links.show", token=token), 303)


@links.errorhandler(PlaceLinkUnknown)
def unknown(_error: PlaceLinkUnknown) -> ResponseReturnValue:
    """Say kindly that a link opens nothing, and where to go on."""
    return render_template("waitlist/unknown.html"), 404


def _accept(token: str) -> AppointmentView:
    with _opened(token) as (work, opened):
        return services.accept(work, opened.principal, _offer_id(opened), means(), now=now())


def _give_up(token: str) -> None:
    with _opened(token) as (work, opened):
        services.give_up_place(work, _offer_id(opened), now=now(), outbox=outbox())


def _decline(token: str) -> EntryView:
    with _opened(token) as (work, opened):
        return services.decline(work, opened.principal, _offer_id(opened), now=now(), outbox=outbox())


def _leave(token: str) -> EntryView:
    with _opened(token) as (work, opened):
        if opened.purpose is not Purpose.LEAVE_WAITLIST:
            raise NotFound
        return services.leave(work, opened.principal, opened.entry.id, now=now(), outbox=outbox())


def _offer_id(opened: _Opened) -> UUID:
    if opened.purpose is not Purpose.PLACE or opened.offer is None:
        raise NotFound
    return opened.offer.id


@contextmanager
def _opened(token: str) -> Iterator[tuple[Session, _Opened]]:
    """Open a transaction for the holder of the link; a link that is none of ours counts as a guess.

    What the link is good for is one act for one who waits; the signature stands for the sign-in, and the
    transaction goes past the walls of row-level security only once it was found good.
    """
    link = AnswerLink.parse(token)
    with unit_of_work() as work:
        row = None if link is None else work.execute(_SUBJECT, {"id": link.subject}).one_or_none()
        if link is None or row is None or not _ours(link, row.about, row.offer_id):
            _count(work)
            raise PlaceLinkUnknown
        work.execute(_ENTER)
        yield work, _read(work, link.purpose, row.entry_id, row.offer_id)


def _ours(link: AnswerLink, about: datetime, offer_id: UUID | None) -> bool:
    return (link.purpose is Purpose.PLACE) == (offer_id is not None) and answer_links().signed(link, about)


def _read(work: Session, purpose: Purpose, entry_id: UUID, offer_id: UUID | None) -> _Opened:
    entry = queries.entry(work, entry_id, now=now())
    if entry is None:
        raise PlaceLinkUnknown
    offer = None if offer_id is None else queries.offer(work, offer_id, now=now())
    slot = later = None
    if offer is not None:
        slot = slot_by_id(work, offer.slot_id, now(), channel=entry.channel)
        later = later_visit(work, entry, offer.start, now=now())
    given = None if entry.appointment_id is None else bookings.appointment(work, entry.appointment_id)
    return _Opened(purpose, entry, offer, slot, later, given)


def _count(work: Session) -> None:
    limit = Limit(f"place:address:10m:{address_key(request.remote_addr)}", 300, 600)
    spend(work, (limit,), now=now())


def _page(token: str, opened: _Opened, refusal: DomainError | None = None) -> ResponseReturnValue:
    standing = opened.standing
    said = refusal if standing == "open" else None
    status = _STATUS.get(standing, 410) if said is None else http_status(said)
    leave = answer_links().token(Purpose.LEAVE_WAITLIST, opened.entry.id, opened.entry.since)
    page = render_template(
        "waitlist/place.html" if opened.purpose is Purpose.PLACE else "waitlist/leave.html",
        token=token,
        entry=opened.entry,
        offer=opened.offer,
        slot=opened.slot,
        later=opened.later,
        given=opened.given,
        standing=standing,
        refusal=None if said is None else error_text(said),
        leave=leave,
        hotline=None if opened.slot is None else opened.slot.facility.hotline,
    )
    return page, status
