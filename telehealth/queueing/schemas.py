"""What the queueing API takes and gives."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, validate

from telehealth.core.clock import PROVINCE_TZ
from telehealth.queueing.codes import (
    HandedInReason,
    LeaseEnd,
    LeaseholderKind,
    NumberFate,
    PauseReason,
    PrintStatus,
    PriorityBasis,
    PriorityClass,
    Purpose,
)
from telehealth.queueing.explanation import Why
from telehealth.queueing.rules import LONGEST_SCAN
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema


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


def _whole(low: int, high: int, *, may_lack: bool = False) -> fields.Integer:
    return fields.Integer(
        required=True,
        strict=False,
        allow_none=may_lack,
        validate=validate.Range(low, high, error="field-queue-range"),
        error_messages={"invalid": "field-queue-range", "null": "field-queue-range"},
        metadata={"minimum": low, "maximum": high},
    )


class QueueSettingsSchema(RequestSchema):
    """How a queue is run; minutes of the day are the province's. What each does: rules.QueueSettings."""

    first_number = _whole(1, 9999)
    last_number = _whole(1, 9999, may_lack=True)
    daily_limit = _whole(0, 9999, may_lack=True)
    web_limit = _whole(0, 9999)
    web_until_minute = _whole(0, 1439)
    priority_run = _whole(1, 20)
    appointment_run = _whole(1, 20)
    early_minutes = _whole(0, 240)
    late_minutes = _whole(0, 240)
    calls_before_missed = _whole(1, 10)
    skips_by_itself = fields.Boolean(required=True)
    max_passed = _whole(0, 100)
    return_places = _whole(0, 20)
    near = _whole(0, 20)
    travel_minutes = _whole(0, 240)
    minutes_per_visit = _whole(1, 240)


class QueueSettingsViewSchema(QueueSettingsSchema):
    """A queue's settings as they stand; `version` goes into If-Match."""

    version = fields.Integer()


class RoomSchema(RequestSchema):
    """Whether a desk or room calls from a queue: today, or always."""

    open = fields.Boolean(required=True)
    always = fields.Boolean(load_default=False)


class PauseSchema(RequestSchema):
    """Why nobody is called, and until when; without `until` for the day."""

    reason = fields.Enum(PauseReason, by_value=True, required=True)
    until = fields.AwareDateTime(load_default=None, allow_none=True)


class MergeSchema(RequestSchema):
    """Whose rooms call from now on."""

    into = fields.UUID(required=True)


class MoveSchema(RequestSchema):
    """Where a queue goes today."""

    service_point_id = fields.UUID(required=True)


class OwnQueueSchema(RequestSchema):
    """Whose queue it is, and in which room they sit."""

    facility = fields.String(required=True, validate=validate.Length(1, 20))
    practitioner_id = fields.UUID(required=True)
    service_point_id = fields.UUID(required=True)


class PointSchema(Schema):
    """A desk or room that calls."""

    id = fields.UUID()
    name = fields.String()


class QueueDaySchema(Schema):
    """How a queue is arranged today."""

    queue = fields.UUID()
    points = fields.List(fields.Nested(PointSchema))
    closed = fields.Boolean()
    merged_into = fields.UUID(allow_none=True)
    merged_here = fields.List(fields.UUID())
    paused_reason = fields.String(allow_none=True)
    paused_until = Instant(allow_none=True)


class PrioritySchema(RequestSchema):
    """The class that staff confirm, set or (`none`) take away, and what they went by."""

    priority = fields.Enum(PriorityClass, by_value=True, required=True)
    basis = fields.Enum(PriorityBasis, by_value=True, load_default=PriorityBasis.SEEN)


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
    come_by = Instant(
        allow_none=True, metadata={"description": "Until when to check in a number from the web."}
    )
    paused_until = Instant(allow_none=True)
    paused_reason = fields.String(allow_none=True)


class WebQueuesQuerySchema(QuerySchema):
    """Of which facility; without one of all."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 20))


class WebQueueSchema(Schema):
    """A queue with numbers for the web: how many are left, and by when to check in."""

    id = fields.UUID()
    name = fields.String()
    facility = fields.String(attribute="facility_code")
    facility_name = fields.String()
    left = fields.Integer()
    until = Instant()


class WebQueueListSchema(Schema):
    """Queues with numbers for the web."""

    items = fields.List(fields.Nested(WebQueueSchema))


class WebNumberSchema(RequestSchema):
    """In which queue, and for whom."""

    queue_id = fields.UUID(required=True)
    patient_id = fields.UUID(required=True)


class WhyQuerySchema(QuerySchema):
    """The other number, as it is printed."""

    number = fields.String(required=True, validate=validate.Length(1, 20))


class BetweenQuerySchema(QuerySchema):
    """Two numbers of a queue, as they are printed; one that is left out is not there."""

    one = fields.String(load_default="", validate=validate.Length(max=20))
    other = fields.String(load_default="", validate=validate.Length(max=20))


class ExplanationSchema(Schema):
    """Which rule puts a number before another, and what it turns on: a time, or how many in a row."""

    code = fields.Enum(Why, by_value=True)
    time = Instant(allow_none=True)
    count = fields.Integer(allow_none=True)


class BetweenSchema(Schema):
    """Which of two numbers is called first, and why."""

    first = fields.String()
    second = fields.String()
    explanation = fields.Nested(ExplanationSchema)


class DayQuerySchema(QuerySchema):
    """Which business date; without one, today."""

    date = fields.Date(load_default=None, allow_none=True)


class NumberSpanSchema(Schema):
    """Consecutive numbers with one fate."""

    first = fields.Integer()
    last = fields.Integer()
    fate = fields.Enum(NumberFate, by_value=True)
    by = fields.String(allow_none=True)
    lease_id = fields.UUID(allow_none=True)
    holder_kind = fields.Enum(LeaseholderKind, by_value=True, allow_none=True)


class DayNumbersSchema(Schema):
    """Every number of a queue's day; `explained` where nothing is missing or owed."""

    business_date = fields.Date()
    explained = fields.Boolean()
    spans = fields.List(fields.Nested(NumberSpanSchema))


class LeaseRowSchema(Schema):
    """A block of numbers and its holder."""

    id = fields.UUID()
    queue_id = fields.UUID()
    business_date = fields.Date()
    holder_kind = fields.Enum(LeaseholderKind, by_value=True)
    holder_name = fields.String(allow_none=True)
    revoked = fields.Boolean()
    first = fields.Integer()
    last = fields.Integer()
    granted_at = Instant()
    expires_at = Instant()
    used_to = fields.Integer()
    spoilt = fields.List(fields.Integer())
    ended_at = Instant(allow_none=True)
    end_reason = fields.Enum(LeaseEnd, by_value=True, allow_none=True)
    settled = fields.Integer()
    pending = fields.Integer()


class HandedInNumberSchema(Schema):
    """A number that was given out and waits for the desk."""

    id = fields.UUID()
    lease_id = fields.UUID()
    business_date = fields.Date()
    number = fields.String(attribute="number_text")
    holder_name = fields.String(allow_none=True)
    issued_at = Instant()
    priority = fields.String()
    purpose = fields.String()
    why = fields.Enum(HandedInReason, by_value=True)
    given = fields.String(
        allow_none=True,
        metadata={"description": "What was typed, where no appointment was found by it."},
    )


class LentSchema(Schema):
    """What a facility lent, and what waits for its desk."""

    leases = fields.List(fields.Nested(LeaseRowSchema))
    handed_in = fields.List(fields.Nested(HandedInNumberSchema))


class NumberListWantedSchema(RequestSchema):
    """How many numbers a printed list shall have."""

    size = fields.Integer(required=True, strict=True, validate=validate.Range(1, 500))


class ListedAppointmentSchema(Schema):
    """An appointment on a printed list: when and under which code, never who."""

    start = Instant()
    code = fields.String()
    room = fields.String(allow_none=True)


class NumberListSchema(Schema):
    """A printed list."""

    id = fields.UUID()
    queue_id = fields.UUID()
    business_date = fields.Date()
    first = fields.Integer()
    last = fields.Integer()
    appointments = fields.List(fields.Nested(ListedAppointmentSchema))


_LEASED = fields.Integer(strict=True, validate=validate.Range(1, 9_999_999))


class TallySchema(RequestSchema):
    """What was given out of a block: up to `used_to`, not `spoilt`; who was `seen` waits no longer."""

    used_to = fields.Integer(required=True, strict=True, validate=validate.Range(0, 9_999_999))
    spoilt = fields.List(_LEASED, load_default=list, validate=ItemCount(max=500))
    seen = fields.List(_LEASED, load_default=list, validate=ItemCount(max=500))
    began_at = fields.AwareDateTime(load_default=None, allow_none=True)
    until = fields.AwareDateTime(load_default=None, allow_none=True)


class DismissSchema(RequestSchema):
    """Why a number of the worklist becomes no ticket."""

    reason = fields.String(required=True, validate=validate.Length(1, 200))
