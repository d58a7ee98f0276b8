"""The directory's requests and answers."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from telehealth.core.paging import MAX_LIMIT
from telehealth.directory.codes import CareLevel
from telehealth.directory.hours import WEEKDAYS, format_minute
from telehealth.directory.places import Place
from telehealth.directory.queries import FacilityQuery
from telehealth.web.api import QuerySchema
from telehealth.web.localization import current_locale


class PlaceField(fields.Field[Place]):
    """`latitude,longitude` in decimal degrees."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Place:
        try:
            return Place.parse(str(value))
        except ValueError as error:
            raise ValidationError("error-bad-place") from error


class PageSchema(QuerySchema):
    """A page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_LIMIT, error="error-bad-limit"))
    cursor = fields.String(load_default="", validate=validate.Length(max=500))


class FacilityQuerySchema(PageSchema):
    """What to look for."""

    q = fields.String(load_default="", validate=validate.Length(max=100, error="error-too-long"))
    care_level = fields.String(
        load_default="",
        validate=validate.OneOf([level.value for level in CareLevel], error="error-bad-care-level"),
    )
    service = fields.String(load_default="", validate=validate.Length(max=40, error="error-too-long"))
    near = PlaceField(load_default=None, metadata={"description": "latitude,longitude"})

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> FacilityQuery:
        """Build the query."""
        return FacilityQuery(**data)


class PractitionerQuerySchema(PageSchema):
    """What to look for."""

    q = fields.String(load_default="", validate=validate.Length(max=100, error="error-too-long"))
    facility = fields.String(load_default="", validate=validate.Length(max=40, error="error-too-long"))
    service = fields.String(load_default="", validate=validate.Length(max=40, error="error-too-long"))


class OpeningPeriodSchema(Schema):
    """An opening period: weekday `MO` to `SU`, local times."""

    weekday = fields.Function(lambda period: WEEKDAYS[period.weekday])
    start = fields.Function(lambda period: format_minute(period.start))
    end = fields.Function(lambda period: format_minute(period.end))


class FacilitySchema(Schema):
    """A facility."""

    code = fields.String()
    national_code = fields.String()
    name = fields.String()
    short_name = fields.String()
    kind = fields.String()
    care_level = fields.String()
    address = fields.String()
    area = fields.String()
    province = fields.String()
    hotline = fields.String()
    latitude = fields.Float(allow_none=True)
    longitude = fields.Float(allow_none=True)
    hours = fields.List(fields.Nested(OpeningPeriodSchema))
    after_hours = fields.List(fields.Nested(OpeningPeriodSchema))
    distance_km = fields.Function(
        lambda view: None if view.distance_km is None else round(view.distance_km, 1)
    )


class PricesSchema(Schema):
    """Public prices in đồng; null where the class is not offered."""

    insured = fields.Integer(allow_none=True)
    self = fields.Integer(allow_none=True)
    on_request = fields.Integer(allow_none=True)
    after_hours = fields.Integer(allow_none=True)


class ServiceSchema(Schema):
    """A service of a facility."""

    code = fields.String()
    name = fields.Function(lambda view: view.name(current_locale()))
    duration_minutes = fields.Integer()
    prices = fields.Nested(PricesSchema)
    modalities = fields.List(fields.String())
    online_booking = fields.Boolean()
    preparation = fields.Function(
        lambda view: list(view.preparation(current_locale())),
        metadata={
            "description": "How to prepare, one line for each thing.",
            "type": "array",
            "items": {"type": "string"},
        },
    )


class PractitionerSchema(Schema):
    """A practitioner."""

    licence_no = fields.String()
    id = fields.String()
    name = fields.String()
    title = fields.String()
    specialty = fields.String()
    facility = fields.Function(lambda view: {"code": view.facility_code, "name": view.facility_name})


class FacilityPageSchema(Schema):
    """Facilities; `approximate` when none has the name asked for and these come near it."""

    items = fields.List(fields.Nested(FacilitySchema))
    next = fields.String(allow_none=True)
    approximate = fields.Boolean()


class ServicesSchema(Schema):
    """A facility's services."""

    items = fields.List(fields.Nested(ServiceSchema))


class PractitionerPageSchema(Schema):
    """Practitioners, by given name."""

    items = fields.List(fields.Nested(PractitionerSchema))
    next = fields.String(allow_none=True)
