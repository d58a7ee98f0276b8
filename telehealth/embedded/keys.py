"""Secrets of the embedded default: made once, kept in `VAR_DIR/secrets.env`, readable by its owner alone."""

import base64
import secrets
from pathlib import Path

from telehealth.embedded.home import write_private
from telehealth.embedded.refusal import Refusal

FILE = "secrets.env"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-5
DEMO_MARK = "demo-"  # production refuses a SECRET_KEY that starts so (telehealth.settings)


def load_or_make(home: Path, *, data_exists: bool) -> dict[str, str]:
    """Return the secrets by name. Raises Refusal when data was encrypted under secrets that are gone."""
    path = home / FILE
    if path.exists():
        return _completed(path)
    if data_exists:
        msg = f"{path} is missing, and without it the database cannot be read: put it back from a backup."
        raise Refusal(msg)
    made = make()
    _write(path, made)
    return made


def _completed(path: Path) -> dict[str, str]:
    """Return the kept secrets, with those that did not exist yet when they were made."""
    kept = parse(path.read_text())
    later = {name: value for name, value in _made_later().items() if name not in kept}
    if later:
        kept |= later
        _write(path, kept)
    return kept


def _write(path: Path, made: dict[str, str]) -> None:
    write_private(path, "".join(f"{name}={value}\n" for name, value in made.items()))


def make() -> dict[str, str]:
    """Return fresh secrets."""
    return {
        "SECRET_KEY": DEMO_MARK + secrets.token_urlsafe(48),
        "FIELD_KEYS": "1:" + _key(),
        "INDEX_KEY": _key(),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
        "OWNER_PASSWORD": secrets.token_hex(24),
        "APP_PASSWORD": secrets.token_hex(24),
        **_made_later(),
    }


def _made_later() -> dict[str, str]:
    """Return fresh secrets on which no stored data depends: an older file of secrets gets them added."""
    return {"VAPID_PRIVATE_KEY": _vapid_key()}


def parse(text: str) -> dict[str, str]:
    """Return the name=value lines of a file."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _vapid_key() -> str:
    """Return a private key of the curve P-256 (RFC 8292) as its 32 bytes in base64url."""
    number = 1 + secrets.randbelow(P256_ORDER - 1)
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
