"""What the API of referrals and slips takes and gives."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.core.paging import MAX_LIMIT
from telehealth.referrals.codes import RequestKind, RequestPriority, RequestStatus
from telehealth.scheduling.schemas import SlotSchema
from telehealth.web.api import QuerySchema, RequestSchema

LONGEST_TEXT = 4000
LONGEST_REASON = 500
_CODE = validate.Length(1, 40)


class ClinicalSchema(RequestSchema):
    """What the doctor writes on the slip (XML13, XML14)."""

    summary = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    diagnosis = fields.String(load_default="", validate=validate.Length(max=LONGEST_REASON))
    signs = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    results = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    treatment = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    plan = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    transport = fields.String(load_default="", validate=validate.Length(max=LONGEST_REASON))
    escort = fields.String(load_default="", validate=validate.Length(max=LONGEST_REASON))


class _AskedSchema(RequestSchema):
    kind = fields.String(required=True, validate=validate.OneOf([each.value for each in RequestKind]))
    patient_id = fields.UUID(required=True)
    target_facility = fields.String(load_default=None, allow_none=True, validate=_CODE)
    target_service = fields.String(load_default=None, allow_none=True, validate=_CODE)
    priority = fields.String(
        load_default=RequestPriority.ROUTINE.value,
        validate=validate.OneOf([each.value for each in RequestPriority]),
    )
    icd10 = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=10))
    appointment_on = fields.Date(load_default=None, allow_none=True)


class IssueSchema(_AskedSchema):
    """A slip that a doctor makes at `facility`; with `slot_id` it is spent on that slot at once.

    `listed`: the doctor has found the disease in the list of those good for a year.
    """

    facility = fields.String(required=True, validate=_CODE)
    encounter_id = fields.UUID(load_default=None, allow_none=True)
    listed = fields.Boolean(load_default=False)
    clinical = fields.Nested(ClinicalSchema, load_default=dict)
    transfer_reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=40))
    slot_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 60))


class PaperSchema(_AskedSchema):
    """A paper slip of any hospital. `facility`: the desk that sees it; nobody's for a patient at home."""

    number = fields.String(required=True, validate=validate.Length(1, 60))
    signed_on = fields.Date(required=True)
    issuer = fields.String(load_default="", validate=validate.Length(max=200))
    issuer_code = fields.String(load_default=None, allow_none=True, validate=_CODE)
    facility = fields.String(load_default=None, allow_none=True, validate=_CODE)
    listed = fields.Boolean(load_default=False)


class SlipBookingSchema(RequestSchema):
    """The slot to spend a slip on.

    `shift_known`: the patient knows that the day is not the paper's, and staff will decide. `reason`: staff
    agree to that day at once. `consultation`: by video, advice without treatment.
    """

    slot_id = fields.String(required=True, validate=validate.Length(1, 60))
    shift_known = fields.Boolean(load_default=False)
    consultation = fields.Boolean(load_default=False)
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_REASON))


class ReferralReasonSchema(RequestSchema):
    """Why."""

    reason = fields.String(required=True, validate=validate.Length(1, LONGEST_REASON))


class DeferSchema(RequestSchema):
    """Why, if there is more to say than that no time is free."""

    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_REASON))


class DecideSchema(RequestSchema):
    """Whether staff agree to a day other than the paper's; a refusal says why."""

    accept = fields.Boolean(required=True)
    reason = fields.String(load_default="", validate=validate.Length(max=LONGEST_REASON))

    @validates_schema
    def refusal_has_reason(self, data: dict[str, object], **_: object) -> None:
        """Ask why for a refusal."""
        if not data["accept"] and not str(data["reason"]).strip():
            raise ValidationError("field-slip-reason-missing", "reason")


class HandOverSchema(ReferralReasonSchema):
    """The facility that shall see to it, and how soon."""

    facility = fields.String(required=True, validate=_CODE)
    priority = fields.String(
        load_default=RequestPriority.URGENT.value,
        validate=validate.OneOf([each.value for each in RequestPriority]),
    )


class PlaceNameSchema(Schema):
    """A facility."""

    code = fields.String()
    name = fields.String()


class SlipAppointmentSchema(Schema):
    """The appointment that a slip is spent on."""

    id = fields.UUID()
    code = fields.String()
    status = fields.String()
    start = fields.AwareDateTime(format="iso")
    modality = fields.String()


class ReferralSchema(Schema):
    """A service request. `due_on`: the paper's day, moved off holidays. `lapsed`: its last day is over."""

    id = fields.UUID()
    kind = fields.String()
    origin = fields.String()
    status = fields.String()
    priority = fields.String()
    number = fields.String()
    issuer = fields.String()
    patient_id = fields.UUID()
    patient_name = fields.String()
    requester = fields.Nested(PlaceNameSchema, allow_none=True)
    practitioner = fields.String(allow_none=True)
    target_facility = fields.Nested(PlaceNameSchema, allow_none=True)
    target_service = fields.String(allow_none=True)
    icd10 = fields.String(allow_none=True)
    appointment_on = fields.Date(allow_none=True)
    due_on = fields.Date(allow_none=True)
    signed_on = fields.Date()
    valid_from = fields.Date()
    valid_until = fields.Date(allow_none=True)
    listed = fields.Boolean()
    owner_role = fields.String(allow_none=True)
    owner = fields.Nested(PlaceNameSchema, allow_none=True)
    escalate_at = fields.AwareDateTime(format="iso", allow_none=True)
    deferred_at = fields.AwareDateTime(format="iso", allow_none=True)
    lapsed = fields.Boolean()
    needs_decision = fields.Boolean()
    decision = fields.String(allow_none=True)
    decision_reason = fields.String(allow_none=True)
    appointment = fields.Nested(SlipAppointmentSchema, allow_none=True)
    clinical = fields.Dict(allow_none=True)
    version = fields.Integer()


class ReferralListSchema(Schema):
    """A page of requests."""

    items = fields.List(fields.Nested(ReferralSchema))
    next = fields.String(allow_none=True)


class ReferralQuerySchema(QuerySchema):
    """Patients list their own; staff name a facility, and `worklist` for what it must see to."""

    facility = fields.String(load_default=None, validate=_CODE)
    status = fields.String(load_default=None, validate=validate.OneOf([each.value for each in RequestStatus]))
    worklist = fields.Boolean(load_default=False)
    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=500))


class EscalatedSchema(Schema):
    """A request at the province: no name, no diagnosis, no text."""

    id = fields.UUID()
    number = fields.String()
    kind = fields.String()
    origin = fields.String()
    status = fields.String()
    priority = fields.String()
    requester = fields.Nested(PlaceNameSchema, allow_none=True)
    issuer_name = fields.String(allow_none=True)
    target_facility = fields.Nested(PlaceNameSchema, allow_none=True)
    target_service = fields.String(allow_none=True)
    signed_on = fields.Date()
    valid_until = fields.Date(allow_none=True)
    escalate_at = fields.AwareDateTime(format="iso", allow_none=True)
    deferred_at = fields.AwareDateTime(format="iso", allow_none=True)
    lapsed = fields.Boolean()
    version = fields.Integer()


class EscalatedListSchema(Schema):
    """What has come up to the province."""

    items = fields.List(fields.Nested(EscalatedSchema))


class EventSchema(Schema):
    """One thing that happened to a request."""

    at = fields.AwareDateTime(format="iso")
    kind = fields.String()
    actor_kind = fields.String()
    owner_role = fields.String(allow_none=True)
    owner = fields.String(allow_none=True)
    escalate_at = fields.AwareDateTime(format="iso", allow_none=True)
    reason = fields.String(allow_none=True)


class EventListSchema(Schema):
    """What happened, the first first."""

    items = fields.List(fields.Nested(EventSchema))


class SlipSlotsQuerySchema(QuerySchema):
    """From which day on."""

    from_day = fields.Date(load_default=None, data_key="from")
    modality = fields.String(load_default=None, validate=validate.OneOf(["in-person", "video"]))


class SlipSlotsSchema(Schema):
    """The earliest times that a slip may be spent on."""

    items = fields.List(fields.Nested(SlotSchema))
    valid_until = fields.Date(allow_none=True)


class RemoteQuerySchema(QuerySchema):
    """A word, with or without marks, or a code."""

    q = fields.String(load_default="", validate=validate.Length(max=100))


class RemoteConditionSchema(Schema):
    """A condition that may be treated from afar."""

    code = fields.String()
    codes = fields.String()
    name = fields.String()
    plain = fields.String()
    source = fields.String()


class RemoteConditionsSchema(Schema):
    """The list, its version and source, and whether advice without treatment may be given for anything."""

    items = fields.List(fields.Nested(RemoteConditionSchema))
    version = fields.String()
    source = fields.String()
    consultation_without_treatment = fields.Boolean()
