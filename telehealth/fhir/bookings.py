"""What a $book asks: which appointment, for whom, and whether to book, move or cancel it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fhir.resources.R4B.appointment import Appointment
from pydantic import ValidationError

from telehealth.booking.codes import CancelReason
from telehealth.fhir.asking import as_uuid, parameters_of, plain, reference_part
from telehealth.fhir.codes import Kind
from telehealth.fhir.errors import InvalidResource

_CANCELLED = ("cancelled", "entered-in-error")
_TAKES = ("proposed", "pending", "booked", *_CANCELLED)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of one appointment.

    `target`: a slot's id (of a proposal), a hold's or an appointment's, or None for a new one on `slot_id`.
    `version`: what the sender believes it to be, if said.
    """

    target: str | None
    slot_id: str | None
    patient_id: UUID | None
    cancel: str | None = None
    version: int | None = None
    reason: str | None = None

    @property
    def record_id(self) -> UUID | None:
        """Return the id of the hold or appointment that is meant, if it is one of these."""
        return None if self.target is None else as_uuid(self.target)

    @property
    def wanted_slot(self) -> str | None:
        """Return the slot that is asked for, by itself or as a proposal."""
        return self.slot_id or (self.target if self.record_id is None else None)


def order(body: Mapping[str, Any]) -> Order:
    """Read Parameters as IHE ITI-117 has them, or an Appointment by itself. Raises InvalidResource."""
    if body.get("resourceType") == "Appointment":
        return _of_resource(body, None)
    given = parameters_of(body)
    patient = _reference(given, "patient-reference", Kind.PATIENT)
    resource = given.get("appointment-resource") or given.get("appt-resource")
    if resource:
        return _of_resource(resource[0], patient)
    target = _reference(given, "appointment-reference", Kind.APPOINTMENT, Kind.SLOT)
    if target is None:
        raise InvalidResource({"appointment-reference": ["fhir-field-invalid"]})
    return Order(target, None, _patient_id(patient))


def target_of(body: Mapping[str, Any]) -> str:
    """Return the proposed appointment that a $hold names. Raises InvalidResource."""
    if body.get("resourceType") == "Appointment":
        found = _of_resource(body, None).wanted_slot
    else:
        given = parameters_of(body)
        found = _reference(given, "appointment-reference", Kind.APPOINTMENT, Kind.SLOT)
        if found is None and given.get("appointment-resource"):
            found = _of_resource(given["appointment-resource"][0], None).wanted_slot
    if not found:
        raise InvalidResource({"appointment-reference": ["fhir-field-invalid"]})
    return found


def _of_resource(said: Any, patient: str | None) -> Order:
    resource = _checked(said)
    if resource.status not in _TAKES:
        raise InvalidResource({"status": ["fhir-field-invalid"]})
    slots = [plain({"reference": slot.reference}, "slot") for slot in resource.slot or []]
    actors = [who.actor.reference for who in resource.participant if who.actor and who.actor.reference]
    patients = [who for who in actors if who.rstrip("/").split("/")[-2:][0] == Kind.PATIENT]
    if len(slots) > 1 or len(patients) > 1:
        raise InvalidResource({"slot" if len(slots) > 1 else "participant": ["fhir-field-invalid"]})
    return Order(
        target=resource.id,
        slot_id=_part(slots[0], "slot", Kind.SLOT) if slots else None,
        patient_id=_patient_id(
            patient or (_part(patients[0], "participant", Kind.PATIENT) if patients else None)
        ),
        cancel=_cancel_reason(resource) if resource.status in _CANCELLED else None,
        version=_version(resource),
        reason=resource.comment or resource.description,
    )


def _checked(said: Any) -> Appointment:
    if not isinstance(said, dict) or said.get("resourceType") != "Appointment":
        raise InvalidResource({"resourceType": ["fhir-field-invalid"]})
    try:
        return Appointment.model_validate(said)
    except ValidationError as error:
        fields = {
            ".".join(str(part) for part in fault["loc"]): ["fhir-field-invalid"] for fault in error.errors()
        }
        raise InvalidResource(fields) from error


def _cancel_reason(resource: Appointment) -> str:
    if resource.status == "entered-in-error":
        return CancelReason.ENTERED_IN_ERROR.value
    coded = resource.cancelationReason.coding if resource.cancelationReason else None
    codes = [coding.code for coding in coded or [] if coding.code in set(CancelReason)]
    return codes[0] if codes else CancelReason.PATIENT.value


def _version(resource: Appointment) -> int | None:
    said = resource.meta.versionId if resource.meta else None
    return int(said) if said and said.isascii() and said.isdigit() and len(said) < 10 else None


def _reference(given: Mapping[str, list[Any]], name: str, *kinds: Kind) -> str | None:
    values = given.get(name, [])
    if len(values) > 1:
        raise InvalidResource({name: ["fhir-field-invalid"]})
    return _part(plain(values[0], name), name, *kinds) if values else None


def _part(value: str, name: str, *kinds: Kind) -> str:
    parts = value.rstrip("/").split("/")
    if len(parts) > 1 and parts[-2] not in kinds:
        raise InvalidResource({name: ["fhir-field-invalid"]})
    return reference_part(value, name, *kinds)


def _patient_id(value: str | None) -> UUID | None:
    if value is None:
        return None
    found = as_uuid(value)
    if found is None:
        raise InvalidResource({"participant": ["fhir-field-invalid"]})
    return found
