"""How the people of a consultation are shown. Pure."""

from telehealth.directory.naming import practitioner_title


def practitioner_name(title: str, name: str) -> str:
    """Return how a practitioner is shown: title, then name."""
    return f"{practitioner_title(title)} {name}".strip()
