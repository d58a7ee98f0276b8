"""What a short message costs: GSM 03.38 characters, segments, and Vietnamese without its accents."""

import unicodedata
from dataclasses import dataclass

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
# Letters and signs that do not fall apart into a letter and a mark.
_PLAIN = str.maketrans(
    {
        "đ": "d", "Đ": "D", "–": "-", "—": "-", "‑": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...",
        "₫": "d", "•": "-", "×": "x",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """`encoding` is "GSM-7" or "UCS-2"; `units` are septets or 16-bit units."""

    encoding: str
    units: int
    segments: int


def measure(text: str) -> Size:
    if all(sign in _GSM_BASIC or sign in _GSM_EXTENDED for sign in text):
        units = sum(2 if sign in _GSM_EXTENDED else 1 for sign in text)
        return Size("GSM-7", units, _parts(units, 160, 153))
    units = len(text.encode("utf-16-be")) // 2
    return Size("UCS-2", units, _parts(units, 70, 67))


def _parts(units: int, single: int, joined: int) -> int:
    return 1 if units <= single else -(-units // joined)


def unaccented(text: str) -> str:
    """Vietnamese in plain ASCII ("Đặt lịch" becomes "Dat lich"); what has no plain form becomes "?"."""
    decomposed = unicodedata.normalize("NFD", text.translate(_PLAIN))
    letters = (sign for sign in decomposed if not unicodedata.combining(sign))
    return "".join(sign if sign in _GSM_BASIC or sign in _GSM_EXTENDED else "?" for sign in letters)
