"""What the slots API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.core.paging import MAX_LIMIT
from telehealth.directory.codes import Modality
from telehealth.web.api import QuerySchema


class SlotQuerySchema(QuerySchema):
    """What to look for; without `facility` over the whole province."""

    service = fields.String(load_default=None, validate=validate.Length(1, 40))
    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    practitioner = fields.UUID(load_default=None)
    modality = fields.String(
        load_default=None,
        validate=validate.OneOf([modality.value for modality in Modality], error="field-slot-modality"),
    )
    from_ = fields.AwareDateTime(data_key="from", load_default=None, format="iso")
    to = fields.AwareDateTime(load_default=None, format="iso")
    limit = fields.Integer(load_default=10, validate=validate.Range(1, MAX_LIMIT))


class PlaceSchema(Schema):
    """A facility."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    short_name = fields.String()
    address = fields.String()
    hotline = fields.String()


class DoctorSchema(Schema):
    """A practitioner."""

    id = fields.UUID()
    name = fields.String()
    title = fields.String()
    specialty = fields.String()


class OfferedServiceSchema(Schema):
    """A service, named in the language of the request."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    duration_minutes = fields.Integer()


class SlotPricesSchema(Schema):
    """Public prices in đồng; null where a class is not offered."""

    insured = fields.Integer(allow_none=True)
    self = fields.Integer(allow_none=True)
    on_request = fields.Integer(allow_none=True)
    after_hours = fields.Integer(allow_none=True)


class SlotSchema(Schema):
    """A slot with at least one free place."""

    id = fields.String()
    start = fields.AwareDateTime(format="iso")
    end = fields.AwareDateTime(format="iso")
    service = fields.Nested(OfferedServiceSchema)
    facility = fields.Nested(PlaceSchema)
    practitioner = fields.Nested(DoctorSchema)
    modality = fields.String()
    room = fields.String()
    prices = fields.Nested(SlotPricesSchema)
    free = fields.Integer()


class SlotListSchema(Schema):
    """The earliest first. `as_of`: when it was so; only booking makes a slot yours."""

    items = fields.List(fields.Nested(SlotSchema))
    as_of = fields.AwareDateTime(format="iso")
