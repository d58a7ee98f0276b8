"""What may be booked by video: treatment of listed conditions, and advice if the province allows it. Pure."""

from dataclasses import dataclass
from uuid import UUID

from telehealth.booking.errors import RemoteNotAllowed
from telehealth.directory.codes import Modality
from telehealth.directory.icd10 import normalise_icd10
from telehealth.directory.remote_care import RemoteCare, remote_care


@dataclass(frozen=True, slots=True)
class RemoteNeed:
    """What a video visit would be about: a code, or advice without treatment. `care`: the list to ask."""

    icd10: str | None = None
    consultation: bool = False
    care: RemoteCare | None = None

    @property
    def rules(self) -> RemoteCare:
        """Return the list that is asked."""
        return self.care or remote_care()


@dataclass(frozen=True, slots=True)
class StatedCondition:
    """What is kept with a video appointment."""

    icd10: str | None
    consultation_only: bool
    list_version: str


def stated_condition(modality: str, need: RemoteNeed) -> StatedCondition | None:
    """Return what to keep; None for a visit in person. Raises RemoteNotAllowed.

    Nothing stated, or a condition that is not listed and advice asked for: advice without treatment, if
    the rules allow that.
    """
    if modality != Modality.VIDEO:
        return None
    code, care = normalise_icd10(need.icd10 or ""), need.rules
    listed = code is not None and care.remote_allowed(code)
    if listed and not need.consultation:
        return StatedCondition(code, consultation_only=False, list_version=care.version)
    if care.consultation_without_treatment and (need.consultation or need.icd10 is None):
        return StatedCondition(code, consultation_only=True, list_version=care.version)
    raise RemoteNotAllowed


def condition_context(appointment_id: UUID) -> str:
    """Return what a stated code is sealed for."""
    return f"appointment_condition.code_sealed:{appointment_id}"
