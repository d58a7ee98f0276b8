"""Our records as FHIR R4B resources. Every one is checked by the models of `fhir.resources`.

Pure: what a resource says follows from its arguments. `Address` writes systems and extensions.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir.resources.R4B.appointment import Appointment
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.healthcareservice import HealthcareService
from fhir.resources.R4B.location import Location
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.organization import Organization
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.practitioner import Practitioner
from fhir.resources.R4B.practitionerrole import PractitionerRole
from fhir.resources.R4B.schedule import Schedule
from fhir.resources.R4B.slot import Slot
from pydantic import BaseModel

from telehealth.booking.codes import AppointmentStatus, CancelReason
from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import PROVINCE_TZ
from telehealth.directory.codes import Modality
from telehealth.directory.hours import WEEKDAYS, OpeningPeriod, format_minute
from telehealth.directory.queries import FacilityView, PractitionerView, ServiceView
from telehealth.fhir.codes import Kind
from telehealth.fhir.queries import ScheduleView, SlotState, Times
from telehealth.patients.queries import PatientView
from telehealth.scheduling.codes import SessionStatus
from telehealth.scheduling.queries import SlotView

Json = dict[str, Any]

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_STATUSES = {
    AppointmentStatus.HELD: "pending",
    AppointmentStatus.EXPIRED: "cancelled",
    AppointmentStatus.BOOKED: "booked",
    AppointmentStatus.ARRIVED: "arrived",
    AppointmentStatus.FULFILLED: "fulfilled",
    AppointmentStatus.CANCELLED: "cancelled",
    AppointmentStatus.NOSHOW: "noshow",
}
_MASKED = ("national-id", "insurance", "passport")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the facade answers: systems and extensions are named below it."""

    base: str

    def system(self, name: str) -> str:
        """Return the address of a code system of ours."""
        return f"{self.base}/CodeSystem/{name}"

    def identifiers(self, name: str) -> str:
        """Return the address of a system of identifiers of ours."""
        return f"{self.base}/NamingSystem/{name}"

    def extension(self, name: str) -> str:
        """Return the address of an extension of ours."""
        return f"{self.base}/StructureDefinition/{name}"

    def full(self, kind: str, identifier: str) -> str:
        """Return the address of a record."""
        return f"{self.base}/{kind}/{identifier}"


def statuses_of(code: str) -> list[AppointmentStatus]:
    """Return the statuses of ours that a FHIR AppointmentStatus stands for."""
    return [ours for ours, theirs in _STATUSES.items() if theirs == code]


def organization(view: FacilityView, at: Address) -> Json:
    """Return a facility as who is responsible."""
    return _checked(
        Organization,
        {
            "id": str(view.id),
            "identifier": _facility_numbers(view, at),
            "active": True,
            "type": [_concept(at.system("facility-kind"), view.kind)],
            "name": view.name,
            "alias": [view.short_name],
            "telecom": _phone(view.hotline),
            "address": [_place(view)],
            "partOf": _reference(Kind.ORGANIZATION, view.parent_id) if view.parent_id else None,
            "extension": [_care_level(view, at)],
        },
    )


def location(view: FacilityView, at: Address) -> Json:
    """Return a facility as where it is."""
    position = None
    if view.latitude is not None and view.longitude is not None:
        position = {"latitude": view.latitude, "longitude": view.longitude}
    return _checked(
        Location,
        {
            "id": str(view.id),
            "identifier": _facility_numbers(view, at),
            "status": "active",
            "name": view.name,
            "mode": "instance",
            "telecom": _phone(view.hotline),
            "address": _place(view),
            "position": position,
            "managingOrganization": _reference(Kind.ORGANIZATION, view.id, view.name),
            "hoursOfOperation": _hours((*view.hours, *view.after_hours)),
        },
    )


def healthcare_service(view: ServiceView, at: Address, locale: str) -> Json:
    """Return a service of a facility."""
    return _checked(
        HealthcareService,
        {
            "id": str(view.id),
            "active": True,
            "providedBy": _reference(Kind.ORGANIZATION, view.facility_id),
            "location": [_reference(Kind.LOCATION, view.facility_id)],
            "type": [_concept(at.system("service"), view.code, view.name(locale))],
            "name": view.name(locale),
            "appointmentRequired": True,
            "characteristic": [_modality(mode) for mode in view.modalities],
            "extension": [
                {"url": at.extension("duration-minutes"), "valuePositiveInt": view.duration_minutes},
                {"url": at.extension("online-booking"), "valueBoolean": view.online_booking},
            ],
        },
    )


def practitioner(view: PractitionerView, at: Address) -> Json:
    """Return a doctor."""
    return _checked(
        Practitioner,
        {
            "id": str(view.id),
            "identifier": [{"system": at.identifiers("practising-licence"), "value": view.licence_no}],
            "active": True,
            "name": [{"text": view.name, "prefix": [view.title] if view.title else None}],
        },
    )


def practitioner_role(view: PractitionerView, at: Address) -> Json:
    """Return where a doctor works and for what; a doctor has one, by the same id."""
    return _checked(
        PractitionerRole,
        {
            "id": str(view.id),
            "active": True,
            "practitioner": _reference(Kind.PRACTITIONER, view.id, view.name),
            "organization": _reference(Kind.ORGANIZATION, view.facility_id, view.facility_name),
            "location": [_reference(Kind.LOCATION, view.facility_id, view.facility_name)],
            "specialty": [_concept(at.system("service"), view.specialty)],
        },
    )


def patient(view: PatientView, at: Address) -> Json:
    """Return a person. Numbers are masked, as everywhere: that there is one is said, its value is not."""
    numbers = dict(
        zip(
            _MASKED,
            (view.national_id_masked, view.insurance_no_masked, view.passport_no_masked),
            strict=True,
        )
    )
    return _checked(
        Patient,
        {
            "id": str(view.id),
            "meta": {"versionId": str(view.version)},
            "identifier": [
                {
                    "system": at.identifiers(system),
                    "_value": {"extension": [{"url": _ABSENT, "valueCode": "masked"}]},
                }
                for system, number in numbers.items()
                if number
            ],
            "active": True,
            "name": [{"text": view.full_name}],
            "telecom": _phone(view.phone),
            "gender": view.sex,
            "birthDate": view.birth_date,
            "address": [{"text": view.address}] if view.address else None,
            "communication": [{"language": _concept("urn:ietf:bcp:47", view.language), "preferred": True}],
        },
    )


def schedule(view: ScheduleView, at: Address) -> Json:
    """Return a clinic session: what slots are cut from."""
    return _checked(
        Schedule,
        {
            "id": str(view.id),
            "meta": {"versionId": str(view.version)},
            "active": view.status == SessionStatus.OPEN,
            "serviceType": [_concept(at.system("service"), view.service_code)],
            "actor": [
                _reference(Kind.PRACTITIONER, view.practitioner_id),
                _reference(Kind.LOCATION, view.facility_id),
                _reference(Kind.HEALTHCARE_SERVICE, view.service_id),
            ],
            "planningHorizon": {"start": _instant(view.start), "end": _instant(view.end)},
            "comment": view.room or None,
        },
    )


def slot(state: SlotState, view: ScheduleView, at: Address) -> Json:
    """Return a slot of a clinic session, taken or free."""
    return _slot(
        (state.id, state.start, state.end, state.status.value),
        (view.id, view.service_code, view.modality, None),
        at,
    )


def free_slot(view: SlotView, at: Address, locale: str) -> Json:
    """Return a slot that the search for free ones found."""
    service = (
        view.id.partition(".")[0],
        view.service.code,
        view.modality,
        view.service.name(locale),
    )
    return _slot((view.id, view.start, view.end, "free"), service, at)


def proposed(view: SlotView, at: Address, locale: str) -> Json:
    """Return a free slot as the appointment it could be; its id is the slot's."""
    return _checked(
        Appointment,
        {
            "id": view.id,
            "status": "proposed",
            "serviceType": [_concept(at.system("service"), view.service.code, view.service.name(locale))],
            "appointmentType": _modality(view.modality),
            "start": _instant(view.start),
            "end": _instant(view.end),
            "minutesDuration": view.service.duration_minutes,
            "slot": [{"reference": f"{Kind.SLOT}/{view.id}"}],
            "participant": [
                _participant(Kind.PRACTITIONER, view.practitioner.id, view.practitioner.name, "needs-action"),
                _participant(Kind.LOCATION, view.facility.id, view.facility.name, "needs-action"),
                _participant(
                    Kind.HEALTHCARE_SERVICE, view.service.id, view.service.name(locale), "needs-action"
                ),
            ],
        },
    )


def appointment(view: AppointmentView, times: Times, at: Address, locale: str) -> Json:
    """Return an appointment; a hold is pending and says until when in an extension."""
    held = view.status == AppointmentStatus.HELD
    answer = "tentative" if held else "accepted"
    participants = [
        _participant(Kind.PRACTITIONER, view.practitioner.id, view.practitioner.name, answer),
        _participant(Kind.LOCATION, view.facility.id, view.facility.name, answer),
        _participant(Kind.HEALTHCARE_SERVICE, view.service.id, view.service.name(locale), answer),
    ]
    if view.patient_id is not None:
        participants.insert(
            0, _participant(Kind.PATIENT, view.patient_id, view.patient_name or None, "accepted")
        )
    hold = []
    if held and times.hold_until is not None:
        hold = [{"url": at.extension("hold-until"), "valueInstant": _instant(times.hold_until)}]
    return _checked(
        Appointment,
        {
            "id": str(view.id),
            "meta": {"versionId": str(view.version), "lastUpdated": _instant(times.updated_at)},
            "extension": hold or None,
            "identifier": [{"system": at.identifiers("booking-code"), "value": view.code}],
            "status": _status(view),
            "cancelationReason": _cancel_reason(view, at),
            "serviceType": [_concept(at.system("service"), view.service.code, view.service.name(locale))],
            "appointmentType": _modality(view.modality),
            "start": _instant(view.start),
            "end": _instant(view.end),
            "minutesDuration": view.service.duration_minutes,
            "slot": [{"reference": f"{Kind.SLOT}/{view.slot_id}"}],
            "created": _instant(view.created_at),
            "participant": participants,
        },
    )


def searchset(
    resources: Iterable[Json],
    at: Address,
    *,
    links: dict[str, str],
    total: int | None = None,
    notes: Sequence[Json] = (),
) -> str:
    """Return a Bundle of what was found, as JSON; `notes` are outcomes to tell along."""
    entries = [
        {
            "fullUrl": at.full(found["resourceType"], found["id"]),
            "resource": found,
            "search": {"mode": "match"},
        }
        for found in resources
    ]
    entries += [{"resource": note, "search": {"mode": "outcome"}} for note in notes]
    return _written(
        Bundle,
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": total,
            "link": [{"relation": name, "url": url} for name, url in links.items()],
            "entry": entries or None,
        },
    )


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that an OperationOutcome says."""

    severity: str
    kind: str
    code: str
    text: str
    field: str | None = None
    diagnostics: str | None = None
    extension: Sequence[Json] = ()


def outcome(issues: Iterable[Issue], at: Address) -> Json:
    """Return an OperationOutcome; each issue carries our stable code and its text."""
    return _checked(
        OperationOutcome,
        {
            "issue": [
                {
                    "severity": issue.severity,
                    "code": issue.kind,
                    "details": {
                        "coding": [{"system": at.system("refusal"), "code": issue.code}],
                        "text": issue.text,
                    },
                    "expression": [issue.field] if issue.field else None,
                    "diagnostics": issue.diagnostics,
                    "extension": list(issue.extension) or None,
                }
                for issue in issues
            ]
        },
    )


def _slot(
    time: tuple[str, datetime, datetime, str], service: tuple[Any, str, str, str | None], at: Address
) -> Json:
    identifier, start, end, status = time
    session_id, code, modality, name = service
    return _checked(
        Slot,
        {
            "id": identifier,
            "schedule": _reference(Kind.SCHEDULE, session_id),
            "serviceType": [_concept(at.system("service"), code, name)],
            "appointmentType": _modality(modality),
            "status": status,
            "start": _instant(start),
            "end": _instant(end),
        },
    )


def _status(view: AppointmentView) -> str:
    if view.cancel_reason == CancelReason.ENTERED_IN_ERROR:
        return "entered-in-error"
    return _STATUSES[AppointmentStatus(view.status)]


def _cancel_reason(view: AppointmentView, at: Address) -> Json | None:
    if view.status == AppointmentStatus.EXPIRED:
        return _concept(at.system("cancel-reason"), "hold-expired")
    return _concept(at.system("cancel-reason"), view.cancel_reason) if view.cancel_reason else None


def _participant(kind: Kind, identifier: Any, name: str | None, status: str) -> Json:
    return {"actor": _reference(kind, identifier, name), "status": status}


def _reference(kind: Kind, identifier: Any, name: str | None = None) -> Json:
    found: Json = {"reference": f"{kind}/{identifier}"}
    return found | {"display": name} if name else found


def _concept(system: str, code: str, text: str | None = None) -> Json:
    coding = {"system": system, "code": code} | ({"display": text} if text else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


def _modality(modality: str) -> Json:
    """Return how people meet as HL7 codes it: ambulatory, or virtual."""
    return _concept(_ACT_CODE, "VR" if modality == Modality.VIDEO else "AMB")


def _facility_numbers(view: FacilityView, at: Address) -> list[Json]:
    return [
        {"use": "official", "system": at.identifiers("facility-national-code"), "value": view.national_code},
        {"use": "secondary", "system": at.identifiers("facility-code"), "value": view.code},
    ]


def _care_level(view: FacilityView, at: Address) -> Json:
    return {"url": at.extension("care-level"), "valueCode": view.care_level}


def _phone(number: str | None) -> list[Json] | None:
    return [{"system": "phone", "value": number}] if number else None


def _place(view: FacilityView) -> Json:
    text = ", ".join(part for part in (view.address, view.area, view.province) if part)
    return {"text": text, "district": view.area or None, "state": view.province or None, "country": "VN"}


def _hours(periods: Iterable[OpeningPeriod]) -> list[Json]:
    return [
        {
            "daysOfWeek": [_DAYS[WEEKDAYS[period.weekday]]],
            "openingTime": f"{format_minute(period.start)}:00",
            "closingTime": f"{format_minute(min(period.end, 1439))}:00",
        }
        for period in periods
    ]


_DAYS = {"MO": "mon", "TU": "tue", "WE": "wed", "TH": "thu", "FR": "fri", "SA": "sat", "SU": "sun"}


def _instant(value: datetime) -> str:
    return value.astimezone(PROVINCE_TZ).isoformat(timespec="seconds")


def _checked(model: type[BaseModel], fields: Json) -> Json:
    """Return the fields as the model writes them. Raises ValueError if that is no such resource."""
    found: Json = json.loads(_written(model, fields))
    return found


def _written(model: type[BaseModel], fields: Json) -> str:
    said = {name: value for name, value in fields.items() if value is not None}
    return model.model_validate(said).model_dump_json()
