"""The transport under Twilio's SDK: its own has no timeout, a pool of six, and drops Retry-After."""

import logging
from typing import Any

from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

from notifications.channels.transport import TIMEOUT, pooled_session, retry_after

OFFICIAL = "https://api.twilio.com"

# The SDK writes whole requests, phone numbers in them, at INFO.
_logger = logging.getLogger("twilio.http_client")
_logger.setLevel(logging.WARNING)


class Throttled(Exception):
    """Answer 429, which Twilio never processes. `after` is in seconds."""

    def __init__(self, after: float | None) -> None:
        super().__init__("429")
        self.after = after


class PooledHttpClient(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with a timeout, a pool and a base address that configuration can point elsewhere."""

    def __init__(self, base_url: str = OFFICIAL, timeout: float = TIMEOUT) -> None:
        super().__init__(timeout=timeout, logger=_logger)
        self._base_url = base_url.rstrip("/")
        self.session = pooled_session()

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        response = super().request(method, url.replace(OFFICIAL, self._base_url, 1), *args, **kwargs)
        if response.status_code == 429:
            raise Throttled(retry_after(response.headers.get("Retry-After")))
        return response
