"""What the calendar API gives."""

from marshmallow import Schema, fields


class FeedSchema(Schema):
    """The address to subscribe to, shown this once."""

    url = fields.String()


class FeedStateSchema(Schema):
    """Since when there is an address; null when there is none."""

    created_at = fields.AwareDateTime(format="iso", allow_none=True)
