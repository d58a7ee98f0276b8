"""The pages behind the links in messages. Opening changes nothing: previews of messages open links too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.routing import BaseConverter

from notifications.preferences import Source
from telehealth.accounts.rules import address_key
from telehealth.accounts.services.limits import spend
from telehealth.answers import queries, services
from telehealth.answers.choices import Choice, chosen
from telehealth.answers.errors import AnswerLinkUnknown
from telehealth.answers.queries import Opened, Phone
from telehealth.answers.rules import STATUS, Standing, changeable, press_limits
from telehealth.answers.services import Means
from telehealth.booking.attempts import attempt
from telehealth.booking.queries import OfferView
from telehealth.booking.rules import ON_MY_WAY_BEFORE
from telehealth.core.answer_link import TOKEN_LENGTH, AnswerLink, Purpose, letters
from telehealth.core.errors import (
    BadRequest,
    Conflict,
    DomainError,
    Gone,
    NotFound,
    PreconditionFailed,
    http_status,
)
from telehealth.scheduling.errors import SlotUnknown
from telehealth.web.context import answer_links, cipher, enter_again, now, outbox, session, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import public
from telehealth.web.localization import t

pages = Blueprint("answers", __name__, template_folder="templates")


_LETTERS = letters(
    Purpose.CONFIRM,
    Purpose.CANCEL,
    Purpose.ON_MY_WAY,
    Purpose.ACCEPT_OFFER,
    Purpose.DECLINE_OFFER,
    Purpose.MESSAGES,
)


class AnswerTokenConverter(BaseConverter):
    """The form of an answer's token; every other `/j/` is a link into a video room."""

    regex = rf"[{_LETTERS}][A-Za-z0-9_-]{{{TOKEN_LENGTH - 1}}}"
    weight = 50  # asked before the converter that takes everything


@pages.record_once
def _know_tokens(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["answer_token"] = AnswerTokenConverter


@pages.after_request
def _keep_to_ourselves(response: Response) -> Response:
    """Keep the token out of search engines, and out of every Referer.

    Not `no-referrer`: with that, browsers send the form with `Origin: null`.
    """
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


@pages.get("/j/<answer_token:token>")
@public
def show(token: str) -> ResponseReturnValue:
    """Show what a link answers and its one button."""
    with _opened(token) as (work, opened):
        choosing = opened.purpose is Purpose.MESSAGES
        phone = queries.phone_by_link(work, opened.view, cipher()) if choosing else None
    return _page(token, opened, phone=phone)


@pages.get("/j/<answer_token:token>/<purpose>")
@public
def back(token: str, purpose: str) -> ResponseReturnValue:
    """Go back to the page of a button: its address stands in the browser after a refusal."""
    return redirect(url_for("answers.show", token=token), 303)


@pages.post("/j/<answer_token:token>/messages")
@public
def choose(token: str) -> ResponseReturnValue:
    """Keep what the owner of the phone wishes to be told."""
    _count(session())
    wanted = chosen(request.form.to_dict(flat=False))
    if _keep(token, lambda _standing: wanted):
        flash(t("answers-messages-kept"), "success")
    return redirect(url_for("answers.show", token=token), 303)


def _keep(token: str, choice: Callable[[Choice], Choice]) -> bool:
    """Keep the choice that is made of the one that stands; False when the link is no longer good for it."""
    with _opened(token) as (work, opened):
        if opened.purpose is not Purpose.MESSAGES:
            raise NotFound
        phone = queries.phone_by_link(work, opened.view, cipher())
        if phone is None or phone.changed or opened.standing is not Standing.OPEN:
            return False
        services.choose(
            work,
            opened.principal,
            phone,
            choice(phone.choice),
            source=Source.LINK,
            facility_id=opened.view.facility.id,
            now=now(),
            cipher=cipher(),
        )
    return True


@pages.get("/unsubscribe/<answer_token:token>")
@public
def unsubscribe_page(token: str) -> ResponseReturnValue:
    """Lead a person who follows an e-mail's link to the choices; changes nothing."""
    return redirect(url_for("answers.show", token=token), 303)


@pages.post("/unsubscribe/<answer_token:token>")
@public
def unsubscribe(token: str) -> ResponseReturnValue:
    """Stop all that can be stopped, at the word of a mail program (RFC 8058: one click, no cookie)."""
    _count(session())
    if request.form.get("List-Unsubscribe") != "One-Click":
        raise BadRequest
    _keep(token, lambda standing: replace(standing, wanted=frozenset()))
    return Response(status=200, mimetype="text/plain")


@pages.post("/j/<answer_token:token>/<purpose>")
@public
def press(token: str, purpose: str) -> ResponseReturnValue:
    """Do what the link is for, and nothing else. Pressed again it says how things stand."""
    _count(session())
    try:
        attempt(lambda: _answer(token, purpose))
    except (Conflict, Gone, PreconditionFailed, SlotUnknown) as refusal:
        enter_again()
        with _opened(token) as (_work, opened):
            pass
        return _page(token, opened, refusal)
    return redirect(url_for("answers.show", token=token), 303)


@pages.errorhandler(AnswerLinkUnknown)
def unknown(error: AnswerLinkUnknown) -> ResponseReturnValue:
    """Say kindly that a link opens nothing, and where to go on."""
    return render_template("answers/unknown.html"), 404


def _answer(token: str, purpose: str) -> None:
    with _opened(token) as (work, opened):
        if opened.purpose != purpose:
            raise NotFound
        if opened.standing is Standing.MOVED:
            raise Gone
        if opened.standing is not Standing.DONE:
            services.answer(work, opened, Means(cipher(), outbox(), answer_links()), now=now())


@contextmanager
def _opened(token: str) -> Iterator[tuple[Session, Opened]]:
    """Open a transaction as the holder of the link; a link that is none of ours counts as a guess."""
    link = AnswerLink.parse(token)
    with unit_of_work() as work:
        try:
            if link is None:
                raise AnswerLinkUnknown
            yield work, queries.opened(work, link, answer_links(), now=now())
        except AnswerLinkUnknown:
            _count(work)
            raise


def _count(work: Session) -> None:
    spend(work, press_limits(address_key(request.remote_addr)), now=now())


def _page(
    token: str, opened: Opened, refusal: DomainError | None = None, phone: Phone | None = None
) -> ResponseReturnValue:
    """Return the page as things stand; after a refusal that left the link open, with what was said."""
    template, values = _drawn(opened, phone)
    status = STATUS[opened.standing]
    if opened.standing is Standing.OPEN and refusal is not None:
        values["refusal"], status = error_text(refusal), http_status(refusal)
    page = render_template(
        template,
        token=token,
        view=opened.view,
        purpose=opened.purpose,
        standing=opened.standing,
        hotline=opened.view.facility.hotline,
        change=opened.change,
        **values,
    )
    return page, status


def _drawn(opened: Opened, phone: Phone | None) -> tuple[str, dict[str, Any]]:
    if opened.offer is not None:
        return "answers/offer.html", _offer_values(opened, opened.offer)
    if opened.purpose is Purpose.MESSAGES:
        return "answers/messages.html", {"phone": phone}
    return "answers/answer.html", _answer_values(opened)


def _answer_values(opened: Opened) -> dict[str, Any]:
    view, links = opened.view, answer_links()
    return {
        "changeable": changeable(opened.purpose, view, opened.standing, now()),
        "opens": view.start - ON_MY_WAY_BEFORE,
        "cancel": links.token(Purpose.CANCEL, view.id, view.start),
        "confirm": links.token(Purpose.CONFIRM, view.id, view.start),
        "messages": links.token(Purpose.MESSAGES, view.id, view.start),
    }


def _offer_values(opened: Opened, offer: OfferView) -> dict[str, Any]:
    accepting = opened.purpose is Purpose.ACCEPT_OFFER
    other = Purpose.DECLINE_OFFER if accepting else Purpose.ACCEPT_OFFER
    return {
        "offer": offer,
        "slot": opened.slot,
        "other": answer_links().token(other, offer.id, offer.expires_at),
        "others": opened.others,
        "cancel": answer_links().token(Purpose.CANCEL, opened.view.id, opened.view.start),
    }
