"""What the booking API takes and gives."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.booking.codes import CancelReason, CoverageBasis
from telehealth.core.paging import MAX_LIMIT
from telehealth.patients.schemas import PatientFields
from telehealth.scheduling.schemas import (
    DoctorSchema,
    OfferedServiceSchema,
    PlaceSchema,
    SlotPricesSchema,
)
from telehealth.web.api import QuerySchema, RequestSchema

LONGEST_REASON = 500


class HoldRequestSchema(RequestSchema):
    """The slot to hold."""

    slot_id = fields.String(required=True, validate=validate.Length(1, 60))


class HoldSchema(Schema):
    """A held slot."""

    id = fields.UUID()
    slot_id = fields.String()
    expires_at = fields.AwareDateTime(format="iso")


class ConsentSchema(RequestSchema):
    """What the person agreed to, and in which wording."""

    purpose = fields.String(required=True, validate=validate.Length(1, 60))
    text_version = fields.String(required=True, validate=validate.Length(1, 40))


class BookingSchema(RequestSchema):
    """A slot or a hold, for a known person (`patient_id`) or one to be registered (`patient`).

    By video: `condition` is the ICD-10 code that the visit is about; `consultation` asks for advice only.
    """

    slot_id = fields.String(validate=validate.Length(1, 60))
    hold_id = fields.UUID()
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
        if ("slot_id" in data) == ("hold_id" in data):
            raise ValidationError("field-booking-slot-or-hold", "slot_id")
        if ("patient_id" in data) == ("patient" in data):
            raise ValidationError("field-booking-patient", "patient_id")


class AppointmentSchema(Schema):
    """An appointment. `coverage_checked` is false until staff have confirmed the basis."""

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
    room = fields.String()
    slot_id = fields.String()
    patient_id = fields.UUID(allow_none=True)
    patient_name = fields.String(allow_none=True)
    prices = fields.Nested(SlotPricesSchema)
    price_class = fields.String()
    coverage_basis = fields.String()
    coverage_checked = fields.Boolean()
    companion = fields.Boolean()
    cancel_reason = fields.String(allow_none=True)
    confirmed_at = fields.AwareDateTime(format="iso", allow_none=True)
    on_the_way_at = fields.AwareDateTime(format="iso", allow_none=True)
    actions = fields.List(fields.String())


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


class RescheduleSchema(RequestSchema):
    """The slot to move to."""

    slot_id = fields.String(required=True, validate=validate.Length(1, 60))


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
