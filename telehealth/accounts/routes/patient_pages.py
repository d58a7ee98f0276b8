"""Patients sign in: the phone, then the code. Works without scripts."""

from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from telehealth.accounts import browser, services
from telehealth.accounts.contacts import ending_of
from telehealth.accounts.errors import StepExpired
from telehealth.accounts.routes.blueprint import pages
from telehealth.accounts.services.otp import SIGN_IN, request_again
from telehealth.core.errors import DomainError, http_status
from telehealth.core.principal import PrincipalKind
from telehealth.web.context import cipher, now, outbox, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import public
from telehealth.web.localization import current_locale
from telehealth.web.requests import local_path

_STEP = "sign-in"


@pages.get("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """Ask for the phone."""
    target = _target(request.args.get("next"))
    if principal().kind is PrincipalKind.PATIENT:
        return redirect(target)
    return render_template("accounts/sign_in.html", next=target, phone="", errors={})


@pages.post("/sign-in")
@public
def send_code() -> ResponseReturnValue:
    """Send the code and go on to asking for it."""
    target, phone = _target(request.form.get("next")), request.form.get("phone", "")[:254]
    try:
        with unit_of_work() as session:
            challenge_id = services.request_otp(
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
        page = render_template("accounts/sign_in.html", next=target, phone=phone, errors=errors)
        return page, http_status(error)
    cookie[_STEP] = {"challenge": str(challenge_id), "next": target, "ending": ending_of(phone)}
    return redirect(url_for("accounts.code"))


@pages.get("/sign-in/code")
@public
def code() -> ResponseReturnValue:
    """Ask for the code."""
    if _STEP not in cookie:
        return redirect(url_for("accounts.sign_in"))
    return _code_page({})


@pages.post("/sign-in/code")
@public
def check_code() -> ResponseReturnValue:
    """Sign in with the code."""
    step = _step()
    try:
        with unit_of_work() as session:
            signed_in = services.sign_in_with_code(
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
        return _code_page(form_errors(error, "code")), http_status(error)
    browser.begin(signed_in)
    return redirect(_target(step["next"]))


@pages.post("/sign-in/again")
@public
def send_again() -> ResponseReturnValue:
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
        return _code_page(form_errors(error, "code")), http_status(error)
    cookie[_STEP] = step | {"challenge": str(challenge_id)}
    return redirect(url_for("accounts.code"))


def _code_page(errors: dict[str, Any]) -> str:
    return render_template("accounts/code.html", ending=_step()["ending"], errors=errors)


def _step() -> dict[str, str]:
    step = cookie.get(_STEP)
    if not isinstance(step, dict):
        raise StepExpired
    return step


def _target(given: str | None) -> str:
    return local_path(given) or url_for("pages.home")
