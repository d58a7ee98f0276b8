"""What the API of closures takes and gives."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from telehealth.closures.codes import (
    CallOutcome,
    ClosureKind,
    ClosurePlan,
    ClosureReason,
    ClosureState,
    Equivalence,
    Reach,
    Standing,
)
from telehealth.closures.rules import DAY_MINUTES
from telehealth.core.paging import MAX_LIMIT
from telehealth.web.api import QuerySchema, RequestSchema

LONGEST_NOTE = 200


def _one_of(values: type) -> validate.OneOf:
    return validate.OneOf([each.value for each in values])  # type: ignore[attr-defined]


class ClosureRequestSchema(RequestSchema):
    """Whose sessions close, and what is done for their people. `dry_run`: only tell what would happen.

    On each day from `start_minute` to `end_minute` (local minutes of day). A holiday without `facility` is
    the whole province's.
    """

    kind = fields.String(load_default=ClosureKind.PRACTITIONER.value, validate=_one_of(ClosureKind))
    facility = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 40))
    practitioner_id = fields.UUID(load_default=None, allow_none=True)
    from_date = fields.Date(required=True)
    to_date = fields.Date(load_default=None, allow_none=True)
    start_minute = fields.Integer(load_default=0, validate=validate.Range(0, DAY_MINUTES - 1))
    end_minute = fields.Integer(load_default=DAY_MINUTES, validate=validate.Range(1, DAY_MINUTES))
    plan = fields.String(load_default=ClosurePlan.OFFER.value, validate=_one_of(ClosurePlan))
    reason = fields.String(load_default=ClosureReason.CALLED_AWAY.value, validate=_one_of(ClosureReason))
    note = fields.String(load_default="", validate=validate.Length(max=LONGEST_NOTE))
    dry_run = fields.Boolean(load_default=False)

    @validates_schema
    def name_the_subject(self, data: dict[str, object], **_: object) -> None:
        """Ask for a practitioner exactly where one is meant, and for a facility but for a holiday."""
        if (data["kind"] == ClosureKind.PRACTITIONER) != (data["practitioner_id"] is not None):
            raise ValidationError("field-closures-practitioner", "practitioner_id")
        if data["kind"] != ClosureKind.HOLIDAY and data["facility"] is None:
            raise ValidationError("field-closures-facility", "facility")


class ClosurePreviewSchema(Schema):
    """What a closure would do. `equivalents`: for how many of `looked_at` such a place is free now."""

    sessions = fields.Integer()
    people = fields.Integer()
    arrived = fields.Integer()
    bound = fields.Integer()
    without_phone = fields.Integer()
    looked_at = fields.Integer()
    equivalents = fields.Dict(keys=fields.String(validate=_one_of(Equivalence)), values=fields.Integer())
    without_equivalent = fields.Integer()
    moved = fields.Integer()


class ClosureProgressSchema(Schema):
    """How a closure's people stand, in figures."""

    people = fields.Integer()
    done = fields.Integer()
    waiting = fields.Integer()
    to_call = fields.Integer()
    by_standing = fields.Dict(keys=fields.String(validate=_one_of(Standing)), values=fields.Integer())


class ClosureSchema(Schema):
    """A closure. In a dry run only `preview` is there."""

    id = fields.UUID()
    kind = fields.String(validate=_one_of(ClosureKind))
    facility_id = fields.UUID(allow_none=True)
    practitioner_id = fields.UUID(allow_none=True)
    practitioner_name = fields.String(allow_none=True)
    from_date = fields.Date()
    to_date = fields.Date()
    start_minute = fields.Integer()
    end_minute = fields.Integer()
    plan = fields.String(validate=_one_of(ClosurePlan))
    reason = fields.String(validate=_one_of(ClosureReason))
    note = fields.String()
    state = fields.String(validate=_one_of(ClosureState))
    sessions = fields.Integer()
    people = fields.Integer()
    created_at = fields.AwareDateTime(format="iso")
    progress = fields.Nested(ClosureProgressSchema)
    preview = fields.Nested(ClosurePreviewSchema)


class ClosureListSchema(Schema):
    """The newest closures."""

    items = fields.List(fields.Nested(ClosureSchema))


class ClosureQuerySchema(QuerySchema):
    """Which closures: those that touch a facility (its code), or the province's."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))


class ClosureItemQuerySchema(QuerySchema):
    """Which of a closure's people."""

    facility = fields.String(load_default=None, validate=validate.Length(1, 40))
    standing = fields.String(load_default=None, validate=_one_of(Standing))
    to_call = fields.Boolean(load_default=False)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(max=500))


class ClosurePlaceSchema(Schema):
    """A place as people are told of it."""

    start = fields.AwareDateTime(format="iso")
    practitioner = fields.String()
    room = fields.String()
    facility_id = fields.UUID()
    facility = fields.String()


class ClosureItemSchema(Schema):
    """One person of a closure."""

    id = fields.UUID()
    closure_id = fields.UUID()
    appointment_id = fields.UUID()
    appointment_code = fields.String()
    patient_id = fields.UUID(allow_none=True)
    patient_name = fields.String(allow_none=True)
    old = fields.Nested(ClosurePlaceSchema)
    new = fields.Nested(ClosurePlaceSchema, allow_none=True)
    equivalence = fields.String(allow_none=True, validate=_one_of(Equivalence))
    standing = fields.String(validate=_one_of(Standing))
    reach = fields.String(validate=_one_of(Reach))
    to_call = fields.Boolean()
    until = fields.AwareDateTime(format="iso", allow_none=True)
    calls = fields.Integer()
    call_outcome = fields.String(allow_none=True, validate=_one_of(CallOutcome))
    called_at = fields.AwareDateTime(format="iso", allow_none=True)


class ClosureItemListSchema(Schema):
    """A page of a closure's people."""

    items = fields.List(fields.Nested(ClosureItemSchema))
    next = fields.String(allow_none=True)


class ClosureCallSchema(RequestSchema):
    """What the person said on the telephone."""

    outcome = fields.String(required=True, validate=_one_of(CallOutcome))


class RosterChangeSchema(Schema):
    """A session that the roster no longer has as it was, though people hold places in it."""

    id = fields.UUID()
    session_id = fields.UUID()
    reason = fields.String()
    start = fields.AwareDateTime(format="iso")
    end = fields.AwareDateTime(format="iso")
    practitioner_id = fields.UUID()
    practitioner_name = fields.String()
    people = fields.Integer()
    in_hand = fields.Integer()


class RosterChangeListSchema(Schema):
    """A facility's worklist of such sessions."""

    items = fields.List(fields.Nested(RosterChangeSchema))
