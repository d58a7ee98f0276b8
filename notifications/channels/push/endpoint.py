"""Where push messages may go. An endpoint is an address that a browser gave us: without an allow-list anybody
could make us call any machine (server-side request forgery, OWASP ASVS 5.0 1.3.6)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# The services of Chrome and its kin, Firefox, Safari, Edge.
KNOWN_HOSTS = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
LONGEST = 1000

_ENDPOINT = re.compile(r"https://([a-z0-9.-]+)(?::443)?(/[!-\[\]-~]*)")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True)
class PushServices:
    """`hosts` are host names; "*." at the front stands for any name before it. With `base_url` every message
    goes there, under the path of its endpoint: a sandbox."""

    hosts: tuple[str, ...] = KNOWN_HOSTS
    base_url: str | None = None

    def allow(self, endpoint: str) -> bool:
        return self.address(endpoint) is not None

    def address(self, endpoint: str) -> str | None:
        """The address to call for an endpoint; None for one that is not a known service's."""
        found = _ENDPOINT.fullmatch(endpoint)
        if found is None or len(endpoint) > LONGEST or not any(_fits(found[1], host) for host in self.hosts):
            return None
        origin = f"https://{found[1]}" if self.base_url is None else self.base_url.rstrip("/")
        return origin + found[2]


def odd_hosts(hosts: Iterable[str]) -> list[str]:
    """Those that are no host names."""
    return [host for host in hosts if not _HOST.fullmatch(host)]


def _fits(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return host == pattern
