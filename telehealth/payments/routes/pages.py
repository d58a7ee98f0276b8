"""The payer's page, the desk's worklist, and the terms that an admin sets."""

from typing import Any, cast
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from telehealth.booking.queries import appointment
from telehealth.core.errors import DomainError, NotFound, Unprocessable, http_status
from telehealth.core.principal import Role
from telehealth.core.text import clean, whole_number
from telehealth.directory import queries as directory
from telehealth.directory.models import HealthcareService
from telehealth.payments import queries, services
from telehealth.payments.banks import BANKS
from telehealth.payments.errors import NoDeposit
from telehealth.payments.presentation import code_of, drawn
from telehealth.payments.queries import DepositTerms
from telehealth.payments.rules import Account
from telehealth.payments.schemas import BankAccountRequestSchema, DepositTermsSchema
from telehealth.payments.services import AccountSettings
from telehealth.web.context import cipher, now, permit, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

pages = Blueprint("payments", __name__, template_folder="../templates")

_LONGEST_PREPARATION = 1000


@pages.get("/appointments/<uuid:appointment_id>/deposit")
@guarded("payments.read")
def deposit(appointment_id: UUID) -> ResponseReturnValue:
    """Show how to pay the deposit, and whether it has come."""
    with unit_of_work() as session:
        found = queries.payment_of(session, appointment_id)
        view = appointment(session, appointment_id)
    if found is None or view is None:
        raise NoDeposit
    permit("payments.read", found.scope)
    code = code_of(found)
    bank = BANKS.get(found.account.bank_bin, found.account.bank_bin) if found.account else ""
    qr = None if code is None else drawn(code, t("payments-qr-title"))
    page = "payments/_state.html" if request.args.get("part") == "state" else "payments/deposit.html"
    return render_template(page, payment=found, view=view, qr=qr, bank=bank)


@pages.get("/desk/payments/<uuid:facility_id>")
@guarded("payments.settle")
def worklist(facility_id: UUID) -> str:
    """Show transfers without an owner, and refunds to be paid."""
    return _worklist_page(facility_id, {}, "")


@pages.get("/desk/payments")
@guarded("payments.settle")
def own_worklist() -> ResponseReturnValue:
    """Go to the worklist of one's own facility."""
    own = sorted(principal().facilities(Role.DESK, Role.FACILITY_ADMIN))
    return redirect(url_for("payments.worklist", facility_id=own[0]))


@pages.post("/desk/payments/<uuid:facility_id>/transfers/<uuid:transfer_id>")
@guarded("payments.settle")
def decide(facility_id: UUID, transfer_id: UUID) -> ResponseReturnValue:
    """Match a transfer to a booking, or close it with a note."""
    permit("payments.settle", facility_id)
    said = clean(request.form.get("reference", ""))[:40]
    note = clean(request.form.get("note", ""))[:200]
    try:
        with unit_of_work() as session:
            if said:
                services.match(session, principal(), transfer_id, said, facility_id=facility_id, now=now())
            elif note:
                services.settle(session, principal(), transfer_id, note, facility_id=facility_id, now=now())
            else:
                raise Unprocessable({"reference": ["payments-nothing-said"]})
    except DomainError as error:
        errors = form_errors(error, "reference")
        return _worklist_page(facility_id, errors, str(transfer_id)), http_status(error)
    flash(t("payments-transfer-done"), "success")
    return redirect(url_for("payments.worklist", facility_id=facility_id), 303)


@pages.post("/desk/payments/<uuid:facility_id>/refunds/<uuid:payment_id>")
@guarded("payments.settle")
def pay_back(facility_id: UUID, payment_id: UUID) -> ResponseReturnValue:
    """Record a refund that was paid."""
    permit("payments.settle", facility_id)
    ref = clean(request.form.get("ref", ""))[:60]
    try:
        if not ref:
            raise Unprocessable({"ref": ["payments-ref-missing"]})
        with unit_of_work() as session:
            version = whole_number(request.form.get("version", "")) or 0
            services.refund(
                session, principal(), payment_id, ref, facility_id=facility_id, version=version, now=now()
            )
    except DomainError as error:
        return _worklist_page(facility_id, form_errors(error, "ref"), str(payment_id)), http_status(error)
    flash(t("payments-refund-done"), "success")
    return redirect(url_for("payments.worklist", facility_id=facility_id), 303)


@pages.get("/admin/facilities/<uuid:facility_id>/payments")
@guarded("payments.configure")
def terms(facility_id: UUID) -> str:
    """Show the account, the deposits and the preparations of a facility."""
    return _terms_page(facility_id, {}, "")


@pages.post("/admin/facilities/<uuid:facility_id>/payments/account")
@guarded("payments.configure")
def set_account(facility_id: UUID) -> ResponseReturnValue:
    """Set where deposits go."""
    permit("payments.configure", facility_id)
    form = {name: request.form.get(name, "") for name in ("bank_bin", "account_no", "holder", "secret")}
    try:
        given = _loaded(BankAccountRequestSchema(), {**form, "active": request.form.get("active") == "yes"})
        with unit_of_work() as session:
            services.set_account(
                session,
                principal(),
                facility_id,
                AccountSettings(
                    Account(given["bank_bin"], given["account_no"], given["holder"]),
                    given["provider"],
                    given["secret"],
                    given["active"],
                ),
                version=whole_number(request.form.get("version", "")) or 0,
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        return _terms_page(facility_id, form_errors(error), "account"), http_status(error)
    flash(t("payments-saved"), "success")
    return redirect(url_for("payments.terms", facility_id=facility_id), 303)


@pages.post("/admin/facilities/<uuid:facility_id>/payments/services/<uuid:service_id>")
@guarded("payments.configure")
def set_service(facility_id: UUID, service_id: UUID) -> ResponseReturnValue:
    """Set a service's deposit and preparation."""
    permit("payments.configure", facility_id)
    try:
        wanted = _terms_of_form()
        with unit_of_work() as session:
            service = session.get(HealthcareService, service_id)
            if service is None or service.facility_id != facility_id:
                raise NotFound
            version = whole_number(request.form.get("version", "")) or 0
            services.set_terms(session, principal(), service, wanted, version=version, now=now())
            vi, en = (request.form.get(name, "").strip()[:_LONGEST_PREPARATION] for name in ("vi", "en"))
            services.set_preparation(session, principal(), service, vi, en, now=now())
    except DomainError as error:
        return _terms_page(facility_id, form_errors(error), str(service_id)), http_status(error)
    flash(t("payments-saved"), "success")
    return redirect(url_for("payments.terms", facility_id=facility_id), 303)


def _terms_of_form() -> DepositTerms | None:
    if not request.form.get("amount_vnd", "").strip():
        return None
    names = ("amount_vnd", "pay_within_minutes", "full_refund_minutes", "late_refund_percent")
    typed = {name: request.form.get(name, "").replace(".", "").strip() for name in names}
    return DepositTerms(**_loaded(DepositTermsSchema(), {name: text for name, text in typed.items() if text}))


def _loaded(schema: Any, form: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(form)
    except ValidationError as error:
        raise Unprocessable(cast("dict[str, list[str]]", error.messages)) from error
    return loaded


def _worklist_page(facility_id: UUID, errors: dict[str, Any], wrong: str) -> str:
    permit("payments.settle", facility_id)
    with unit_of_work() as session:
        return render_template(
            "payments/worklist.html",
            facility=directory.facility(session, facility_id),
            transfers=queries.unmatched(session, facility_id, cipher()),
            refunds=queries.refunds_due(session, facility_id),
            errors=errors,
            wrong=wrong,
            current="payments",
            others=(),
        )


def _terms_page(facility_id: UUID, errors: dict[str, Any], wrong: str) -> str:
    permit("payments.configure", facility_id)
    with unit_of_work() as session:
        return render_template(
            "payments/terms.html",
            facility=directory.facility(session, facility_id),
            account=queries.account_of(session, facility_id),
            services=queries.services_of(session, facility_id),
            banks=sorted(BANKS.items(), key=lambda each: each[1]),
            errors=errors,
            wrong=wrong,
            form=request.form,
            current="payments",
            others=(),
        )
