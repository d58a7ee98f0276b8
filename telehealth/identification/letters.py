"""Vietnamese letters on their way through a scanner that types.

A scanner that poses as a keyboard can type ASCII only. What it does to other letters depends on its make:
it drops them (`Nguyn Vn An`), puts a question mark (`Nguy?n V?n An`), or types the bytes of UTF-8 one by one
(`Nguyá»…n VÄƒn An`). The last is put right here; the others are recognised, so that the digits of the line
can still be used and the name is not.
"""

import re

# What Windows shows for the bytes that its code page leaves empty is the control character of the same value.
_BYTE_OF = {bytes([code]).decode("cp1252", "ignore") or chr(code): code for code in range(256)}
_BYTE_OF |= {chr(code): code for code in range(128, 160)}
_SPOILT = re.compile("[?\ufffd\u25a1\u25af\u00bf]")
_WORD = re.compile(r"[A-Za-z]+")
_VOWELS = frozenset("aeiouyAEIOUY")
_SHORT_FOR = frozenset({"TP", "TT", "TX", "KP", "KDC", "KCN", "TDP", "QL", "TL", "DT", "HL", "BT", "NV"})


def repaired(text: str) -> str:
    """Return the text with bytes of UTF-8 that were typed one by one put together again."""
    if text.isascii() or not all(char in _BYTE_OF for char in text):
        return text
    try:
        return bytes(_BYTE_OF[char] for char in text).decode()
    except UnicodeDecodeError:
        return text


def letters_lost(*parts: str) -> bool:
    """Tell whether letters with marks got lost in a name, an address and the like.

    Spoilt characters show it, and syllables without a vowel. A text that happens to have no mark at all
    (`Trần Anh` never, `Lan Anh` now and then) is taken as it is.
    """
    if any(_SPOILT.search(part) for part in parts):
        return True
    words = [word for part in parts if part.isascii() for word in _WORD.findall(part)]
    return any(len(word) > 1 and not _VOWELS & set(word) and word.upper() not in _SHORT_FOR for word in words)
