"""HTTP towards providers: bounded time, a pool as wide as the sender's threads, no proxies by environment."""

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from notifications.channels.base import Ambiguous, Retry

TIMEOUT = 10.0
POOL = 64


def pooled_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=POOL))
    return session


def lost(error: requests.RequestException) -> Retry | Ambiguous:
    """Whether a failed request certainly never left, or may have arrived."""
    if _never_left(error):
        return Retry(code="unreachable", down=True)
    return Ambiguous(reason=type(error).__name__)


def _never_left(error: requests.RequestException) -> bool:
    if isinstance(
        error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.InvalidURL
    ):
        return True
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header; its date form, which no provider here uses, counts as absent."""
    return float(value) if value is not None and value.strip().isdigit() else None
