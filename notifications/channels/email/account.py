"""The mail server, as it is configured here."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

from notifications.channels.base import Channel
from notifications.channels.email.channel import Relay, SmtpEmail
from notifications.channels.provider import Host
from notifications.environment import BadNotificationSettings

_EXAMPLE = "SMTP_URL must look like smtp://user:password@mail.example.vn:587 or smtps://..."
_PORTS = {"smtp": 25, "smtps": 465}
_SUBMISSION = 587


@dataclass(frozen=True)
class EmailAccount:
    """`sender` is a mailbox with or without a name: "Sở Y tế <thu@syt.example.vn>"."""

    relay: Relay
    sender: str

    def connect(self, host: Host) -> Channel:
        return SmtpEmail(self.relay, self.sender, timeout=host.timeout)


def read(environ: Mapping[str, str]) -> EmailAccount | None:
    """SMTP_FROM alone sends nothing and is no error: the demo has one ready."""
    url = environ.get("SMTP_URL", "")
    if not url:
        return None
    sender = environ.get("SMTP_FROM", "")
    _, address = parseaddr(sender)
    if not _is_mailbox(address):
        raise BadNotificationSettings('SMTP_FROM must look like "Sở Y tế <thu@syt.example.vn>"')
    return EmailAccount(_relay(url), sender)


def sandbox(_url: str) -> Mapping[str, str]:
    """The sandbox's mail server has a port of its own, which SMTP_URL names."""
    return {"SMTP_FROM": "Sở Y tế tỉnh <thong-bao@so-y-te.example>"}


def _relay(url: str) -> Relay:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise BadNotificationSettings(_EXAMPLE) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadNotificationSettings(_EXAMPLE)
    if (parts.username is None) is not (parts.password is None):
        raise BadNotificationSettings(_EXAMPLE)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise BadNotificationSettings("SMTP_URL: user and password have to be of plain letters")
    by_default = _SUBMISSION if parts.username and parts.scheme == "smtp" else _PORTS[parts.scheme]
    return Relay(
        host=parts.hostname,
        port=port or by_default,
        wrapped=parts.scheme == "smtps",
        user=user,
        password=password,
    )


def _is_mailbox(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(local and at and "." in domain and address.isascii() and " " not in address)
