"""What is wrong with a field, in the reader's language.

Our own checks name a message key; marshmallow's built-in ones come as English sentences, which are
recognised here and said by our catalogues instead.
"""

import re

from telehealth.web.localization import t

_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"Missing data for required field\.", "field-required"),
        (r"Field may not be null\.", "field-required"),
        (r"Unknown field\.", "field-unknown"),
        (r"Not a valid (?:number|integer)\.", "field-number"),
        (r"Not a valid date\.", "field-date"),
        (r"Not a valid (?:(?:naive|aware) )?(?:datetime|time)\.", "field-instant"),
        (r"Not a valid .+", "field-malformed"),
        (r"Must be greater than or equal to (?P<low>\S+)\.", "field-at-least"),
        (r"Must be less than or equal to (?P<high>\S+)\.", "field-at-most"),
        (
            r"Must be greater than or equal to (?P<low>\S+) and less than or equal to (?P<high>\S+)\.",
            "field-between",
        ),
        (r"Must be one of: (?P<choices>.+)\.", "field-one-of"),
        (r"Shorter than minimum length (?P<low>\d+)\.", "field-longer"),
        (r"Longer than maximum length (?P<high>\d+)\.", "field-shorter"),
        (r"Length must be between (?P<low>\d+) and (?P<high>\d+)\.", "field-length"),
        (r"Length must be (?P<exact>\d+)\.", "field-length-exact"),
        (r"Fewer than (?P<low>\d+) items\.", "field-items-longer"),
        (r"More than (?P<high>\d+) items\.", "field-items-shorter"),
        (r"Must have between (?P<low>\d+) and (?P<high>\d+) items\.", "field-items"),
        (r"Must have (?P<exact>\d+) items\.", "field-items-exact"),
        (r"String does not match expected pattern\.", "field-malformed"),
        (r"Invalid (?:input|input type|value)\.", "field-malformed"),
    )
)


def field_text(message: str) -> str:
    """Return one message of a field in the language of the request."""
    for pattern, key in _SENTENCES:
        found = pattern.fullmatch(message)
        if found:
            return t(key, **found.groupdict())
    return t(message)
