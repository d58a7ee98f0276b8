"""ICD-10 codes: one written form, and whether a listed code or range covers one. Pure."""

import re

_CODE = re.compile(r"([A-Z])([0-9]{2})\.?([0-9]{0,2})[*†+]?")


def normalise_icd10(text: str) -> str | None:
    """Return a code as `J31.1` (`j311`, `J31.1` and `J31.1+` are it too), or None for what is none."""
    match = _CODE.fullmatch(text.strip().upper())
    if match is None:
        return None
    letter, category, rest = match.groups()
    return f"{letter}{category}.{rest}" if rest else f"{letter}{category}"


def covers(listed: str, code: str) -> bool:
    """Tell whether a listed code covers a normalised one.

    `E66` covers E66 and E66.9; `J31.1` covers J31.1 and J31.10, and not J31, which says less than is
    listed; `A15-A19` covers every code of those categories.
    """
    first, _, last = listed.partition("-")
    if last:
        return first <= code[:3] <= last
    if len(listed) == 3:
        return code[:3] == listed
    return code.startswith(listed)


def any_covers(listed: str, code: str) -> bool:
    """Tell whether one of several listed codes, parted by spaces, covers a normalised one."""
    return any(covers(each, code) for each in listed.split())
