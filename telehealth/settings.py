"""Settings: read once from the environment, refused with a clear sentence when odd."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher

DEMO_SECRET_PREFIX = "demo-"  # noqa: S105  marks secrets that production refuses


class BadSettings(Exception):
    """A setting is missing or cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a process needs to know of its surroundings."""

    database_url: str
    database_owner_url: str
    database_direct_url: str
    secret_key: str
    cipher: FieldCipher
    public_base_url: str
    port: int
    var_dir: Path
    demo: bool
    metrics_token: str | None
    sandbox_url: str | None
    turn_urls: tuple[str, ...] = ()
    turn_secret: str | None = None
    redis_url: str | None = None
    trusted_proxies: int = 0
    print_agent_url: str = ""
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    node: bool = False
    centre_url: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def slip_base_url(self) -> str:
        """Return where the addresses on slips lead: to the centre, which every phone reaches."""
        return self.centre_url if self.node else self.public_base_url

    @property
    def secure(self) -> bool:
        """Tell whether people reach us over HTTPS; cookies are `__Host-` then."""
        return self.public_base_url.startswith("https://")

    @property
    def origin(self) -> str:
        """Return the Origin of our own pages."""
        parts = urlsplit(self.public_base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def answer_links(self) -> AnswerLinks:
        """Return what writes and checks the links in messages."""
        return AnswerLinks.of(self.secret_key, self.public_base_url)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises BadSettings."""
        demo = _flag(environ, "DEMO", default=False)
        port = _port(environ.get("PORT", "8000"))
        settings = cls(
            database_url=_database(environ, "DATABASE_URL"),
            database_owner_url=_database(environ, "DATABASE_OWNER_URL", fallback="DATABASE_URL"),
            database_direct_url=_database(environ, "DATABASE_DIRECT_URL", fallback="DATABASE_URL"),
            secret_key=_needed(environ, "SECRET_KEY"),
            cipher=_cipher(environ),
            public_base_url=environ.get("PUBLIC_BASE_URL", f"http://127.0.0.1:{port}").rstrip("/"),
            port=port,
            var_dir=Path(environ.get("VAR_DIR", "var")),
            demo=demo,
            metrics_token=environ.get("METRICS_TOKEN") or None,
            print_agent_url=environ.get("PRINT_AGENT_URL", "").rstrip("/"),
            sandbox_url=_sandbox(environ, port) if demo else None,
            turn_urls=tuple(url for url in environ.get("TURN_URLS", "").split(",") if url),
            turn_secret=environ.get("TURN_SECRET") or None,
            redis_url=environ.get("REDIS_URL") or None,
            trusted_proxies=_count(environ, "TRUSTED_PROXIES"),
            webhook_networks=_networks(environ, "WEBHOOK_NETWORKS"),
            node=_flag(environ, "NODE", default=False),
            centre_url=environ.get("CENTRE_URL", "").rstrip("/"),
            environ=dict(environ),
        )
        if not demo and not settings.node:
            _refuse_demo_secrets(settings)
        return settings


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        msg = f"{name} is not set"
        raise BadSettings(msg)
    return value


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name, "1" if default else "0")
    if value not in ("0", "1"):
        msg = f"{name} is '{value}', but must be 0 or 1"
        raise BadSettings(msg)
    return value == "1"


def _count(environ: Mapping[str, str], name: str) -> int:
    value = environ.get(name, "0")
    if not (value.isascii() and value.isdigit()):
        msg = f"{name} is '{value}', but must be a number of proxies"
        raise BadSettings(msg)
    return int(value)


def _networks(environ: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    value = environ.get(name, "")
    try:
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        msg = f"{name} is '{value}', but must be networks such as 10.20.0.0/16,192.168.5.0/24"
        raise BadSettings(msg) from error


def _port(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        msg = f"PORT is '{value}', but must be a port number"
        raise BadSettings(msg)
    return int(value)


def _database(environ: Mapping[str, str], name: str, fallback: str | None = None) -> str:
    value = environ.get(name) or (environ.get(fallback, "") if fallback else "")
    if not value:
        msg = f"{name} is not set"
        raise BadSettings(msg)
    for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if value.startswith(scheme):
            return "postgresql+psycopg://" + value.removeprefix(scheme)
    msg = f"{name} is not a PostgreSQL address"
    raise BadSettings(msg)


def _cipher(environ: Mapping[str, str]) -> FieldCipher:
    try:
        cipher = FieldCipher.parse(_needed(environ, "FIELD_KEYS"), _needed(environ, "INDEX_KEY"))
        given = environ.get("TICKET_KEY")
        return replace(cipher, given_ticket_key=base64.b64decode(given, validate=True)) if given else cipher
    except ValueError as error:
        msg = "FIELD_KEYS must be '1:<base64 of 32 bytes>' and INDEX_KEY base64 of 32 bytes"
        raise BadSettings(msg) from error


def _sandbox(environ: Mapping[str, str], port: int) -> str:
    return f"http://127.0.0.1:{_port(environ.get('SANDBOX_PORT', str(port + 1)))}"


def _refuse_demo_secrets(settings: Settings) -> None:
    if settings.secret_key.startswith(DEMO_SECRET_PREFIX):
        msg = "SECRET_KEY is a demo secret: production needs one of its own"
        raise BadSettings(msg)
    if len(settings.secret_key) < 32:
        msg = "SECRET_KEY is shorter than 32 characters"
        raise BadSettings(msg)
    if not settings.secure:
        msg = "PUBLIC_BASE_URL must start with https:// in production"
        raise BadSettings(msg)


def psycopg_url(database_url: str) -> str:
    """Return the address as psycopg itself and libpq take it."""
    return database_url.replace("postgresql+psycopg://", "postgresql://", 1)


def random_base64(raw: bytes) -> str:
    """Return raw key bytes in the form the settings take."""
    return base64.b64encode(raw).decode()
