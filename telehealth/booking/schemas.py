"""What the booking API takes and gives."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.booking.codes import CancelReason, CoverageBasis
from telehealth.booking.rules import LONGEST_REASON
from telehealth.core.paging import MAX_LIMIT
from telehealth.directory.codes import Modality
from telehealth.patients.schemas import PatientFields
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.schemas import (
    DoctorSchema,
    OfferedServiceSchema,
    PlaceSchema,
    SlotPricesSchema,
)
from telehealth.web.api import QuerySchema, RequestSchema


class AnyDoctorFields(RequestSchema):
    """Whichever doctor of a service at a facility: on `date`, or `from` and `to` (31 days at most)."""

    service = fields.String(validate=validate.Length(1, 60))
    facility = fields.String(validate=validate.Length(1, 40))
    modality = fields.String(validate=validate.OneOf([modality.value for modality in Modality]))
    date = fields.Date()
    from_ = fields.AwareDateTime(data_key="from")
    to = fields.AwareDateTime()

    @validates_schema
    def where_and_when(self, data: dict[str, object], **_: object) -> None:
        """Ask for a place and a time of whoever may be any doctor."""
        if "service" in data and "facility" not in data:
            raise ValidationError("field-booking-any", "facility")
        if "service" in data and ("date" in data) == ("from_" in data and "to" in data):
            raise ValidationError("field-booking-any", "date")


class HoldRequestSchema(AnyDoctorFields):
    """The slot to hold, or any doctor of a service; `channel` as when booking."""

    slot_id = fields.String(validate=validate.Length(1, 60))
    channel = fields.String(validate=validate.OneOf([Channel.ONLINE.value]))

    @validates_schema
    def one_slot(self, data: dict[str, object], **_: object) -> None:
        """Ask for a slot or a service, not both."""
        if ("slot_id" in data) == ("service" in data):
            raise ValidationError("field-booking-slot-or-hold", "slot_id")


class HoldSchema(Schema):
    """A held slot."""

    id = fields.UUID()
    slot_id = fields.String()
    expires_at = fields.AwareDateTime(format="iso")


class ConsentSchema(RequestSchema):
    """What the person agreed to, and in which wording."""

    purpose = fields.String(required=True, validate=validate.Length(1, 60))
    text_version = fields.String(required=True, validate=validate.Length(1, 40))


class ExceptionReasonSchema(RequestSchema):
    """Why a rule is passed over; sealed, shown to the facility only."""

    reason = fields.String(required=True, validate=validate.Length(3, LONGEST_REASON))


class BookingSchema(AnyDoctorFields):
    """A slot, a hold or any doctor of a service, for a known person (`patient_id`) or a new one (`patient`).

    Any doctor: `service` and `facility`, on `date`, or `from` and `to` (31 days at most). By video:
    `condition` is the ICD-10 code that the visit is about; `consultation` asks for advice only. Staff:
    `overbook` puts the patient beside those who have the slot, `override` books a blocked or begun time;
    `channel` `online` books at any facility as the patient could from home, for somebody known at one's own.
    """

    slot_id = fields.String(validate=validate.Length(1, 60))
    channel = fields.String(validate=validate.OneOf([Channel.ONLINE.value]))
    hold_id = fields.UUID()
    overbook = fields.Nested(ExceptionReasonSchema, load_default=None, allow_none=True)
    override = fields.Nested(ExceptionReasonSchema, load_default=None, allow_none=True)
    patient_id = fields.UUID()
    patient = fields.Nested(PatientFields)
    coverage_basis = fields.String(
        load_default=CoverageBasis.NONE.value,
        validate=validate.OneOf([basis.value for basis in CoverageBasis]),
    )
    companion = fields.Boolean(load_default=False)
    reason = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=LONGEST_REASON, error="field-booking-too-long"),
    )
    consent = fields.Nested(ConsentSchema, load_default=None)
    condition = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=10))
    consultation = fields.Boolean(load_default=False)

    @validates_schema
    def one_of_each(self, data: dict[str, object], **_: object) -> None:
        """Ask for exactly one slot and one person."""
        if sum(name in data for name in ("slot_id", "hold_id", "service")) != 1:
            raise ValidationError("field-booking-slot-or-hold", "slot_id")
        if ("patient_id" in data) == ("patient" in data):
            raise ValidationError("field-booking-patient", "patient_id")
        if "channel" in data and "patient" in data:
            raise ValidationError("field-booking-known", "patient_id")


class AppointmentSchema(Schema):
    """An appointment. `coverage_checked` is false until staff have confirmed the basis.

    `mode`: slot, `start` is the patient's hour; session, they come within `start` to `end`.
    `change_until`: until when the patient may cancel or move it. `valid_from`, `valid_until`: when it must
    start, by the referral or slip that it is for.
    """

    id = fields.UUID()
    code = fields.String()
    status = fields.String()
    version = fields.Integer()
    start = fields.AwareDateTime(format="iso")
    end = fields.AwareDateTime(format="iso")
    facility = fields.Nested(PlaceSchema)
    practitioner = fields.Nested(DoctorSchema)
    service = fields.Nested(OfferedServiceSchema)
    modality = fields.String()
    mode = fields.String()
    room = fields.String()
    slot_id = fields.String()
    patient_id = fields.UUID(allow_none=True)
    patient_name = fields.String(allow_none=True)
    prices = fields.Nested(SlotPricesSchema)
    price_class = fields.String()
    coverage_basis = fields.String()
    coverage_checked = fields.Boolean()
    companion = fields.Boolean()
    overbooked = fields.Boolean()
    change_until = fields.AwareDateTime(format="iso")
    valid_from = fields.AwareDateTime(format="iso", allow_none=True)
    valid_until = fields.AwareDateTime(format="iso", allow_none=True)
    cancel_reason = fields.String(allow_none=True)
    confirmed_at = fields.AwareDateTime(format="iso", allow_none=True)
    on_the_way_at = fields.AwareDateTime(format="iso", allow_none=True)
    actions = fields.List(fields.String())


class BookedSchema(AppointmentSchema):
    """An appointment just made, and what may be amiss with it."""

    warnings = fields.List(
        fields.String(),
        metadata={
            "description": "Doubts about the booking, in words; no refusal. The person already has an "
            "appointment for the same service on the same day."
        },
    )


class VerdictSchema(Schema):
    """Whether one thing can be done now; else the stable code, its text, and from when it can."""

    action = fields.String()
    allowed = fields.Boolean()
    code = fields.String(allow_none=True)
    detail = fields.String(allow_none=True)
    from_ = fields.AwareDateTime(format="iso", allow_none=True, data_key="from")


class ActionsSchema(Schema):
    """What the caller may do with an appointment now, and why not the rest."""

    actions = fields.List(fields.String())
    version = fields.Integer()
    verdicts = fields.List(fields.Nested(VerdictSchema))


class AppointmentListSchema(Schema):
    """A page of appointments."""

    items = fields.List(fields.Nested(AppointmentSchema))
    next = fields.String(allow_none=True)


class AppointmentQuerySchema(QuerySchema):
    """Patients list their own; staff name a facility and a day."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    practitioner = fields.UUID(load_default=None)
    date = fields.Date(load_default=None)
    patient_id = fields.UUID(load_default=None)
    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=500))


class TargetSchema(RequestSchema):
    """A slot to move to, or to be offered."""

    slot_id = fields.String(required=True, validate=validate.Length(1, 60))


class RescheduleSchema(TargetSchema):
    """The slot to move to; staff may pass over rules as in a booking."""

    overbook = fields.Nested(ExceptionReasonSchema, load_default=None, allow_none=True)
    override = fields.Nested(ExceptionReasonSchema, load_default=None, allow_none=True)


class OfferSchema(Schema):
    """Another slot offered to the patient, until `expires_at`."""

    id = fields.UUID()
    appointment_id = fields.UUID()
    slot_id = fields.String()
    state = fields.String()
    expires_at = fields.AwareDateTime(format="iso")


class CancelSchema(RequestSchema):
    """Why."""

    reason_code = fields.String(
        load_default=CancelReason.PATIENT.value,
        validate=validate.OneOf([reason.value for reason in CancelReason]),
    )


class CoverageSchema(RequestSchema):
    """The basis whose papers staff have seen."""

    coverage_basis = fields.String(
        required=True, validate=validate.OneOf([basis.value for basis in CoverageBasis])
    )
