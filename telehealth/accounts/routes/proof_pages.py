"""Asking a signed-in person for a fresh code, before what opens the account changes."""

from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from telehealth.accounts import browser
from telehealth.accounts.queries import contact_of_account
from telehealth.accounts.routes.blueprint import pages
from telehealth.accounts.services.fresh import PURPOSE as PROOF
from telehealth.accounts.services.fresh import prove_again
from telehealth.accounts.services.own_code import send_own_code
from telehealth.core.errors import DomainError, Unauthenticated, http_status
from telehealth.web.context import cipher, enter_again, now, outbox, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale
from telehealth.web.requests import local_path

_STEP = "proof"


@pages.get("/account/proof")
@guarded("session.prove")
def proof() -> ResponseReturnValue:
    """Say why a code is needed, and ask for the one that was sent."""
    return _page(_target(request.args.get("next")), {})


@pages.post("/account/proof/code")
@guarded("session.prove")
def send_proof_code() -> ResponseReturnValue:
    """Send a code to the account's own address."""
    target = _target(request.form.get("next"))
    try:
        with unit_of_work() as work:
            challenge_id = send_own_code(
                work,
                principal(),
                purpose=PROOF,
                ip=browser.where().ip,
                language=current_locale(),
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
    except DomainError as error:
        enter_again()
        return _page(target, form_errors(error, "code")), http_status(error)
    cookie[_STEP] = str(challenge_id)
    return redirect(url_for("accounts.proof", next=target), 303)


@pages.post("/account/proof")
@guarded("session.prove")
def check_proof() -> ResponseReturnValue:
    """Take the code, and go back to what it was asked for."""
    target = _target(request.form.get("next"))
    if _STEP not in cookie:
        return redirect(url_for("accounts.proof", next=target), 303)
    try:
        with unit_of_work() as work:
            prove_again(
                work,
                principal(),
                UUID(cookie[_STEP]),
                request.form.get("code", "")[:40],
                ip=browser.where().ip,
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        enter_again()
        return _page(target, form_errors(error, "code")), http_status(error)
    cookie.pop(_STEP)
    return redirect(target, 303)


def to_proof(target: str) -> ResponseReturnValue:
    """Send a browser to prove who holds it, and from there to a path of ours."""
    return redirect(url_for("accounts.proof", next=target), 303)


def _page(target: str, errors: dict[str, Any]) -> str:
    actor = principal()
    if actor.id is None:
        raise Unauthenticated
    return render_template(
        "accounts/proof.html",
        next=target,
        contact=contact_of_account(session(), actor.id, cipher()),
        sent=_STEP in cookie,
        errors=errors,
    )


def _target(given: str | None) -> str:
    return local_path(given) or url_for("accounts.own_account")
