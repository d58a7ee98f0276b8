"""One entry of the line: found, locked, its state changed by compare and swap, what happened to it noted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.principal import Principal
from telehealth.waitlist import queries
from telehealth.waitlist.codes import EntryState, EventKind, PassedOver, PlaceOfferState
from telehealth.waitlist.errors import EntryUnknown
from telehealth.waitlist.queries import EntryView


def locked(session: Session, entry_id: UUID, now: datetime) -> EntryView:
    """Return an entry as it is once nobody else acts for its patient. Raises EntryUnknown."""
    execute(session, "SELECT lock_waiting(%(id)s)", {"id": entry_id})
    found = queries.entry(session, entry_id, now=now)
    if found is None:
        raise EntryUnknown
    return found


def move(
    session: Session,
    entry_id: UUID,
    before: tuple[EntryState, ...],
    after: EntryState,
    now: datetime,
    appointment_id: UUID | None = None,
) -> bool:
    """Change an entry's state if it is still in one of those before; False when it is not."""
    return execute(
        session,
        """UPDATE waitlist_entry SET state = %(after)s, changed_at = %(now)s, appointment_id = %(appointment)s
            WHERE id = %(id)s AND state = ANY(%(before)s)""",
        {
            "id": entry_id,
            "before": [state.value for state in before],
            "after": after.value,
            "now": now,
            "appointment": appointment_id,
        },
    )


def close_offer(session: Session, offer_id: UUID, state: PlaceOfferState, now: datetime) -> bool:
    """Give an open offer its end; False when it has one already."""
    return execute(
        session,
        """UPDATE waitlist_offer SET state = %(state)s, answered_at = %(now)s
            WHERE id = %(id)s AND state = 'open'""",
        {"id": offer_id, "state": state.value, "now": now},
    )


def note(
    session: Session,
    entry_id: UUID,
    kind: EventKind,
    now: datetime,
    *,
    start: datetime | None = None,
    reason: PassedOver | None = None,
) -> None:
    """Write what happened to an entry. To be passed over for one place for one reason is said once."""
    execute(
        session,
        """INSERT INTO waitlist_event (entry_id, at, kind, reason, start_at)
           SELECT %(entry)s, %(now)s, %(kind)s, %(reason)s, %(start)s
            WHERE %(reason)s::text IS NULL OR NOT EXISTS (
                SELECT FROM waitlist_event v WHERE v.entry_id = %(entry)s AND v.reason = %(reason)s
                   AND v.start_at = %(start)s)""",
        {"entry": entry_id, "now": now, "kind": kind.value, "reason": reason, "start": start},
    )


def trail(
    session: Session, principal: Principal, action: str, view: EntryView, now: datetime, **details: str
) -> None:
    """Write the audit row of an act."""
    entry = Entry(
        action, "WaitlistEntry", view.id, view.patient_id, view.wish.facility_id or view.desk_id, details
    )
    record(session, principal, entry, now=now)


def free_again(session: Session, slot_id: str) -> None:
    """Let the worker offer a place to the next in line."""
    execute(
        session,
        """INSERT INTO freed_place (practitioner_id, from_at, to_at)
           SELECT s.practitioner_id, x.start, x.start + s.slot_minutes * interval '1 minute'
             FROM clinic_session s CROSS JOIN LATERAL (
                SELECT s.start_at + (%(minute)s - s.start_minute) * interval '1 minute' AS start) x
            WHERE s.id = %(session)s::uuid""",
        {"session": slot_id.partition(".")[0], "minute": int(slot_id.partition(".")[2])},
    )


def execute(session: Session, sql: str, parameters: Mapping[str, Any]) -> bool:
    """Run one statement; tell whether it touched exactly one row."""
    return session.connection().exec_driver_sql(sql, dict(parameters)).rowcount == 1
