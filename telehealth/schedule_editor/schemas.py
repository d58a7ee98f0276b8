"""What the schedule API takes and gives. Times of day are local, `07:30`; days `2026-12-01`."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from telehealth.core.paging import MAX_LIMIT
from telehealth.directory.codes import Modality
from telehealth.schedule_editor.forms import read_minute, written_minute
from telehealth.schedule_editor.rules import WarningCode
from telehealth.scheduling.codes import Door, ExceptionKind, ResourceKind, ScheduleOrigin, SessionMode
from telehealth.scheduling.drafts import LONGEST_CODE, LONGEST_TEXT, OVERRIDING_ROLES
from telehealth.web.api import ItemCount, QuerySchema, RequestSchema

_MOST = 100_000


class Minute(fields.Field[int]):
    """A local time of day, `07:30`; `24:00` is the day's end."""

    def _serialize(self, value: int | None, *_rest: Any, **_options: Any) -> str | None:
        return None if value is None else written_minute(value)

    def _deserialize(self, value: Any, *_rest: Any, **_options: Any) -> int:
        minute = read_minute(value) if isinstance(value, str) else None
        if minute is None:
            raise ValidationError("schedule-time-unreadable")
        return minute


def _one_of(codes: type) -> validate.OneOf:
    return validate.OneOf([str(code) for code in codes])  # type: ignore[attr-defined]


def _minute(**options: Any) -> Minute:
    return Minute(metadata={"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"}, **options)


def _number(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(0, _MOST), **options)


def _text(longest: int, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(0, longest), **options)


class ScheduleQuerySchema(QuerySchema):
    """Whose schedule; by default what holds today or later."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))
    practitioner = fields.UUID(load_default=None)
    from_ = fields.Date(data_key="from", load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None, validate=validate.Length(1, 400))


class FacilityQuerySchema(QuerySchema):
    """Whose."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))


class PreviewQuerySchema(QuerySchema):
    """With `dry_run` only what a change would do; `preview` names that answer's fingerprint to do it."""

    dry_run = fields.Boolean(load_default=False)
    preview = fields.String(load_default=None, validate=validate.Length(1, 64))


class ScheduleEndQuerySchema(PreviewQuerySchema):
    """How a line ends: `last_day` is the last day it holds, by default yesterday."""

    last_day = fields.Date(load_default=None)


class ScheduleQuotaSchema(RequestSchema):
    """Places kept for a door until so many minutes before the session."""

    door = fields.String(required=True, validate=_one_of(Door))
    places = _number(required=True)
    falls_minutes = _number(load_default=0)


class ScheduleLineSchema(RequestSchema):
    """A roster line. `weekdays`: 0 is Monday."""

    practitioner_id = fields.UUID(required=True)
    service_id = fields.UUID(required=True)
    modality = fields.String(required=True, validate=_one_of(Modality))
    weekdays = fields.List(
        fields.Integer(strict=True, validate=validate.Range(0, 6)),
        required=True,
        validate=ItemCount(1, 7),
    )
    start_minute = _minute(data_key="start", required=True)
    end_minute = _minute(data_key="end", required=True)
    slot_minutes = _number(required=True)
    capacity = _number(load_default=1)
    room = _text(LONGEST_CODE, load_default="")
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(load_default=None, allow_none=True)
    every_weeks = _number(load_default=1)
    mode = fields.String(load_default=SessionMode.SLOT.value, validate=_one_of(SessionMode))
    lead_minutes = _number(load_default=0)
    tail_minutes = _number(load_default=0)
    overbook_most = _number(load_default=2)
    further_service_ids = fields.List(fields.UUID(), load_default=list, validate=ItemCount(0, 20))
    resource_ids = fields.List(fields.UUID(), load_default=list, validate=ItemCount(0, 20))
    quotas = fields.List(
        fields.Nested(ScheduleQuotaSchema), load_default=list, validate=ItemCount(0, len(Door))
    )


class NewScheduleSchema(ScheduleLineSchema):
    """A new roster line of a facility."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))


class ScheduleSchema(ScheduleLineSchema):
    """A roster line as it stands. `origin`: the province's files, or people here."""

    id = fields.UUID()
    facility_id = fields.UUID()
    origin = fields.String(validate=_one_of(ScheduleOrigin))
    active = fields.Boolean()
    version = fields.Integer()


class ScheduleListSchema(Schema):
    """A page, in the order of ids."""

    items = fields.List(fields.Nested(ScheduleSchema))
    next = fields.String(allow_none=True)


class ExceptionFieldsSchema(RequestSchema):
    """Days that are not as the roster says; without practitioner the whole facility's."""

    kind = fields.String(required=True, validate=_one_of(ExceptionKind))
    from_date = fields.Date(required=True, data_key="from")
    to_date = fields.Date(required=True, data_key="to")
    practitioner_id = fields.UUID(load_default=None, allow_none=True)
    start_minute = _minute(data_key="start", load_default=None, allow_none=True)
    end_minute = _minute(data_key="end", load_default=None, allow_none=True)
    service_id = fields.UUID(load_default=None, allow_none=True)
    modality = fields.String(load_default=None, allow_none=True, validate=_one_of(Modality))
    slot_minutes = _number(load_default=None, allow_none=True)
    capacity = _number(load_default=None, allow_none=True)
    room = _text(LONGEST_CODE, load_default=None, allow_none=True)
    like_weekday = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 6)
    )
    note = _text(LONGEST_TEXT, load_default="")


class NewScheduleExceptionSchema(ExceptionFieldsSchema):
    """A new exception at a facility."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))


class ScheduleExceptionSchema(ExceptionFieldsSchema):
    """An exception as it stands."""

    id = fields.UUID()
    facility_id = fields.UUID()
    origin = fields.String(validate=_one_of(ScheduleOrigin))
    active = fields.Boolean()
    version = fields.Integer()


class ScheduleExceptionListSchema(Schema):
    """A page, in the order of ids."""

    items = fields.List(fields.Nested(ScheduleExceptionSchema))
    next = fields.String(allow_none=True)


class BlockingFieldsSchema(RequestSchema):
    """A time when nobody is booked: a practitioner's, a resource's, or (neither) the facility's."""

    from_at = fields.AwareDateTime(required=True, data_key="from", format="iso")
    to_at = fields.AwareDateTime(required=True, data_key="to", format="iso")
    reason = _text(LONGEST_TEXT, required=True)
    practitioner_id = fields.UUID(load_default=None, allow_none=True)
    resource_id = fields.UUID(load_default=None, allow_none=True)
    override_roles = fields.List(
        fields.String(validate=validate.OneOf([role.value for role in OVERRIDING_ROLES])),
        load_default=list,
        validate=ItemCount(0, len(OVERRIDING_ROLES)),
    )
    override_account_ids = fields.List(fields.UUID(), load_default=list, validate=ItemCount(0, 50))


class NewBlockingSchema(BlockingFieldsSchema):
    """A new blocking at a facility."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))


class BlockingSchema(BlockingFieldsSchema):
    """A blocking as it stands; `lifted`: when it ended before its time."""

    id = fields.UUID()
    facility_id = fields.UUID()
    lifted_at = fields.AwareDateTime(format="iso", allow_none=True, data_key="lifted")
    version = fields.Integer()


class BlockingListSchema(Schema):
    """A page, in the order of ids."""

    items = fields.List(fields.Nested(BlockingSchema))
    next = fields.String(allow_none=True)


class ResourceFieldsSchema(RequestSchema):
    """A room, or so many equal devices that can be used at once."""

    kind = fields.String(required=True, validate=_one_of(ResourceKind))
    code = _text(LONGEST_CODE, required=True)
    name = _text(LONGEST_TEXT, required=True)
    lanes = _number(load_default=1)


class NewResourceSchema(ResourceFieldsSchema):
    """A new room or device of a facility."""

    facility = fields.String(required=True, validate=validate.Length(1, 40))


class ChangedResourceSchema(ResourceFieldsSchema):
    """A room or device, and whether it is in use."""

    active = fields.Boolean(load_default=True)


class ResourceSchema(ChangedResourceSchema):
    """A room or device as it stands."""

    id = fields.UUID()
    facility_id = fields.UUID()
    version = fields.Integer()


class ResourceListSchema(Schema):
    """Those in use first."""

    items = fields.List(fields.Nested(ResourceSchema))


class PolicyFieldsSchema(RequestSchema):
    """When and how a service is booked online; null leaves the province's default."""

    min_notice_minutes = _number(load_default=None, allow_none=True)
    window_days = _number(load_default=None, allow_none=True)
    release_minute = _minute(data_key="release", load_default=None, allow_none=True)
    cancel_notice_minutes = _number(load_default=None, allow_none=True)
    hold_seconds = _number(load_default=None, allow_none=True)


class NewBookingPolicySchema(PolicyFieldsSchema):
    """The policy of a service that had none."""

    service_id = fields.UUID(required=True)


class BookingPolicySchema(PolicyFieldsSchema):
    """A service's policy as it stands."""

    service_id = fields.UUID()
    version = fields.Integer()


class BookingPolicyListSchema(Schema):
    """Those that are set."""

    items = fields.List(fields.Nested(BookingPolicySchema))


class LimitFieldsSchema(RequestSchema):
    """How many patients a practitioner sees on one day."""

    per_day = _number(required=True)


class NewPractitionerLimitSchema(LimitFieldsSchema):
    """The limit of a practitioner who had none."""

    practitioner_id = fields.UUID(required=True)


class PractitionerLimitSchema(LimitFieldsSchema):
    """A practitioner's limit as it stands."""

    practitioner_id = fields.UUID()
    version = fields.Integer()


class PractitionerLimitListSchema(Schema):
    """Those that are set."""

    items = fields.List(fields.Nested(PractitionerLimitSchema))


class SessionMoveSchema(RequestSchema):
    """Where one session of one day is moved; without `end` it is as long as it was."""

    day = fields.Date(required=True)
    start_minute = _minute(data_key="start", required=True)
    end_minute = _minute(data_key="end", load_default=None, allow_none=True)
    practitioner_id = fields.UUID(required=True)
    room = _text(LONGEST_CODE, load_default="")


class PlannedSessionSchema(Schema):
    """A session as the schedule would have it."""

    id = fields.UUID()
    start = fields.AwareDateTime(format="iso")
    end = fields.AwareDateTime(format="iso")
    practitioner_id = fields.UUID()
    service_id = fields.UUID()
    modality = fields.String()
    room = fields.String()
    places = fields.Integer()


class ChangedSessionSchema(Schema):
    """A session before and after."""

    before = fields.Nested(PlannedSessionSchema)
    after = fields.Nested(PlannedSessionSchema)
    narrowed = fields.Boolean()


class DayEffectSchema(Schema):
    """What happens to the sessions of a day."""

    day = fields.Date()
    added = fields.List(fields.Nested(PlannedSessionSchema))
    removed = fields.List(fields.Nested(PlannedSessionSchema))
    changed = fields.List(fields.Nested(ChangedSessionSchema))


class TouchedAppointmentSchema(Schema):
    """An appointment whose time is lost or given back; the name for those who may see it."""

    id = fields.UUID()
    start = fields.AwareDateTime(format="iso")
    practitioner_id = fields.UUID()
    patient_name = fields.String(allow_none=True)


class ScheduleWarningSchema(Schema):
    """Something to look at; nothing is refused for it."""

    code = fields.String(validate=_one_of(WarningCode))
    detail = fields.String()
    day = fields.Date()
    days = fields.Integer()


class SchedulePreviewSchema(Schema):
    """What a change would do. `outside`: appointments that lose their time; `again`: that get it back.

    `fingerprint` is what `preview` names to have exactly this done.
    """

    fingerprint = fields.String()
    sessions_added = fields.Integer()
    sessions_removed = fields.Integer()
    sessions_narrowed = fields.Integer()
    sessions_changed = fields.Integer()
    days = fields.List(fields.Nested(DayEffectSchema))
    outside = fields.List(fields.Nested(TouchedAppointmentSchema))
    again = fields.List(fields.Nested(TouchedAppointmentSchema))
    warnings = fields.List(fields.Nested(ScheduleWarningSchema))
