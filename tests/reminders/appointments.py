"""What happens to appointments, by the services that do it, and which messages wait afterwards."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from notifications import Outbox, sealing
from notifications.outbox import opened
from telehealth.booking import services
from telehealth.booking.queries import AppointmentView, appointment
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import local
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import CalendarDay
from telehealth.reminders.services import Means, follow_contact_changes, follow_rosters, invite_to_video
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.models import ScheduleException
from telehealth.scheduling.services import materialise
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, Person
from tests.conftest import MovableClock

BASE = "https://kham.example"


@dataclass(frozen=True)
class Waiting:
    """A message in the outbox, as a reader of the tables sees it. `at` is the local time it is due."""

    kind: str
    at: str
    phone: str
    language: str


@dataclass
class Appointments:
    """Everything runs in transactions of its own, as the system."""

    engine: Engine
    settings: Settings
    clock: MovableClock

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.settings.cipher)
        self.means = Means(self.settings.cipher, self.outbox, AnswerLinks.of(self.settings.secret_key, BASE))

    @contextmanager
    def work(self) -> Iterator[Session]:
        with system_unit_of_work(self.engine) as session:
            yield session

    # What people do.

    def book(self, person: Person, doctor: str, day: date, minute: int) -> AppointmentView:
        request = services.BookingRequest(
            person.patient_id, slot_id=self.slot(doctor, day, minute), channel=Channel.DESK
        )
        with self.work() as session:
            return services.book(session, SYSTEM, request, **self._telling())

    def move(self, appointment_id: UUID, doctor: str, day: date, minute: int) -> AppointmentView:
        move = services.Move(
            self.slot(doctor, day, minute), self.view(appointment_id).version, channel=Channel.DESK
        )
        with self.work() as session:
            return services.reschedule(session, SYSTEM, appointment_id, move, **self._telling())

    def cancel(self, appointment_id: UUID) -> None:
        telling = self._telling()
        del telling["links"]
        with self.work() as session:
            services.cancel(
                session,
                SYSTEM,
                appointment_id,
                version=self.view(appointment_id).version,
                reason_code="patient",
                **telling,
            )

    def arrive(self, appointment_id: UUID) -> None:
        with self.work() as session:
            services.mark_arrived(session, SYSTEM, appointment_id, self.clock.now)

    # What the province declares.

    def away(self, doctor: str, day: date, start: int | None = None, end: int | None = None) -> UUID:
        """The doctor is on leave, all day or between two minutes of it."""
        leave = ScheduleException(
            id=new_id(),
            facility_id=FACILITIES["77002" if doctor == "chi" else "77001"],
            practitioner_id=DOCTORS[doctor],
            kind="leave",
            from_date=day,
            to_date=day,
            start_minute=start,
            end_minute=end,
        )
        with self.work() as session:
            session.add(leave)
        self.follow_rosters()
        return leave.id

    def back(self, leave_id: UUID) -> None:
        with self.work() as session:
            session.execute(
                text("UPDATE schedule_exception SET active = false WHERE id = :id"), {"id": leave_id}
            )
        self.follow_rosters()

    def holiday(self, day: date) -> None:
        with self.work() as session:
            session.add(CalendarDay(id=new_id(), day=day, facility_id=None, kind="holiday", note="Nghỉ"))
        self.follow_rosters()

    def holiday_taken_back(self) -> None:
        with self.work() as session:
            session.execute(text("DELETE FROM calendar_day"))
        self.follow_rosters()

    # What the workers do.

    def follow_rosters(self) -> int:
        with self.work() as session:
            days = [NOW.date() + timedelta(days=offset) for offset in range(4)]
            materialise(session, days, self.clock.now)
        with self.work() as session:
            followed = follow_rosters(session, self.means, now=self.clock.now)
        return followed.lost + followed.again

    def follow_people(self) -> int:
        with self.work() as session:
            return follow_contact_changes(session, self.means, now=self.clock.now)

    def invite(self) -> int:
        with self.work() as session:
            return invite_to_video(session, self.means, now=self.clock.now)

    def send_due(self) -> None:
        """What a dispatcher would have sent by now."""
        with self.work() as session:
            session.execute(
                text(
                    """WITH sent AS (DELETE FROM notifications.outbox
                                      WHERE lease_owner IS NULL AND due_at <= :now RETURNING notification_id)
                       UPDATE notifications.notification n SET state = 'accepted' FROM sent
                        WHERE n.id = sent.notification_id"""
                ),
                {"now": self.clock.now},
            )

    # What there is.

    def slot(self, doctor: str, day: date, minute: int) -> str:
        with self.work() as session:
            session_id = session.scalar(
                text(
                    """SELECT id FROM clinic_session WHERE practitioner_id = :doctor AND business_date = :day
                          AND :minute >= start_minute AND :minute < start_minute + slot_minutes * slot_count
                        ORDER BY status <> 'open', start_minute"""
                ),
                {"doctor": DOCTORS[doctor], "day": day, "minute": minute},
            )
        return f"{session_id}.{minute}"

    def view(self, appointment_id: UUID) -> AppointmentView:
        with self.work() as session:
            found = appointment(session, appointment_id)
        assert found is not None
        return found

    def waiting(self, appointment_id: UUID, *, kinds: Iterable[str] | None = None) -> list[Waiting]:
        """What will still be sent about an appointment, in the order of its time."""
        with self.work() as session:
            rows = session.execute(
                text(
                    """SELECT n.id, n.kind, n.not_before, n.language, n.recipient, n.recipient_index, n.params
                         FROM notifications.outbox o
                         JOIN notifications.notification n ON n.id = o.notification_id
                        WHERE n.subject = :id AND NOT o.cancelled ORDER BY n.not_before, n.kind"""
                ),
                {"id": appointment_id},
            ).all()
        found = []
        for row in rows:
            recipient = opened(self.settings.cipher, row.recipient, sealing.RECIPIENT, row.id)
            assert row.recipient_index == self.outbox.recipient_index(recipient["phone"])
            assert json.dumps(opened(self.settings.cipher, row.params, sealing.PARAMS, row.id))
            wall = f"{local(row.not_before):%a %H:%M}"
            found.append(Waiting(row.kind, wall, recipient["phone"], row.language))
        return [item for item in found if kinds is None or item.kind in set(kinds)]

    def timetable(self, appointment_id: UUID) -> list[tuple[str, str]]:
        """Kind without its first word, and when."""
        return [(item.kind.removeprefix("appointment-"), item.at) for item in self.waiting(appointment_id)]

    def states(self, appointment_id: UUID, kind: str) -> list[str]:
        with self.work() as session:
            rows = session.execute(
                text(
                    """SELECT state FROM notifications.notification WHERE subject = :id AND kind = :kind
                        ORDER BY created_at, id"""
                ),
                {"id": appointment_id, "kind": kind},
            )
            return list(rows.scalars())

    def _telling(self) -> dict:
        return {
            "now": self.clock.now,
            "cipher": self.settings.cipher,
            "outbox": self.outbox,
            "links": AnswerLinks.of(self.settings.secret_key, BASE),
        }

    def at(self, moment: datetime) -> None:
        self.clock.now = moment
