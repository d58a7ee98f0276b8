"""Every operation of the ledger at once, on a few hot clinics, by several processes; what was told is kept.

At the end the told and the stored are compared: an acknowledgement that the database does not know is lost.
"""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from uuid import UUID

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from bench.province import Patient
from notifications import Outbox
from telehealth.booking import services
from telehealth.booking.rules import BookingPolicy, Policies
from telehealth.booking.services import AnyPractitioner, BookingRequest, Move
from telehealth.core.clock import system_clock
from telehealth.core.errors import DomainError
from telehealth.core.ids import derived_id
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import CONNECT_ARGS, system_unit_of_work
from telehealth.scheduling.codes import Channel
from telehealth.settings import Settings

FREELY = Policies(booking=dict.fromkeys(Channel, BookingPolicy(None, None, None, holds_per_account=1000)))
_GRANTS = frozenset({Grant(Role.SYSTEM), Grant(Role.DESK), Grant(Role.PATIENT)})
HOT_SESSIONS = 120
_MIX = {"book": 30, "hold": 15, "confirm": 15, "cancel": 18, "move": 14, "any": 6, "overbook": 4, "tidy": 1}


@dataclass(frozen=True, slots=True)
class Clinic:
    """A hot session: its slots, and what any doctor of its day would be asked for."""

    service_code: str
    facility_id: UUID
    slots: tuple[str, ...]
    start: datetime
    end: datetime


@dataclass
class Told:
    """What one process was told: how often what, and in what state it left each appointment."""

    outcomes: Counter[str] = field(default_factory=Counter)
    standing: dict[UUID, str] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def hot_clinics(admin_url: str) -> list[Clinic]:
    """Return some sessions of the coming days, several of one service and facility among them."""
    with psycopg.connect(admin_url) as admin:
        rows = admin.execute(
            """SELECT id, service_code, facility_id, start_minute + lead_minutes, slot_minutes, slot_count,
                      start_at, end_at
                 FROM clinic_session
                WHERE start_at > now() + interval '1 day' AND status = 'open' AND modality = 'in-person'
                ORDER BY business_date, facility_id, service_code, id LIMIT %s""",
            (HOT_SESSIONS,),
        ).fetchall()
    return [
        Clinic(
            row[1],
            row[2],
            tuple(f"{row[0]}.{row[3] + index * row[4]}" for index in range(min(row[5], 6))),
            row[6],
            row[7],
        )
        for row in rows
    ]


def play(
    env: Mapping[str, str],
    people: Sequence[Patient],
    clinics: Sequence[Clinic],
    *,
    operations: int,
    processes: int,
) -> list[Told]:
    """Let processes do so many operations together, each for people of its own."""
    context = multiprocessing.get_context("spawn")
    ends: list[Connection] = []
    workers = []
    senders = []
    for number in range(processes):
        receiver, sender = context.Pipe(duplex=False)
        ends.append(receiver)
        senders.append(sender)
        mine = list(people[number::processes])
        work = (dict(env), mine, list(clinics), operations // processes, number, sender)
        workers.append(context.Process(target=_work, args=work))
    for worker in workers:
        worker.start()
    for sender in senders:
        sender.close()  # so that the end of a worker that died is seen
    told: list[Told] = [end.recv() for end in ends]
    for worker in workers:
        worker.join()
    return told


def lost(admin_url: str, told: Sequence[Told]) -> int:
    """Count the appointments that are not in the state which was acknowledged last."""
    standing = {key: state for one in told for key, state in one.standing.items()}
    with psycopg.connect(admin_url) as admin:
        rows: dict[UUID, str] = dict(admin.execute("SELECT id, status FROM appointment").fetchall())
    return sum(
        rows.get(key) != state and not (state == "held" and rows.get(key) == "expired")
        for key, state in standing.items()
    )


def _work(
    env: dict[str, str],
    people: list[Patient],
    clinics: list[Clinic],
    operations: int,
    number: int,
    sender: Connection,
) -> None:
    worker = _Worker(Settings.from_environ(env), people, clinics, number)
    began = time.perf_counter()
    for _ in range(operations):
        worker.step()
    worker.told.seconds = time.perf_counter() - began
    sender.send(worker.told)


class _Worker:
    def __init__(self, settings: Settings, people: list[Patient], clinics: list[Clinic], number: int) -> None:
        self.told = Told()
        self._settings = settings
        self._engine = create_engine(settings.database_url, connect_args=CONNECT_ARGS)
        self._people, self._clinics, self._dice = people, clinics, random.Random(number)
        # A clerk of its own: who asks again for a place that they hold gets the same hold.
        self._clerk = Principal(
            kind=PrincipalKind.SYSTEM, id=derived_id("bench-clerk", str(number)), grants=_GRANTS
        )
        self._booked: dict[UUID, int] = {}
        self._held: list[UUID] = []

    def step(self) -> None:
        """Do one operation and note what was told; a deadlock or a breach of a constraint is an error."""
        kind = self._dice.choices(list(_MIX), list(_MIX.values()))[0]
        try:
            getattr(self, f"_{kind}")()
        except DomainError as refusal:
            self.told.outcomes[refusal.code] += 1
        except DBAPIError as error:
            self.told.errors[str(getattr(error.orig, "sqlstate", "?"))] += 1
        else:
            self.told.outcomes[f"{kind}: ok"] += 1

    @property
    def _means(self) -> dict[str, object]:
        return {
            "now": system_clock(),
            "cipher": self._settings.cipher,
            "outbox": Outbox(self._settings.cipher),
            "links": self._settings.answer_links,
        }

    def _slot(self) -> str:
        return self._dice.choice(self._dice.choice(self._clinics).slots)

    def _request(self, channel: Channel = Channel.DESK, **more: object) -> BookingRequest:
        return BookingRequest(self._dice.choice(self._people).id, channel=channel, **more)  # type: ignore[arg-type]

    def _done(self, request: BookingRequest) -> None:
        with system_unit_of_work(self._engine) as session:
            view = services.book(session, self._clerk, request, **self._means, policies=FREELY)  # type: ignore[arg-type]
        self._booked[view.id] = view.version
        self.told.standing[view.id] = "booked"

    def _book(self) -> None:
        self._done(self._request(slot_id=self._slot()))

    def _overbook(self) -> None:
        self._done(self._request(slot_id=self._slot(), overbook="the bench asks for it"))

    def _any(self) -> None:
        clinic = self._dice.choice(self._clinics)
        wanted = AnyPractitioner(clinic.service_code, clinic.facility_id, clinic.start, clinic.end)
        with system_unit_of_work(self._engine) as session:
            view = services.book_any(
                session, self._clerk, self._request(), wanted, **self._means, policies=FREELY  # type: ignore[arg-type]
            )  # fmt: skip
        self._booked[view.id] = view.version
        self.told.standing[view.id] = "booked"

    def _hold(self) -> None:
        with system_unit_of_work(self._engine) as session:
            held = services.hold(
                session, self._clerk, self._slot(), now=system_clock(), channel=Channel.DESK, policies=FREELY
            )
        if held.id not in self._held:
            self._held.append(held.id)
        self.told.standing[held.id] = "held"

    def _confirm(self) -> None:
        if not self._held:
            return self._hold()
        key = self._held.pop(self._dice.randrange(len(self._held)))
        if self._dice.random() < 0.2:
            with system_unit_of_work(self._engine) as session:
                services.release(session, self._clerk, key, now=system_clock())
            self.told.standing.pop(key)
            return None
        return self._done(self._request(hold_id=key))

    def _cancel(self) -> None:
        if not self._booked:
            return self._book()
        key = self._dice.choice(list(self._booked))
        means = {name: value for name, value in self._means.items() if name != "links"}
        with system_unit_of_work(self._engine) as session:
            services.cancel(
                session, self._clerk, key, version=self._booked[key], reason_code="patient", **means  # type: ignore[arg-type]
            )  # fmt: skip
        del self._booked[key]
        self.told.standing[key] = "cancelled"
        return None

    def _move(self) -> None:
        if not self._booked:
            return self._book()
        key = self._dice.choice(list(self._booked))
        move = Move(self._slot(), self._booked[key], Channel.DESK)
        with system_unit_of_work(self._engine) as session:
            view = services.reschedule(session, self._clerk, key, move, **self._means, policies=FREELY)  # type: ignore[arg-type]
        self._booked[key] = view.version
        return None

    def _tidy(self) -> None:
        with system_unit_of_work(self._engine) as session:
            services.expire_overdue_holds(session)
