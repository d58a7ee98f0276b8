"""Secrets of the embedded default: made once, kept in `VAR_DIR/secrets.env`, readable by its owner alone."""

import base64
import secrets
from pathlib import Path

from telehealth.embedded.home import write_private
from telehealth.embedded.refusal import Refusal

FILE = "secrets.env"
DEMO_MARK = "demo-"  # production refuses a SECRET_KEY that starts so (telehealth.settings)


def load_or_make(home: Path, *, data_exists: bool) -> dict[str, str]:
    """Return the secrets by name. Raises Refusal when data was encrypted under secrets that are gone."""
    path = home / FILE
    if path.exists():
        return parse(path.read_text())
    if data_exists:
        msg = f"{path} is missing, and without it the database cannot be read: put it back from a backup."
        raise Refusal(msg)
    made = make()
    write_private(path, "".join(f"{name}={value}\n" for name, value in made.items()))
    return made


def make() -> dict[str, str]:
    """Return fresh secrets."""
    return {
        "SECRET_KEY": DEMO_MARK + secrets.token_urlsafe(48),
        "FIELD_KEYS": "1:" + _key(),
        "INDEX_KEY": _key(),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
        "OWNER_PASSWORD": secrets.token_hex(24),
        "APP_PASSWORD": secrets.token_hex(24),
    }


def parse(text: str) -> dict[str, str]:
    """Return the name=value lines of a file."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
