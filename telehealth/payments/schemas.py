"""Payments' requests and answers. Amounts are whole đồng."""

from marshmallow import Schema, fields, validate

from telehealth.payments.codes import PaymentState, TransferState
from telehealth.payments.providers import PROVIDERS
from telehealth.web.api import RequestSchema


class DepositSchema(Schema):
    """A deposit: what to pay, by when, with which words; and the text of its VietQR code."""

    id = fields.String()
    appointment_id = fields.String()
    state = fields.String(validate=validate.OneOf([state.value for state in PaymentState]))
    amount_vnd = fields.Integer()
    missing_vnd = fields.Integer()
    refund_due_vnd = fields.Integer()
    refunded_vnd = fields.Integer()
    reference = fields.String()
    due_at = fields.AwareDateTime()
    paid_at = fields.AwareDateTime(allow_none=True)
    version = fields.Integer()
    vietqr = fields.String(allow_none=True)


class BankTransferSchema(Schema):
    """A transfer that waits for a person."""

    id = fields.String()
    amount_vnd = fields.Integer()
    content = fields.String()
    booked_at = fields.AwareDateTime()
    state = fields.String(validate=validate.OneOf([state.value for state in TransferState]))


class RefundDueSchema(Schema):
    """Money that must go back."""

    payment = fields.Nested(DepositSchema)
    booking_code = fields.String()
    patient_name = fields.String()
    start = fields.AwareDateTime()


class PaymentWorklistSchema(Schema):
    """What waits at a facility: transfers without an owner, refunds to be paid."""

    transfers = fields.List(fields.Nested(BankTransferSchema))
    refunds = fields.List(fields.Nested(RefundDueSchema))


class MatchRequestSchema(RequestSchema):
    """Whose transfer it is: the deposit's reference or the booking code."""

    reference = fields.String(required=True, validate=validate.Length(1, 40, error="error-too-long"))


class SettleRequestSchema(RequestSchema):
    """What was done about a transfer that is no deposit."""

    note = fields.String(required=True, validate=validate.Length(1, 200, error="error-too-long"))


class RefundRequestSchema(RequestSchema):
    """The bank's number of the transfer that paid it back."""

    paid_out_ref = fields.String(required=True, validate=validate.Length(1, 60, error="error-too-long"))


class BankTransferStateSchema(Schema):
    """What the transfer turned out to be."""

    state = fields.String()


class BankAccountSchema(Schema):
    """Where a facility's deposits go. The secret is never told."""

    bank_bin = fields.String()
    account_no = fields.String()
    holder = fields.String()
    provider = fields.String()
    active = fields.Boolean()
    version = fields.Integer()


class BankAccountRequestSchema(RequestSchema):
    """Where a facility's deposits go; without a secret the stored one is kept."""

    bank_bin = fields.String(required=True, validate=validate.Regexp(r"^\d{6}\Z", error="error-bank-bin"))
    account_no = fields.String(
        required=True, validate=validate.Regexp(r"^[0-9A-Za-z]{3,19}\Z", error="error-account-no")
    )
    holder = fields.String(required=True, validate=validate.Length(1, 80, error="error-too-long"))
    provider = fields.String(
        load_default="sepay", validate=validate.OneOf(list(PROVIDERS), error="error-bank-provider")
    )
    secret = fields.String(load_default="", validate=validate.Length(max=200, error="error-too-long"))
    active = fields.Boolean(load_default=True)


class DepositTermsSchema(RequestSchema):
    """What a service asks for when it is booked online, and what of it comes back."""

    amount_vnd = fields.Integer(
        required=True, validate=validate.Range(1000, 50_000_000, error="error-deposit-amount")
    )
    pay_within_minutes = fields.Integer(
        load_default=60, validate=validate.Range(10, 2880, error="error-deposit-minutes")
    )
    full_refund_minutes = fields.Integer(
        load_default=1440, validate=validate.Range(0, 43200, error="error-deposit-minutes")
    )
    late_refund_percent = fields.Integer(
        load_default=0, validate=validate.Range(0, 100, error="error-deposit-percent")
    )
