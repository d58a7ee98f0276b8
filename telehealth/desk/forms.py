"""The form about a person, as the desk types it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from telehealth.identification.numbers import card_date, compact, national_id_warnings, valid_national_id
from telehealth.patients.services import NewPatient

FIELDS = (
    "full_name",
    "birth",
    "sex",
    "phone",
    "national_id",
    "old_national_id",
    "insurance_no",
    "passport_no",
    "nationality",
    "address",
)
LONGEST = 300


@dataclass(frozen=True, slots=True)
class PersonForm:
    """What stands in the form; `birth` is written as people write it: 05/09/1952, 9/1952 or 1952."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "PersonForm":
        """Take what we know of a posted form."""
        return cls({name: form.get(name, "").strip()[:LONGEST] for name in FIELDS})

    @classmethod
    def of(cls, draft: NewPatient) -> "PersonForm":
        """Return the form filled with what a card or the box told."""
        values = {name: getattr(draft, name) or "" for name in FIELDS if name != "birth"}
        return cls({**values, "birth": written(draft.birth_date)})

    def new_patient(self, language: str) -> NewPatient:
        """Return the person; a birth date that cannot be read stays as typed and is refused later."""
        typed = self.values["birth"]
        nationality = self.values["nationality"].upper()
        return NewPatient(
            full_name=self.values["full_name"],
            sex=self.values["sex"] or "unknown",
            birth_date=read_birth(typed) or typed or None,
            phone=self.values["phone"] or None,
            national_id=self.values["national_id"] or None,
            old_national_id=self.values["old_national_id"] or None,
            insurance_no=self.values["insurance_no"] or None,
            passport_no=self.values["passport_no"] or None,
            nationality=nationality if re.fullmatch(r"[A-Z]{2}", nationality) else "VN",
            address=self.values["address"] or None,
            language=language,
        )

    def warnings(self) -> list[str]:
        """Return message keys of what does not fit together; nothing is refused for it."""
        number = compact(self.values["national_id"])
        if not valid_national_id(number):
            return []
        return national_id_warnings(number, self.values["sex"], read_birth(self.values["birth"]))


def read_birth(typed: str) -> str | None:
    """Return a FHIR date of what people write: 05/09/1952, 5-9-1952, 05091952, 9/1952, 1952."""
    parts = [part for part in re.split(r"[\s/.\-]+", typed.strip()) if part]
    if not all(part.isascii() and part.isdigit() for part in parts) or not parts:
        return None
    if len(parts) > 1 and len(parts[-1]) == 4:
        parts = [part.zfill(2) for part in parts[:-1]] + parts[-1:]
    return card_date("".join(parts))


def written(birth_date: str | None) -> str:
    """Return a FHIR date as people write it."""
    return "/".join(reversed(birth_date.split("-"))) if birth_date else ""
