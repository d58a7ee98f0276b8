"""What the kiosk's API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.identification.reading import LONGEST
from telehealth.kiosk.codes import FeedbackKind, FeedbackTopic
from telehealth.kiosk.passes import LONGEST_PASS
from telehealth.queueing.codes import PrintStatus, PriorityClass, Purpose, StaffCallKind
from telehealth.queueing.schemas import FollowSchema, Instant
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema


class ScanSchema(RequestSchema):
    """What was scanned or typed; `ahead` asks for appointments after today too."""

    text = fields.String(required=True, validate=validate.Length(0, LONGEST + 1))
    ahead = fields.Boolean(load_default=False)


class DueSchema(Schema):
    """An appointment of somebody who was found."""

    id = fields.UUID()
    start = Instant()
    service_vi = fields.String()
    service_en = fields.String()
    practitioner = fields.String()
    room = fields.String()
    modality = fields.String()


class FoundPersonSchema(Schema):
    """Somebody who was found: masked, with the pass that the next request shows."""

    name = fields.String()
    birth_year = fields.String(allow_none=True)
    who = fields.String(metadata={"description": "Sealed for this machine; good for three minutes."})
    appointments = fields.List(fields.Nested(DueSchema))


class SeenSchema(Schema):
    """What came of a scan. `new` is the pass of a card whose owner is not known yet."""

    people = fields.List(fields.Nested(FoundPersonSchema))
    new = fields.String(allow_none=True)
    ticket = fields.Nested(FollowSchema, allow_none=True)
    warnings = fields.List(fields.String())


class KioskCheckInSchema(RequestSchema):
    """A check-in of an appointment that was shown."""

    who = fields.String(required=True, validate=validate.Length(1, LONGEST_PASS))
    appointment = fields.UUID(required=True)


class KioskNumberSchema(RequestSchema):
    """A walk-in's number: for a room of `GET /kiosk/rooms`, or for registration."""

    who = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, LONGEST_PASS))
    purpose = fields.Enum(Purpose, by_value=True, load_default=Purpose.OTHER)
    priority = fields.Enum(PriorityClass, by_value=True, load_default=PriorityClass.NONE)
    queue_id = fields.UUID(load_default=None, allow_none=True)
    phone = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 20))


class OpenRoomSchema(Schema):
    """A room that takes people now."""

    queue = fields.UUID(attribute="queue_id")
    room = fields.String()
    service_vi = fields.String()
    service_en = fields.String()
    practitioner = fields.String()
    until = Instant()
    price_insured_vnd = fields.Integer(allow_none=True)
    price_self_vnd = fields.Integer(allow_none=True)
    waiting = fields.Integer()


class RoomListSchema(Schema):
    """The rooms of a facility that take people now."""

    items = fields.List(fields.Nested(OpenRoomSchema))


class StaffCallSchema(RequestSchema):
    """Why people are called to the machine."""

    kind = fields.Enum(StaffCallKind, by_value=True, required=True)
    pressed_at = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        metadata={"description": "When it was pressed, where the machine was cut off then."},
    )


class StaffCallMadeSchema(Schema):
    """A call that shows on the consoles until somebody goes; until then a further press is the same one."""

    id = fields.UUID()
    at = Instant()
    presses = fields.Integer()
    pressed_at = Instant(metadata={"description": "When it was pressed last."})


class OpinionSchema(RequestSchema):
    """What somebody says; a phone makes it a complaint that wants an answer."""

    rating = fields.Integer(required=True, strict=True, validate=validate.Range(1, 5))
    topics = fields.List(fields.Enum(FeedbackTopic, by_value=True), load_default=list)
    phone = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 20))


class FeedbackMadeSchema(Schema):
    """An opinion that was kept."""

    id = fields.UUID()


class FeedbackQuerySchema(QuerySchema):
    """Whose."""

    facility = fields.String(required=True, validate=validate.Length(1, 20))


class FeedbackSchema(Schema):
    """An opinion as staff read it."""

    id = fields.UUID()
    kind = fields.Enum(FeedbackKind, by_value=True)
    rating = fields.Integer()
    topics = fields.List(fields.String())
    phone = fields.String(allow_none=True)
    given_at = Instant()


class FeedbackListSchema(Schema):
    """What nobody has dealt with yet."""

    items = fields.List(fields.Nested(FeedbackSchema))


MOST_NUMBERS_AT_ONCE = 50
_KEY = validate.Regexp(r"[\x21-\x7e]{1,64}\Z")


class StockQueueSchema(Schema):
    """A queue that the machine offers while it is cut off, and how many numbers it shall hold for it."""

    id = fields.UUID(attribute="queue.id")
    name = fields.String(attribute="queue.name")
    kind = fields.String(attribute="queue.kind")
    place = fields.String(attribute="queue.place")
    wanted = fields.Integer()


class StockSchema(Schema):
    """What the machine needs to know for the time when it can ask nobody."""

    now = Instant()
    business_date = fields.Date()
    facility = fields.String()
    slip_base = fields.String(metadata={"description": "The address of a slip's page, without its token."})
    epoch = fields.Integer(metadata={"description": "The machine's newest beginning, 0 before the first."})
    csrf_token = fields.String(allow_none=True)
    queues = fields.List(fields.Nested(StockQueueSchema))


class LeaseAskedSchema(RequestSchema):
    """How many numbers of which queue; `epoch` counts the machine's beginnings."""

    queue_id = fields.UUID(required=True)
    size = fields.Integer(required=True, strict=True, validate=validate.Range(1, 500))
    epoch = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000_000))


class LeasedNumberSchema(Schema):
    """A number as people read it, and the token of its slip's page."""

    number = fields.Integer()
    text = fields.String()
    slip = fields.String()


class LeaseSchema(Schema):
    """A block of numbers. `key` hands them in even when the machine's token was taken back."""

    id = fields.UUID()
    queue_id = fields.UUID()
    place = fields.String()
    business_date = fields.Date()
    expires_at = Instant()
    key = fields.String()
    numbers = fields.List(fields.Nested(LeasedNumberSchema))


class HandedNumberSchema(RequestSchema):
    """A number that was given out in a cut, by which press and when."""

    number = fields.Integer(required=True, strict=True, validate=validate.Range(1, 9_999_999))
    press_key = fields.String(required=True, validate=_KEY)
    issued_at = fields.AwareDateTime(required=True)
    purpose = fields.Enum(Purpose, by_value=True, load_default=Purpose.OTHER)
    priority = fields.Enum(PriorityClass, by_value=True, load_default=PriorityClass.NONE)
    print_status = fields.Enum(PrintStatus, by_value=True, load_default=PrintStatus.UNPRINTED)


class PressedNumberSchema(HandedNumberSchema):
    """The same with the card that was shown, and the press whose answer was lost."""

    scan = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, LONGEST + 1))
    instead_of = fields.String(load_default=None, allow_none=True, validate=_KEY)


class PressedNumbersSchema(RequestSchema):
    """What a machine gave out of a lease."""

    numbers = fields.List(
        fields.Nested(PressedNumberSchema), required=True, validate=ItemCount(1, MOST_NUMBERS_AT_ONCE)
    )


class HandedInSchema(RequestSchema):
    """What a machine gave out whose token was taken back since, with the key of its lease."""

    key = fields.String(required=True, validate=validate.Length(1, 100))
    numbers = fields.List(
        fields.Nested(HandedNumberSchema), required=True, validate=ItemCount(1, MOST_NUMBERS_AT_ONCE)
    )


class SettledNumberSchema(Schema):
    """What became of a number: a ticket, or an entry of the desk's worklist (`why`)."""

    number = fields.Integer()
    press_key = fields.String()
    ticket_id = fields.UUID(allow_none=True)
    why = fields.String(allow_none=True)


class SettledNumbersSchema(Schema):
    """What became of each number."""

    items = fields.List(fields.Nested(SettledNumberSchema))


class LeaseReturnSchema(RequestSchema):
    """The last number that was given out; one before the first of the lease: none."""

    used_to = fields.Integer(required=True, strict=True, validate=validate.Range(0, 9_999_999))
