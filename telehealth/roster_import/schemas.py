"""What the API of roster files takes and gives."""

from flask_smorest.fields import Upload
from marshmallow import Schema, fields, validate

from telehealth.schedule_editor.schemas import PreviewQuerySchema, SchedulePreviewSchema
from telehealth.web.api import RequestSchema


class RosterImportQuerySchema(PreviewQuerySchema):
    """Whose roster. `complete`: the file is all of it, and lines that it does not name end today."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))
    complete = fields.Boolean(load_default=False)


class RosterFileSchema(RequestSchema):
    """The file, as CSV or .xlsx."""

    file = Upload(required=True)


class RosterLinesSchema(Schema):
    """How many lines of each kind. `left`: not in the file, and staying; `past`: ended, passed over."""

    added = fields.Integer()
    changed = fields.Integer()
    ended = fields.Integer()
    unchanged = fields.Integer()
    left = fields.Integer()
    past = fields.Integer()


class RosterImportSchema(Schema):
    """What was done."""

    lines = fields.Nested(RosterLinesSchema)


class RosterPreviewSchema(SchedulePreviewSchema):
    """What would be done, and what that would do to sessions and people."""

    lines = fields.Nested(RosterLinesSchema)
