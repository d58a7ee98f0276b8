"""Closures as the API writes them."""

from typing import Any

from telehealth.closures.queries import ClosureView, ItemView, PlaceView, Progress, RosterChangeView
from telehealth.closures.services import Preview
from telehealth.web.requests import rfc3339


def closure_json(view: ClosureView, progress: Progress | None = None) -> dict[str, Any]:
    """Return a closure as ClosureSchema describes it."""
    written: dict[str, Any] = {
        "id": str(view.id),
        "kind": view.kind,
        "facility_id": _maybe(view.facility_id),
        "practitioner_id": _maybe(view.practitioner_id),
        "practitioner_name": view.practitioner_name,
        "from_date": view.span.from_date.isoformat(),
        "to_date": view.span.to_date.isoformat(),
        "start_minute": view.span.start_minute,
        "end_minute": view.span.end_minute,
        "plan": view.plan,
        "reason": view.reason,
        "note": view.note,
        "state": view.state,
        "sessions": view.sessions,
        "people": view.people,
        "created_at": rfc3339(view.created_at),
    }
    if progress is not None:
        written["progress"] = {
            "people": progress.people,
            "done": progress.done,
            "waiting": progress.waiting,
            "to_call": progress.to_call,
            "by_standing": dict(progress.by_standing),
        }
    return written


def preview_json(found: Preview) -> dict[str, Any]:
    """Return what a closure would do as ClosurePreviewSchema describes it: figures, no names."""
    return {
        "sessions": found.sessions,
        "people": found.people,
        "arrived": found.arrived,
        "bound": found.bound,
        "without_phone": found.without_phone,
        "looked_at": found.looked_at,
        "equivalents": {str(kind): count for kind, count in found.equivalents.items()},
        "without_equivalent": found.without_equivalent,
        "moved": found.moved,
    }


def item_json(item: ItemView) -> dict[str, Any]:
    """Return one person of a closure as ClosureItemSchema describes it."""
    return {
        "id": str(item.id),
        "closure_id": str(item.closure_id),
        "appointment_id": str(item.appointment_id),
        "appointment_code": item.appointment_code,
        "patient_id": _maybe(item.patient_id),
        "patient_name": item.patient_name,
        "old": _place(item.old),
        "new": None if item.new is None else _place(item.new),
        "equivalence": item.equivalence,
        "standing": item.standing,
        "reach": item.reach,
        "to_call": item.to_call,
        "until": None if item.until is None else rfc3339(item.until),
        "calls": item.calls,
        "call_outcome": item.call_outcome,
        "called_at": None if item.called_at is None else rfc3339(item.called_at),
    }


def roster_change_json(change: RosterChangeView) -> dict[str, Any]:
    """Return a session off the roster as RosterChangeSchema describes it."""
    return {
        "id": str(change.id),
        "session_id": str(change.session_id),
        "reason": change.reason,
        "start": rfc3339(change.start),
        "end": rfc3339(change.end),
        "practitioner_id": str(change.practitioner_id),
        "practitioner_name": change.practitioner_name,
        "people": change.people,
        "in_hand": change.in_hand,
    }


def _place(place: PlaceView) -> dict[str, Any]:
    return {
        "start": rfc3339(place.start),
        "practitioner": f"{place.practitioner_title} {place.practitioner_name}".strip(),
        "room": place.room,
        "facility_id": str(place.facility_id),
        "facility": place.facility_name,
    }


def _maybe(identifier: object) -> str | None:
    return None if identifier is None else str(identifier)
