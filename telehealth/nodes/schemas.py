"""What nodes, administrators and the desk send and get."""

from datetime import datetime

from marshmallow import Schema, ValidationError, fields, validate

from telehealth.accounts.services.devices import BOARD, COMPUTER, KIOSK
from telehealth.nodes.codes import Reason
from telehealth.web.api import RequestSchema

_MOST_ENTRIES = 5000
_KINDS = validate.Length(min=1, max=40)


def _is_an_instant(value: str) -> None:
    """Let it through as it was written: a batch's digest is of the text."""
    try:
        aware = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ValidationError("Not an instant.")


class NodeEnrolSchema(RequestSchema):
    """A machine that wants to be a facility's node."""

    code = fields.String(required=True, validate=validate.Length(min=1, max=40))
    facility = fields.String(required=True, validate=validate.Length(min=1, max=40))


class NodeEnrolledSchema(Schema):
    """What a machine is from now on."""

    id = fields.UUID()
    facility_id = fields.UUID()
    facility = fields.String(attribute="facility_code")
    name = fields.String()
    token = fields.String()
    ticket_key = fields.String(metadata={"description": "The key of the addresses on slips, in base64."})


class NodeReportSchema(RequestSchema):
    """How a node is, by its own account."""

    version = fields.String(load_default="", validate=validate.Length(max=40))
    address = fields.String(load_default="", validate=validate.Length(max=200))
    epoch = fields.Integer(load_default=0)
    on_duty = fields.Boolean(load_default=False)
    unsettled = fields.Integer(load_default=0)
    bundle_at = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=40))
    clock_ahead_ms = fields.Integer(load_default=None, allow_none=True)
    fewest_left = fields.Integer(load_default=0)


class NodeStandingSchema(Schema):
    """How a node stands with the centre, and what time it is there."""

    on_duty = fields.Boolean()
    epoch = fields.Integer()
    last_batch = fields.Integer()
    now = fields.AwareDateTime()


class NodeEntrySchema(RequestSchema):
    """A row as one change left it."""

    seq = fields.Integer(required=True)
    kind = fields.String(required=True, validate=_KINDS)
    op = fields.String(required=True, validate=validate.OneOf(("insert", "update", "delete")))
    row = fields.Dict(keys=fields.String(), required=True)
    at = fields.String(required=True, validate=_is_an_instant)


class NodeSettlementSchema(RequestSchema):
    """A batch of a node's journal."""

    number = fields.Integer(required=True, validate=validate.Range(min=1))
    epoch = fields.Integer(required=True, validate=validate.Range(min=0))
    clock_ahead_ms = fields.Integer(load_default=None, allow_none=True)
    entries = fields.List(
        fields.Nested(NodeEntrySchema), required=True, validate=validate.Length(min=1, max=_MOST_ENTRIES)
    )


class NodeSettledSchema(Schema):
    """The last batch that was taken in."""

    last_batch = fields.Integer()


class NodePartSchema(Schema):
    """The rows of one table."""

    table = fields.String()
    rows = fields.List(fields.Dict())


class NodeBundleSchema(Schema):
    """A facility's slice of today and tomorrow."""

    tag = fields.String()
    parts = fields.List(fields.Nested(NodePartSchema))


class NodeDeviceCodeSchema(RequestSchema):
    """A device's code, and the kinds it may be for."""

    code = fields.String(required=True, validate=validate.Length(min=1, max=40))
    kinds = fields.List(
        fields.String(validate=validate.OneOf((KIOSK, BOARD, COMPUTER))),
        required=True,
        validate=validate.Length(min=1, max=3),
    )


class NodeDeviceSchema(Schema):
    """A device of the facility, its token, and the rows by which the node knows it."""

    id = fields.UUID(attribute="device_id")
    kind = fields.String()
    name = fields.String()
    facility_id = fields.UUID()
    token = fields.String()
    parts = fields.List(fields.Nested(NodePartSchema))


class NodeLendSchema(RequestSchema):
    """A wish for numbers; the same request gets the same block again."""

    queue_id = fields.UUID(required=True)
    business_date = fields.Date(required=True)
    size = fields.Integer(required=True, validate=validate.Range(min=1, max=500))
    request_id = fields.String(required=True, validate=validate.Length(min=1, max=120))


class NodeLentSchema(Schema):
    """A block of numbers; `counter_first` is the day's first number."""

    id = fields.UUID()
    queue_id = fields.UUID()
    first = fields.Integer()
    last = fields.Integer()
    counter_first = fields.Integer()


class NodeRestSchema(RequestSchema):
    """What of a block was never given: all after `used_to`, and the `spoilt` ones."""

    used_to = fields.Integer(required=True)
    spoilt = fields.List(fields.Integer(), load_default=list)


class NewNodeSchema(RequestSchema):
    """A node that will be put into use."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=60))


class NodeCodeSchema(Schema):
    """The code that makes one machine the node, within half an hour."""

    code = fields.String()


class NodeSchema(Schema):
    """A node as the centre knows it."""

    id = fields.UUID()
    name = fields.String()
    enrolled_at = fields.AwareDateTime(allow_none=True)
    revoked_at = fields.AwareDateTime(allow_none=True)
    heard_at = fields.AwareDateTime(allow_none=True)
    on_duty = fields.Boolean()
    last_batch = fields.Integer()
    version = fields.String()
    address = fields.String()
    unsettled = fields.Integer()
    clock_ahead_ms = fields.Integer(allow_none=True)
    fewest_left = fields.Integer()


class NodeListSchema(Schema):
    """Where a facility's queues are run, and its nodes."""

    at_node = fields.Boolean()
    epoch = fields.Integer()
    heard_at = fields.AwareDateTime(allow_none=True)
    items = fields.List(fields.Nested(NodeSchema))


class NodeDutySchema(Schema):
    """Which change of hands it is."""

    epoch = fields.Integer()


class NodeExceptionSchema(Schema):
    """Something that a node handed in and that did not fit."""

    id = fields.UUID()
    node = fields.String(attribute="node_name")
    batch = fields.Integer()
    kind = fields.String()
    row_id = fields.String()
    reason = fields.Enum(Reason, by_value=True)
    entries = fields.Integer()
    about = fields.String(allow_none=True)
    happened_at = fields.AwareDateTime()
    received_at = fields.AwareDateTime()


class NodeExceptionListSchema(Schema):
    """What waits for the desk."""

    items = fields.List(fields.Nested(NodeExceptionSchema))


class NodeDismissSchema(RequestSchema):
    """Why something is not taken in."""

    note = fields.String(required=True, validate=validate.Length(min=1, max=200))


class NodeBlockSchema(Schema):
    """Numbers left in a queue at this node."""

    queue = fields.String(attribute="name")
    left = fields.Integer()


class ThisNodeSchema(Schema):
    """How this node is."""

    name = fields.String()
    facility = fields.String()
    on_duty = fields.Boolean()
    epoch = fields.Integer()
    centre_url = fields.String()
    line_up = fields.Boolean()
    heard_at = fields.AwareDateTime(allow_none=True)
    down_since = fields.AwareDateTime(allow_none=True)
    bundle_at = fields.AwareDateTime(allow_none=True)
    unsettled = fields.Integer()
    clock_ahead_ms = fields.Integer(allow_none=True)
    queues = fields.List(fields.Nested(NodeBlockSchema))
