"""Numbers, cards and ages. Sources: docs of the Vietnamese identity and insurance cards.

Personal number: 12 digits, place of birth registration (3), century and sex (1), year (2), random (6);
ND 137/2015, art. 13. It has no check digit, so a number that does not fit warns and never blocks:
numbers are issued again after corrections (ND 70/2024, art. 11).
Insurance: the old card's 15 characters (QĐ 1351/2015), the 10 digits of social insurance, or the
personal number.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from telehealth.accounts.rules import Limit
from telehealth.core.text import clean

LONGEST_NAME = 100
CHILD_UNDER = 16
ADULT_AT = 18  # Civil Code 2015, article 20
OLDEST = 125
_CONSENT_AGES = Path(__file__).parent / "consent_ages.json"

_NATIONAL_ID = re.compile(r"[0-9]{12}")
_OLD_NATIONAL_ID = re.compile(r"[0-9]{9}")
_INSURANCE = re.compile(r"[A-Z]{2}[1-5][0-9]{12}|[0-9]{10}|[0-9]{12}")
_PASSPORT = re.compile(r"[A-Z0-9]{5,15}")
_BIRTH = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_SEX_WORDS = {"nam": "male", "nữ": "female", "nu": "female", "male": "male", "female": "female"}
_SEPARATORS = re.compile(r"[\s.\-]")


@dataclass(frozen=True, slots=True)
class IdentityCard:
    """What the QR of a citizen's card says. Fields the card left empty are None."""

    national_id: str
    old_national_id: str | None
    full_name: str
    birth_date: str | None
    sex: str
    address: str | None


@dataclass(frozen=True, slots=True)
class InsuranceCard:
    """What the QR of an old insurance card says. `facility_code` is where it is registered."""

    insurance_no: str
    full_name: str
    birth_date: str | None
    sex: str
    address: str | None
    facility_code: str | None


def parse_scan(text: str) -> IdentityCard | InsuranceCard | None:
    """Return what a scanned card says, or None for anything else."""
    return parse_identity_qr(text) or parse_insurance_qr(text)


def parse_identity_qr(text: str) -> IdentityCard | None:
    """Read `number|old number|name|ddmmyyyy|sex|address|issued`; the old number may be left out.

    Six fields and more are taken, further ones ignored: newer cards add some.
    """
    parts = [clean(part) for part in text.strip().split("|")]
    if len(parts) < 5 or not valid_national_id(parts[0]):
        return None
    if parts[1] and not _OLD_NATIONAL_ID.fullmatch(parts[1]) and not parts[1].isdigit():
        parts.insert(1, "")
    parts += [""] * (7 - len(parts))
    name = clean_name(parts[2])
    if not name:
        return None
    return IdentityCard(
        national_id=parts[0],
        old_national_id=parts[1] if _OLD_NATIONAL_ID.fullmatch(parts[1]) else None,
        full_name=name,
        birth_date=card_date(parts[3]),
        sex=_SEX_WORDS.get(parts[4].lower(), "unknown"),
        address=parts[5] or None,
    )


def parse_insurance_qr(text: str) -> InsuranceCard | None:
    """Read the QR of a paper insurance card: name and address are UTF-8 written as hexadecimal."""
    parts = [part.strip() for part in text.strip().split("|")]
    number = insurance_number(parts[0])
    if len(parts) < 4 or number is None:
        return None
    name = clean_name(from_hex(parts[1]))
    if not name:
        return None
    parts += [""] * (6 - len(parts))
    return InsuranceCard(
        insurance_no=number,
        full_name=name,
        birth_date=card_date(parts[2]),
        sex={"1": "male", "2": "female"}.get(parts[3], "unknown"),
        address=clean(from_hex(parts[4])) or None,
        facility_code=_SEPARATORS.sub("", parts[5]) or None,
    )


def from_hex(value: str) -> str:
    """Return text written as hexadecimal UTF-8; plain text stays as it is."""
    compact = value.replace(" ", "")
    if len(compact) % 2 or not re.fullmatch(r"[0-9A-Fa-f]+", compact):
        return value
    try:
        return bytes.fromhex(compact).decode()
    except UnicodeDecodeError:
        return ""


def card_date(value: str) -> str | None:
    """Return a card's date (ddmmyyyy, dd/mm/yyyy, mmyyyy or yyyy) as a FHIR date, or None."""
    digits = re.sub(r"[^0-9]", "", value)
    if len(digits) == 8 and (digits[:4] == "0000" or digits[4:] == "0000"):
        digits = digits.strip("0") if digits[:4] != "0000" else digits[4:]
    candidate = {
        8: f"{digits[4:]}-{digits[2:4]}-{digits[:2]}",
        6: f"{digits[2:]}-{digits[:2]}",
        4: digits,
    }.get(len(digits))
    return candidate if candidate is not None and valid_birth_date(candidate) else None


def valid_birth_date(value: str) -> bool:
    """Tell whether a FHIR date (YYYY, YYYY-MM, YYYY-MM-DD) names a real day, month or year."""
    if not _BIRTH.fullmatch(value):
        return False
    parts = [int(part) for part in value.split("-")]
    try:
        date(*[*parts, 1, 1][:3])
    except ValueError:
        return False
    return parts[0] >= 1880


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


def clean_name(value: str) -> str:
    """Return a name in NFC with single spaces; names all in capitals are written as people write them."""
    name = clean(value)
    return (
        " ".join(word.capitalize() for word in name.split(" ")) if name.isupper() and len(name) > 1 else name
    )


def name_fault(name: str) -> str | None:
    """Return the message key of what is wrong with a name, or None."""
    if not name:
        return "patients-name-missing"
    if len(name) > LONGEST_NAME:
        return "patients-name-too-long"
    if not any(char.isalpha() for char in name) or any(char in "<>{}[]\\|" for char in name):
        return "patients-name-wrong"
    return None


def compact(value: str) -> str:
    """Return a number without the spaces, dots and hyphens people put in, in capitals."""
    return _SEPARATORS.sub("", value).upper()


def valid_national_id(value: str) -> bool:
    """Tell whether this is 12 digits."""
    return _NATIONAL_ID.fullmatch(value) is not None


def insurance_number(value: str) -> str | None:
    """Return an insurance number of 15, 10 or 12 characters, or None."""
    number = compact(value)
    return number if _INSURANCE.fullmatch(number) else None


def passport_number(value: str) -> str | None:
    """Return a passport number, or None."""
    number = compact(value)
    return number if _PASSPORT.fullmatch(number) else None


def national_id_warnings(number: str, sex: str, birth_date: str | None) -> list[str]:
    """Return message keys of what in a personal number does not fit the person; never a refusal."""
    warnings = []
    century, odd = divmod(int(number[3]), 2)
    if sex in ("male", "female") and odd != (sex == "female"):
        warnings.append("patients-national-id-sex-differs")
    if birth_date is not None and int(birth_date[:4]) != 1900 + 100 * century + int(number[4:6]):
        warnings.append("patients-national-id-year-differs")
    return warnings


def masked(value: str | None) -> str | None:
    """Return a number with all but its last four characters hidden."""
    return None if value is None else "•" * max(0, len(value) - 4) + value[-4:]
