"""What the visits API takes and gives."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.queueing.schemas import Instant
from telehealth.visits.codes import Category, Coverage, EventKind, EventState, ResultsAt, TestsFirst
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema

_WORD = validate.Regexp(r"^[!-~]{1,120}$")
_NAMES_ORDERS = (EventKind.TESTS_ORDERED, EventKind.PERFORMED, EventKind.RESULT_READY)
_MOST_ORDERS = 60


class OrderIdentifierSchema(RequestSchema):
    """A FHIR Identifier: whose numbering, and the number in it."""

    system = fields.String(required=True, validate=_WORD)
    value = fields.String(required=True, validate=_WORD)


class VisitEventOrderSchema(RequestSchema):
    """An order; `category` (FHIR ServiceRequest.category) where it is new."""

    identifier = fields.Nested(OrderIdentifierSchema, required=True)
    category = fields.Enum(Category, by_value=True, load_default=None, allow_none=True)


class VisitEventVisitSchema(RequestSchema):
    """Whose visit: the code on the slip with its day (today, if left out), or the appointment's code."""

    code = fields.String(load_default=None, validate=validate.Regexp(r"^[0-9]{4,6}$"))
    date = fields.Date(load_default=None)
    appointment = fields.String(load_default=None, validate=validate.Regexp(r"^[0-9A-Z]{8}$"))

    @validates_schema
    def one(self, data: dict[str, Any], **_: Any) -> None:
        """Want one of the two names."""
        if (data.get("code") is None) == (data.get("appointment") is None):
            raise ValidationError("field-visit-named", "code")


class VisitEventSchema(RequestSchema):
    """Something that moves a visit on. `source` and `event_id` name it once and for all."""

    source = fields.String(required=True, validate=validate.Regexp(r"^[!-~]{1,60}$"))
    event_id = fields.String(required=True, validate=_WORD)
    kind = fields.Enum(EventKind, by_value=True, required=True)
    occurred_at = fields.AwareDateTime(required=True, format="iso")
    visit = fields.Nested(VisitEventVisitSchema, required=True)
    orders = fields.List(
        fields.Nested(VisitEventOrderSchema), load_default=list, validate=ItemCount(max=_MOST_ORDERS)
    )
    medicines = fields.Boolean(
        load_default=False, metadata={"description": "For `paid`: the medicines are paid."}
    )
    insured = fields.Boolean(
        load_default=None, allow_none=True, metadata={"description": "Whether the insurance (BHYT) pays."}
    )
    room = fields.String(
        load_default=None, allow_none=True, validate=_WORD,
        metadata={"description": "For `tests-ordered`: the code of the room that asks and reads the result."},
    )  # fmt: skip

    @validates_schema
    def fits(self, data: dict[str, Any], **_: Any) -> None:
        """Want orders where the kind is about orders, each once, and what a new one asks for."""
        orders = data.get("orders", [])
        if data.get("kind") in _NAMES_ORDERS and not orders:
            raise ValidationError("field-orders-missing", "orders")
        if data.get("kind") is EventKind.TESTS_ORDERED and any(each["category"] is None for each in orders):
            raise ValidationError("field-category-missing", "orders")
        names = {(each["identifier"]["system"], each["identifier"]["value"]) for each in orders}
        if len(names) != len(orders):
            raise ValidationError("field-orders-twice", "orders")


class VisitEventAnswerSchema(Schema):
    """What became of the event when it came: applied, or pending with why."""

    id = fields.UUID()
    state = fields.Enum(EventState, by_value=True)
    why = fields.String(allow_none=True)


class VisitEventStateSchema(Schema):
    """An event as it stands."""

    id = fields.UUID()
    source = fields.String()
    event_id = fields.String()
    kind = fields.String()
    occurred_at = Instant()
    received_at = Instant()
    visit = fields.String()
    state = fields.Enum(EventState, by_value=True)
    why = fields.String(allow_none=True)
    tries = fields.Integer()
    reason = fields.String(allow_none=True)
    settled_at = Instant(allow_none=True)


class VisitEventListSchema(Schema):
    """Events of a facility."""

    items = fields.List(fields.Nested(VisitEventStateSchema))


class VisitEventsQuerySchema(QuerySchema):
    """Which events."""

    state = fields.Enum(EventState, by_value=True, load_default=None)


class VisitEventDismissSchema(RequestSchema):
    """Why an event is not applied."""

    reason = fields.String(required=True, validate=validate.Length(3, 200))


class VisitLegSchema(Schema):
    """One number of the visit."""

    ticket = fields.UUID(attribute="ticket_id")
    queue = fields.UUID(attribute="queue_id")
    kind = fields.String()
    place = fields.String()
    number = fields.String(attribute="number_text")
    status = fields.String()
    issued_at = Instant()
    done_at = Instant(allow_none=True)


class NextPlaceSchema(Schema):
    """What comes next and why; `kind` is null for somebody who waits for no number."""

    kind = fields.String(allow_none=True)
    place = fields.String(allow_none=True)
    why = fields.String()


class VisitOrderSchema(Schema):
    """An order and how far it is."""

    identifier = fields.Method("named")
    category = fields.String()
    ordered_at = Instant()
    paid_at = Instant(allow_none=True)
    performed_at = Instant(allow_none=True)
    ready_at = Instant(allow_none=True)
    read_at = Instant(allow_none=True)
    revoked_at = Instant(allow_none=True)

    def named(self, order: Any) -> dict[str, str]:
        """Return the FHIR Identifier."""
        return {"system": order.identifier_system, "value": order.identifier_value}


class VisitSchema(Schema):
    """A visit for the staff who work it."""

    id = fields.UUID()
    code = fields.String()
    business_date = fields.Date()
    insured = fields.Boolean()
    prescribed = fields.Boolean()
    discharged = fields.Boolean()
    opened_at = Instant()
    ended_at = Instant(allow_none=True)
    end_reason = fields.String(allow_none=True)
    version = fields.Integer()
    legs = fields.List(fields.Nested(VisitLegSchema))
    orders = fields.List(fields.Nested(VisitOrderSchema))
    next = fields.Nested(NextPlaceSchema, allow_none=True)


class VisitListSchema(Schema):
    """Visits."""

    items = fields.List(fields.Nested(VisitSchema))


class VisitQuerySchema(QuerySchema):
    """Of which day; today, if left out."""

    date = fields.Date(load_default=None)


class JourneyLegSchema(Schema):
    """One number of the visit, as its holder may see it."""

    kind = fields.String()
    place = fields.String()
    number = fields.String(attribute="number_text")
    status = fields.String()


class JourneySchema(Schema):
    """What the holder of a slip may see of the visit."""

    code = fields.String()
    ended = fields.Boolean()
    legs = fields.List(fields.Nested(JourneyLegSchema))
    next = fields.Nested(NextPlaceSchema, allow_none=True)
    tests = fields.Integer()
    ready = fields.Integer()


class MoveVisitSchema(RequestSchema):
    """Where somebody is sent."""

    queue_id = fields.UUID(required=True)


class EndVisitSchema(RequestSchema):
    """Nothing more to say."""


class OutForTestsSchema(Schema):
    """Somebody whom a room sent out for tests."""

    visit = fields.String(attribute="code")
    tests = fields.Integer()
    performed = fields.Integer()
    ready = fields.Integer()
    all_in = fields.Boolean()
    since = Instant()
    place = fields.String(allow_none=True)
    number = fields.String(attribute="number_text", allow_none=True)


class OutForTestsListSchema(Schema):
    """Whom a room sent out, or whose results a station owes."""

    items = fields.List(fields.Nested(OutForTestsSchema))


_COVERAGES = fields.List(
    fields.Enum(Coverage, by_value=True), required=True, validate=ItemCount(max=len(Coverage))
)


class VisitPathSchema(RequestSchema):
    """A facility's rule."""

    pays_before_tests = _COVERAGES
    settles_at_end = _COVERAGES
    tests = fields.Enum(TestsFirst, by_value=True, required=True)
    results = fields.Enum(ResultsAt, by_value=True, required=True)
    places_ahead = fields.Integer(required=True, validate=validate.Range(0, 20))


class VisitPathStateSchema(VisitPathSchema):
    """A facility's rule and its version; `stations` are those that are in use."""

    stations = fields.List(fields.String())
    version = fields.Integer()
