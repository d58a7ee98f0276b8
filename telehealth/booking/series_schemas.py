"""What the API of series takes and gives."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from telehealth.booking.codes import CancelReason, CoverageBasis
from telehealth.booking.rules import LONGEST_REASON
from telehealth.booking.schemas import AppointmentSchema, ConsentSchema
from telehealth.booking.series_rules import LONGEST, MOST_VISITS, Match, OnHoliday, SeriesRule
from telehealth.scheduling.schemas import DoctorSchema, OfferedServiceSchema, PlaceSchema, SlotSchema
from telehealth.web.api import ItemCount, RequestSchema

_LOCAL_TIME = validate.Regexp(r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z", error="field-series-time")

_LAST_YEAR = 9990


def minute_of(wall: str) -> int:
    """Return the minute of the day of a local "HH:MM"."""
    return int(wall[:2]) * 60 + int(wall[3:])


class SeriesRuleSchema(RequestSchema):
    """Every n days, or every n weeks on `weekdays` (0 Monday), at a local time; `visits` or `until` a day.

    A visit on a holiday is moved to the next working day before the next visit, or skipped.
    """

    first = fields.Date(required=True)
    time = fields.String(required=True, validate=_LOCAL_TIME)
    every_days = fields.Integer(validate=validate.Range(1, 90), load_default=None, allow_none=True)
    every_weeks = fields.Integer(validate=validate.Range(1, 26), load_default=None, allow_none=True)
    weekdays = fields.List(
        fields.Integer(validate=validate.Range(0, 6)), load_default=list, validate=ItemCount(max=7)
    )
    visits = fields.Integer(validate=validate.Range(1, MOST_VISITS), load_default=None, allow_none=True)
    until = fields.Date(load_default=None, allow_none=True)
    on_holiday = fields.String(
        load_default=OnHoliday.MOVE.value, validate=validate.OneOf([each.value for each in OnHoliday])
    )

    @validates_schema
    def one_of_each(self, data: dict[str, Any], **_: object) -> None:
        """Ask for one step and one end."""
        weekly = data["every_weeks"] is not None
        if weekly == (data["every_days"] is not None):
            raise ValidationError("field-series-step", "every_days")
        if weekly != bool(data["weekdays"]):
            raise ValidationError("field-series-weekdays", "weekdays")
        if (data["visits"] is None) == (data["until"] is None):
            raise ValidationError("field-series-end", "visits")
        if data["first"].year > _LAST_YEAR:
            raise ValidationError("field-series-until", "first")
        if data["until"] is not None and not data["first"] <= data["until"] <= data["first"] + LONGEST:
            raise ValidationError("field-series-until", "until")

    @post_load
    def rule(self, data: dict[str, Any], **_: object) -> SeriesRule:
        """Return the rule."""
        return SeriesRule(
            first=data["first"],
            minute=minute_of(data["time"]),
            every_days=data["every_days"],
            every_weeks=data["every_weeks"],
            weekdays=tuple(sorted(set(data["weekdays"]))),
            visits=data["visits"],
            until=data["until"],
            on_holiday=OnHoliday(data["on_holiday"]),
        )


class SeriesPreviewSchema(RequestSchema):
    """Who is to come for what, where, with whom if it can be, and by which rule."""

    patient_id = fields.UUID(required=True)
    facility = fields.String(required=True, validate=validate.Length(1, 40))
    service = fields.String(required=True, validate=validate.Length(1, 60))
    practitioner = fields.UUID(load_default=None, allow_none=True)
    rule = fields.Nested(SeriesRuleSchema, required=True)


class SeriesBookingSchema(SeriesPreviewSchema):
    """A series and the slot chosen for each visit."""

    slot_ids = fields.List(
        fields.String(validate=validate.Length(1, 60)),
        required=True,
        validate=ItemCount(1, MOST_VISITS),
    )
    coverage_basis = fields.String(
        load_default=CoverageBasis.NONE.value,
        validate=validate.OneOf([basis.value for basis in CoverageBasis]),
    )
    companion = fields.Boolean(load_default=False)
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_REASON))
    consent = fields.Nested(ConsentSchema, load_default=None)


class SeriesCancelSchema(RequestSchema):
    """From which day on; all that are still to come without one."""

    from_ = fields.Date(data_key="from", load_default=None, allow_none=True)
    reason_code = fields.String(
        load_default=CancelReason.PATIENT.value,
        validate=validate.OneOf([reason.value for reason in CancelReason]),
    )


class SeriesMoveSchema(RequestSchema):
    """From which day on, to which local time of the day."""

    from_ = fields.Date(data_key="from", load_default=None, allow_none=True)
    time = fields.String(required=True, validate=_LOCAL_TIME)


class ProposalSchema(Schema):
    """A visit that the rule wants on `due`; `day`: where holidays have put it (null: skipped)."""

    due = fields.Date()
    day = fields.Date(allow_none=True)
    match = fields.String(validate=validate.OneOf([each.value for each in Match]))
    slot = fields.Nested(SlotSchema, allow_none=True)


class ProposalsSchema(Schema):
    """What is proposed for each visit; nothing is kept."""

    items = fields.List(fields.Nested(ProposalSchema))


class ShownRuleSchema(Schema):
    """A series' rule, as it was given."""

    first = fields.Date()
    time = fields.String()
    every_days = fields.Integer(allow_none=True)
    every_weeks = fields.Integer(allow_none=True)
    weekdays = fields.List(fields.Integer())
    visits = fields.Integer(allow_none=True)
    until = fields.Date(allow_none=True)
    on_holiday = fields.String()


class SeriesSchema(Schema):
    """A series and its visits in order, cancelled ones too."""

    id = fields.UUID()
    version = fields.Integer()
    patient_id = fields.UUID()
    facility = fields.Nested(PlaceSchema)
    service = fields.Nested(OfferedServiceSchema)
    practitioner = fields.Nested(DoctorSchema, allow_none=True)
    rule = fields.Nested(ShownRuleSchema)
    visits = fields.List(fields.Nested(AppointmentSchema))


class RefusedVisitSchema(Schema):
    """A visit that stays as it was, and why."""

    appointment_id = fields.UUID()
    code = fields.String()
    detail = fields.String()


class SeriesChangeSchema(SeriesSchema):
    """A series after a change: which visits changed, and which could not."""

    changed = fields.List(fields.UUID())
    refused = fields.List(fields.Nested(RefusedVisitSchema))
