"""What its messages cost a booking: the same booking for people with and without a telephone, in turn."""

import random
import time

import psycopg
from sqlalchemy import Engine, create_engine

from bench import province
from bench.surroundings import BenchDatabase, percentiles
from notifications import Outbox
from telehealth.booking.services import BookingRequest, book
from telehealth.core.clock import system_clock
from telehealth.core.ids import derived_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings

WARM_UP_PAIRS = 25
WITHOUT_TELEPHONE = "UPDATE account SET phone_sealed = NULL WHERE id = ANY(%s)"
MESSAGES = "SELECT count(*) FROM notifications.notification WHERE dedupe_key NOT LIKE 'bench:%'"


def cost_per_booking(database: BenchDatabase, pairs: int) -> dict[str, object]:
    """Book `pairs` times with messages and as often without, alternately, each in its own transaction."""
    province.load(database.env, database.admin_url)
    bookings = 2 * (pairs + WARM_UP_PAIRS)
    people = province.add_patients(database.env, database.admin_url, bookings)
    with psycopg.connect(database.admin_url) as admin:
        admin.execute(WITHOUT_TELEPHONE, [[derived_id("bench-account", n) for n in range(1, bookings, 2)]])
    slots = province.open_slots(database.admin_url, from_day=2)
    random.Random(4).shuffle(slots)
    engine = create_engine(Settings.from_environ(database.env).database_url)
    try:
        desk = _Desk(engine, Settings.from_environ(database.env))
        times = [
            desk.book(number, person, slot)
            for number, (person, slot) in enumerate(zip(people, slots, strict=False))
        ]
    finally:
        engine.dispose()
    with psycopg.connect(database.admin_url) as admin:
        row = admin.execute(MESSAGES).fetchone()
    return _compared(times[2 * WARM_UP_PAIRS :], messages=int(row[0]) if row else 0, bookings=bookings)


class _Desk:
    """Books as the public route does, without its HTTP."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._cipher = settings.cipher
        self._outbox = Outbox(settings.cipher)
        self._links = settings.answer_links

    def book(self, number: int, person: province.Patient, slot: str) -> float:
        """Return the milliseconds of the transaction."""
        patient = Principal(
            PrincipalKind.PATIENT,
            id=derived_id("bench-account", number),
            patient_ids=frozenset({person.id}),
        )
        began = time.perf_counter()
        with system_unit_of_work(self._engine) as session:
            book(
                session,
                patient,
                BookingRequest(person.id, slot),
                now=system_clock(),
                cipher=self._cipher,
                outbox=self._outbox,
                links=self._links,
            )
        return 1000 * (time.perf_counter() - began)


def _compared(times: list[float], *, messages: int, bookings: int) -> dict[str, object]:
    told, silent = percentiles(times[0::2]), percentiles(times[1::2])
    return {
        "pairs": len(times) // 2,
        "messages_per_booking": round(2 * messages / bookings, 2),
        "with_messages_ms": told,
        "without_ms": silent,
        "extra_p50_ms": round(told["p50"] - silent["p50"], 2),
        "extra_p95_ms": round(told["p95"] - silent["p95"], 2),
    }
