"""The answers of the room's JSON routes."""

from marshmallow import Schema, fields


class JoinAnswer(Schema):
    """A ticket and where to use it."""

    url = fields.String(required=True, metadata={"description": "The page of the room."})
    ticket = fields.String(
        required=True, metadata={"description": "JoinTicket for the first message of WS /rt/rooms."}
    )
    expires_at = fields.DateTime(required=True)
