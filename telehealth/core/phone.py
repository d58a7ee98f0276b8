"""Telephone numbers: E.164 inside, the local form on a screen."""

import phonenumbers


def normalise_phone(value: str) -> str | None:
    """Return E.164 (`+84912345678`) of a valid number, read as Vietnamese, or None."""
    candidate = value.strip()
    if candidate.startswith("84") and len(candidate) >= 11:
        candidate = "+" + candidate
    try:
        number = phonenumbers.parse(candidate, "VN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def can_receive_sms(e164: str) -> bool:
    """Tell whether a short message may reach the number."""
    kind = phonenumbers.number_type(phonenumbers.parse(e164))
    return kind in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )


def country_code(e164: str) -> int:
    """Return the country calling code: 84 for Viet Nam."""
    return int(phonenumbers.parse(e164).country_code or 0)


def display_phone(stored: str) -> str:
    """Return a number as people read it: `0912 345 678`, `1900 9095`, or the international form.

    `stored` is E.164, or what is dialled in Viet Nam, as hotlines are; what is no number stays as it is.
    """
    try:
        number = phonenumbers.parse(stored, "VN")
    except phonenumbers.NumberParseException:
        return stored
    form = (
        phonenumbers.PhoneNumberFormat.NATIONAL
        if number.country_code == 84
        else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
    return str(phonenumbers.format_number(number, form))
