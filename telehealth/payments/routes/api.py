"""Deposits, transfers, refunds and terms for programs."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.directory import queries as directory
from telehealth.directory.models import HealthcareService
from telehealth.payments import queries, services
from telehealth.payments.errors import NoDeposit
from telehealth.payments.models import BankAccount
from telehealth.payments.presentation import deposit_json
from telehealth.payments.queries import DepositTerms, PaymentView, RefundDue
from telehealth.payments.rules import Account
from telehealth.payments.schemas import (
    BankAccountRequestSchema,
    BankAccountSchema,
    BankTransferStateSchema,
    DepositSchema,
    DepositTermsSchema,
    MatchRequestSchema,
    PaymentWorklistSchema,
    RefundRequestSchema,
    SettleRequestSchema,
)
from telehealth.payments.services import AccountSettings
from telehealth.web.api import IF_MATCH
from telehealth.web.context import cipher, now, permit, principal, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.requests import if_match

api = Blueprint("payments-api", __name__, url_prefix="/api/v1", description="Deposits, transfers, refunds")


@api.get("/appointments/<uuid:appointment_id>/deposit")
@guarded("payments.read")
@api.response(200, DepositSchema)
def show_deposit(appointment_id: UUID) -> dict[str, Any]:
    """Show the deposit of an appointment, with the text of its VietQR code while it is due."""
    with unit_of_work() as session:
        found = queries.payment_of(session, appointment_id)
        if found is None:
            raise NoDeposit
        permit("payments.read", found.scope)
    return deposit_json(found)


@api.get("/facilities/<code>/payments/worklist")
@guarded("payments.settle")
@api.response(200, PaymentWorklistSchema)
def show_worklist(code: str) -> dict[str, Any]:
    """List what waits for a person: transfers without an owner, refunds to be paid."""
    with unit_of_work() as session:
        facility_id = _facility(session, code)
        permit("payments.settle", facility_id)
        return {
            "transfers": queries.unmatched(session, facility_id, cipher()),
            "refunds": [_refund_json(each) for each in queries.refunds_due(session, facility_id)],
        }


@api.post("/facilities/<code>/bank-transfers/<uuid:transfer_id>/match")
@guarded("payments.settle")
@api.arguments(MatchRequestSchema)
@api.response(200, BankTransferStateSchema)
def match_transfer(given: dict[str, str], code: str, transfer_id: UUID) -> dict[str, str]:
    """Say whose transfer it is."""
    with unit_of_work() as session:
        facility_id = _facility(session, code)
        permit("payments.settle", facility_id)
        state = services.match(
            session, principal(), transfer_id, given["reference"], facility_id=facility_id, now=now()
        )
    return {"state": state}


@api.post("/facilities/<code>/bank-transfers/<uuid:transfer_id>/settle")
@guarded("payments.settle")
@api.arguments(SettleRequestSchema)
@api.response(204)
def settle_transfer(given: dict[str, str], code: str, transfer_id: UUID) -> None:
    """Close a transfer that is no deposit."""
    with unit_of_work() as session:
        facility_id = _facility(session, code)
        permit("payments.settle", facility_id)
        services.settle(session, principal(), transfer_id, given["note"], facility_id=facility_id, now=now())


@api.post("/payments/<uuid:payment_id>/refund")
@api.doc(parameters=[IF_MATCH])
@guarded("payments.settle")
@api.arguments(RefundRequestSchema)
@api.response(200, DepositSchema)
def pay_back(given: dict[str, str], payment_id: UUID) -> dict[str, Any]:
    """Record that what was owed has been paid back."""
    with unit_of_work() as session:
        found = _payment(session, payment_id)
        permit("payments.settle", found.facility_id)
        services.refund(
            session,
            principal(),
            payment_id,
            given["paid_out_ref"],
            facility_id=found.facility_id,
            version=if_match(),
            now=now(),
        )
        return deposit_json(_payment(session, payment_id))


@api.get("/facilities/<code>/bank-account")
@guarded("payments.configure")
@api.response(200, BankAccountSchema)
def show_account(code: str) -> BankAccount:
    """Show where the facility's deposits go."""
    with unit_of_work() as session:
        facility_id = _facility(session, code)
        permit("payments.configure", facility_id)
        found = queries.account_of(session, facility_id)
    if found is None:
        raise NotFound
    return found


@api.put("/facilities/<code>/bank-account")
@api.doc(parameters=[IF_MATCH])
@guarded("payments.configure")
@api.arguments(BankAccountRequestSchema)
@api.response(200, BankAccountSchema)
def put_account(given: dict[str, Any], code: str) -> BankAccount | None:
    """Set where the facility's deposits go; `If-Match: "0"` for the first time."""
    with unit_of_work() as session:
        facility_id = _facility(session, code)
        permit("payments.configure", facility_id)
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
            version=if_match(),
            now=now(),
            cipher=cipher(),
        )
        session.flush()
        return queries.account_of(session, facility_id)


@api.put("/facilities/<code>/services/<service_code>/deposit")
@api.doc(parameters=[IF_MATCH])
@guarded("payments.configure")
@api.arguments(DepositTermsSchema)
@api.response(200, DepositTermsSchema)
def put_terms(given: dict[str, int], code: str, service_code: str) -> DepositTerms:
    """Set the deposit of a service; `If-Match: "0"` for the first time."""
    terms = DepositTerms(**given)
    with unit_of_work() as session:
        service = _service(session, code, service_code)
        services.set_terms(session, principal(), service, terms, version=if_match(), now=now())
    return terms


@api.delete("/facilities/<code>/services/<service_code>/deposit")
@api.doc(parameters=[IF_MATCH])
@guarded("payments.configure")
@api.response(204)
def delete_terms(code: str, service_code: str) -> None:
    """Ask for no deposit any more; those who have booked keep their terms."""
    with unit_of_work() as session:
        service = _service(session, code, service_code)
        services.set_terms(session, principal(), service, None, version=if_match(), now=now())


def _facility(session: Session, code: str) -> UUID:
    return directory.facility_by_code(session, code).id


def _service(session: Session, code: str, service_code: str) -> HealthcareService:
    facility_id = _facility(session, code)
    permit("payments.configure", facility_id)
    views = directory.services_of(session, facility_id)
    view = next((each for each in views if each.code == service_code), None)
    if view is None:
        raise NotFound
    return session.get_one(HealthcareService, view.id)


def _payment(session: Session, payment_id: UUID) -> PaymentView:
    found = queries.payment(session, payment_id)
    if found is None:
        raise NotFound
    return found


def _refund_json(due: RefundDue) -> dict[str, Any]:
    return {
        "payment": deposit_json(due.payment),
        "booking_code": due.booking_code,
        "patient_name": due.patient_name,
        "start": due.start,
    }
