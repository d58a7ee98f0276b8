"""Requests as the API writes them."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from telehealth.directory.remote_care import RemoteCare, RemoteCondition
from telehealth.referrals.queries import (
    Clinical,
    EscalatedView,
    EventView,
    Place,
    RequestView,
    SlipAppointment,
)
from telehealth.web.requests import rfc3339


def referral_json(view: RequestView, clinical: Clinical | None = None) -> dict[str, Any]:
    """Return a request as ReferralSchema describes it."""
    return {
        "id": str(view.id),
        "kind": view.kind.value,
        "origin": view.origin,
        "status": view.status.value,
        "priority": view.priority,
        "number": view.number,
        "issuer": view.issuer,
        "patient_id": str(view.patient_id),
        "patient_name": view.patient_name,
        "requester": _place(view.requester),
        "practitioner": view.practitioner_name,
        "target_facility": _place(view.target),
        "target_service": view.target_service_code,
        "icd10": view.icd10,
        "appointment_on": _day(view.appointment_on),
        "due_on": _day(view.due_on),
        "signed_on": _day(view.signed_on),
        "valid_from": _day(view.valid_from),
        "valid_until": _day(view.valid_until),
        "listed": view.listed,
        "owner_role": view.owner_role,
        "owner": _place(view.owner),
        "escalate_at": _instant(view.escalate_at),
        "deferred_at": _instant(view.deferred_at),
        "lapsed": view.lapsed,
        "needs_decision": view.needs_decision,
        "decision": view.decision,
        "decision_reason": view.decision_reason,
        "appointment": _appointment(view.appointment),
        "clinical": None if clinical is None else asdict(clinical),
        "version": view.version,
    }


def escalated_json(view: EscalatedView) -> dict[str, Any]:
    """Return a request at the province as EscalatedSchema describes it."""
    return {
        "id": str(view.id),
        "number": view.number,
        "kind": view.kind,
        "origin": view.origin,
        "status": view.status,
        "priority": view.priority,
        "requester": _place(view.requester),
        "issuer_name": view.issuer_name,
        "target_facility": _place(view.target),
        "target_service": view.target_service_code,
        "signed_on": _day(view.signed_on),
        "valid_until": _day(view.valid_until),
        "escalate_at": _instant(view.escalate_at),
        "deferred_at": _instant(view.deferred_at),
        "lapsed": view.lapsed,
        "version": view.version,
    }


def event_json(event: EventView) -> dict[str, Any]:
    """Return an event as EventSchema describes it."""
    return {
        "at": rfc3339(event.at),
        "kind": event.kind,
        "actor_kind": event.actor_kind,
        "owner_role": event.owner_role,
        "owner": event.owner_name,
        "escalate_at": _instant(event.escalate_at),
        "reason": event.reason,
    }


def conditions_json(care: RemoteCare, found: tuple[RemoteCondition, ...]) -> dict[str, Any]:
    """Return conditions as RemoteConditionsSchema describes them."""
    return {
        "items": [
            {
                "code": each.code,
                "codes": each.codes,
                "name": each.name,
                "plain": each.plain,
                "source": each.source,
            }
            for each in found
        ],
        "version": care.version,
        "source": care.source,
        "consultation_without_treatment": care.consultation_without_treatment,
    }


def _appointment(booked: SlipAppointment | None) -> dict[str, Any] | None:
    if booked is None:
        return None
    return {
        "id": str(booked.id),
        "code": booked.code,
        "status": booked.status,
        "start": rfc3339(booked.start),
        "modality": booked.modality,
    }


def _place(place: Place | None) -> dict[str, str] | None:
    return None if place is None else {"code": place.code, "name": place.name}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
