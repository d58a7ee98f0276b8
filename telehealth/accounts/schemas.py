"""What the accounts API takes and gives."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.web.api import RequestSchema

_WAYS = (
    frozenset({"challenge_id", "code"}),
    frozenset({"login", "password"}),
    frozenset({"login", "password", "totp"}),
    frozenset({"client_id", "client_secret"}),
)


class OtpRequest(RequestSchema):
    """Where the code goes: a telephone of whatever country, or an e-mail address."""

    phone = fields.String(validate=validate.Length(min=1, max=32))
    email = fields.String(validate=validate.Length(min=1, max=254))
    language = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(("vi", "en")))

    @validates_schema
    def one_address(self, data: dict[str, Any], **_context: Any) -> None:
        """Ask for exactly one address."""
        if ("phone" in data) == ("email" in data):
            raise ValidationError("accounts-phone-or-email", "phone")


class OtpSent(Schema):
    """What the code will answer to."""

    challenge_id = fields.UUID()
    expires_in = fields.Integer(metadata={"description": "Seconds."})


class ProofRequest(RequestSchema):
    """The code that was sent to the caller's own address."""

    challenge_id = fields.UUID(required=True)
    code = fields.String(required=True, validate=validate.Length(min=1, max=16))


class SessionRequest(RequestSchema):
    """One of: `challenge_id` and `code`; `login`, `password` and `totp`; `client_id` and `client_secret`."""

    challenge_id = fields.UUID()
    code = fields.String(validate=validate.Length(min=1, max=16))
    login = fields.String(validate=validate.Length(min=1, max=64))
    password = fields.String(validate=validate.Length(min=1, max=128))
    totp = fields.String(validate=validate.Length(min=1, max=16))
    client_id = fields.UUID()
    client_secret = fields.String(validate=validate.Length(min=1, max=128))

    @validates_schema
    def one_way_in(self, data: dict[str, Any], **_context: Any) -> None:
        """Refuse a mixture."""
        if frozenset(data) not in _WAYS:
            raise ValidationError("accounts-session-one-way", "_schema")


class SessionOpened(Schema):
    """A token for `Authorization: Bearer`, shown this once."""

    token = fields.String()
    token_type = fields.Constant("Bearer")
    kind = fields.String()
    session_id = fields.UUID()
    account_id = fields.UUID(allow_none=True)
    expires_at = fields.AwareDateTime(format="iso")


class SessionRow(Schema):
    """One open sign-in of the caller."""

    id = fields.UUID()
    current = fields.Boolean()
    created_at = fields.AwareDateTime(format="iso")
    last_seen_at = fields.AwareDateTime(format="iso")
    expires_at = fields.AwareDateTime(format="iso")
    user_agent = fields.String(allow_none=True)


class SessionList(Schema):
    """The caller's open sign-ins."""

    items = fields.List(fields.Nested(SessionRow))


class DeviceCode(RequestSchema):
    """The code that administration showed."""

    code = fields.String(required=True, validate=validate.Length(min=1, max=32))


class DeviceOpened(Schema):
    """A device's token, shown this once."""

    token = fields.String()
    device_id = fields.UUID()
    kind = fields.String()
    facility_id = fields.UUID()
    name = fields.String()
