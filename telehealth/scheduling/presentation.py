"""Slots and what they name as the API writes them."""

from typing import Any

from telehealth.directory.queries import Prices
from telehealth.scheduling.calendar import PractitionerDays
from telehealth.scheduling.queries import FacilityRef, PractitionerRef, ServiceRef, SlotView
from telehealth.web.requests import rfc3339


def slot_json(slot: SlotView, locale: str) -> dict[str, Any]:
    """Return a slot as SlotSchema describes it."""
    return {
        "id": slot.id,
        "start": rfc3339(slot.start),
        "end": rfc3339(slot.end),
        "service": service_json(slot.service, locale),
        "facility": facility_json(slot.facility),
        "practitioner": practitioner_json(slot.practitioner),
        "modality": slot.modality,
        "room": slot.room,
        "prices": prices_json(slot.prices),
        "free": slot.free,
        "mode": slot.mode,
        "distance_km": None if slot.distance_km is None else round(slot.distance_km, 1),
    }


def days_json(days: PractitionerDays) -> dict[str, Any]:
    """Return a practitioner's days as PractitionerDaysSchema describes them."""
    return {
        "practitioner": practitioner_json(days.practitioner),
        "days": [{"date": day.isoformat(), "free": free} for day, free in days.free.items()],
    }


def facility_json(facility: FacilityRef) -> dict[str, Any]:
    """Return a facility as PlaceSchema describes it."""
    return {
        "id": str(facility.id),
        "code": facility.code,
        "name": facility.name,
        "short_name": facility.short_name,
        "address": facility.address,
        "hotline": facility.hotline,
    }


def practitioner_json(practitioner: PractitionerRef) -> dict[str, Any]:
    """Return a practitioner as DoctorSchema describes it."""
    return {
        "id": str(practitioner.id),
        "name": practitioner.name,
        "title": practitioner.title,
        "specialty": practitioner.specialty,
    }


def service_json(service: ServiceRef, locale: str) -> dict[str, Any]:
    """Return a service as OfferedServiceSchema describes it."""
    return {
        "id": str(service.id),
        "code": service.code,
        "name": service.name(locale),
        "duration_minutes": service.duration_minutes,
    }


def prices_json(prices: Prices) -> dict[str, int | None]:
    """Return prices as SlotPricesSchema describes them."""
    return {
        "insured": prices.insured,
        "self": prices.self,
        "on_request": prices.on_request,
        "after_hours": prices.after_hours,
    }
