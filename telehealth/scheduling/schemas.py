"""What the slots API takes and gives."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.core.paging import MAX_LIMIT
from telehealth.directory.codes import Modality
from telehealth.directory.schemas import PlaceField
from telehealth.scheduling.codes import SessionMode
from telehealth.scheduling.queries import NEAR_KM
from telehealth.web.api import QuerySchema

MAX_KM = 200
MAX_PRACTITIONERS = 300


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
    near = PlaceField(
        load_default=None,
        metadata={"description": "latitude,longitude: only facilities within radius_km of it"},
    )
    radius_km = fields.Float(
        load_default=NEAR_KM, validate=validate.Range(1, MAX_KM, error="field-slot-radius")
    )


class DaysQuerySchema(QuerySchema):
    """Whose days to count; a facility or a practitioner must be named."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    practitioner = fields.UUID(load_default=None)
    service = fields.String(load_default=None, validate=validate.Length(1, 40))
    modality = fields.String(
        load_default=None,
        validate=validate.OneOf([modality.value for modality in Modality], error="field-slot-modality"),
    )
    from_ = fields.Date(data_key="from", load_default=None, metadata={"description": "Default: today"})
    to = fields.Date(load_default=None, metadata={"description": "Default: 30 days from the first"})
    limit = fields.Integer(load_default=50, validate=validate.Range(1, MAX_PRACTITIONERS))
    cursor = fields.String(load_default="", validate=validate.Length(max=500))

    @validates_schema
    def whose(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse to count everybody's days."""
        if data["facility"] is None and data["practitioner"] is None:
            raise ValidationError("field-days-whose", "facility")


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
    """A slot with at least one free place; in mode `session` a window to arrive in."""

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
    mode = fields.String(validate=validate.OneOf([mode.value for mode in SessionMode]))
    distance_km = fields.Float(allow_none=True)


class DaySchema(Schema):
    """A day that has sessions, and how many places can be booked online now; 0 is a full one."""

    date = fields.Date()
    free = fields.Integer()


class PractitionerDaysSchema(Schema):
    """A practitioner's days."""

    practitioner = fields.Nested(DoctorSchema)
    days = fields.List(fields.Nested(DaySchema))


class DaysSchema(Schema):
    """By the practitioners' names; `next_cursor` is null on the last page. `as_of`: when it was so."""

    items = fields.List(fields.Nested(PractitionerDaysSchema))
    next_cursor = fields.String(allow_none=True)
    as_of = fields.AwareDateTime(format="iso")


class SlotListSchema(Schema):
    """The earliest first. `as_of`: when it was so; only booking makes a slot yours."""

    items = fields.List(fields.Nested(SlotSchema))
    as_of = fields.AwareDateTime(format="iso")
