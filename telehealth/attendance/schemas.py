"""What the attendance API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.attendance.codes import Excuse
from telehealth.web.api import RequestSchema


class ExcuseSchema(RequestSchema):
    """Why it does not count."""

    reason = fields.String(required=True, validate=validate.OneOf([reason.value for reason in Excuse]))


class MissSchema(Schema):
    """A missed appointment; `counts` is false once excused, or when the person came after all."""

    appointment_id = fields.UUID()
    code = fields.String()
    facility = fields.String()
    service = fields.String()
    start = fields.AwareDateTime(format="iso")
    excuse = fields.String(allow_none=True)
    counts = fields.Boolean()


class StandingSchema(Schema):
    """What holds now: `noted`, `must-confirm` or `desk-only`."""

    grade = fields.String()
    since = fields.AwareDateTime(format="iso")
    until = fields.AwareDateTime(format="iso")
    text = fields.String()


class AttendanceSchema(Schema):
    """How somebody stands. Emergencies and walking in are never touched by it."""

    patient_id = fields.UUID()
    standing = fields.Nested(StandingSchema, allow_none=True)
    misses = fields.List(fields.Nested(MissSchema))
