"""Zalo's OAuth tokens: a refresh token works once, so one process at a time may use it, and says so first.

The row is marked "refreshing" and committed before the request leaves, and the answer is written to a journal
before it is committed, so that another process can take it up. Whoever finds an old mark and no answer knows
that a refresh was cut off: one more try shows whether the token was burnt. If so, a person has to authorise.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import requests
from sqlalchemy import Engine

from notifications import sealing
from notifications.channels import codes
from notifications.channels.base import Retry
from notifications.channels.codes import CodeClass
from notifications.channels.transport import TIMEOUT, lost, pooled_session
from notifications.channels.zalo.journal import TokenJournal
from notifications.sealing import Sealer

_log = logging.getLogger(__name__)

REFRESH_CODES = codes.load(Path(__file__).parent / "refresh_codes.yaml")
# Longer than a request may take: an older mark was left by a process that is gone.
CUT_OFF_SECONDS = 30
RENEW_BEFORE_SECONDS = 6 * 3600
# As Zalo says it, should it not say it.
_LIFETIME_SECONDS = 90000
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
# A pair got for this version is the truth, whoever has begun another try or given up meanwhile.
_STORE = """
UPDATE notifications.provider_token
SET version = version + 1, refresh_token = %(refresh)s, access_token = %(access)s,
    access_expires_at = coalesce(refresh_started_at, clock_timestamp()) + %(lifetime)s * interval '1 second',
    state = 'ok', refresh_started_at = NULL, updated_at = clock_timestamp()
WHERE provider = 'zalo' AND version = %(version)s AND bootstrap_index = %(bootstrap)s
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
    bootstrap: bytes
    started: datetime
    refresh_token: str


@dataclass(frozen=True)
class _Pair:
    """What Zalo gives for a refresh token. `lifetime` of the access token, in seconds."""

    refresh: str
    access: str
    lifetime: int

    @classmethod
    def read(cls, answer: object) -> Self | None:
        """None for an answer without both tokens."""
        if not isinstance(answer, dict):
            return None
        refresh, access = answer.get("refresh_token"), answer.get("access_token")
        lifetime = str(answer.get("expires_in"))
        if not (isinstance(refresh, str) and isinstance(access, str) and refresh and access):
            return None
        return cls(refresh, access, int(lifetime) if lifetime.isdecimal() else _LIFETIME_SECONDS)


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
        journal: TokenJournal | None = None,
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._app_id = app_id
        self._app_secret = app_secret
        self._url = oauth_url.rstrip("/") + "/v4/oa/access_token"
        self._bootstrap = bootstrap_refresh_token
        self._timeout = timeout
        self._journal = journal or TokenJournal()
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
        self._take_up()
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
            return _Mine(row.version, bytes(row.bootstrap_index), started, self._opened(row.refresh_token))

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
                self._unmark(mine, "ok")
            _log.warning("refreshing the Zalo token failed: %s", type(error).__name__)
            return None
        pair = _Pair.read(answer)
        if pair is not None:
            self._keep(mine, pair)
            return pair.access
        self._refused(mine, answer, response.status_code)
        return None

    def _refused(self, mine: _Mine, answer: object, status: int) -> None:
        """Zalo answers errors with 200. Only some say that the token is no good; what says nothing leaves the
        mark, as a refresh that was cut off."""
        said = (
            [codes.plain(answer.get(name)) for name in ("error", "error_name")]
            if isinstance(answer, dict)
            else []
        )
        if CodeClass.ACCESS in {REFRESH_CODES.class_of(word) for word in said if word is not None}:
            self._unmark(mine, "needs_reauth")
            _log.critical("Zalo refuses the refresh token (%s): authorise again", said[0])
            return
        if any(said) and status < 500:
            self._unmark(mine, "ok")
        _log.error(
            "Zalo gave no new token (HTTP %s, %s): tried again later", status, said[0] if said else None
        )

    def _unmark(self, mine: _Mine, state: str) -> None:
        values = {"state": state, "version": mine.version, "started": mine.started}
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_UNMARK, values)

    def _keep(self, mine: _Mine, pair: _Pair) -> None:
        waiting = asdict(pair) | {"version": mine.version, "bootstrap": mine.bootstrap.hex()}
        sealed = self._sealer.seal(json.dumps(waiting).encode(), sealing.TOKEN)
        self._journal.write(sealed)
        if self._commit(waiting):
            self._journal.clear(sealed)

    def _take_up(self) -> None:
        """An answer that somebody has got and could not commit, if it is about the row as it stands."""
        sealed = self._journal.read()
        if sealed is None:
            return
        if self._commit(json.loads(self._sealer.open(sealed, sealing.TOKEN))):
            _log.warning("took up new Zalo tokens that a process had left behind")
            self._journal.clear(sealed)

    def _commit(self, waiting: Mapping[str, Any]) -> bool:
        """False when the row is no longer, or not yet, as it was when the answer came."""
        values = {
            "refresh": self._sealed(waiting["refresh"]),
            "access": self._sealed(waiting["access"]),
            "lifetime": waiting["lifetime"],
            "version": waiting["version"],
            "bootstrap": bytes.fromhex(waiting["bootstrap"]),
        }
        with self._engine.begin() as connection:
            return connection.exec_driver_sql(_STORE, values).rowcount == 1

    def _bootstrap_row(self) -> dict[str, bytes]:
        index = self._sealer.index(self._bootstrap.encode(), sealing.TOKEN)
        return {"index": index, "refresh": self._sealed(self._bootstrap)}

    def _sealed(self, token: str) -> bytes:
        return self._sealer.seal(json.dumps(token).encode(), sealing.TOKEN)

    def _opened(self, sealed: bytes) -> str:
        return str(json.loads(self._sealer.open(sealed, sealing.TOKEN)))
