"""Ourselves towards the push services, as configured here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from notifications.channels.base import Channel
from notifications.channels.provider import Host
from notifications.channels.push.channel import WebPush
from notifications.channels.push.endpoint import KNOWN_HOSTS, PushServices, odd_hosts
from notifications.channels.push.signature import BadKey, Signer
from notifications.environment import BadNotificationSettings

_SUBJECT = re.compile(r"mailto:[^@\s]+@[\w.-]+|https://[\w-]+(\.[\w-]+)+")


@dataclass(frozen=True)
class PushAccount:
    """`private_key`: 32 bytes in base64url; every browser is subscribed under its public half."""

    private_key: str
    subject: str
    services: PushServices

    @cached_property
    def public_key(self) -> str:
        """What a browser needs for subscribing: the uncompressed point in base64url."""
        return Signer(self.private_key, self.subject).public_key

    def connect(self, host: Host) -> Channel:
        return WebPush(Signer(self.private_key, self.subject), self.services, timeout=host.timeout)


def read(environ: Mapping[str, str]) -> PushAccount | None:
    private_key = environ.get("VAPID_PRIVATE_KEY", "")
    if not private_key:
        return None
    subject = _subject(environ)
    try:
        Signer(private_key, subject)
    except BadKey as error:
        raise BadNotificationSettings(f"VAPID_PRIVATE_KEY: {error}") from error
    services = PushServices(hosts=_hosts(environ), base_url=environ.get("PUSH_BASE_URL") or None)
    return PushAccount(private_key, subject, services)


def sandbox(url: str) -> Mapping[str, str]:
    return {"PUSH_BASE_URL": url, "VAPID_SUBJECT": "mailto:push@localhost"}


def _subject(environ: Mapping[str, str]) -> str:
    """VAPID_SUBJECT, else the public host: an operator of a service looks there for whom to ask."""
    host = urlsplit(environ.get("PUBLIC_BASE_URL", "")).hostname
    subject = environ.get("VAPID_SUBJECT") or f"https://{host}"
    if not _SUBJECT.fullmatch(subject):
        raise BadNotificationSettings(
            "VAPID_SUBJECT must look like mailto:it@hospital.vn or https://hospital.vn, so that the operators"
            " of push services can reach you"
        )
    return subject


def _hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in environ.get("PUSH_HOSTS", "").split(",") if host.strip())
    odd = odd_hosts(hosts)
    if odd:
        raise BadNotificationSettings(f"PUSH_HOSTS: no host names: {', '.join(odd)}")
    return hosts or KNOWN_HOSTS
