"""One's own account: sign out, open sign-ins, and for staff password and PIN."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.accounts import browser, queries, services
from telehealth.accounts.routes.blueprint import pages
from telehealth.accounts.routes.staff_pages import chosen_password
from telehealth.accounts.services.sign_in_staff import change_own_password
from telehealth.accounts.sign_in_devices import sign_in_device
from telehealth.core.errors import DomainError, NotFound, Unauthenticated, http_status
from telehealth.core.principal import PrincipalKind
from telehealth.web.context import cipher, now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import t


@pages.post("/sign-out")
@public
def sign_out() -> ResponseReturnValue:
    """Close the sign-in on the server and forget it here."""
    actor = principal()
    if actor.session_id is not None:
        with unit_of_work() as work:
            services.sign_out(work, actor.session_id, now())
    browser.end()
    staff = actor.kind is PrincipalKind.STAFF
    return redirect(url_for("accounts.staff_sign_in" if staff else "pages.home"))


@pages.get("/account/sign-ins")
@guarded("session.list-own")
def own_account() -> ResponseReturnValue:
    """Show where one is signed in, and for staff password and PIN."""
    return _page({})


@pages.post("/account/sign-ins/<uuid:session_id>/end")
@guarded("session.list-own")
def end_sign_in(session_id: UUID) -> ResponseReturnValue:
    """End one of one's own sign-ins."""
    with unit_of_work() as work:
        if not services.sign_out_one(work, _me(), session_id, now()):
            raise NotFound
    if session_id == principal().session_id:
        browser.end()
        return redirect(url_for("pages.home"))
    flash(t("accounts-sign-in-ended"), "success")
    return redirect(url_for("accounts.own_account"))


@pages.post("/account/password")
@guarded("account.change-own")
def change_password() -> ResponseReturnValue:
    """Change one's own password, showing the old one."""
    permit("account.change-own")
    try:
        with unit_of_work() as work:
            change_own_password(
                work,
                _me(),
                old=request.form.get("old", "")[:200],
                new=chosen_password(),
                where=browser.where(),
                now=now(),
                but=principal().session_id,
            )
    except DomainError as error:
        return _page(form_errors(error, "old")), http_status(error)
    flash(t("accounts-password-changed"), "success")
    return redirect(url_for("accounts.own_account"))


@pages.post("/account/pin")
@guarded("account.change-own")
def change_pin() -> ResponseReturnValue:
    """Set the PIN for shared computers, showing the password."""
    permit("account.change-own")
    try:
        with unit_of_work() as work:
            services.set_pin(
                work,
                _me(),
                request.form.get("pin", "")[:16],
                password=request.form.get("password_for_pin", "")[:200],
                where=browser.where(),
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        return _page(form_errors(error, "password_for_pin")), http_status(error)
    flash(t("accounts-pin-set"), "success")
    return redirect(url_for("accounts.own_account"))


@pages.app_template_filter()
def device_in_words(user_agent: str | None) -> str:
    """Say which browser and system somebody signed in with."""
    if not user_agent:
        return t("accounts-unknown-device")
    device = sign_in_device(user_agent)
    browser_name = device.browser or t("accounts-other-browser")
    if device.system is None:
        return browser_name
    return t("accounts-device-on", browser=browser_name, system=device.system)


def _me() -> UUID:
    actor = principal()
    if actor.id is None:
        raise Unauthenticated
    return actor.id


def _page(errors: dict[str, Any]) -> str:
    staff = principal().kind is PrincipalKind.STAFF
    return render_template(
        "accounts/own_account.html",
        layout="staff.html" if staff else "layout.html",
        staff=staff,
        sign_ins=queries.sessions_of(session(), _me(), now()),
        errors=errors,
    )
