"""What the exports API takes."""

from marshmallow import fields, validate

from telehealth.exports.rules import Format
from telehealth.web.api import QuerySchema


class RosterExportSchema(QuerySchema):
    """Of which facility, as what."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))
    format = fields.String(
        load_default=Format.CSV.value, validate=validate.OneOf([kind.value for kind in Format])
    )


class ExportSchema(RosterExportSchema):
    """Of which facility and days (today, if none is named), as what."""

    from_ = fields.Date(data_key="from", load_default=None)
    to = fields.Date(load_default=None)
