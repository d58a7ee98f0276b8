"""Short names of facilities, for messages and narrow boards."""

SHORT_NAME = 24  # what the texts of messages leave room for (notifications/templates/lint.py)
_CUT = "…"
_CUT_IN_SMS = 3  # without accents it is three full stops

_SHORTER = (
    ("Bệnh viện", "BV"),
    ("Trung tâm Y tế", "TTYT"),
    ("Trạm Y tế", "TYT"),
    ("Phòng khám", "PK"),
    ("Đa khoa", "ĐK"),
)


def short_name(name: str) -> str:
    """Return at most 24 characters: `Bệnh viện Bà Rịa` gives `BV Bà Rịa`."""
    for words, letters in _SHORTER:
        name = name.replace(words, letters).replace(words.lower(), letters)
    if len(name) > SHORT_NAME:
        name = name.partition(" (")[0]
    return name if len(name) <= SHORT_NAME else name[: SHORT_NAME - _CUT_IN_SMS].rstrip() + _CUT


_TITLES = {"BSCKI": "BS. CKI", "BSCKII": "BS. CKII", "ThS.BS": "ThS. BS", "TS.BS": "TS. BS"}


def practitioner_title(title: str) -> str:
    """Return a title with the spaces that people write: `ThS.BS` gives `ThS. BS`."""
    return _TITLES.get(title, title)
