"""The form about a person whom nobody has entered yet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from telehealth.patient_portal.rules import RELATIONS
from telehealth.patients.services import NewPatient

FIELDS = (
    "relation",
    "full_name",
    "sex",
    "birth-day",
    "birth-month",
    "birth-year",
    "phone",
    "national_id",
    "insurance_no",
    "passport_no",
    "nationality",
)
LONGEST = 200


@dataclass(frozen=True, slots=True)
class PersonForm:
    """What was typed; `faults` holds message keys by field, in the order of the page."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "PersonForm":
        """Take what we know of a posted form."""
        return cls({name: form.get(name, "").strip()[:LONGEST] for name in FIELDS})

    def faults(self) -> dict[str, list[str]]:
        """Return message keys of what is missing, in the order of the page."""
        faults = {}
        if self.values["relation"] not in RELATIONS:
            faults["relation"] = ["portal-relation-missing"]
        if not self.values["full_name"]:
            faults["full_name"] = ["patients-name-missing"]
        if self.birth_date() is None:
            faults["birth_date"] = ["patients-birth-date-missing"]
        if self.values["sex"] not in ("male", "female", "other"):
            faults["sex"] = ["patients-sex-wrong"]
        return faults

    def birth_date(self) -> str | None:
        """Return `YYYY`, `YYYY-MM` or `YYYY-MM-DD` as typed; odd parts stay and are refused later."""
        return read_birth_date(self.values)

    def nationality(self) -> str:
        """Return an ISO 3166 country code; Viet Nam unless another was chosen."""
        chosen = self.values["nationality"]
        return chosen if re.fullmatch(r"[A-Z]{2}", chosen) else "VN"

    def new_patient(self, guardian_id: UUID | None, language: str) -> NewPatient:
        """Return the person; their numbers are all optional."""
        return NewPatient(
            full_name=self.values["full_name"],
            sex=self.values["sex"],
            birth_date=self.birth_date(),
            phone=self.values["phone"] or None,
            national_id=self.values["national_id"] or None,
            insurance_no=self.values["insurance_no"] or None,
            passport_no=self.values["passport_no"] or None,
            nationality=self.nationality(),
            guardian_id=guardian_id,
            language=language,
            relation=RELATIONS.get(self.values["relation"]),
        )


def read_birth_date(values: Mapping[str, str]) -> str | None:
    """Return `YYYY`, `YYYY-MM` or `YYYY-MM-DD` of three boxes; odd parts stay and are refused later."""
    day, month, year = (values.get(f"birth-{part}", "").strip()[:10] for part in ("day", "month", "year"))
    parts = [year, month.zfill(2) if month else "", day.zfill(2) if day else ""]
    if day and not month:
        return "-".join(["?", *parts])
    return "-".join(part for part in parts if part) or None
