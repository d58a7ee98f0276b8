"""Settling what follows from missed appointments. Locks: patient (advisory), then appointment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox, take_back
from telehealth.attendance import messages, queries
from telehealth.attendance.codes import Excuse
from telehealth.attendance.errors import MissUnknown
from telehealth.attendance.queries import MissView
from telehealth.attendance.rules import Consequences, Standing, consequences, due_at, standing, to_be_asked
from telehealth.audit.services import Entry, record
from telehealth.booking import queries as bookings
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus, CancelReason, RestrictionGrade
from telehealth.booking.queries import AppointmentView
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import SYSTEM, Principal
from telehealth.patients.queries import recipient_of

AT_ONCE = 100
ASKS = (RestrictionGrade.MUST_CONFIRM, RestrictionGrade.DESK_ONLY)


@dataclass(frozen=True, slots=True)
class Sender:
    """What telling people takes."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


def excuse(
    session: Session, principal: Principal, appointment_id: UUID, reason: Excuse, *, now: datetime
) -> MissView:
    """Let a missed appointment not count, and settle anew what follows. The last reason given stands.

    Raises MissUnknown.
    """
    found = queries.miss(session, appointment_id)
    if found is None:
        raise MissUnknown
    _execute(
        session,
        """UPDATE no_show SET excuse = %(reason)s, excused_at = %(now)s, excused_by = %(by)s
            WHERE appointment_id = %(id)s""",
        {"reason": reason.value, "now": now, "by": principal.id, "id": appointment_id},
    )
    take_back(session, appointment_id, kinds=("visit-missed",), now=now)
    regrade(session, found.patient_id, now=now)
    details = {"reason": reason.value}
    entry = Entry(
        "attendance.excuse", "Appointment", appointment_id, found.patient_id, found.facility_id, details
    )
    record(session, principal, entry, now=now)
    return queries.miss(session, appointment_id) or found


def regrade(
    session: Session, patient_id: UUID, *, now: datetime, rule: Consequences | None = None
) -> Standing | None:
    """Write what holds for somebody now, or that nothing does any more."""
    _execute(
        session, "SELECT pg_advisory_xact_lock(hashtextextended('booking:' || %(id)s, 0))", {"id": patient_id}
    )
    misses = _rows(
        session,
        """SELECT start_at FROM no_show
            WHERE patient_id = %(id)s AND excuse IS NULL AND returned_at IS NULL""",
        {"id": patient_id},
    )
    holds = standing((row.start_at for row in misses), now, rule or consequences())
    if holds is None:
        _execute(session, "DELETE FROM booking_restriction WHERE patient_id = %(id)s", {"id": patient_id})
    else:
        _execute(
            session,
            """INSERT INTO booking_restriction (patient_id, grade, since, until)
               VALUES (%(id)s, %(grade)s, %(since)s, %(until)s)
               ON CONFLICT (patient_id) DO UPDATE SET grade = excluded.grade, since = excluded.since,
                   until = excluded.until""",
            {"id": patient_id, "grade": holds.grade.value, "since": holds.since, "until": holds.until},
        )
    _execute(
        session,
        "UPDATE no_show SET graded_at = %(now)s WHERE patient_id = %(id)s AND graded_at IS NULL",
        {"id": patient_id, "now": now},
    )
    return holds


def grade_pending(session: Session, sender: Sender, *, now: datetime) -> int:
    """Settle what was recorded since, and what has run out; returns for how many people."""
    fresh = _rows(
        session,
        f"""SELECT n.appointment_id, n.patient_id, n.returned_at IS NOT NULL AS returned, n.excuse
              FROM no_show n WHERE n.graded_at IS NULL ORDER BY n.patient_id, n.appointment_id LIMIT {AT_ONCE}
               FOR UPDATE SKIP LOCKED""",
        {},
    )
    over = _rows(
        session,
        f"""SELECT patient_id FROM booking_restriction WHERE until <= %(now)s
             ORDER BY patient_id LIMIT {AT_ONCE}""",
        {"now": now},
    )
    people = sorted({row.patient_id for row in (*fresh, *over)})
    for patient_id in people:
        regrade(session, patient_id, now=now)
    for row in fresh:
        if row.returned or row.excuse is not None:
            take_back(session, row.appointment_id, kinds=("visit-missed",), now=now)
        else:
            _tell(session, sender, row.appointment_id, now)
    return len(people)


def ask_to_confirm(
    session: Session, sender: Sender, *, now: datetime, rule: Consequences | None = None
) -> int:
    """Ask those who must confirm whether they will come tomorrow; returns how many were asked.

    Whose doctor is away then is not asked: it is for the facility to speak first.
    """
    known = rule or consequences()
    candidates = _rows(
        session,
        f"""SELECT a.id, a.start_at, coalesce(a.agreed_at, a.created_at) AS agreed_at
              FROM appointment a JOIN booking_restriction r ON r.patient_id = a.patient_id
             WHERE a.status = 'booked' AND a.confirmed_at IS NULL AND r.grade = ANY(%(grades)s)
               AND r.until > %(now)s AND a.start_at > %(now)s AND a.start_at <= %(horizon)s
               AND NOT EXISTS (SELECT FROM confirmation_request c
                                WHERE c.appointment_id = a.id AND c.start_at = a.start_at)
               AND NOT EXISTS (SELECT FROM appointment_disruption d WHERE d.appointment_id = a.id
                                  AND d.start_at = a.start_at AND d.resolved_at IS NULL)
             ORDER BY a.id LIMIT {AT_ONCE} FOR UPDATE OF a SKIP LOCKED""",
        {"grades": [grade.value for grade in ASKS], "now": now, "horizon": now + timedelta(days=2)},
    )
    due = [row for row in candidates if to_be_asked(row.start_at, row.agreed_at, now, known)]
    return sum(_ask(session, sender, row.id, now, known) for row in due)


def release_unconfirmed(
    session: Session, sender: Sender, appointment_id: UUID, start: datetime, *, now: datetime
) -> bool:
    """Give the place of somebody who was asked and did not answer to the waitlist; tells whether it was.

    One to a transaction: cancelling locks the patient first, and two patients' locks have no order.
    """
    view = _still_unconfirmed(session, appointment_id, start, now)
    if view is not None:
        _release(session, sender, view, now)
    _execute(
        session,
        """UPDATE confirmation_request SET closed_at = %(now)s, released = %(released)s
            WHERE appointment_id = %(id)s AND start_at = %(start)s AND closed_at IS NULL""",
        {"now": now, "released": view is not None, "id": appointment_id, "start": start},
    )
    return view is not None


def _tell(session: Session, sender: Sender, appointment_id: UUID, now: datetime) -> None:
    view = bookings.appointment(session, appointment_id)
    if view is None or view.patient_id is None or view.status != AppointmentStatus.NOSHOW:
        return
    to = recipient_of(session, view.patient_id, view.account_id, sender.cipher)
    if to is not None:
        told = messages.missed(view, to, links=sender.links, now=now)
        sender.outbox.enqueue(session, [told], now=now)


def _ask(session: Session, sender: Sender, appointment_id: UUID, now: datetime, rule: Consequences) -> bool:
    """Ask one; who cannot be reached is not asked, and so does not lose the place."""
    view = bookings.appointment(session, appointment_id)
    if view is None or view.patient_id is None:
        return False
    to = recipient_of(session, view.patient_id, view.account_id, sender.cipher)
    if to is None:
        return False
    due = due_at(view.start, rule)
    _execute(
        session,
        """INSERT INTO confirmation_request (appointment_id, start_at, due_at, asked_at)
           VALUES (%(id)s, %(start)s, %(due)s, %(now)s)""",
        {"id": view.id, "start": view.start, "due": due, "now": now},
    )
    sender.outbox.enqueue(session, [messages.asked(view, due, to, links=sender.links, now=now)], now=now)
    return True


def _still_unconfirmed(
    session: Session, appointment_id: UUID, start: datetime, now: datetime
) -> AppointmentView | None:
    """Return an appointment that still waits for the word, once nobody else changes it."""
    _execute(session, "SELECT lock_appointment(%(id)s)", {"id": appointment_id})
    view = bookings.appointment(session, appointment_id)
    if view is None or view.patient_id is None or view.status != AppointmentStatus.BOOKED:
        return None
    holds = queries.restricted(session, [view.patient_id], now=now)
    asked = any(each.standing is not None and each.standing.grade in ASKS for each in holds)
    stands = view.start == start and not view.disrupted and view.confirmed_at is None and now < start
    return view if asked and stands else None


def _release(session: Session, sender: Sender, view: AppointmentView, now: datetime) -> None:
    booking.cancel(
        session,
        SYSTEM,
        view.id,
        version=view.version,
        reason_code=CancelReason.NOT_CONFIRMED,
        now=now,
        cipher=sender.cipher,
        outbox=sender.outbox,
    )


def _rows(session: Session, sql: str, parameters: dict[str, Any]) -> list[Any]:
    return list(session.connection().exec_driver_sql(sql, parameters).all())


def _execute(session: Session, sql: str, parameters: dict[str, Any]) -> None:
    session.connection().exec_driver_sql(sql, parameters)
