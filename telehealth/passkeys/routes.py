"""Passkeys: pages and API."""

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from flask_smorest import Blueprint as ApiBlueprint

from telehealth.accounts import browser
from telehealth.accounts.errors import FreshCodeNeeded
from telehealth.accounts.queries import contact_of_account
from telehealth.accounts.routes.proof_pages import to_proof
from telehealth.accounts.schemas import SessionOpened
from telehealth.accounts.services import SignedIn
from telehealth.accounts.services.fresh import is_fresh
from telehealth.core.errors import DomainError, Unauthenticated, http_status
from telehealth.passkeys import queries, schemas, services
from telehealth.passkeys.errors import PasskeyNotAdded, PasskeyRefused
from telehealth.passkeys.queries import PasskeyView
from telehealth.passkeys.rules import relying_party
from telehealth.passkeys.services import Answer, Site
from telehealth.web.context import cipher, enter_again, now, principal, session, settings, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import t
from telehealth.web.requests import local_path

pages = Blueprint("passkeys", __name__, template_folder="templates")
api = ApiBlueprint("passkeys-api", __name__, url_prefix="/api/v1", description="Passkeys")

_LONGEST_ANSWER = 20_000


@pages.app_template_global()
def passkeys_usable() -> bool:
    """Tell whether browsers allow passkeys at our address."""
    return relying_party(settings().public_base_url) is not None


@pages.get("/account/passkeys")
@guarded("passkey.own")
def mine() -> ResponseReturnValue:
    """Show one's passkeys, and let one be added."""
    return _page({})


@pages.post("/account/passkeys")
@guarded("passkey.own")
def add_here() -> ResponseReturnValue:
    """Keep what the browser made."""
    try:
        with unit_of_work() as work:
            answer = _posted(PasskeyNotAdded)
            services.add(work, _site(), principal(), answer, name=request.form.get("name", ""), now=now())
    except FreshCodeNeeded:
        return to_proof(url_for("passkeys.mine"))
    except DomainError as error:
        enter_again()
        return _page(form_errors(error, "name")), http_status(error)
    flash(t("passkeys-added"), "success")
    return redirect(url_for("passkeys.mine"), 303)


@pages.post("/account/passkeys/<uuid:passkey_id>/remove")
@guarded("passkey.own")
def remove_here(passkey_id: UUID) -> ResponseReturnValue:
    """Forget one."""
    try:
        with unit_of_work() as work:
            services.remove(work, principal(), passkey_id, now=now())
    except FreshCodeNeeded:
        return to_proof(url_for("passkeys.mine"))
    flash(t("passkeys-removed"), "success")
    return redirect(url_for("passkeys.mine"), 303)


@pages.post("/sign-in/passkey")
@public
def sign_in_here() -> ResponseReturnValue:
    """Sign this browser in."""
    target = local_path(request.form.get("next")) or url_for("pages.home")
    try:
        with unit_of_work():
            signed_in = _signed_in(_posted(PasskeyRefused))
    except PasskeyRefused as error:
        flash(form_errors(error)[""], "error")
        return redirect(url_for("accounts.sign_in", next=target), 303)
    browser.begin(signed_in)
    return redirect(target, 303)


@api.route("/passkeys")
class Passkeys(MethodView):
    """The caller's passkeys."""

    @guarded("passkey.own")
    @api.response(200, schemas.PasskeyList)
    def get(self) -> dict[str, Any]:
        """List the caller's passkeys."""
        with unit_of_work() as work:
            return {"items": queries.passkeys_of(work, _me())}

    @guarded("passkey.own")
    @api.arguments(schemas.NewPasskey)
    @api.response(201, schemas.PasskeyBody)
    def post(self, body: dict[str, Any]) -> PasskeyView:
        """Keep a passkey that the browser made for `/passkeys/options`."""
        answer = Answer(body["challenge_id"], body["credential"])
        with unit_of_work() as work:
            passkey_id = services.add(work, _site(), principal(), answer, name=body["name"], now=now())
            return next(view for view in queries.passkeys_of(work, _me()) if view.id == passkey_id)


@api.post("/passkeys/options")
@guarded("passkey.own")
@api.response(200, schemas.Asked)
def options() -> services.Asked:
    """Say what to ask the browser for a new passkey."""
    with unit_of_work() as work:
        contact = contact_of_account(work, _me(), cipher())
        return services.options_to_add(
            work, _site(), principal(), contact.ending if contact else t("web-product"), now=now()
        )


@api.delete("/passkeys/<uuid:passkey_id>")
@guarded("passkey.own")
@api.response(204)
def remove(passkey_id: UUID) -> None:
    """Forget a passkey: it opens nothing any more."""
    with unit_of_work() as work:
        services.remove(work, principal(), passkey_id, now=now())


@api.post("/passkeys/challenge")
@public
@api.response(200, schemas.Asked)
def challenge() -> services.Asked:
    """Say what to ask the browser of somebody who signs in; the same for everybody."""
    with unit_of_work() as work:
        return services.options_to_sign_in(work, _site(), ip=browser.where().ip, now=now())


@api.post("/passkeys/sessions")
@public
@api.arguments(schemas.PasskeySignIn)
@api.response(201, SessionOpened)
def sign_in(body: dict[str, Any]) -> SignedIn:
    """Sign in with a passkey."""
    with unit_of_work():
        return _signed_in(Answer(body["challenge_id"], body["credential"]))


def _signed_in(answer: Answer) -> SignedIn:
    where = browser.where()
    return services.sign_in(
        session(),
        _site(),
        answer,
        ip=where.ip,
        user_agent=where.user_agent,
        source_port=where.source_port,
        now=now(),
    )


def _posted(refusal: type[DomainError]) -> Answer:
    """Return what the island put into the form. Raises the refusal."""
    try:
        credential = json.loads(request.form.get("credential", "")[:_LONGEST_ANSWER])
        challenge_id = UUID(request.form.get("challenge_id", ""))
    except (ValueError, RecursionError) as error:
        raise refusal from error
    if not isinstance(credential, dict):
        raise refusal
    return Answer(challenge_id, credential)


def _page(errors: dict[str, Any]) -> str:
    found = queries.passkeys_of(session(), _me())
    fresh = is_fresh(session(), principal(), now())
    return render_template("passkeys/list.html", passkeys=found, fresh=fresh, errors=errors)


def _site() -> Site:
    return Site.of(settings().public_base_url, settings().origin, t("web-product"))


def _me() -> UUID:
    actor = principal()
    if actor.id is None:
        raise Unauthenticated
    return actor.id
