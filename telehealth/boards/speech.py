"""How a call is read out: numbers in Vietnamese and English, and the clips that say it. Pure.

A word is named by a key that is the name of its clip; what the clip says depends on language and dialect.
"""

import re
from collections.abc import Iterator, Mapping

from telehealth.boards.codes import Dialect
from telehealth.directory.codes import ServicePointKind

LARGEST = 999_999
EDITION = "1"
"""Raise it with new clips: browsers keep a clip for a year under its address."""
PAUSE = ","
"""Stands between two clips where a reader would draw breath."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# After a ten: 21 hai mươi mốt, 24 hai mươi tư, 15 and 25 lăm. 11 and 14 keep một and bốn.
_AFTER_TENS = {1: "one-after-tens", 4: "four-after-tens", 5: "five-after-tens"}

_VIETNAMESE: Mapping[str, str] = {
    "zero": "không", "one": "một", "two": "hai", "three": "ba", "four": "bốn", "five": "năm", "six": "sáu",
    "seven": "bảy", "eight": "tám", "nine": "chín", "ten": "mười", "tens": "mươi", "one-after-tens": "mốt",
    "four-after-tens": "tư", "five-after-tens": "lăm", "hundred": "trăm",
    "a": "a", "b": "bê", "c": "xê", "d": "dê", "đ": "đê", "e": "e", "f": "ép", "g": "giê", "h": "hát",
    "i": "i", "j": "gi", "k": "ca", "l": "lờ", "m": "mờ", "n": "nờ", "o": "o", "p": "pê", "q": "quy",
    "r": "rờ", "s": "sờ", "t": "tê", "u": "u", "v": "vê", "w": "vê kép", "x": "ích", "y": "i dài", "z": "dét",
    "call": "mời số", "to": "vào",
    "registration": "quầy đăng ký", "clinic": "phòng khám", "cashier": "quầy thu phí",
    "sampling": "phòng lấy mẫu", "imaging": "phòng chẩn đoán hình ảnh", "results": "quầy trả kết quả",
    "pharmacy": "quầy phát thuốc", "emergency": "khoa cấp cứu",
}  # fmt: skip
_DIALECTS: Mapping[Dialect, Mapping[str, str]] = {
    Dialect.SOUTH: {"odd": "lẻ", "thousand": "ngàn"},
    Dialect.NORTH: {"odd": "linh", "thousand": "nghìn"},
}
_ENGLISH: Mapping[str, str] = {
    **{word: word for word in (*_DIGITS, *_TEENS, *_TENS[2:], "hundred", "thousand", "and")},
    **{letter: letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"},
    "đ": "D",
    "call": "number", "to": "please go to",
    "registration": "registration desk", "clinic": "room", "cashier": "cashier", "sampling": "sampling room",
    "imaging": "imaging room", "results": "results desk", "pharmacy": "pharmacy", "emergency": "emergency",
}  # fmt: skip

_RUNS = re.compile(r"\d+|[^\W\d_]")


def spoken(number: str, kind: ServicePointKind, door: str) -> dict[str, list[str]]:
    """Return the clips that call a number to a place, by language: `5-012` and room 5."""
    return {
        language: [clip_name(key) for key in _call(language, number, kind, door)] for language in ("vi", "en")
    }


def vietnamese(number: int, dialect: Dialect = Dialect.SOUTH) -> str:
    """Return a whole number from 0 to LARGEST as it is read in Vietnamese. Raises ValueError beyond."""
    words = words_of("vi", dialect)
    return " ".join(words[key] for key in vietnamese_keys(number))


def english(number: int) -> str:
    """Return a whole number from 0 to LARGEST as it is read in English. Raises ValueError beyond."""
    return " ".join(_ENGLISH[key] for key in english_keys(number))


def words_of(language: str, dialect: Dialect = Dialect.SOUTH) -> Mapping[str, str]:
    """Return what each clip of a language says, by its key."""
    return _ENGLISH if language == "en" else {**_VIETNAMESE, **_DIALECTS[dialect]}


def clip_name(key: str) -> str:
    """Return the name of a key's clip, in ASCII."""
    return "dd" if key == "đ" else key


def vietnamese_keys(number: int) -> list[str]:
    """Return the keys of a number: `hundred` and all below it are said once a higher group was."""
    _refuse(number)
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return list(_below_thousand(rest, full=False))
    keys = [*_below_thousand(thousands, full=False), "thousand"]
    return [*keys, *_below_thousand(rest, full=True)] if rest else keys


def _below_thousand(number: int, *, full: bool) -> Iterator[str]:
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10)
    spelled = full or hundreds > 0
    if spelled:
        yield from (_DIGITS[hundreds], "hundred")
    if not rest:
        if not spelled:
            yield "zero"
        return
    if tens == 0 and spelled:
        yield "odd"
    if tens == 1:
        yield "ten"
    elif tens > 1:
        yield from (_DIGITS[tens], "tens")
    if units:
        yield _unit(tens, units)


def _unit(tens: int, units: int) -> str:
    after = tens > 1 or (tens == 1 and units == 5)
    return _AFTER_TENS.get(units, _DIGITS[units]) if after else _DIGITS[units]


def english_keys(number: int) -> list[str]:
    """Return the keys of a number as British English reads it: `one hundred and five`."""
    _refuse(number)
    thousands, rest = divmod(number, 1000)
    keys = [*_english_below_thousand(thousands), "thousand"] if thousands else []
    if rest == 0 and thousands:
        return keys
    if thousands and rest < 100:
        keys.append("and")
    return [*keys, *_english_below_thousand(rest)]


def _english_below_thousand(number: int) -> Iterator[str]:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        yield from (_DIGITS[hundreds], "hundred")
        if not rest:
            return
        yield "and"
    if rest < 20:
        yield (*_DIGITS, *_TEENS)[rest]
        return
    yield _TENS[rest // 10]
    if rest % 10:
        yield _DIGITS[rest % 10]


def _refuse(number: int) -> None:
    if not 0 <= number <= LARGEST:
        msg = f"no reading of {number}"
        raise ValueError(msg)


def _call(language: str, number: str, kind: ServicePointKind, door: str) -> Iterator[str]:
    yield "call"
    yield from _read(language, number)
    yield from (PAUSE, "to", kind.value)
    yield from _read(language, door)


def _read(language: str, written: str) -> Iterator[str]:
    """Read letters by their names and figures as numbers, with a breath between parts: `5-012`, `B2`."""
    numbers = vietnamese_keys if language == "vi" else english_keys
    known = words_of(language)
    for place, run in enumerate(_RUNS.findall(written.lower())):
        if place and run.isdecimal():
            yield PAUSE
        if run.isdecimal():
            yield from numbers(int(run[-6:]))
        elif run in known:
            yield run
