"""The figures as programs read them: the same as on the page."""

from marshmallow import Schema, fields


class MessageQueueSchema(Schema):
    """What waits on one channel with one priority."""

    channel = fields.String()
    priority = fields.Integer()
    waiting = fields.Integer()
    ready = fields.Integer()
    leased = fields.Integer()
    in_doubt = fields.Integer()
    oldest_ready = fields.AwareDateTime(allow_none=True)


class MessageTrafficSchema(Schema):
    """What a provider answered in a span of time."""

    accepted = fields.Integer()
    rejected = fields.Integer()
    failed = fields.Integer()
    slow = fields.Integer()
    latency_ms = fields.Integer(metadata={"description": "Mean of one answer."})


class MessageTokenSchema(Schema):
    """How a provider's authorisation stands."""

    state = fields.String()
    access_expires_at = fields.AwareDateTime(allow_none=True)
    renewed_at = fields.AwareDateTime()


class MessageProviderSchema(Schema):
    """One provider: its share, its rest, its answers."""

    name = fields.String()
    channel = fields.String()
    configured = fields.Boolean()
    weight = fields.Integer()
    usual_weight = fields.Integer()
    rate = fields.Float(allow_none=True)
    paused_until = fields.AwareDateTime(allow_none=True)
    paused_by = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    remaining = fields.Integer(allow_none=True)
    token = fields.Nested(MessageTokenSchema, allow_none=True)
    five_minutes = fields.Nested(MessageTrafficSchema)
    hour = fields.Nested(MessageTrafficSchema)
    day = fields.Nested(MessageTrafficSchema)


class MessageSpentSchema(Schema):
    """What one provider cost, in VND by the tariff."""

    provider = fields.String()
    messages_today = fields.Integer()
    vnd_today = fields.Integer()
    messages_month = fields.Integer()
    segments_month = fields.Integer()
    vnd_month = fields.Integer()


class MessageTextSchema(Schema):
    """The newest version of a text, and how it stands with its provider."""

    kind = fields.String()
    language = fields.String()
    channel = fields.String()
    version = fields.Integer()
    provider_template_id = fields.String(allow_none=True)
    approval = fields.String()
    checked_at = fields.AwareDateTime(allow_none=True)


class MessageAlarmSchema(Schema):
    """What is wrong now, and since when."""

    name = fields.String(attribute="raised.name")
    subject = fields.String(attribute="raised.subject")
    since = fields.AwareDateTime()


class MessageFailureSchema(Schema):
    """Tries of the last day that came to nothing."""

    provider = fields.String()
    channel = fields.String()
    outcome = fields.String()
    code = fields.String(allow_none=True)
    count = fields.Integer()
    last_at = fields.AwareDateTime()


class MessageDeliverySchema(Schema):
    """Of a provider's latest accepted sends, how many have a receipt."""

    provider = fields.String()
    channel = fields.String()
    accepted = fields.Integer()
    delivered = fields.Integer()
    lag = fields.Float(allow_none=True, metadata={"description": "Median seconds to the receipt."})


class MessageFallBackSchema(Schema):
    """Messages of the last day that went on to another channel."""

    before = fields.String()
    after = fields.String()
    count = fields.Integer()


class MessageFiguresSchema(Schema):
    """Everything that the operators' page shows."""

    at = fields.AwareDateTime(attribute="glance.vitals.at")
    health = fields.String(attribute="glance.health")
    alarms = fields.List(fields.Nested(MessageAlarmSchema), attribute="glance.alarms")
    queues = fields.List(fields.Nested(MessageQueueSchema), attribute="glance.vitals.queues")
    providers = fields.List(fields.Nested(MessageProviderSchema), attribute="glance.vitals.providers")
    spending = fields.List(fields.Nested(MessageSpentSchema), attribute="glance.vitals.spending")
    budget = fields.Integer(attribute="glance.vitals.budget", allow_none=True)
    spent_this_month = fields.Integer(attribute="glance.vitals.spent_this_month")
    texts = fields.List(fields.Nested(MessageTextSchema), attribute="glance.vitals.texts")
    dead_letters = fields.Integer(attribute="glance.vitals.dead")
    dead_letters_today = fields.Integer(attribute="glance.vitals.dead_today")
    in_doubt = fields.Integer(attribute="glance.vitals.in_doubt")
    failures = fields.List(fields.Nested(MessageFailureSchema), attribute="history.failures")
    deliveries = fields.List(fields.Nested(MessageDeliverySchema), attribute="history.deliveries")
    fall_backs = fields.List(fields.Nested(MessageFallBackSchema), attribute="history.fall_backs")
    reconciled = fields.Integer(attribute="history.reconciled")
    suspected_duplicates = fields.Integer(attribute="history.duplicates")
