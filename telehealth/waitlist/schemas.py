"""What the waitlist API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.booking.codes import CoverageBasis
from telehealth.directory.codes import Modality
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema

_CLOCK = validate.Regexp(r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", error="field-malformed")


class JoinSchema(RequestSchema):
    """What somebody waits for. Without `facility` any of the province or `area`; times are local HH:MM.

    `bound_from`, `bound_to`: within which the visit must begin, by a slip that the desk of `facility` has
    seen; from anybody else they are refused, because who is bound comes first.
    """

    patient_id = fields.UUID(required=True)
    service = fields.String(required=True, validate=validate.Length(1, 40))
    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    area = fields.String(load_default=None, validate=validate.Length(1, 100))
    practitioner = fields.UUID(load_default=None)
    modality = fields.String(
        load_default=None, validate=validate.OneOf([modality.value for modality in Modality])
    )
    from_ = fields.Date(data_key="from", required=True)
    to = fields.Date(required=True)
    weekdays = fields.List(
        fields.Integer(validate=validate.Range(0, 6)), load_default=(), validate=ItemCount(max=7)
    )
    from_time = fields.String(load_default="00:00", validate=_CLOCK)
    to_time = fields.String(load_default="24:00", validate=_CLOCK)
    coverage_basis = fields.String(
        load_default=CoverageBasis.NONE.value,
        validate=validate.OneOf([basis.value for basis in CoverageBasis]),
    )
    bound_from = fields.AwareDateTime(load_default=None, format="iso")
    bound_to = fields.AwareDateTime(load_default=None, format="iso")


class WaitlistQuerySchema(QuerySchema):
    """Families list their own; staff name a facility."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    patient_id = fields.UUID(load_default=None)


class PlaceOfferSchema(Schema):
    """A place offered, to be answered before `expires_at`."""

    id = fields.UUID()
    slot_id = fields.String()
    start = fields.AwareDateTime(format="iso")
    expires_at = fields.AwareDateTime(format="iso")


class WaitlistEventSchema(Schema):
    """What happened; `reason` says why a place went to the next, `text` says it in words."""

    at = fields.AwareDateTime(format="iso")
    kind = fields.String()
    reason = fields.String(allow_none=True)
    start = fields.AwareDateTime(format="iso", allow_none=True)
    text = fields.String()


class WaitlistEntrySchema(Schema):
    """Somebody who waits; `ahead` counts those before them."""

    id = fields.UUID()
    patient_id = fields.UUID()
    patient_name = fields.String(allow_none=True)
    service = fields.String()
    service_name = fields.String()
    facility = fields.String(allow_none=True)
    facility_name = fields.String(allow_none=True)
    area = fields.String(allow_none=True)
    practitioner = fields.UUID(allow_none=True)
    modality = fields.String(allow_none=True)
    from_ = fields.Date(data_key="from")
    to = fields.Date()
    weekdays = fields.List(fields.Integer())
    from_time = fields.String()
    to_time = fields.String()
    state = fields.String()
    since = fields.AwareDateTime(format="iso")
    ahead = fields.Integer()
    appointment_id = fields.UUID(allow_none=True)
    offer = fields.Nested(PlaceOfferSchema, allow_none=True)
    events = fields.List(fields.Nested(WaitlistEventSchema))


class WaitlistSchema(Schema):
    """Who waits."""

    items = fields.List(fields.Nested(WaitlistEntrySchema))
