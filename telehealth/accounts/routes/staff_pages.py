"""Staff sign in: password, authenticator; or on an enrolled computer a PIN."""

from datetime import datetime
from typing import Any
from uuid import UUID

import segno
from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from telehealth.accounts import browser, services
from telehealth.accounts.enrolment import enrolled
from telehealth.accounts.errors import BadPassword, StepExpired
from telehealth.accounts.routes.blueprint import pages
from telehealth.accounts.rules import STEP_LIFETIME
from telehealth.accounts.services.devices import COMPUTER, computer_of
from telehealth.accounts.services.sign_in_staff import Needs, next_step
from telehealth.core.errors import DomainError, http_status
from telehealth.core.principal import Principal, PrincipalKind, Role
from telehealth.web.context import cipher, now, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import public
from telehealth.web.localization import t
from telehealth.web.requests import local_path

_STEP = "staff-sign-in"
_PAGES = {
    Needs.NEW_PASSWORD: "accounts.staff_new_password",
    Needs.TOTP_ENROLMENT: "accounts.staff_authenticator",
    Needs.TOTP: "accounts.staff_code",
}
_CONSOLES = (
    (Role.PRACTITIONER, "/clinic"),
    (Role.DESK, "/desk"),
    (Role.FACILITY_ADMIN, "/admin"),
    (Role.PROVINCE_OFFICER, "/admin"),
)


@pages.get("/staff/sign-in")
@public
def staff_sign_in() -> ResponseReturnValue:
    """Ask for login and password, or, on an enrolled computer, for a PIN."""
    target = local_path(request.args.get("next")) or ""
    if principal().kind is PrincipalKind.STAFF and "switch" not in request.args:
        return redirect(target or console_of(principal()))
    return _sign_in_page(target, "", {})


@pages.post("/staff/sign-in")
@public
def staff_password() -> ResponseReturnValue:
    """Check the password and go on to what is missing."""
    target, login = local_path(request.form.get("next")) or "", request.form.get("login", "")[:64]
    try:
        with unit_of_work() as work:
            step = services.check_password(
                work,
                login=login,
                password=request.form.get("password", "")[:200],
                where=browser.where(),
                now=now(),
            )
            signed_in = _advance(work, step)
    except DomainError as error:
        return _sign_in_page(target, login, form_errors(error, "login")), http_status(error)
    cookie[_STEP] = {"account": str(step.account_id), "at": now().isoformat(), "next": target}
    return _go_on(step, signed_in, target)


@pages.post("/staff/sign-in/pin")
@public
def staff_pin() -> ResponseReturnValue:
    """Change to somebody who signed in fully on this computer today."""
    target = local_path(request.form.get("next")) or ""
    account = request.form.get("account", "")
    try:
        account_id = UUID(account)
    except ValueError as error:
        raise StepExpired from error
    try:
        with unit_of_work() as work:
            signed_in = services.sign_in_with_pin(
                work,
                account_id=account_id,
                pin=request.form.get("pin", "")[:16],
                where=browser.where(),
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        return _sign_in_page(target, "", form_errors(error, "pin"), chosen=account), http_status(error)
    return _signed_in(signed_in, target)


@pages.get("/staff/sign-in/code")
@public
def staff_code() -> ResponseReturnValue:
    """Ask for the six digits of the authenticator."""
    _step()
    return render_template("accounts/staff_code.html", errors={})


@pages.post("/staff/sign-in/code")
@public
def staff_check_code() -> ResponseReturnValue:
    """Sign in with the authenticator."""
    step = _step()
    try:
        with unit_of_work() as work:
            signed_in = services.finish_with_totp(
                work,
                step.account_id,
                request.form.get("code", "")[:40],
                where=browser.where(),
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        page = render_template("accounts/staff_code.html", errors=form_errors(error, "code"))
        return page, http_status(error)
    return _signed_in(signed_in, step.target)


@pages.get("/staff/sign-in/authenticator")
@public
def staff_authenticator() -> ResponseReturnValue:
    """Show how to set up the authenticator."""
    return _authenticator_page({})


@pages.post("/staff/sign-in/authenticator")
@public
def staff_confirm_authenticator() -> ResponseReturnValue:
    """Set up the authenticator that shows the right code, and sign in."""
    step = _step()
    try:
        with unit_of_work() as work:
            enrolled = services.confirm_totp(
                work,
                step.account_id,
                request.form.get("code", "")[:40],
                where=browser.where(),
                now=now(),
                cipher=cipher(),
            )
            signed_in = services.finish_after_enrolment(work, enrolled, where=browser.where(), now=now())
    except DomainError as error:
        return _authenticator_page(form_errors(error, "code")), http_status(error)
    return _signed_in(signed_in, step.target)


@pages.get("/staff/sign-in/password")
@public
def staff_new_password() -> ResponseReturnValue:
    """Ask for a new password before going on."""
    _step()
    return render_template("accounts/staff_new_password.html", errors={})


@pages.post("/staff/sign-in/password")
@public
def staff_set_new_password() -> ResponseReturnValue:
    """Set the new password and go on."""
    step = _step()
    try:
        with unit_of_work() as work:
            found = next_step(work, step.account_id, device_token=None, now=now())
            if found.needs is not Needs.NEW_PASSWORD:
                raise StepExpired
            services.set_own_password(work, step.account_id, chosen_password(), now=now())
            found = next_step(work, step.account_id, device_token=browser.where().device_token, now=now())
            signed_in = _advance(work, found)
    except DomainError as error:
        page = render_template("accounts/staff_new_password.html", errors=form_errors(error, "password"))
        return page, http_status(error)
    return _go_on(found, signed_in, step.target)


@pages.get("/staff/reset")
@public
def staff_reset() -> ResponseReturnValue:
    """Ask for the code that a supervisor had sent, and for a new password."""
    return render_template("accounts/staff_reset.html", login="", errors={})


@pages.post("/staff/reset")
@public
def staff_finish_reset() -> ResponseReturnValue:
    """Set the new password."""
    login = request.form.get("login", "")[:64]
    try:
        with unit_of_work() as work:
            services.finish_reset(
                work,
                login=login,
                code=request.form.get("code", "")[:40],
                password=chosen_password(),
                ip=browser.where().ip,
                user_agent=browser.where().user_agent,
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        page = render_template("accounts/staff_reset.html", login=login, errors=form_errors(error, "code"))
        return page, http_status(error)
    flash(t("accounts-reset-done"), "success")
    return redirect(url_for("accounts.staff_sign_in"))


@pages.get("/staff/computer")
@public
def computer() -> ResponseReturnValue:
    """Ask for the code that makes this computer one of a facility."""
    return render_template("accounts/computer.html", errors={}, enrolled=_here() is not None)


@pages.post("/staff/computer")
@public
def enrol_computer() -> ResponseReturnValue:
    """Make this computer one of a facility."""
    try:
        device = enrolled(request.form.get("code", "")[:40], (COMPUTER,))
    except DomainError as error:
        page = render_template("accounts/computer.html", errors=form_errors(error, "code"), enrolled=False)
        return page, http_status(error)
    flash(t("accounts-computer-enrolled", name=device.name), "success")
    answer = redirect(url_for("accounts.staff_sign_in"))
    browser.remember_device(answer, device.token)
    return answer


def console_of(actor: Principal) -> str:
    """Return the page somebody works on."""
    return next((path for role, path in _CONSOLES if actor.has(role)), url_for("accounts.own_account"))


def chosen_password() -> str:
    """Return the new password that was typed twice. Raises BadPassword."""
    password = request.form.get("password", "")
    if password != request.form.get("again", ""):
        raise BadPassword({"again": ["accounts-password-differs"]})
    return password


class _Step:
    def __init__(self, account_id: UUID, target: str) -> None:
        self.account_id = account_id
        self.target = target


def _step() -> _Step:
    found = cookie.get(_STEP)
    if not isinstance(found, dict):
        raise StepExpired
    if now() - datetime.fromisoformat(found["at"]) > STEP_LIFETIME:
        cookie.pop(_STEP)
        raise StepExpired
    return _Step(UUID(found["account"]), found["next"])


def _advance(work: Session, step: services.StaffStep) -> services.SignedIn | None:
    """Do what the step asks of us, in its transaction; return the sign-in if nothing is missing."""
    if step.needs is Needs.TOTP_ENROLMENT:
        services.prepare_totp(work, step.account_id, cipher=cipher())
    if step.needs is not Needs.NOTHING:
        return None
    return services.finish_with_device(work, step.account_id, where=browser.where(), now=now())


def _go_on(step: services.StaffStep, signed_in: services.SignedIn | None, target: str) -> ResponseReturnValue:
    if signed_in is None:
        return redirect(url_for(_PAGES[step.needs]))
    return _signed_in(signed_in, target)


def _signed_in(signed_in: services.SignedIn, target: str) -> ResponseReturnValue:
    browser.begin(signed_in)
    return redirect(target or console_of(principal()))


def _sign_in_page(target: str, login: str, errors: dict[str, Any], chosen: str = "") -> str:
    people = services.pin_users(session(), browser.where().device_token, now())
    return render_template(
        "accounts/staff_sign_in.html",
        next=target,
        login=login,
        errors=errors,
        people=people,
        chosen=chosen or (str(people[0].account_id) if people else ""),
        computer=_here(),
    )


def _authenticator_page(errors: dict[str, Any]) -> str:
    secret, address = services.totp_to_enrol(session(), _step().account_id, cipher=cipher())
    drawn = segno.make(address, error="m").svg_inline(omitsize=True, border=2, title="otpauth")
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return render_template(
        "accounts/staff_authenticator.html",
        qr=Markup(drawn),  # noqa: S704  drawn by segno from our own address
        secret=spaced,
        errors=errors,
    )


def _here() -> Any:
    return computer_of(session(), browser.where().device_token)
