"""Zalo's OAuth tokens: a refresh token works once, so one process at a time may use it, and says so first.

The row is marked "refreshing" and committed before the request leaves. Whoever finds an old mark knows that a
refresh was cut off: one more try shows whether the token was burnt, and then only a person can authorise it.
"""

import json
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from sqlalchemy import Engine

from notifications import sealing
from notifications.channels.base import Retry
from notifications.channels.transport import TIMEOUT, lost, pooled_session
from notifications.sealing import Sealer

_log = logging.getLogger(__name__)

# Longer than a request may take: an older mark was left by a process that is gone.
CUT_OFF_SECONDS = 30
RENEW_BEFORE_SECONDS = 6 * 3600
_KEEP_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.1
# After one has waited in vain the others need not, one after the other.
_GIVEN_UP_SECONDS = 5.0

_ROW = """
SELECT version, bootstrap_index, refresh_token, access_token, state, refresh_started_at,
       access_expires_at > clock_timestamp() AS alive,
       access_expires_at > clock_timestamp() + %(margin)s * interval '1 second' AS fresh,
       refresh_started_at > clock_timestamp() - %(cut_off)s * interval '1 second' AS under_way
FROM notifications.provider_token WHERE provider = 'zalo'
"""
# A first token is taken over once: a process with older settings must not bring back one that is used up.
_BOOTSTRAP = """
INSERT INTO notifications.provider_token
  (provider, version, bootstrap_index, bootstraps_seen, refresh_token, state, updated_at)
VALUES ('zalo', 1, %(index)s, ARRAY[%(index)s::bytea], %(refresh)s, 'ok', clock_timestamp())
ON CONFLICT (provider) DO UPDATE
SET version = provider_token.version + 1, bootstrap_index = excluded.bootstrap_index,
    bootstraps_seen = provider_token.bootstraps_seen
                      || ARRAY[provider_token.bootstrap_index, excluded.bootstrap_index],
    refresh_token = excluded.refresh_token, access_token = NULL, access_expires_at = NULL, state = 'ok',
    refresh_started_at = NULL, updated_at = clock_timestamp()
WHERE excluded.bootstrap_index <> ALL (provider_token.bootstraps_seen || provider_token.bootstrap_index)
"""
_MARK = """
UPDATE notifications.provider_token
SET state = 'refreshing', refresh_started_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE provider = 'zalo' RETURNING refresh_started_at
"""
_STORE = """
UPDATE notifications.provider_token
SET version = version + 1, refresh_token = %(refresh)s, access_token = %(access)s,
    access_expires_at = clock_timestamp() + %(lifetime)s * interval '1 second',
    state = 'ok', refresh_started_at = NULL, updated_at = clock_timestamp()
WHERE provider = 'zalo' AND version = %(version)s AND refresh_started_at = %(started)s
"""
_UNMARK = """
UPDATE notifications.provider_token
SET state = %(state)s, refresh_started_at = NULL, updated_at = clock_timestamp()
WHERE provider = 'zalo' AND version = %(version)s AND refresh_started_at = %(started)s
"""


@dataclass(frozen=True)
class _Mine:
    """A refresh that this process, and no other, has begun."""

    version: int
    started: datetime
    refresh_token: str


class _Busy:
    """Another process is refreshing and there is no good token meanwhile."""


class ZaloTokens:
    """Serves access tokens from one database row. Safe in many threads of many processes."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        *,
        app_id: str,
        app_secret: str,
        oauth_url: str,
        bootstrap_refresh_token: str,
        timeout: float = TIMEOUT,
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._app_id = app_id
        self._app_secret = app_secret
        self._url = oauth_url.rstrip("/") + "/v4/oa/access_token"
        self._bootstrap = bootstrap_refresh_token
        self._timeout = timeout
        self._session = pooled_session()
        self._lock = threading.Lock()
        self._kept: tuple[str, float] | None = None
        self._given_up_until = float("-inf")

    def current(self) -> str | None:
        kept = self._kept
        if kept and time.monotonic() < kept[1]:
            return kept[0]
        with self._lock:
            return self._kept_or_refreshed(margin=0)

    def renewed(self, stale: str) -> str | None:
        with self._lock:
            if self._kept and self._kept[0] == stale:
                self._kept = None
            return self._kept_or_refreshed(margin=0, stale=stale)

    def renew_when_due(self) -> None:
        """For a clock's tick: refresh in good time, so that no message has to wait for it."""
        with self._lock:
            self._kept = None
            self._kept_or_refreshed(margin=RENEW_BEFORE_SECONDS)

    def _kept_or_refreshed(self, margin: int, stale: str | None = None) -> str | None:
        if self._kept and time.monotonic() < self._kept[1]:
            return self._kept[0]
        if time.monotonic() < self._given_up_until:
            return None
        token = self._stored_or_refreshed(margin, stale)
        if token is None:
            self._given_up_until = time.monotonic() + _GIVEN_UP_SECONDS
        self._kept = (token, time.monotonic() + _KEEP_SECONDS) if token else None
        return token

    def _stored_or_refreshed(self, margin: int, stale: str | None) -> str | None:
        give_up = time.monotonic() + self._timeout
        while True:
            found = self._begin(margin, stale)
            if isinstance(found, _Mine):
                return self._exchange(found)
            if not isinstance(found, _Busy):
                return found
            if time.monotonic() > give_up:
                return None
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _begin(self, margin: int, stale: str | None) -> _Mine | _Busy | str | None:
        """The stored token while it is good, else the right to refresh it; None when not authorised."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_BOOTSTRAP, self._bootstrap_row())
            row: Any = connection.exec_driver_sql(
                _ROW + " FOR UPDATE", {"margin": margin, "cut_off": CUT_OFF_SECONDS}
            ).one()
            stored = self._opened(row.access_token) if row.access_token and row.alive else None
            if stored and stored != stale and row.fresh:
                return stored
            if row.state == "needs_reauth":
                return stored if stored != stale else None
            if row.state == "refreshing" and row.under_way:
                return stored if stored and stored != stale else _Busy()
            started = connection.exec_driver_sql(_MARK).scalar_one()
            return _Mine(row.version, started, self._opened(row.refresh_token))

    def _exchange(self, mine: _Mine) -> str | None:
        try:
            response = self._session.post(
                self._url,
                data={
                    "refresh_token": mine.refresh_token,
                    "app_id": self._app_id,
                    "grant_type": "refresh_token",
                },
                headers={"secret_key": self._app_secret},
                timeout=self._timeout,
            )
            answer = response.json()
        except requests.RequestException as error:
            if isinstance(lost(error), Retry):
                self._settle(mine, _UNMARK, {"state": "ok"})
            _log.warning("refreshing the Zalo token failed: %s", type(error).__name__)
            return None
        if "access_token" in answer:
            return self._store(mine, answer)
        if response.status_code < 500:
            self._settle(mine, _UNMARK, {"state": "needs_reauth"})
            _log.critical("Zalo refuses the refresh token (%s): authorise again", answer.get("error"))
        return None

    def _store(self, mine: _Mine, answer: dict[str, Any]) -> str:
        values = {
            "refresh": self._sealed(answer["refresh_token"]),
            "access": self._sealed(answer["access_token"]),
            "lifetime": int(answer.get("expires_in", 90000)),
        }
        self._settle(mine, _STORE, values)
        return str(answer["access_token"])

    def _settle(self, mine: _Mine, sql: str, values: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(sql, values | {"version": mine.version, "started": mine.started})

    def _bootstrap_row(self) -> dict[str, bytes]:
        index = self._sealer.index(self._bootstrap.encode(), sealing.TOKEN)
        return {"index": index, "refresh": self._sealed(self._bootstrap)}

    def _sealed(self, token: str) -> bytes:
        return self._sealer.seal(json.dumps(token).encode(), sealing.TOKEN)

    def _opened(self, sealed: bytes) -> str:
        return str(json.loads(self._sealer.open(sealed, sealing.TOKEN)))
