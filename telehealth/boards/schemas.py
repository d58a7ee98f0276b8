"""What the API of boards, hall and figures takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.boards.codes import Dialect, Languages
from telehealth.boards.figures import By
from telehealth.queueing.schemas import Instant
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema

CODE = r"^[a-z0-9](-?[a-z0-9]){0,39}$"
MOST_MEMBERS = 200


class AreaFieldsSchema(RequestSchema):
    """What an area shows and how it sounds."""

    name = fields.String(
        required=True, validate=[validate.Length(1, 80), validate.Regexp(r"^[^\x00-\x1f]*$")]
    )
    queues = fields.List(fields.UUID(), load_default=list, validate=ItemCount(max=MOST_MEMBERS))
    rooms = fields.List(fields.UUID(), load_default=list, validate=ItemCount(max=MOST_MEMBERS))
    least_seconds = fields.Integer(load_default=6, validate=validate.Range(4, 30))
    languages = fields.Enum(Languages, by_value=True, load_default=Languages.BOTH)
    dialect = fields.Enum(Dialect, by_value=True, load_default=Dialect.SOUTH)
    volume = fields.Integer(load_default=80, validate=validate.Range(0, 100))
    muted = fields.Boolean(load_default=False)


class NewAreaSchema(AreaFieldsSchema):
    """The same, with the address of its boards."""

    code = fields.String(required=True, validate=validate.Regexp(CODE))


class AreaSchema(Schema):
    """An area of a facility that has boards of its own."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    queues = fields.List(fields.UUID())
    rooms = fields.List(fields.UUID())
    least_seconds = fields.Integer()
    languages = fields.Enum(Languages, by_value=True)
    dialect = fields.Enum(Dialect, by_value=True)
    volume = fields.Integer()
    muted = fields.Boolean()
    version = fields.Integer()


class AreaListSchema(Schema):
    """A facility's areas."""

    items = fields.List(fields.Nested(AreaSchema))


class BoardQuerySchema(QuerySchema):
    """Of which area; of the whole facility, if none is named."""

    area = fields.String(load_default=None, validate=validate.Length(1, 40))


class BoardCallSchema(Schema):
    """A number that was called."""

    seq = fields.Integer()
    number = fields.String()
    room = fields.String()
    room_en = fields.String()
    at = Instant()


class FollowingSchema(Schema):
    """Who is next in a queue."""

    queue = fields.UUID(attribute="queue_id")
    room = fields.String()
    room_en = fields.String()
    numbers = fields.List(fields.String())


class BoardSchema(Schema):
    """What a board shows: the last calls newest first, who is next, who did not come."""

    calls = fields.List(fields.Nested(BoardCallSchema))
    following = fields.List(fields.Nested(FollowingSchema))
    missed = fields.List(fields.String())
    seq = fields.Integer()


class QueueStateSchema(Schema):
    """A queue now; waits in minutes."""

    id = fields.UUID()
    name = fields.String()
    kind = fields.String()
    waiting = fields.Integer()
    longest_minutes = fields.Integer(attribute="longest", allow_none=True)
    too_long = fields.Boolean()
    parked = fields.Integer()
    served = fields.Integer()
    missed = fields.Integer()
    last_call = Instant(allow_none=True)
    paused_until = Instant(allow_none=True)
    paused_reason = fields.String(allow_none=True)


class AreaPointSchema(Schema):
    """A desk or room now."""

    id = fields.UUID()
    name = fields.String()
    kind = fields.String()
    state = fields.String()
    since = Instant(allow_none=True)
    number = fields.String(allow_none=True)
    waiting = fields.Integer()


class OpenStaffCallSchema(Schema):
    """A call from a kiosk that nobody has answered."""

    id = fields.UUID()
    kind = fields.String()
    place = fields.String()
    at = Instant()
    presses = fields.Integer()
    pressed_at = Instant()
    told_at = Instant(allow_none=True)


class HallSchema(Schema):
    """A facility's halls now."""

    waiting = fields.Integer()
    longest_minutes = fields.Integer(attribute="longest", allow_none=True)
    idle = fields.Integer()
    queues = fields.List(fields.Nested(QueueStateSchema))
    points = fields.List(fields.Nested(AreaPointSchema))
    staff_calls = fields.List(fields.Nested(OpenStaffCallSchema))


class FiguresQuerySchema(QuerySchema):
    """Of which days (today, if none is named), told apart by what."""

    from_ = fields.Date(data_key="from", load_default=None)
    to = fields.Date(load_default=None)
    by = fields.Enum(By, by_value=True, load_default=By.HOUR)


class FiguresSchema(Schema):
    """People of one hour, day, queue or room; waits in minutes."""

    key = fields.String(allow_none=True)
    issued = fields.Integer()
    called = fields.Integer()
    served = fields.Integer()
    missed = fields.Integer()
    abandoned = fields.Integer()
    moved = fields.Integer()
    open = fields.Integer()
    median_minutes = fields.Integer(attribute="median", allow_none=True)
    p85_minutes = fields.Integer(attribute="p85", allow_none=True)


class FiguresListSchema(Schema):
    """All together, and each."""

    total = fields.Nested(FiguresSchema)
    items = fields.List(fields.Nested(FiguresSchema))
