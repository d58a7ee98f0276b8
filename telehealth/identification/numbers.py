"""Numbers and dates of Vietnamese cards.

Personal number: 12 digits, place of birth registration (3), century and sex (1), year (2), random (6);
ND 137/2015, art. 13. It has no check digit, so a number that does not fit warns and never blocks:
numbers are issued again after corrections (ND 70/2024, art. 11).
Insurance: the old card's 15 characters (QĐ 1351/2015), the 10 digits of social insurance, or the
personal number.
"""

import re
from datetime import date

from telehealth.core.text import clean

_NATIONAL_ID = re.compile(r"[0-9]{12}")
_OLD_NATIONAL_ID = re.compile(r"[0-9]{9}")
_INSURANCE = re.compile(r"[A-Z]{2}[1-5][0-9]{12}|[0-9]{10}|[0-9]{12}")
_PASSPORT = re.compile(r"[A-Z0-9]{5,15}")
_BIRTH = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_SEPARATORS = re.compile(r"[\s.\-]")

SEX_DIFFERS = "identification-sex-differs"
YEAR_DIFFERS = "identification-year-differs"


def compact(value: str) -> str:
    """Return a number without the spaces, dots and hyphens people put in, in capitals."""
    return _SEPARATORS.sub("", value).upper()


def valid_national_id(value: str) -> bool:
    """Tell whether this is 12 digits."""
    return _NATIONAL_ID.fullmatch(value) is not None


def valid_old_national_id(value: str) -> bool:
    """Tell whether this is the 9 digits of an identity card before 2016."""
    return _OLD_NATIONAL_ID.fullmatch(value) is not None


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
        warnings.append(SEX_DIFFERS)
    if birth_date is not None and int(birth_date[:4]) != 1900 + 100 * century + int(number[4:6]):
        warnings.append(YEAR_DIFFERS)
    return warnings


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


def clean_name(value: str) -> str:
    """Return a name in NFC with single spaces; names all in capitals are written as people write them."""
    name = clean(value)
    return (
        " ".join(word.capitalize() for word in name.split(" ")) if name.isupper() and len(name) > 1 else name
    )


def masked(value: str | None) -> str | None:
    """Return a number with all but its last four characters hidden."""
    return None if value is None else "•" * max(0, len(value) - 4) + value[-4:]


def masked_name(full_name: str) -> str:
    """Return a name that its owner knows and a bystander does not: `Nguyễn Thị Lan` gives `N. T. L**`.

    The given name, which stands last, keeps its first letter and its length up to five.
    """
    words = clean(full_name).split(" ")
    given = words[-1]
    hidden = given[:1] + "*" * max(1, min(4, len(given) - 1))
    return " ".join([*(f"{word[:1]}." for word in words[:-1]), hidden])
