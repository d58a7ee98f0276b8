"""What the passkeys API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.passkeys.rules import LONGEST_NAME
from telehealth.web.api import RequestSchema


class Asked(Schema):
    """What to hand to `navigator.credentials`, in the JSON form of WebAuthn Level 3."""

    challenge_id = fields.UUID()
    options = fields.Dict()


class NewPasskey(RequestSchema):
    """What the browser answered to `options`."""

    challenge_id = fields.UUID(required=True)
    credential = fields.Dict(required=True)
    name = fields.String(load_default="", validate=validate.Length(max=LONGEST_NAME))


class PasskeySignIn(RequestSchema):
    """What the browser answered to the challenge."""

    challenge_id = fields.UUID(required=True)
    credential = fields.Dict(required=True)


class PasskeyBody(Schema):
    """A passkey, as its owner knows it."""

    id = fields.UUID()
    name = fields.String()
    created_at = fields.AwareDateTime(format="iso")
    last_used_at = fields.AwareDateTime(format="iso", allow_none=True)


class PasskeyList(Schema):
    """The caller's passkeys."""

    items = fields.List(fields.Nested(PasskeyBody))
