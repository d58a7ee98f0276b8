"""The schedule over the API: everything the pages do, with the preview as a dry run."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint
from marshmallow import Schema
from sqlalchemy.orm import Session

from telehealth.booking.policies import AppointmentScope
from telehealth.core.clock import at_local, business_date
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.core.paging import decode_cursor, encode_cursor
from telehealth.directory.queries import facility_by_code
from telehealth.schedule_editor import presentation, queries, services
from telehealth.schedule_editor import schemas as shown
from telehealth.schedule_editor.forms import read_key
from telehealth.schedule_editor.queries import LineView
from telehealth.schedule_editor.rules import Consequences, SessionChange, Standing
from telehealth.schedule_editor.services import Edit, edit
from telehealth.scheduling import editing
from telehealth.scheduling.drafts import (
    BlockingDraft,
    ExceptionDraft,
    LineDraft,
    MoveDraft,
    PolicyDraft,
    QuotaDraft,
    ResourceDraft,
)
from telehealth.scheduling.editing import Editor
from telehealth.scheduling.errors import PreviewRequired
from telehealth.scheduling.rules import PlannedSession
from telehealth.web.api import IF_MATCH, located
from telehealth.web.context import may, now, permit, principal, session, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.requests import if_match, rfc3339

api = Blueprint("schedule-api", __name__, url_prefix="/api/v1", description="Schedules of facilities")

_DRY = "A dry run: what would happen"
_NAMES = {"start_minute": "start", "end_minute": "end", "release_minute": "release"}
_DATES = {"from_date": "from", "to_date": "to", "from_at": "from", "to_at": "to"}

Asked = dict[str, Any]
"""A body or query as its schema read it."""


def _asks(query: type[Schema] = shown.PreviewQuerySchema) -> list[dict[str, Any]]:
    """Return the parameters of a change; those written by hand stand instead of the arguments' own."""
    return [IF_MATCH, {"in": "query", "schema": query}]


def _or_preview(schema: type[Schema]) -> dict[str, Any]:
    return {"anyOf": [schema, shown.SchedulePreviewSchema]}


@api.get("/schedules")
@guarded("schedule.read")
@api.arguments(shown.ScheduleQuerySchema(), location="query")
@api.response(200, shown.ScheduleListSchema)
def list_schedules(asked: Asked) -> Response:
    """List a facility's roster lines that hold on a day or later, by default today."""
    facility_id = _facility(asked["facility"], "schedule.read")
    found = queries.lines(
        session(),
        facility_id,
        from_=asked["from_"] or business_date(now()),
        practitioner_id=asked["practitioner"],
        after=_after(asked["cursor"]),
        limit=asked["limit"],
    )
    next_ = encode_cursor(str(found[-1].row.id)) if len(found) == asked["limit"] else None
    return jsonify(items=[_line_json(each) for each in found], next=next_)


@api.post("/schedules")
@located("schedule-api.show_schedule", "schedule_id")
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.NewScheduleSchema())
@api.response(201, shown.ScheduleSchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def create_schedule(how: Asked, asked: Asked) -> Response:
    """Add a roster line."""
    facility_id = _facility(asked.pop("facility"), "schedule.change")
    return _answer(
        facility_id,
        how,
        edit(editing.add_line, _editor(facility_id), _line(asked), now=now()),
        lambda work, key: _line_json(queries.line(work, facility_id, key)),
        status=201,
    )


@api.get("/schedules/<uuid:schedule_id>")
@guarded("schedule.read")
@api.response(200, shown.ScheduleSchema)
def show_schedule(schedule_id: UUID) -> Response:
    """Show a roster line; its ETag is what a change must name in If-Match."""
    facility_id = _of_line(schedule_id, "schedule.read")
    return _tagged(_line_json(queries.line(session(), facility_id, schedule_id)))


@api.patch("/schedules/<uuid:schedule_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.ScheduleLineSchema(partial=True))
@api.response(200, _or_preview(shown.ScheduleSchema))
def change_schedule(how: Asked, asked: Asked, schedule_id: UUID) -> Response:
    """Change a line from `valid_from` on, or from today; one that runs is split there. Needs If-Match."""
    version, facility_id = if_match(), _of_line(schedule_id, "schedule.change")
    stored = queries.line(session(), facility_id, schedule_id)
    first = max(asked.get("valid_from") or business_date(now()), business_date(now()))
    draft = _line({**_line_values(stored), **asked, "valid_from": first})
    return _answer(
        facility_id,
        how,
        edit(
            editing.change_line,
            _editor(facility_id),
            schedule_id,
            version,
            draft,
            from_day=draft.valid_from,
            now=now(),
        ),
        lambda work, key: _line_json(queries.line(work, facility_id, key)),
    )


@api.delete("/schedules/<uuid:schedule_id>")
@api.doc(parameters=_asks(shown.ScheduleEndQuerySchema))
@guarded("schedule.change")
@api.arguments(shown.ScheduleEndQuerySchema(), location="query")
@api.response(204)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def end_schedule(how: Asked, schedule_id: UUID) -> Response:
    """End a line; what has been worked stays. Needs If-Match."""
    version, facility_id = if_match(), _of_line(schedule_id, "schedule.change")
    last_day = how["last_day"] or business_date(now()) - timedelta(days=1)
    return _answer(
        facility_id,
        how,
        edit(editing.end_line, _editor(facility_id), schedule_id, version, last_day, now=now()),
    )


@api.get("/schedule-exceptions")
@guarded("schedule.read")
@api.arguments(shown.ScheduleQuerySchema(), location="query")
@api.response(200, shown.ScheduleExceptionListSchema)
def list_exceptions(asked: Asked) -> Response:
    """List a facility's exceptions that hold on a day or later, by default today."""
    facility_id = _facility(asked["facility"], "schedule.read")
    found = queries.exceptions(
        session(),
        facility_id,
        from_=asked["from_"] or business_date(now()),
        practitioner_id=asked["practitioner"],
        after=_after(asked["cursor"]),
        limit=asked["limit"],
    )
    next_ = encode_cursor(str(found[-1].id)) if len(found) == asked["limit"] else None
    return jsonify(items=[_exception_json(row) for row in found], next=next_)


@api.post("/schedule-exceptions")
@located("schedule-api.show_exception", "exception_id")
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.NewScheduleExceptionSchema())
@api.response(201, shown.ScheduleExceptionSchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def create_exception(how: Asked, asked: Asked) -> Response:
    """Add leave, a closure, an extra session, or days that work like a weekday."""
    facility_id = _facility(asked.pop("facility"), "schedule.adjust")
    draft = ExceptionDraft(**asked)
    services.allow_exception(_editor(facility_id), draft, now())
    return _answer(
        facility_id,
        how,
        edit(editing.add_exception, _editor(facility_id), draft, now=now()),
        lambda work, key: _exception_json(queries.exception(work, facility_id, key)),
        status=201,
    )


@api.get("/schedule-exceptions/<uuid:exception_id>")
@guarded("schedule.read")
@api.response(200, shown.ScheduleExceptionSchema)
def show_exception(exception_id: UUID) -> Response:
    """Show an exception; its ETag is what a change must name in If-Match."""
    facility_id = _of_exception(exception_id, "schedule.read")
    return _tagged(_exception_json(queries.exception(session(), facility_id, exception_id)))


@api.patch("/schedule-exceptions/<uuid:exception_id>")
@api.doc(parameters=_asks())
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.ExceptionFieldsSchema(partial=True))
@api.response(200, _or_preview(shown.ScheduleExceptionSchema))
def change_exception(how: Asked, asked: Asked, exception_id: UUID) -> Response:
    """Change an exception; of one that has begun only the end. Needs If-Match."""
    version, facility_id = if_match(), _of_exception(exception_id, "schedule.adjust")
    stored = queries.draft_of(queries.exception(session(), facility_id, exception_id))
    draft = ExceptionDraft(**{**_values(stored), **asked})
    for each in (stored, draft):
        services.allow_exception(_editor(facility_id), each, now())
    return _answer(
        facility_id,
        how,
        edit(editing.change_exception, _editor(facility_id), exception_id, version, draft, now=now()),
        lambda work, key: _exception_json(queries.exception(work, facility_id, key)),
    )


@api.delete("/schedule-exceptions/<uuid:exception_id>")
@api.doc(parameters=_asks())
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.response(204)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def withdraw_exception(how: Asked, exception_id: UUID) -> Response:
    """Let the roster hold again from today on. Needs If-Match."""
    version, facility_id = if_match(), _of_exception(exception_id, "schedule.adjust")
    stored = queries.draft_of(queries.exception(session(), facility_id, exception_id))
    services.allow_exception(_editor(facility_id), stored, now())
    return _answer(
        facility_id,
        how,
        edit(editing.withdraw_exception, _editor(facility_id), exception_id, version, now=now()),
    )


@api.get("/blockings")
@guarded("schedule.read")
@api.arguments(shown.ScheduleQuerySchema(), location="query")
@api.response(200, shown.BlockingListSchema)
def list_blockings(asked: Asked) -> Response:
    """List what is blocked at a facility on a day or later, by default from now on."""
    facility_id = _facility(asked["facility"], "schedule.read")
    found = queries.blockings(
        session(),
        facility_id,
        from_=now() if asked["from_"] is None else at_local(asked["from_"], 0),
        practitioner_id=asked["practitioner"],
        after=_after(asked["cursor"]),
        limit=asked["limit"],
    )
    next_ = encode_cursor(str(found[-1].id)) if len(found) == asked["limit"] else None
    return jsonify(items=[_blocking_json(row) for row in found], next=next_)


@api.post("/blockings")
@located("schedule-api.show_blocking", "blocking_id")
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.NewBlockingSchema())
@api.response(201, shown.BlockingSchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def create_blocking(how: Asked, asked: Asked) -> Response:
    """Block a time."""
    facility_id = _facility(asked.pop("facility"), "schedule.adjust")
    draft = _blocking(asked)
    services.allow_blocking(_editor(facility_id), draft, now())
    return _answer(
        facility_id,
        how,
        edit(editing.add_blocking, _editor(facility_id), draft, now=now()),
        lambda work, key: _blocking_json(queries.blocking(work, facility_id, key)),
        status=201,
    )


@api.get("/blockings/<uuid:blocking_id>")
@guarded("schedule.read")
@api.response(200, shown.BlockingSchema)
def show_blocking(blocking_id: UUID) -> Response:
    """Show a blocking; its ETag is what a change must name in If-Match."""
    facility_id = _of_blocking(blocking_id, "schedule.read")
    return _tagged(_blocking_json(queries.blocking(session(), facility_id, blocking_id)))


@api.patch("/blockings/<uuid:blocking_id>")
@api.doc(parameters=_asks())
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.BlockingFieldsSchema(partial=True))
@api.response(200, _or_preview(shown.BlockingSchema))
def change_blocking(how: Asked, asked: Asked, blocking_id: UUID) -> Response:
    """Change a blocking that is not over. Needs If-Match."""
    version, facility_id = if_match(), _of_blocking(blocking_id, "schedule.adjust")
    stored = queries.blocking_draft_of(queries.blocking(session(), facility_id, blocking_id))
    draft = _blocking({**_values(stored), **asked})
    for each in (stored, draft):
        services.allow_blocking(_editor(facility_id), each, now())
    return _answer(
        facility_id,
        how,
        edit(editing.change_blocking, _editor(facility_id), blocking_id, version, draft, now=now()),
        lambda work, key: _blocking_json(queries.blocking(work, facility_id, key)),
    )


@api.delete("/blockings/<uuid:blocking_id>")
@api.doc(parameters=_asks())
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.response(204)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def lift_blocking(how: Asked, blocking_id: UUID) -> Response:
    """Let people be booked again. Needs If-Match."""
    version, facility_id = if_match(), _of_blocking(blocking_id, "schedule.adjust")
    stored = queries.blocking_draft_of(queries.blocking(session(), facility_id, blocking_id))
    services.allow_blocking(_editor(facility_id), stored, now())
    return _answer(
        facility_id,
        how,
        edit(editing.lift_blocking, _editor(facility_id), blocking_id, version, now=now()),
    )


@api.get("/resources")
@guarded("schedule.read")
@api.arguments(shown.FacilityQuerySchema(), location="query")
@api.response(200, shown.ResourceListSchema)
def list_resources(asked: Asked) -> Response:
    """List a facility's rooms and devices."""
    facility_id = _facility(asked["facility"], "schedule.read")
    return jsonify(items=[_resource_json(row) for row in queries.resources(session(), facility_id)])


@api.post("/resources")
@located("schedule-api.show_resource", "resource_id")
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.NewResourceSchema())
@api.response(201, shown.ResourceSchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def create_resource(how: Asked, asked: Asked) -> Response:
    """Add a room or devices."""
    facility_id = _facility(asked.pop("facility"), "schedule.change")
    return _answer(
        facility_id,
        how,
        edit(editing.add_resource, _editor(facility_id), ResourceDraft(**asked), now=now()),
        lambda work, key: _resource_json(queries.resource(work, facility_id, key)),
        status=201,
    )


@api.get("/resources/<uuid:resource_id>")
@guarded("schedule.read")
@api.response(200, shown.ResourceSchema)
def show_resource(resource_id: UUID) -> Response:
    """Show a room or device; its ETag is what a change must name in If-Match."""
    facility_id = _of_resource(resource_id, "schedule.read")
    return _tagged(_resource_json(queries.resource(session(), facility_id, resource_id)))


@api.patch("/resources/<uuid:resource_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.ChangedResourceSchema(partial=True))
@api.response(200, _or_preview(shown.ResourceSchema))
def change_resource(how: Asked, asked: Asked, resource_id: UUID) -> Response:
    """Change a room or device. Needs If-Match."""
    return _resource_changed(how, resource_id, asked)


@api.delete("/resources/<uuid:resource_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.response(204)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def retire_resource(how: Asked, resource_id: UUID) -> Response:
    """Use a room or device no more; sessions do not need it then. Needs If-Match."""
    answer = _resource_changed(how, resource_id, {"active": False})
    return answer if how["dry_run"] else Response(status=204)


@api.get("/booking-policies")
@guarded("schedule.read")
@api.arguments(shown.FacilityQuerySchema(), location="query")
@api.response(200, shown.BookingPolicyListSchema)
def list_policies(asked: Asked) -> Response:
    """List what is set for a facility's services; the province's defaults hold for the others."""
    facility_id = _facility(asked["facility"], "schedule.read")
    return jsonify(items=[_policy_json(row) for row in queries.policies(session(), facility_id).values()])


@api.post("/booking-policies")
@located("schedule-api.show_policy", "service_id", "service_id")
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.NewBookingPolicySchema())
@api.response(201, shown.BookingPolicySchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def create_policy(how: Asked, asked: Asked) -> Response:
    """Set when and how a service is booked online, where nothing was set."""
    service_id = asked.pop("service_id")
    return _policy_set(how, service_id, 0, PolicyDraft(**asked), status=201)


@api.get("/booking-policies/<uuid:service_id>")
@guarded("schedule.read")
@api.response(200, shown.BookingPolicySchema)
def show_policy(service_id: UUID) -> Response:
    """Show a service's policy; its ETag is what a change must name in If-Match."""
    return _tagged(_policy_json(_policy(session(), _of_service(service_id, "schedule.read"), service_id)))


@api.patch("/booking-policies/<uuid:service_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.PolicyFieldsSchema(partial=True))
@api.response(200, _or_preview(shown.BookingPolicySchema))
def change_policy(how: Asked, asked: Asked, service_id: UUID) -> Response:
    """Change a service's policy. Needs If-Match."""
    version = if_match()
    row = _policy(session(), _of_service(service_id, "schedule.change"), service_id)
    stored = {name: getattr(row, name) for name in PolicyDraft.__dataclass_fields__}
    return _policy_set(how, service_id, version, PolicyDraft(**{**stored, **asked}))


@api.delete("/booking-policies/<uuid:service_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.response(204)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def clear_policy(how: Asked, service_id: UUID) -> Response:
    """Go back to the province's defaults. Needs If-Match."""
    version, facility_id = if_match(), _of_service(service_id, "schedule.change")
    return _answer(
        facility_id,
        how,
        edit(editing.clear_policy, _editor(facility_id), service_id, version, now=now()),
    )


@api.get("/practitioner-limits")
@guarded("schedule.read")
@api.arguments(shown.FacilityQuerySchema(), location="query")
@api.response(200, shown.PractitionerLimitListSchema)
def list_limits(asked: Asked) -> Response:
    """List the daily limits of a facility's practitioners."""
    facility_id = _facility(asked["facility"], "schedule.read")
    return jsonify(items=[_limit_json(row) for row in queries.limits(session(), facility_id).values()])


@api.post("/practitioner-limits")
@located("schedule-api.show_limit", "practitioner_id", "practitioner_id")
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.NewPractitionerLimitSchema())
@api.response(201, shown.PractitionerLimitSchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def create_limit(how: Asked, asked: Asked) -> Response:
    """Say how many patients a practitioner sees a day, where nothing was said."""
    return _limit_set(how, asked["practitioner_id"], 0, asked["per_day"], status=201)


@api.get("/practitioner-limits/<uuid:practitioner_id>")
@guarded("schedule.read")
@api.response(200, shown.PractitionerLimitSchema)
def show_limit(practitioner_id: UUID) -> Response:
    """Show a practitioner's limit; its ETag is what a change must name in If-Match."""
    facility_id = _of_practitioner(practitioner_id, "schedule.read")
    return _tagged(_limit_json(_limit(session(), facility_id, practitioner_id)))


@api.patch("/practitioner-limits/<uuid:practitioner_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.LimitFieldsSchema())
@api.response(200, _or_preview(shown.PractitionerLimitSchema))
def change_limit(how: Asked, asked: Asked, practitioner_id: UUID) -> Response:
    """Change a practitioner's limit. Needs If-Match."""
    return _limit_set(how, practitioner_id, if_match(), asked["per_day"])


@api.delete("/practitioner-limits/<uuid:practitioner_id>")
@api.doc(parameters=_asks())
@guarded("schedule.change")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.response(204)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def clear_limit(how: Asked, practitioner_id: UUID) -> Response:
    """Lift a practitioner's limit. Needs If-Match."""
    version, facility_id = if_match(), _of_practitioner(practitioner_id, "schedule.change")
    return _answer(
        facility_id,
        how,
        edit(editing.clear_limit, _editor(facility_id), practitioner_id, version, now=now()),
    )


@api.post("/clinic-sessions/<uuid:session_id>/move")
@located("schedule-api.show_exception", "exception_id")
@guarded("schedule.adjust")
@api.arguments(shown.PreviewQuerySchema(), location="query")
@api.arguments(shown.SessionMoveSchema())
@api.response(201, shown.ScheduleExceptionSchema)
@api.alt_response(200, schema=shown.SchedulePreviewSchema, description=_DRY)
def move_session(how: Asked, asked: Asked, session_id: UUID) -> Response:
    """Move one session of one day; the answer is the extra session that takes its place."""
    facility_id = _found(queries.facility_of_session(session(), session_id), "schedule.adjust")
    block, draft = queries.block(session(), facility_id, session_id), MoveDraft(**asked)
    services.allow_days(_editor(facility_id), [block.day, draft.day], now())
    return _answer(
        facility_id,
        how,
        edit(editing.move_session, _editor(facility_id), session_id, draft, now=now()),
        lambda work, key: _exception_json(queries.exception(work, facility_id, key)),
        status=201,
    )


def _answer(
    facility_id: UUID,
    how: Asked,
    asked: Edit,
    body: Callable[[Session, UUID], Mapping[str, Any]] | None = None,
    *,
    status: int = 200,
) -> Response:
    """Answer with what the change would do, or do it and answer with what was written (nothing: 204).

    Raises PreviewRequired when it is to be done and no preview is named.
    """
    editor = _editor(facility_id)
    if how["dry_run"]:
        return previewed(facility_id, editor, asked)
    if how["preview"] is None:
        raise PreviewRequired
    with unit_of_work() as work:
        try:
            done = services.carry_out(work, editor, asked, how["preview"], now=now())
        except Unprocessable as error:
            raise _in_public_names(error) from error
        written = None if body is None else body(work, done.id)
    if written is None:
        return Response(status=204)
    answer = _tagged(written)
    answer.status_code = status
    return answer


def previewed(facility_id: UUID, editor: Editor, asked: Edit, **more: Any) -> Response:
    """Answer with what a change would do, and `more`."""
    names = may("booking.day", AppointmentScope(facility_id))
    with unit_of_work() as work:
        try:
            found = services.preview(work, editor, asked, now=now())
        except Unprocessable as error:
            raise _in_public_names(error) from error
        people = queries.people(work, facility_id)
        if names:
            services.note_names_seen(work, principal(), facility_id, found, now())
    return jsonify({**_preview_json(found, people, names=names), **more})


def _in_public_names(error: Unprocessable) -> Unprocessable:
    fields = {_public(name): keys for name, keys in error.fields.items()}
    return type(error)(fields, extra=error.extra, **error.params)


def _preview_json(
    found: Consequences, people: Mapping[UUID, queries.Person], *, names: bool
) -> dict[str, Any]:
    return {
        "fingerprint": found.fingerprint,
        **{f"sessions_{name}": count for name, count in found.totals.items()},
        "days": [
            {
                "day": effect.day.isoformat(),
                "added": [_session_json(each) for each in effect.added],
                "removed": [_session_json(each) for each in effect.removed],
                "changed": [_change_json(each) for each in effect.changed],
            }
            for effect in found.days
        ],
        "outside": [_touched_json(each, names=names) for each in found.outside],
        "again": [_touched_json(each, names=names) for each in found.again],
        "warnings": [
            {
                "code": doubt.code.value,
                "detail": presentation.doubt_words(doubt, people),
                "day": doubt.day.isoformat(),
                "days": doubt.days,
            }
            for doubt in found.doubts
        ],
    }


def _change_json(change: SessionChange) -> dict[str, Any]:
    return {
        "before": _session_json(change.before),
        "after": _session_json(change.after),
        "narrowed": change.narrowed,
    }


def _session_json(each: PlannedSession) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "start": rfc3339(each.start_at),
        "end": rfc3339(each.end_at),
        "practitioner_id": str(each.practitioner_id),
        "service_id": str(each.service_id),
        "modality": each.modality,
        "room": each.room,
        "places": each.slot_count * each.capacity,
    }


def _touched_json(each: Standing, *, names: bool) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "start": rfc3339(each.start),
        "practitioner_id": str(each.practitioner_id),
        "patient_name": each.patient_name if names else None,
    }


def _resource_changed(how: Asked, resource_id: UUID, asked: Asked) -> Response:
    version, facility_id = if_match(), _of_resource(resource_id, "schedule.change")
    row = queries.resource(session(), facility_id, resource_id)
    stored = {name: getattr(row, name) for name in (*ResourceDraft.__dataclass_fields__, "active")}
    values = {**stored, **asked}
    active = values.pop("active")
    return _answer(
        facility_id,
        how,
        edit(
            editing.change_resource,
            _editor(facility_id),
            resource_id,
            version,
            ResourceDraft(**values),
            active=active,
            now=now(),
        ),
        lambda work, key: _resource_json(queries.resource(work, facility_id, key)),
    )


def _policy_set(
    how: Asked, service_id: UUID, version: int, draft: PolicyDraft, *, status: int = 200
) -> Response:
    facility_id = _of_service(service_id, "schedule.change")
    return _answer(
        facility_id,
        how,
        edit(editing.set_policy, _editor(facility_id), service_id, version, draft, now=now()),
        lambda work, key: _policy_json(_policy(work, facility_id, key)),
        status=status,
    )


def _limit_set(
    how: Asked, practitioner_id: UUID, version: int, per_day: int, *, status: int = 200
) -> Response:
    facility_id = _of_practitioner(practitioner_id, "schedule.change")
    return _answer(
        facility_id,
        how,
        edit(editing.set_limit, _editor(facility_id), practitioner_id, version, per_day, now=now()),
        lambda work, key: _limit_json(_limit(work, facility_id, key)),
        status=status,
    )


def _policy(work: Session, facility_id: UUID, service_id: UUID) -> Any:
    row = queries.policies(work, facility_id).get(service_id)
    if row is None:
        raise NotFound
    return row


def _limit(work: Session, facility_id: UUID, practitioner_id: UUID) -> Any:
    row = queries.limits(work, facility_id).get(practitioner_id)
    if row is None:
        raise NotFound
    return row


def _line(asked: Asked) -> LineDraft:
    return LineDraft(
        **{
            **asked,
            "weekdays": tuple(sorted(set(asked["weekdays"]))),
            "further_service_ids": tuple(sorted(set(asked["further_service_ids"]))),
            "resource_ids": tuple(sorted(set(asked["resource_ids"]))),
            "quotas": tuple(QuotaDraft(**quota) for quota in asked["quotas"]),
        }
    )


def _line_values(view: LineView) -> Asked:
    """Return a stored line as a body that would say the same."""
    own = {"further_service_ids", "resource_ids", "quotas"}
    return {
        **{name: getattr(view.row, name) for name in LineDraft.__dataclass_fields__ if name not in own},
        "further_service_ids": view.further_service_ids,
        "resource_ids": view.resource_ids,
        "quotas": [
            {"door": quota.door, "places": quota.places, "falls_minutes": quota.falls_minutes}
            for quota in view.quotas
        ],
    }


def _blocking(asked: Asked) -> BlockingDraft:
    return BlockingDraft(
        **{
            **asked,
            "override_roles": tuple(sorted(set(asked["override_roles"]))),
            "override_account_ids": tuple(sorted(set(asked["override_account_ids"]))),
        }
    )


def _values(draft: Any) -> Asked:
    return {name: getattr(draft, name) for name in draft.__dataclass_fields__}


def _dumped(schema: Schema, row: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {**schema.dump(row), **more}
    return found


def _line_json(view: LineView) -> dict[str, Any]:
    own = {name: getattr(view.row, name) for name in ("id", "facility_id", "origin", "active", "version")}
    return _dumped(shown.ScheduleSchema(), {**_line_values(view), **own})


def _exception_json(row: Any) -> dict[str, Any]:
    return _dumped(shown.ScheduleExceptionSchema(), row)


def _blocking_json(row: Any) -> dict[str, Any]:
    lifted = None if row.lifted_at is None else rfc3339(row.lifted_at)
    times = {"from": rfc3339(row.from_at), "to": rfc3339(row.to_at), "lifted": lifted}
    return _dumped(shown.BlockingSchema(), row, **times)


def _resource_json(row: Any) -> dict[str, Any]:
    return _dumped(shown.ResourceSchema(), row)


def _policy_json(row: Any) -> dict[str, Any]:
    return _dumped(shown.BookingPolicySchema(), row)


def _limit_json(row: Any) -> dict[str, Any]:
    return _dumped(shown.PractitionerLimitSchema(), row)


def _tagged(body: Mapping[str, Any]) -> Response:
    answer = jsonify(body)
    answer.set_etag(str(body["version"]))
    return answer


def _public(name: str) -> str:
    """Return a field's name as the API spells it."""
    return _NAMES.get(name) or _DATES.get(name) or name


def _after(cursor: str | None) -> UUID | None:
    return None if cursor is None else read_key(str(decode_cursor(cursor, 1)[0]))


def _editor(facility_id: UUID) -> Editor:
    return Editor(principal(), facility_id)


def _facility(code: str, action: str) -> UUID:
    facility_id = facility_by_code(session(), code).id
    permit(action, facility_id)
    return facility_id


def _found(facility_id: UUID | None, action: str) -> UUID:
    """Return the facility of a thing, permitted. Raises NotFound, and what permit raises."""
    if facility_id is None:
        raise NotFound
    permit(action, facility_id)
    return facility_id


def _of_line(key: UUID, action: str) -> UUID:
    return _found(queries.facility_of_line(session(), key), action)


def _of_exception(key: UUID, action: str) -> UUID:
    return _found(queries.facility_of_exception(session(), key), action)


def _of_blocking(key: UUID, action: str) -> UUID:
    return _found(queries.facility_of_blocking(session(), key), action)


def _of_resource(key: UUID, action: str) -> UUID:
    return _found(queries.facility_of_resource(session(), key), action)


def _of_service(key: UUID, action: str) -> UUID:
    return _found(queries.facility_of_service(session(), key), action)


def _of_practitioner(key: UUID, action: str) -> UUID:
    return _found(queries.facility_of_practitioner(session(), key), action)
