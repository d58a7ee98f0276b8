"""What the kiosk's API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.identification.reading import LONGEST
from telehealth.kiosk.codes import FeedbackKind, FeedbackTopic
from telehealth.kiosk.passes import LONGEST_PASS
from telehealth.queueing.codes import PriorityClass, Purpose, StaffCallKind
from telehealth.queueing.schemas import FollowSchema, Instant
from telehealth.web.api import QuerySchema, RequestSchema


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


class StaffCallMadeSchema(Schema):
    """A call that shows on the consoles until somebody goes."""

    id = fields.UUID()


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
