"""Names, ages and who consents for whom. Numbers and cards are read in telehealth/identification."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from telehealth.accounts.rules import Limit
from telehealth.identification.numbers import valid_birth_date

LONGEST_NAME = 100
CHILD_UNDER = 16
ADULT_AT = 18  # Civil Code 2015, article 20
OLDEST = 125
_CONSENT_AGES = Path(__file__).parent / "consent_ages.json"


def birth_date_fault(value: str, today: date) -> str | None:
    """Return the message key of what is wrong with a birth date, or None."""
    if not valid_birth_date(value):
        return "patients-birth-date-wrong"
    if earliest_birth(value) > today:
        return "patients-birth-date-future"
    if today.year - earliest_birth(value).year > OLDEST:
        return "patients-birth-date-too-old"
    return None


def earliest_birth(value: str) -> date:
    """Return the first day a FHIR date may mean."""
    year, month, day = (*[int(part) for part in value.split("-")], 1, 1)[:3]
    return date(year, month, day)


def latest_birth(value: str) -> date:
    """Return the last day a FHIR date may mean (as article 417, Criminal Procedure Code 2015)."""
    parts = [int(part) for part in value.split("-")]
    if len(parts) == 1:
        return date(parts[0], 12, 31)
    if len(parts) == 2:
        year, month = divmod(parts[0] * 12 + parts[1], 12)
        return date(year, month + 1, 1) - timedelta(days=1)
    return date(*parts)


def adult_from(birth_date: str) -> date:
    """Return the day from which a person is surely of age; born on 29 February, 1 March.

    The database has the same rule (adult_from of migration 0022) and enforces it.
    """
    born = latest_birth(birth_date)
    leap = (born.month, born.day) == (2, 29)
    last = date(born.year + ADULT_AT, 2, 28) + timedelta(days=1) if leap else None
    return last or born.replace(year=born.year + ADULT_AT)


def is_adult(birth_date: str | None, day: date) -> bool:
    """Tell whether a person is surely of age; one of whom nothing is known counts as grown."""
    return birth_date is None or adult_from(birth_date) <= day


@dataclass(frozen=True, slots=True)
class ConsentAge:
    """Whose consent counts from one age (full years) to below another; `note` is a message key."""

    from_age: int
    below_age: int
    note: str
    source: str


def consent_age(birth_date: str | None, day: date) -> ConsentAge | None:
    """Return who consents for a child; None for who is grown and consents alone."""
    if birth_date is None or is_adult(birth_date, day):
        return None
    born = latest_birth(birth_date)
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return next((rule for rule in CONSENT_AGES if rule.from_age <= age < rule.below_age), None)


CONSENT_AGES = tuple(ConsentAge(**row) for row in json.loads(_CONSENT_AGES.read_text(encoding="utf-8")))


def age_on(birth_date: str | None, day: date) -> int | None:
    """Return full years on a day; with only a year or month known, the most they may be."""
    if birth_date is None:
        return None
    born = earliest_birth(birth_date)
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def own_record_limits(account_key: str) -> tuple[Limit, ...]:
    """Return the limits on looking for one's own record."""
    return (
        Limit(f"own-record:hour:{account_key}", 5, 3600),
        Limit(f"own-record:day:{account_key}", 10, 86_400),
    )


def is_child(birth_date: str | None, day: date) -> bool:
    """Tell whether a person is surely under 16 and needs somebody who answers for them."""
    age = age_on(birth_date, day)
    return age is not None and age < CHILD_UNDER


def name_fault(name: str) -> str | None:
    """Return the message key of what is wrong with a name, or None."""
    if not name:
        return "patients-name-missing"
    if len(name) > LONGEST_NAME:
        return "patients-name-too-long"
    if not any(char.isalpha() for char in name) or any(char in "<>{}[]\\|" for char in name):
        return "patients-name-wrong"
    return None
