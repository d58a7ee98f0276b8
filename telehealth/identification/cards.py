"""The QR of cards: the citizen's chip card, and the old paper insurance card."""

import re
from dataclasses import dataclass, replace

from telehealth.core.text import clean
from telehealth.identification.letters import letters_lost, repaired
from telehealth.identification.numbers import (
    card_date,
    clean_name,
    insurance_number,
    national_id_warnings,
    valid_national_id,
    valid_old_national_id,
)

NAME_SPOILT = "identification-name-spoilt"
_SEX_WORDS = {"nam": "male", "nữ": "female", "nu": "female", "male": "male", "female": "female"}
_SEPARATORS = re.compile(r"[\s.\-]")
_PREAMBLE = re.compile(r"^(?:\ufeff|[\x00-\x1f]|\][A-Za-z][0-9])+")
_BARS = str.maketrans({"¦": "|", "｜": "|", "│": "|", "‖": "|"})
_FIRST = re.compile(r"(?:[0-9]{12}|[A-Za-z]{2}[0-9]{13}|[0-9]{10})(?=([^0-9A-Za-z\s|]))")
_FIELDS = 4


@dataclass(frozen=True, slots=True, repr=False)
class IdentityCard:
    """What the QR of a citizen's card says. Fields the card left empty are None.

    `intact`: the letters of name and address came through; where not, only the digits are to be used.
    `warnings`: message keys of what does not fit together.
    """

    national_id: str
    old_national_id: str | None
    full_name: str
    birth_date: str | None
    sex: str
    address: str | None
    intact: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return message keys of what is odd about the card; none of it is a reason to refuse."""
        odd = national_id_warnings(self.national_id, self.sex, self.birth_date)
        return tuple(odd) if self.intact else (NAME_SPOILT, *odd)


@dataclass(frozen=True, slots=True, repr=False)
class InsuranceCard:
    """What the QR of an old insurance card says. `facility_code` is where it is registered."""

    insurance_no: str
    full_name: str
    birth_date: str | None
    sex: str
    address: str | None
    facility_code: str | None
    intact: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return message keys of what is odd about the card."""
        return () if self.intact else (NAME_SPOILT,)


def parse_scan(text: str) -> IdentityCard | InsuranceCard | None:
    """Return what a scanned card says, or None for anything else."""
    return parse_identity_qr(text) or parse_insurance_qr(text)


def line_of(text: str) -> str:
    """Return a scanned line with its separators as they should be, without what the scanner put before it."""
    line = repaired(_PREAMBLE.sub("", text.strip()).translate(_BARS))
    first = _FIRST.match(line)
    if first and "|" not in line and line.count(first[1]) >= _FIELDS:
        return line.replace(first[1], "|")
    return line


def parse_identity_qr(text: str) -> IdentityCard | None:
    """Read `number|old number|name|ddmmyyyy|sex|address|issued`; the old number may be left out.

    Six fields and more are taken, further ones ignored: newer cards add some.
    """
    parts = [clean(part) for part in line_of(text).split("|")]
    if len(parts) < 5 or not valid_national_id(parts[0]):
        return None
    if parts[1] and not parts[1].isdigit():
        parts.insert(1, "")
    parts += [""] * (6 - len(parts))
    name = clean_name(parts[2])
    if not any(char.isalpha() for char in name):
        return None
    card = IdentityCard(
        national_id=parts[0],
        old_national_id=parts[1] if valid_old_national_id(parts[1]) else None,
        full_name=name,
        birth_date=card_date(parts[3]),
        sex=_SEX_WORDS.get(parts[4].lower(), "unknown"),
        address=parts[5] or None,
    )
    if letters_lost(name, parts[4], parts[5]) or parts[4] == "N":
        return replace(card, sex=_sex_left(parts[4]), intact=False)
    return card


def parse_insurance_qr(text: str) -> InsuranceCard | None:
    """Read the QR of a paper insurance card: name and address are UTF-8 written as hexadecimal.

    Twelve digits begin a citizen's card, which may be cut.
    """
    parts = [part.strip() for part in line_of(text).split("|")]
    number = insurance_number(parts[0])
    if len(parts) < 4 or number is None or valid_national_id(number):
        return None
    name = clean_name(from_hex(parts[1]))
    if not any(char.isalpha() for char in name):
        return None
    parts += [""] * (6 - len(parts))
    address = clean(from_hex(parts[4]))
    return InsuranceCard(
        insurance_no=number,
        full_name=name,
        birth_date=card_date(parts[2]),
        sex={"1": "male", "2": "female", "0": "female"}.get(parts[3], "unknown"),
        address=address or None,
        facility_code=_SEPARATORS.sub("", parts[5]) or None,
        intact=not letters_lost(name, address),
    )


def from_hex(value: str) -> str:
    """Return text written as hexadecimal UTF-8; plain text stays as it is, what was cut loses its end."""
    plain = value.replace(" ", "")
    if len(plain) < 2 or plain.isalpha() or not re.fullmatch(r"[0-9A-Fa-f]+", plain):
        return value
    return bytes.fromhex(plain[: len(plain) // 2 * 2]).decode(errors="replace")


def _sex_left(word: str) -> str:
    """Return the sex from a word that lost letters: `N`, `N?` and `N÷` were `Nữ`; `Nam` has none to lose."""
    return "male" if word.lower() == "nam" else "female" if word[:1].upper() == "N" else "unknown"
