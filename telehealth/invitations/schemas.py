"""What the invitations API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.invitations.rules import LONGEST_NAME, RELATIONS
from telehealth.web.api import RequestSchema


class InviteeRequest(RequestSchema):
    """Whom the patient wishes to have along."""

    name = fields.String(required=True, validate=validate.Length(1, LONGEST_NAME))
    contact = fields.String(
        required=True,
        validate=validate.Length(1, 254),
        metadata={"description": "Telephone number or e-mail address."},
    )
    relation = fields.String(required=True, validate=validate.OneOf(RELATIONS))
    language = fields.String(load_default="vi", validate=validate.OneOf(("vi", "en")))
    agreed = fields.Boolean(
        required=True, metadata={"description": "The patient wishes this person to be there."}
    )


class InviteeBody(Schema):
    """Somebody invited."""

    id = fields.UUID()
    name = fields.String()
    relation = fields.String()
    contact_ending = fields.String()
    created_at = fields.AwareDateTime(format="iso")


class InviteeList(Schema):
    """Who is invited."""

    items = fields.List(fields.Nested(InviteeBody))
