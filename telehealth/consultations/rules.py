"""How the people of a consultation are shown. Pure."""


def practitioner_name(title: str, name: str) -> str:
    """Return how a practitioner is shown: title, then name."""
    return f"{title} {name}".strip()
