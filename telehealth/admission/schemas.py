"""What the waiting-room API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.web.api import QuerySchema, RequestSchema


class WaitingRoomSchema(Schema):
    """One's place: `outside`, `early` (to be drawn), `drawing`, `waiting`, `admitted` or `lapsed`."""

    service_id = fields.UUID()
    opens_at = fields.AwareDateTime(format="iso")
    standing = fields.String()
    ahead = fields.Integer(allow_none=True)
    admit_at = fields.AwareDateTime(format="iso", allow_none=True)
    lapses_at = fields.AwareDateTime(format="iso", allow_none=True)


class ReleaseTermsSchema(RequestSchema):
    """How the waiting room of a service works."""

    rate_per_minute = fields.Integer(required=True, validate=validate.Range(1, 6000))
    early_minutes = fields.Integer(load_default=30, validate=validate.Range(5, 240))
    hot_minutes = fields.Integer(load_default=15, validate=validate.Range(1, 240))
    admission_minutes = fields.Integer(load_default=10, validate=validate.Range(2, 120))


class ReleaseRoomsQuerySchema(QuerySchema):
    """Whose waiting rooms."""

    facility = fields.UUID(required=True)


class ReleaseRoomSchema(Schema):
    """The waiting room of a service as it is arranged."""

    service_id = fields.UUID()
    rate_per_minute = fields.Integer()
    early_minutes = fields.Integer()
    hot_minutes = fields.Integer()
    admission_minutes = fields.Integer()


class ReleaseRoomListSchema(Schema):
    """The services that have one."""

    items = fields.List(fields.Nested(ReleaseRoomSchema))
