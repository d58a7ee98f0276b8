"""The doctor is back: sessions open again, and whoever still has the old time keeps it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import messages
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.queries import AppointmentView, appointment
from telehealth.booking.recipients import recipients
from telehealth.booking.services.ledger import end_disruption
from telehealth.closures import queries
from telehealth.closures.codes import ItemState
from telehealth.closures.errors import ClosureUndone, ClosureUnknown
from telehealth.closures.queries import ClosureView
from telehealth.closures.services.acting import Means
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.scheduling.services import Materialised, materialise

# Another leave, or a holiday, may keep the time from being held all the same.
_LOST = """EXISTS (SELECT FROM roster_change r WHERE r.clinic_session_id = a.clinic_session_id
                      AND r.resolved_at IS NULL AND NOT r.worked @> tstzrange(a.start_at, a.end_at))"""


def undo(session: Session, principal: Principal, closure_id: UUID, *, now: datetime) -> ClosureView:
    """Take a closure back: the roster has the time again. What follows from it is done one by one.

    Who has been moved, or has taken another time, keeps it. Raises ClosureUnknown, ClosureUndone.
    """
    row = fetch_one(
        session,
        """UPDATE session_closure SET state = 'undoing', undone_by = %(by)s, undone_at = %(now)s
            WHERE id = %(id)s AND state IN ('running', 'finished')
            RETURNING exception_id, calendar_day_ids, facility_id""",
        {"id": closure_id, "by": principal.id, "now": now},
    )
    found = queries.closure(session, closure_id)
    if found is None:
        raise ClosureUnknown
    if row is None:
        raise ClosureUndone
    exception_id, days, facility_id = row
    connection = session.connection()
    if exception_id is not None:
        connection.exec_driver_sql(
            "UPDATE schedule_exception SET active = false, version = version + 1 WHERE id = %s",
            (exception_id,),
        )
    if days:
        connection.exec_driver_sql("DELETE FROM calendar_day WHERE id = ANY(%s)", (days,))
    entry = Entry("closures.undo", "SessionClosure", closure_id, facility_id=facility_id)
    record(session, principal, entry, now=now)
    return found


def reopen(session: Session, closure: ClosureView, *, now: datetime) -> Materialised:
    """Bring the closure's days to the roster as it is now, which opens what nothing else closes."""
    return materialise(session, closure.span.days, now)


def stand_again(session: Session, item_id: UUID, means: Means, *, now: datetime) -> bool:
    """Let one person keep the old time, and say so if they were told otherwise; False: it is lost still."""
    row = fetch_one(
        session, "SELECT appointment_id FROM session_closure_item WHERE id = %(id)s", {"id": item_id}
    )
    if row is None:
        return False
    fetch_one(session, "SELECT lock_appointment(%(id)s)", {"id": row[0]})
    item = fetch_one(
        session,
        f"""SELECT i.start_at, i.clinic_session_id, a.clinic_session_id, i.message_key, {_LOST}
              FROM session_closure_item i JOIN appointment a ON a.id = i.appointment_id
             WHERE i.id = %(id)s AND i.state IN ('waiting', 'offered', 'told') FOR UPDATE OF i""",
        {"id": item_id},
    )
    view = appointment(session, row[0])
    if item is None or view is None:
        return False
    start, session_then, session_now, key, lost = item
    there = view.status == AppointmentStatus.BOOKED and (start, session_then) == (view.start, session_now)
    if not there or lost:
        _mark(session, item_id, ItemState.SETTLED if not there else None)
        return False
    booking.withdraw_offer(session, view.id, now=now)
    _agree_anew(session, view, key, means, now)
    _mark(session, item_id, ItemState.STANDS)
    return True


def finish_undoing(session: Session, closure_id: UUID) -> None:
    """Note that the closure is undone for everybody."""
    session.connection().exec_driver_sql(
        "UPDATE session_closure SET state = 'undone' WHERE id = %s AND state = 'undoing'", (closure_id,)
    )


def _agree_anew(
    session: Session, view: AppointmentView, key: str | None, means: Means, now: datetime
) -> None:
    """End the disruption: from now on the old time stands, with its reminders."""
    lost = fetch_one(
        session,
        """SELECT id FROM appointment_disruption WHERE appointment_id = %(id)s AND start_at = %(start)s
            ORDER BY found_at DESC LIMIT 1""",
        {"id": view.id, "start": view.start},
    )
    end_disruption(session, view.id, now)
    session.connection().exec_driver_sql(
        "UPDATE appointment SET agreed_at = %(now)s WHERE id = %(id)s", {"id": view.id, "now": now}
    )
    again = appointment(session, view.id) or view
    to = recipients(session, [view.id], means.cipher).get(view.id)
    told = messages.reminders(again, to, links=means.links, now=now)
    if to is not None and lost is not None and key is not None and means.outbox.said(session, [key]):
        told.append(messages.stands(again, to, lost[0], links=means.links, now=now))
    means.outbox.replace(session, view.id, told, now=now)


def _mark(session: Session, item_id: UUID, state: ItemState | None) -> None:
    if state is not None:
        session.connection().exec_driver_sql(
            "UPDATE session_closure_item SET state = %s WHERE id = %s", (state, item_id)
        )
