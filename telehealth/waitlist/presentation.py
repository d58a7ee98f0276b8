"""The waitlist as the API writes it, and in words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from telehealth.core.clock import local
from telehealth.waitlist.queries import EntryView, EventView, PlaceOfferView
from telehealth.web.localization import t
from telehealth.web.requests import rfc3339


def entry_json(view: EntryView, events: Sequence[EventView], locale: str) -> dict[str, Any]:
    """Return an entry as WaitlistEntrySchema describes it."""
    wish = view.wish
    return {
        "id": str(view.id),
        "patient_id": str(view.patient_id),
        "patient_name": view.patient_name,
        "service": wish.service_code,
        "service_name": view.service_name(locale),
        "facility": view.facility_code,
        "facility_name": view.facility_name,
        "area": wish.area,
        "practitioner": None if wish.practitioner_id is None else str(wish.practitioner_id),
        "modality": wish.modality,
        "from": wish.first_day.isoformat(),
        "to": wish.last_day.isoformat(),
        "weekdays": list(wish.weekdays),
        "from_time": clock(wish.from_minute),
        "to_time": clock(wish.to_minute),
        "state": view.state.value,
        "since": rfc3339(view.since),
        "ahead": view.ahead,
        "appointment_id": None if view.appointment_id is None else str(view.appointment_id),
        "offer": None if view.offer is None else _offer_json(view.offer),
        "events": [_event_json(event) for event in events],
    }


def _offer_json(offer: PlaceOfferView) -> dict[str, Any]:
    return {
        "id": str(offer.id),
        "slot_id": offer.slot_id,
        "start": rfc3339(offer.start),
        "expires_at": rfc3339(offer.expires_at),
    }


def _event_json(event: EventView) -> dict[str, Any]:
    return {
        "at": rfc3339(event.at),
        "kind": event.kind,
        "reason": event.reason,
        "start": None if event.start is None else rfc3339(event.start),
        "text": event_text(event),
    }


def event_text(event: EventView) -> str:
    """Say in plain words what happened, or why a place went to the next in line."""
    place = "" if event.start is None else place_text(event.start)
    return t(f"waitlist-event-{event.reason or event.kind}", place=place)


def place_text(instant: datetime) -> str:
    """Return an instant as short as a line of a list wants it: 08:00 02/12."""
    return local(instant).strftime("%H:%M %d/%m")


def clock(minute: int) -> str:
    """Return a minute of day as HH:MM; the end of the day is 24:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
