"""One box for everything: what was scanned or typed, as a typed value or as a refusal with words.

Nothing read here is ever logged: the values show nothing of themselves in a trace (`repr=False`).
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from telehealth.core.ids import CODE_ALPHABET
from telehealth.core.phone import normalise_phone
from telehealth.core.text import clean, without_marks
from telehealth.identification.cards import IdentityCard, InsuranceCard, line_of, parse_scan
from telehealth.identification.numbers import (
    compact,
    insurance_number,
    passport_number,
    valid_national_id,
    valid_old_national_id,
)

LONGEST = 2_000
CODE_LENGTH = 8
CARD_CUT = "identification-card-cut"


class Refusal(StrEnum):
    """Why a text says nothing about who is there; each has its words, `identification-<value>`."""

    EMPTY = "empty"
    TOO_LONG = "too-long"
    CARD_UNREADABLE = "card-unreadable"
    NUMBER_LENGTH = "number-length"
    VNEID_SEALED = "vneid-sealed"
    OTHER_ADDRESS = "other-address"
    KEYBOARD_LAYOUT = "keyboard-layout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """Nothing to go by; nobody is blamed, the person types or asks."""

    reason: Refusal


@dataclass(frozen=True, slots=True, repr=False)
class NationalNumber:
    """A personal number alone. `warnings`: message keys."""

    value: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class OldNationalNumber:
    """The nine digits of an identity card before 2016."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class InsuranceNumber:
    """An insurance number of 15 or 10 characters; twelve digits are a personal number."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class PhoneNumber:
    """A telephone number in E.164. `insurance_no`: the same ten digits may be a social insurance number."""

    value: str
    insurance_no: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Passport:
    """A passport number."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class BookingCode:
    """The code of an appointment. `passport_no`: a letter and seven digits may be a passport as well."""

    value: str
    passport_no: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class TicketToken:
    """What the QR of a number's slip opens."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class VisitToken:
    """What the QR of a visit's slip opens."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class SlipNumber:
    """The number of a referral or re-examination slip that the province's service made."""

    value: str


Reading = (
    IdentityCard
    | InsuranceCard
    | NationalNumber
    | OldNationalNumber
    | InsuranceNumber
    | PhoneNumber
    | Passport
    | BookingCode
    | TicketToken
    | VisitToken
    | SlipNumber
    | Unrecognised
)

_PARTS = re.compile(r"[/?&=#]+")
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015._]+")
_CODE = re.compile(f"[{CODE_ALPHABET}]{{{CODE_LENGTH}}}")
_SLIP = re.compile(f"[A-Z]{{2}}[0-9]{{2}}[{CODE_ALPHABET}]{{8}}")
_TICKET = re.compile(r"/t/([A-Za-z0-9_-]{16,64})/?(?:[?#].*)?$")
_VISIT = re.compile(r"/v/([A-Za-z0-9_-]{16,64})/?(?:[?#].*)?$")
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TWELVE = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_LABELS = {
    "national_id": re.compile(
        r"so (?:cccd|can cuoc(?: cong dan)?|dinh danh(?: ca nhan)?)|personal (?:id|number)"
    ),
    "full_name": re.compile(r"ho.{0,12} ten\b|full ?name"),
    "birth_date": re.compile(r"ngay(?:, thang, nam)? sinh|date of birth"),
    "sex": re.compile(r"gioi tinh|sex|gender"),
    "address": re.compile(r"noi (?:thuong tru|cu tru)|place of residence"),
}
_LABELLED = re.compile(r"^\s*[\"']?([^:=]{2,60}?)[\"']?\s*[:=]\s*[\"']?(.*?)[\"']?,?\s*$")
_LAYOUT = frozenset("ăâêôđĂÂÊÔĐ")
_PASSPORT_LIKE = re.compile(r"[A-Z]{1,2}[0-9]{6,8}")


def read(text: str) -> Reading:
    """Tell what was scanned or typed: a card, a number, a code, or why it is none. Never raises.

    Order of trust: cards (several fields fit together), our own slips and codes, numbers. Ten digits
    that are a phone are a phone.
    """
    if len(text) > LONGEST:
        return Unrecognised(Refusal.TOO_LONG)
    line = line_of(text)
    if not clean(line):
        return Unrecognised(Refusal.EMPTY)
    card = parse_scan(line)
    if card is not None:
        return card
    if "|" in line:
        return _rest_of_a_card(line)
    return _ours(line) or _said_in_words(line) or _number(compact(clean(line))) or _nothing(line)


def read_code(given: str) -> str | None:
    """Return the booking code in what was typed or scanned, as it is stored; None where there is none.

    Any case, in groups, or as the last such part of an address. Codes have no 0, 1, I, L and O: what
    has one is no code, and nothing is guessed.
    """
    parts = [_BETWEEN.sub("", part).upper() for part in _PARTS.split(given)]
    codes = [part for part in parts if _CODE.fullmatch(part)]
    return codes[-1] if codes else None


def _rest_of_a_card(line: str) -> Reading:
    """A line cut short or spoilt: the number, if it is whole, still finds the person."""
    number = compact(line.split("|", 1)[0])
    if valid_national_id(number):
        return NationalNumber(number, (CARD_CUT,))
    insurance_no = insurance_number(number)
    return InsuranceNumber(insurance_no) if insurance_no else Unrecognised(Refusal.CARD_UNREADABLE)


def _ours(line: str) -> Reading | None:
    address = unquote(line)
    for shape, kind in ((_TICKET, TicketToken), (_VISIT, VisitToken)):
        found = shape.search(address)
        if found:
            return kind(found[1])
    last = _BETWEEN.sub("", _PARTS.split(address)[-1]).upper()
    if _SLIP.fullmatch(last):
        return SlipNumber(last)
    code = read_code(address)
    if code is None:
        return None
    return BookingCode(code, code if _PASSPORT_LIKE.fullmatch(code) else None)


def _said_in_words(line: str) -> Reading | None:
    """What VNeID shows, copied or as JSON: labels and values, a line each."""
    if ":" not in line and "=" not in line:
        return None
    said: dict[str, str] = {}
    for part in re.split(r"[\r\n;{}]+|(?<=[\"']),", line):
        found = _LABELLED.match(part)
        label = without_marks(found[1]).lower().strip() if found else ""
        name = next((name for name, shape in _LABELS.items() if shape.search(label)), None)
        if found and name:
            said.setdefault(name, clean(found[2]))
    number = compact(said.get("national_id", ""))
    if not valid_national_id(number):
        return None
    fields = (number, "", said.get("full_name", ""), said.get("birth_date", ""), said.get("sex", ""))
    return parse_scan("|".join((*fields, said.get("address", "")))) or NationalNumber(number)


def _number(plain: str) -> Reading | None:
    if valid_national_id(plain):
        return NationalNumber(plain)
    if valid_old_national_id(plain):
        return OldNationalNumber(plain)
    phone = normalise_phone(plain) if plain.lstrip("+").isdigit() and plain.isascii() else None
    insurance_no = insurance_number(plain)
    if phone is not None:
        return PhoneNumber(phone, insurance_no)
    if insurance_no is not None:
        return InsuranceNumber(insurance_no)
    if passport_number(plain) and _PASSPORT_LIKE.fullmatch(plain):
        return Passport(plain)
    return None


def _nothing(line: str) -> Reading:
    """Say why; a personal number that stands alone in some other text is still used."""
    numbers = set(_TWELVE.findall(line))
    if len(numbers) == 1:
        return NationalNumber(numbers.pop())
    if "vneid" in line.lower():
        return Unrecognised(Refusal.VNEID_SEALED)
    if _ADDRESS.match(line):
        return Unrecognised(Refusal.OTHER_ADDRESS)
    if _typed_by_another_layout(line):
        return Unrecognised(Refusal.KEYBOARD_LAYOUT)
    digits = compact(line)
    if digits.isdigit() and digits.isascii():
        return Unrecognised(Refusal.NUMBER_LENGTH)
    return Unrecognised(Refusal.UNKNOWN)


def _typed_by_another_layout(line: str) -> bool:
    """The Vietnamese keyboard has letters and tone marks where others have digits: `đăâ` for 012."""
    if any(char.isdigit() for char in line):
        return False
    strange = [char for char in line if unicodedata.combining(char) or char in _LAYOUT]
    return len(strange) >= 6
