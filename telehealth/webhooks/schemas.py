"""What the webhooks API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.core.paging import MAX_LIMIT
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema
from telehealth.webhooks.codes import DeliveryState, Event, SubscriptionState
from telehealth.webhooks.rules import LONGEST_URL

_EVENTS = [event.value for event in Event]
_NAME = validate.Length(1, 80)
_URL = validate.Length(1, LONGEST_URL)


def _events(*, required: bool) -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.OneOf(_EVENTS)),
        validate=ItemCount(1, len(_EVENTS)),
        required=required,
    )


class SubscriptionsQuerySchema(QuerySchema):
    """Of which facility."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))


class SubscribeSchema(RequestSchema):
    """What a facility's system wants to hear, and where."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))
    name = fields.String(required=True, validate=_NAME)
    url = fields.String(required=True, validate=_URL)
    events = _events(required=True)


class SubscriptionChangeSchema(RequestSchema):
    """What is changed; what is not named stays."""

    name = fields.String(validate=_NAME)
    url = fields.String(validate=_URL)
    events = _events(required=False)
    state = fields.String(
        validate=validate.OneOf([SubscriptionState.ACTIVE.value, SubscriptionState.PAUSED.value])
    )


class SubscriptionSchema(Schema):
    """A subscription; `secret` is there once, when it is made or rotated."""

    id = fields.UUID()
    name = fields.String()
    url = fields.String()
    events = fields.List(fields.String())
    state = fields.String()
    version = fields.Integer()
    created_at = fields.AwareDateTime(format="iso")
    previous_until = fields.AwareDateTime(format="iso", allow_none=True)
    waiting = fields.Integer()
    dead = fields.Integer()
    last_delivered_at = fields.AwareDateTime(format="iso", allow_none=True)
    secret = fields.String()


class SubscriptionListSchema(Schema):
    """A facility's subscriptions."""

    items = fields.List(fields.Nested(SubscriptionSchema))


class DeliveryQuerySchema(QuerySchema):
    """Which deliveries."""

    state = fields.String(
        load_default=None, validate=validate.OneOf([state.value for state in DeliveryState])
    )
    limit = fields.Integer(load_default=20, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=500))


class DeliverySchema(Schema):
    """One event for one subscriber, and what became of it."""

    id = fields.UUID()
    sequence = fields.Integer()
    event = fields.String()
    subject = fields.UUID()
    state = fields.String()
    attempts = fields.Integer()
    occurred_at = fields.AwareDateTime(format="iso")
    next_at = fields.AwareDateTime(format="iso")
    last_status = fields.Integer(allow_none=True)
    last_error = fields.String(allow_none=True)
    settled_at = fields.AwareDateTime(format="iso", allow_none=True)


class DeliveryListSchema(Schema):
    """Deliveries, the newest first."""

    items = fields.List(fields.Nested(DeliverySchema))
    next = fields.String(allow_none=True)


class TriedSchema(Schema):
    """A delivery that is on its way."""

    id = fields.UUID()


class ReplayedSchema(Schema):
    """How many deliveries are on their way again."""

    count = fields.Integer()
