"""Reading the one box of the desk: a scanned card, a booking code, a number, a phone, a name."""

import re
from dataclasses import dataclass
from enum import StrEnum

from telehealth.core.ids import CODE_ALPHABET
from telehealth.core.phone import normalise_phone
from telehealth.core.text import clean
from telehealth.identification.cards import IdentityCard, InsuranceCard, parse_scan
from telehealth.identification.numbers import (
    card_date,
    clean_name,
    compact,
    insurance_number,
    valid_national_id,
)

LONGEST = 2000
_CODE = re.compile(f"[{CODE_ALPHABET}]{{8}}")
_YEAR = re.compile(r"\b(18[89]\d|19\d\d|20\d\d)\b")
_DATE = re.compile(r"\b\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\b")


class Asked(StrEnum):
    """Who asked the desk to book, and how (shown in the trail; no name of theirs is kept)."""

    PATIENT = "patient"
    FAMILY = "family"
    HEALTH_WORKER = "health-worker"
    PHONE = "phone"
    FAMILY_PHONE = "family-phone"
    HEALTH_WORKER_PHONE = "health-worker-phone"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the box. At least one field is set; `name` may be part of one."""

    card: IdentityCard | InsuranceCard | None = None
    code: str | None = None
    national_id: str | None = None
    insurance_no: str | None = None
    phone: str | None = None
    name: str | None = None
    birth_date: str | None = None
    birth_year: int | None = None


def read_box(text: str) -> Typed | None:
    """Tell what was scanned or typed, or None for nothing that can be looked for."""
    line = text.strip()[:LONGEST]
    if not line:
        return None
    card = parse_scan(line)
    if card is not None:
        return Typed(card=card)
    if "|" in line:
        return _broken_scan(line)
    return _number(compact(line)) or _person(line)


def _broken_scan(line: str) -> Typed | None:
    """A line cut short or spoilt by the keyboard: the number, if it is whole, still finds the person."""
    number = compact(line.split("|", 1)[0])
    return Typed(national_id=number) if valid_national_id(number) else None


def _number(plain: str) -> Typed | None:
    if valid_national_id(plain):
        return Typed(national_id=plain)
    phone = normalise_phone(plain) if plain.lstrip("+").isdigit() else None
    if phone is not None:
        return Typed(phone=phone)
    if insurance_number(plain) is not None:
        return Typed(insurance_no=plain)
    if _CODE.fullmatch(plain):
        # Eight letters may be a code, or the name of somebody called Thanh Tan and typed in one word.
        return Typed(code=plain, name=None if any(char.isdigit() for char in plain) else clean_name(plain))
    return None


def _person(line: str) -> Typed | None:
    """A name, perhaps with a date or year of birth and a phone."""
    date = _DATE.search(line)
    year = None if date else _YEAR.search(line)
    birth = re.split(r"[/.-]", date[0]) if date else None
    rest = line.replace((date or year)[0], " ") if (date or year) else line  # type: ignore[index]
    digits = "".join(word for word in rest.split() if word.lstrip("+").replace(".", "").isdigit())
    phone = normalise_phone(digits) if digits else None
    name = clean_name(" ".join(word for word in clean(rest).split(" ") if not any(c.isdigit() for c in word)))
    birth_date = card_date(f"{int(birth[0]):02d}{int(birth[1]):02d}{birth[2]}") if birth else None
    birth_year = int(year[0]) if year else (int(birth_date[:4]) if birth_date else None)
    if not any(char.isalpha() for char in name) and phone is None:
        return None
    return Typed(
        name=name or None,
        phone=phone,
        birth_year=birth_year,
        birth_date=birth_date or (year[0] if year else None),
    )
