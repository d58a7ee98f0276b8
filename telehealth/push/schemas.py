"""What the push API takes and gives."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from notifications.channels.push.encryption import usable
from notifications.channels.push.endpoint import LONGEST
from telehealth.web.api import RequestSchema


class BrowserKeys(RequestSchema):
    """A browser's keys, base64url."""

    p256dh = fields.String(required=True, validate=validate.Length(min=1, max=100))
    auth = fields.String(required=True, validate=validate.Length(min=1, max=32))

    @validates_schema
    def keys_are_usable(self, data: dict[str, Any], **_context: Any) -> None:
        """Refuse now what no message could be sealed with later."""
        if not usable(data["p256dh"], data["auth"]):
            raise ValidationError("push-bad-keys", "p256dh")


class OfferedSubscription(RequestSchema):
    """A subscription as `PushManager.subscribe()` gives it."""

    endpoint = fields.String(required=True, validate=validate.Length(min=1, max=LONGEST))
    keys = fields.Nested(BrowserKeys, required=True)


class Endpoint(RequestSchema):
    """Which browser."""

    endpoint = fields.String(required=True, validate=validate.Length(min=1, max=LONGEST))


class KeptSubscription(Schema):
    """A browser that gets messages now."""

    id = fields.UUID()


class PushKey(Schema):
    """What a browser subscribes under."""

    key = fields.String(metadata={"description": "The public key (P-256, uncompressed) in base64url."})
    csrf_token = fields.String(
        allow_none=True,
        metadata={
            "description": "For a service worker, which has no page to read it from. Null to programs."
        },
    )
