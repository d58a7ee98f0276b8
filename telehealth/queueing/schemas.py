"""What the queueing API takes and gives."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, validate

from telehealth.core.clock import PROVINCE_TZ
from telehealth.queueing.codes import PrintStatus, PriorityClass, Purpose
from telehealth.queueing.rules import LONGEST_SCAN
from telehealth.web.api import QuerySchema, RequestSchema


class Instant(fields.Field[datetime]):
    """RFC 3339 with the province's offset."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else value.astimezone(PROVINCE_TZ).isoformat(timespec="seconds")


class WaitRangeSchema(Schema):
    """Minutes from and to."""

    low = fields.Integer()
    high = fields.Integer()


class QueuesQuerySchema(QuerySchema):
    """Which facility's queues."""

    facility = fields.String(required=True, validate=validate.Length(1, 20))


class QueueSchema(Schema):
    """A queue and how it stands now."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    kind = fields.String()
    waiting = fields.Integer()
    now_calling = fields.String(allow_none=True)
    wait_range_minutes = fields.Nested(WaitRangeSchema)


class QueueListSchema(Schema):
    """A facility's queues."""

    items = fields.List(fields.Nested(QueueSchema))


class LineTicketSchema(Schema):
    """A ticket in line; `reason` says why it stands where it stands."""

    id = fields.UUID()
    number = fields.String(attribute="number_text")
    status = fields.String()
    priority = fields.String()
    place = fields.Integer(allow_none=True)
    reason = fields.String(allow_none=True)
    waiting_since = Instant()
    appointment_start = Instant(allow_none=True)


class LineSchema(QueueSchema):
    """A queue with everybody in it, for the staff who work it."""

    tickets = fields.List(fields.Nested(LineTicketSchema))
    called = fields.List(fields.Nested(LineTicketSchema))
    serving = fields.List(fields.Nested(LineTicketSchema))
    parked = fields.List(fields.Nested(LineTicketSchema))


class PressSchema(RequestSchema):
    """A press for a number."""

    priority = fields.Enum(PriorityClass, by_value=True, load_default=PriorityClass.NONE)
    purpose = fields.Enum(Purpose, by_value=True, load_default=Purpose.OTHER)


class CheckInSchema(RequestSchema):
    """A check-in; the priority is what the person says."""

    priority = fields.Enum(PriorityClass, by_value=True, load_default=PriorityClass.NONE)


class CodeCheckInSchema(CheckInSchema):
    """A check-in by what the slip's QR holds, or a person types."""

    code = fields.String(required=True, validate=validate.Length(1, LONGEST_SCAN))
    facility = fields.String(load_default=None, validate=validate.Length(1, 20))


class CallSchema(RequestSchema):
    """Where the next person is called to; a room's own queue knows."""

    service_point_id = fields.UUID(load_default=None, allow_none=True)


class TransferSchema(RequestSchema):
    """Where a person goes on to."""

    queue_id = fields.UUID(required=True)


class PrintSchema(RequestSchema):
    """What became of the slip."""

    status = fields.Enum(PrintStatus, by_value=True, required=True)


class EmptySchema(RequestSchema):
    """Nothing more to say."""


class TicketSchema(Schema):
    """A number that was given; `visit` is the code of the day's visit, as the slip says it."""

    id = fields.UUID()
    number = fields.String(attribute="number_text")
    visit = fields.String(attribute="visit_code", allow_none=True)
    public_token = fields.String()
    queue = fields.UUID(attribute="queue.id")
    queue_name = fields.String(attribute="queue.name")
    room = fields.String()
    business_date = fields.Date()
    status = fields.String()
    version = fields.Integer()
    priority = fields.String()
    print_status = fields.String()
    issued_at = Instant()
    appointment_start = Instant(allow_none=True)
    people_ahead = fields.Integer(allow_none=True)
    wait_range_minutes = fields.Nested(WaitRangeSchema, attribute="wait_range", allow_none=True)


class TicketStateSchema(Schema):
    """A ticket after a step."""

    id = fields.UUID()
    queue = fields.UUID(attribute="queue_id")
    number = fields.String(attribute="number_text")
    room = fields.String()
    status = fields.String()
    version = fields.Integer()
    call_count = fields.Integer()
    encounter = fields.UUID(attribute="encounter_id", allow_none=True)
    appointment = fields.UUID(attribute="appointment_id", allow_none=True)


class FollowSchema(Schema):
    """What the holder of a slip may see. Nothing of it names a person."""

    number = fields.String(attribute="number_text")
    facility = fields.String(attribute="facility_name")
    queue_name = fields.String(attribute="queue.name")
    room = fields.String()
    business_date = fields.Date()
    status = fields.String()
    now_calling = fields.String(allow_none=True)
    people_ahead = fields.Integer(allow_none=True)
    wait_range_minutes = fields.Nested(WaitRangeSchema, attribute="wait", allow_none=True)
