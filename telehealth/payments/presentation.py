"""Deposits as pages and programs show them."""

from typing import Any

import segno
from markupsafe import Markup

from telehealth.payments.codes import PaymentState
from telehealth.payments.queries import PaymentView
from telehealth.payments.rules import vietqr


def code_of(payment: PaymentView) -> str | None:
    """Return the text of the VietQR code for what is missing, or None: nothing to pay, or nowhere."""
    if payment.state != PaymentState.DUE or payment.account is None:
        return None
    return vietqr(payment.account, payment.missing_vnd, payment.reference)


def drawn(code: str, title: str) -> Markup:
    """Draw a code, light enough to be scanned from another phone's screen."""
    picture = segno.make(code, error="m", micro=False)
    return Markup(picture.svg_inline(scale=5, border=4, omitsize=True, title=title))  # noqa: S704  our own drawing


def deposit_json(payment: PaymentView) -> dict[str, Any]:
    """Return a deposit as DepositSchema describes it."""
    return {
        "id": payment.id,
        "appointment_id": payment.appointment_id,
        "state": payment.state,
        "amount_vnd": payment.amount_vnd,
        "missing_vnd": payment.missing_vnd,
        "refund_due_vnd": payment.refund_due_vnd,
        "refunded_vnd": payment.refunded_vnd,
        "reference": payment.reference,
        "due_at": payment.due_at,
        "paid_at": payment.paid_at,
        "version": payment.version,
        "vietqr": code_of(payment),
    }
