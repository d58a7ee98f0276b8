"""What the anomaly API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.anomalies.codes import AnomalyKind
from telehealth.anomalies.rules import HIGHEST, LOWEST
from telehealth.web.api import QuerySchema, RequestSchema


class AnomalyQuerySchema(QuerySchema):
    """Where; without `facility` the whole province."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))


class AnomalyCheckSchema(RequestSchema):
    """Which line has been looked at."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in AnomalyKind]))
    subject = fields.String(required=True, validate=validate.Length(1, 64))


class IdentityLimitsSchema(RequestSchema):
    """Online bookings: of an account on a day; standing ones of a telephone, and of a national id."""

    account_day = fields.Integer(required=True, strict=True, validate=validate.Range(LOWEST, HIGHEST))
    phone_active = fields.Integer(required=True, strict=True, validate=validate.Range(LOWEST, HIGHEST))
    identity_active = fields.Integer(required=True, strict=True, validate=validate.Range(LOWEST, HIGHEST))


class IdentityLimitsShownSchema(Schema):
    """The same as they stand; one that is missing is not limited."""

    account_day = fields.Integer()
    phone_active = fields.Integer()
    identity_active = fields.Integer()


class AnomalySchema(Schema):
    """A pattern with its evidence."""

    kind = fields.String()
    subject = fields.String()
    ending = fields.String(allow_none=True)
    count = fields.Integer()
    people = fields.Integer()
    first_at = fields.AwareDateTime(format="iso")
    last_at = fields.AwareDateTime(format="iso")
    codes = fields.List(fields.String())
    checked_at = fields.AwareDateTime(format="iso", allow_none=True)
    text = fields.String()


class AnomalyReportSchema(Schema):
    """The report, the unchecked first."""

    items = fields.List(fields.Nested(AnomalySchema))
