"""How the providers stand, as all workers see it: who rests until when, and whose share is what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notifications.states import PausedBy


@dataclass(frozen=True)
class Standing:
    """`paused_by` None: it works. `weight` None: as configured. `rest`: seconds until it works again.
    `weight_by_hand`: the last that a person has set.
    """

    paused_by: PausedBy | None = None
    rest: float = 0.0
    weight: int | None = None
    weight_age: float | None = None
    weight_by_hand: int | None = None


_READ = """
SELECT provider, paused_by, weight, paused_until > {clock} AS paused,
       extract(epoch FROM paused_until - {clock})::float8 AS rest,
       extract(epoch FROM {clock} - weight_changed_at)::float8 AS weight_age,
       (SELECT c.weight FROM notifications.provider_change c
        WHERE c.provider = s.provider AND c.change = 'weight' AND c.changed_by IS NOT NULL
        ORDER BY c.at DESC, c.id DESC LIMIT 1) AS weight_by_hand
FROM notifications.provider_state s
"""
# An operator's word stands until the operator takes it back.
_PAUSE = """
INSERT INTO notifications.provider_state AS s (provider, paused_until, paused_by, reason, updated_at)
VALUES (%(provider)s, %(until)s, %(by)s, %(reason)s, {clock})
ON CONFLICT (provider) DO UPDATE SET paused_until = excluded.paused_until, paused_by = excluded.paused_by,
  reason = excluded.reason, updated_at = excluded.updated_at
WHERE s.paused_by IS DISTINCT FROM 'operator' OR s.paused_until IS NULL OR s.paused_until <= {clock}
   OR excluded.paused_by = 'operator'
RETURNING provider
"""
_RESUME = """
UPDATE notifications.provider_state
SET paused_until = NULL, paused_by = NULL, reason = NULL, updated_at = {clock}
WHERE provider = %(provider)s AND paused_until > {clock} RETURNING provider
"""
_WEIGH = """
INSERT INTO notifications.provider_state (provider, weight, weight_changed_at, updated_at)
VALUES (%(provider)s, %(weight)s, {clock}, {clock})
ON CONFLICT (provider) DO UPDATE SET weight = excluded.weight, weight_changed_at = excluded.weight_changed_at,
  updated_at = excluded.updated_at
"""
_NOTE = """
INSERT INTO notifications.provider_change (provider, at, change, weight, reason, changed_by)
VALUES (%(provider)s, {clock}, %(change)s, %(weight)s, %(reason)s, %(changed_by)s)
"""


class ProviderStates:
    """Reads and changes within the caller's transaction. `clock` is a constant SQL expression."""

    def __init__(self, clock: str = "clock_timestamp()") -> None:
        texts = {"read": _READ, "pause": _PAUSE, "resume": _RESUME, "weigh": _WEIGH, "note": _NOTE}
        self._sql = {name: text.format(clock=clock) for name, text in texts.items()}

    def all(self, connection: Connection) -> Mapping[str, Standing]:
        rows = connection.exec_driver_sql(self._sql["read"]).all()
        return {
            row.provider: Standing(
                paused_by=PausedBy(row.paused_by or PausedBy.CONFIG) if row.paused else None,
                rest=row.rest if row.paused else 0.0,
                weight=row.weight,
                weight_age=row.weight_age,
                weight_by_hand=row.weight_by_hand,
            )
            for row in rows
        }

    def pause(
        self,
        connection: Connection,
        provider: str,
        until: datetime,
        by: PausedBy,
        reason: str,
        *,
        changed_by: UUID | None = None,
    ) -> bool:
        """Let it rest; False when an operator has already said so for longer."""
        given = {"provider": provider, "until": until, "by": by, "reason": reason}
        if connection.exec_driver_sql(self._sql["pause"], given).one_or_none() is None:
            return False
        self._note(connection, provider, "pause", f"{by}: {reason}", changed_by=changed_by)
        return True

    def resume(self, connection: Connection, provider: str, reason: str, *, changed_by: UUID | None) -> bool:
        """Let it work again; False when it does already."""
        if connection.exec_driver_sql(self._sql["resume"], {"provider": provider}).one_or_none() is None:
            return False
        self._note(connection, provider, "resume", reason, changed_by=changed_by)
        return True

    def weigh(
        self,
        connection: Connection,
        weights: Iterable[tuple[str, int]],
        reason: str,
        *,
        changed_by: UUID | None = None,
    ) -> None:
        """Give providers another share of their channel, 0 to 100."""
        for provider, weight in weights:
            connection.exec_driver_sql(self._sql["weigh"], {"provider": provider, "weight": weight})
            self._note(connection, provider, "weight", reason, weight=weight, changed_by=changed_by)

    def _note(
        self,
        connection: Connection,
        provider: str,
        change: str,
        reason: str,
        *,
        weight: int | None = None,
        changed_by: UUID | None = None,
    ) -> None:
        given = {"provider": provider, "change": change, "weight": weight, "reason": reason}
        connection.exec_driver_sql(self._sql["note"], given | {"changed_by": changed_by})
