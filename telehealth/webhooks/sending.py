"""One signed request to a hospital's system: to the address that was checked, once, in bounded time."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from telehealth.webhooks.rules import Reach, Target

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a request: the status that was answered, or in a few words why there is none."""

    status: int | None
    error: str | None = None

    @property
    def arrived(self) -> bool:
        """Tell whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def away(self) -> bool:
        """Tell whether the receiver takes nothing at all now, whatever is sent."""
        return self.status is None or self.status >= 500 or self.status in (408, 429)


def resolved(target: Target) -> list[str]:
    """Return the addresses that a host stands for; none where it has none."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(item[4][0]) for item in found})


def send(url: str, body: bytes, headers: Mapping[str, str], reach: Reach) -> Sent:
    """Post a body. The name is resolved once, checked, and that very address is called (no rebinding)."""
    target = Target.parse(url)
    address = None if target is None else reach.allowed(target, resolved(target))
    if target is None or address is None:
        return Sent(None, "target-refused")
    try:
        with _pool(target, address) as pool:
            answer = pool.request(
                "POST",
                target.path,
                body=body,
                headers={**headers, "Host": target.authority},
                redirect=False,
                preload_content=False,
            )
            answer.release_conn()
            return Sent(answer.status, None if 200 <= answer.status < 300 else "status")
    except HTTPError as error:
        return Sent(None, type(error).__name__)


def _pool(target: Target, address: str) -> HTTPConnectionPool:
    timeout = Timeout(total=TIMEOUT_SECONDS)
    if not target.secure:
        return HTTPConnectionPool(address, target.port, timeout=timeout, retries=False)
    return HTTPSConnectionPool(
        address,
        target.port,
        timeout=timeout,
        retries=False,
        server_hostname=target.host,
        assert_hostname=target.host,
    )
