"""Appointments as the API and calendars write them."""

from datetime import datetime, timedelta
from typing import Any

from icalendar import Alarm, Calendar, Event, vCalAddress

from telehealth.booking.actions import Verdict
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.queries import AppointmentView, May, OfferView
from telehealth.booking.rules import message_link
from telehealth.core.principal import Principal
from telehealth.directory.codes import Modality
from telehealth.scheduling.presentation import (
    facility_json,
    practitioner_json,
    prices_json,
    service_json,
)
from telehealth.web.localization import format_time, translate
from telehealth.web.requests import rfc3339


def appointment_json(
    view: AppointmentView, principal: Principal, now: datetime, locale: str, may: May
) -> dict[str, Any]:
    """Return an appointment as AppointmentSchema describes it."""
    return {
        "id": str(view.id),
        "code": view.code,
        "status": str(view.status),
        "version": view.version,
        "start": rfc3339(view.start),
        "end": rfc3339(view.end),
        "facility": facility_json(view.facility),
        "practitioner": practitioner_json(view.practitioner),
        "service": service_json(view.service, locale),
        "modality": view.modality,
        "room": view.room,
        "slot_id": view.slot_id,
        "patient_id": None if view.patient_id is None else str(view.patient_id),
        "patient_name": view.patient_name,
        "prices": prices_json(view.prices),
        "price_class": str(view.price_class),
        "coverage_basis": str(view.coverage_basis),
        "coverage_checked": view.coverage_checked,
        "companion": view.companion,
        "mode": view.mode,
        "overbooked": view.overbooked,
        "change_until": rfc3339(view.change_until),
        "valid_from": _maybe(view.bound_from),
        "valid_until": _maybe(view.bound_until),
        "cancel_reason": view.cancel_reason,
        "confirmed_at": _maybe(view.confirmed_at),
        "on_the_way_at": _maybe(view.on_the_way_at),
        "actions": list(view.actions(principal, now, may)),
    }


def same_day_text(view: AppointmentView, locale: str) -> str:
    """Return the warning that somebody has this appointment already on the day of another one."""
    told = {
        "service": view.service.name(locale),
        "time": format_time(view.start),
        "facility": view.facility.name,
    }
    return translate(locale, "booking-same-day", told)


def verdict_json(verdict: Verdict, locale: str) -> dict[str, Any]:
    """Return a verdict as VerdictSchema describes it."""
    refused = None if verdict.code is None else translate(locale, f"error-{verdict.code}", verdict.params)
    return {
        "action": verdict.action,
        "allowed": verdict.allowed,
        "code": verdict.code,
        "detail": refused,
        "from": _maybe(verdict.from_),
    }


def offer_json(offer: OfferView) -> dict[str, Any]:
    """Return an offer as OfferSchema describes it."""
    return {
        "id": str(offer.id),
        "appointment_id": str(offer.appointment_id),
        "slot_id": offer.slot_id,
        "state": str(offer.state),
        "expires_at": rfc3339(offer.expires_at),
    }


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


ALARM_BEFORE = timedelta(hours=2)


def calendar_file(view: AppointmentView, *, base_url: str, now: datetime, locale: str) -> bytes:
    """Return an iCalendar file (RFC 5545) to keep or, of a cancelled appointment, to take it back (RFC 5546).

    Its SEQUENCE grows with every change of the appointment. Times are UTC: right in every calendar.
    """
    gone = view.status == AppointmentStatus.CANCELLED
    calendar = empty_calendar("CANCEL" if gone else "PUBLISH")
    calendar.add_component(calendar_event(view, base_url=base_url, stamp=now, locale=locale))
    return bytes(calendar.to_ical())


def empty_calendar(method: str) -> Calendar:
    """Return a calendar without events."""
    calendar = Calendar()
    calendar.add("prodid", "-//Telehealth//Appointments//VI")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    return calendar


def calendar_event(view: AppointmentView, *, base_url: str, stamp: datetime, locale: str) -> Event:
    """Return an appointment as a calendar's event, with an alarm while it stands.

    Says when and where; no name, no specialty: calendars are shared and synchronised.
    """
    video = view.modality == Modality.VIDEO
    facility = view.facility.short_name
    link = message_link(base_url, view.code)
    gone = view.status == AppointmentStatus.CANCELLED
    summary = translate(
        locale, "calendar-summary-video" if video else "calendar-summary", {"facility": facility}
    )
    event = Event()
    event.add("uid", f"{view.id}@telehealth")
    event.add("dtstamp", stamp)
    event.add("dtstart", view.start)
    event.add("dtend", view.end)
    event.add("sequence", view.version - 1)
    event.add("status", "CANCELLED" if gone else "CONFIRMED")
    event.add("class", "PRIVATE")
    event.add("organizer", vCalAddress(base_url), parameters={"CN": facility})
    event.add("summary", summary)
    event.add("location", link if video else f"{view.facility.name}, {view.facility.address}")
    event.add("description", translate(locale, "calendar-description", {"code": view.code, "link": link}))
    event.add("url", link)
    if view.status == AppointmentStatus.BOOKED:
        event.add_component(_alarm(summary))
    return event


def _alarm(text: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", text)
    alarm.add("trigger", -ALARM_BEFORE)
    return alarm
