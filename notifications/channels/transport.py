"""HTTP towards providers: bounded time, a pool as wide as the sender's threads, no proxies by environment."""

import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError
from urllib3.util import Timeout

from notifications.channels.base import Ambiguous, Retry

TIMEOUT = 10.0
POOL = 64

# It writes whole addresses at DEBUG, and eSMS wants its keys in some of them.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


@dataclass(frozen=True)
class Answer:
    """What a provider answered. `headers` are found by their lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises ValueError for what is no JSON."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    @property
    def retry_after(self) -> float | None:
        return retry_after(self.headers.get("retry-after"))


class Wire:
    """Connections that stay open, shared by all threads. A request costs half of what it does by requests.

    A failed request raises urllib3's HTTPError, which `lost` understands. Nothing is repeated or redirected.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._pools = PoolManager(
            num_pools=4,
            maxsize=POOL,
            retries=False,
            timeout=Timeout(total=timeout),
            ssl_context=ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH),
        )

    def post_json(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        content = json.dumps(body).encode()
        return self._request(
            "POST", url, {"Content-Type": "application/json", **(headers or {})}, body=content
        )

    def get(
        self, url: str, query: Mapping[str, str | int], headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self._request("GET", url, headers or {}, fields=dict(query))

    def _request(self, method: str, url: str, headers: Mapping[str, str], **content: Any) -> Answer:
        response = self._pools.request(method, url, headers=headers, redirect=False, **content)
        lowered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, lowered, response.data)


class _BoundedAdapter(HTTPAdapter):
    """A timeout here bounds the whole request; by itself requests allows it twice, to connect and to read."""

    def send(self, request: Any, stream: bool = False, timeout: Any = None, *args: Any, **kwargs: Any) -> Any:
        bound: Any = Timeout(total=timeout) if isinstance(timeout, int | float) else timeout
        return super().send(request, stream, bound, *args, **kwargs)


def pooled_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _BoundedAdapter(pool_connections=4, pool_maxsize=POOL))
    return session


def lost(error: requests.RequestException | HTTPError) -> Retry | Ambiguous:
    """Whether a failed request certainly never left, or may have arrived."""
    if _never_left(error):
        return Retry(code="unreachable", down=True)
    return Ambiguous(reason=type(error).__name__)


def _never_left(error: requests.RequestException | HTTPError) -> bool:
    """TLS may also fail after the request, while the answer is read; a bad certificate comes before it."""
    if isinstance(error, requests.exceptions.InvalidURL):
        return True
    return isinstance(_root(error), NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError)


def _root(error: BaseException) -> BaseException:
    """What requests and urllib3 have wrapped."""
    while True:
        inner = error.reason if isinstance(error, MaxRetryError) else next(iter(error.args), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header; its date form, which no provider here uses, counts as absent."""
    return float(value) if value is not None and value.strip().isdigit() else None
