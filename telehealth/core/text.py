"""Vietnamese text: one normal form, a search form without marks, and a dictionary sort key."""

import re
import unicodedata

_SPACES = re.compile(r"\s+")
_WHOLE = re.compile(r"[0-9]{1,9}")
_STROKE = str.maketrans({"đ": "d", "Đ": "D"})

# Order of letters in Vietnamese dictionaries; the five tone marks break ties.
_LETTERS = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_RANK = {letter: chr(0x30 + position) for position, letter in enumerate(_LETTERS)}
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}


def whole_number(value: str) -> int | None:
    """Return what one to nine plain digits say, or None: Unicode has digits that are none here (`²`)."""
    return int(value) if _WHOLE.fullmatch(value) else None


def clean(value: str) -> str:
    """Return the text in NFC with single spaces and none at the ends; control characters go."""
    printable = "".join(ch for ch in unicodedata.normalize("NFC", value) if ch.isprintable() or ch.isspace())
    return _SPACES.sub(" ", printable).strip()


def without_marks(value: str) -> str:
    """Return the text with every diacritic gone: `Đặng Thị Hoà` gives `Dang Thi Hoa`."""
    decomposed = unicodedata.normalize("NFD", value.translate(_STROKE))
    return "".join(ch for ch in decomposed if not unicodedata.combining(ch))


def search_form(value: str) -> str:
    """Return the form names are looked up by: lower case, no marks, single spaces."""
    return clean(without_marks(value)).lower()


def sort_key(value: str) -> str:
    """Return an ASCII key that sorts by byte as a Vietnamese dictionary does.

    Letters decide first (a, ă, â, ... đ after d), tones next, syllable by syllable from the left.
    """
    letters, tones = [], []
    for char in clean(value).lower():
        letter, tone = _letter_and_tone(char)
        letters.append(_RANK.get(letter, " " if letter == " " else "!" + letter))
        tones.append(tone)
    return "".join(letters) + "\x1f" + "".join(tones)


def person_sort_key(full_name: str) -> str:
    """Return the key that lists people by given name, which stands last in Vietnamese."""
    words = clean(full_name).split(" ")
    return sort_key(" ".join([words[-1], *words[:-1]]))


def _letter_and_tone(char: str) -> tuple[str, str]:
    tone = "0"
    base = []
    for part in unicodedata.normalize("NFD", char):
        if part in _TONES:
            tone = _TONES[part]
        else:
            base.append(part)
    return unicodedata.normalize("NFC", "".join(base)), tone
