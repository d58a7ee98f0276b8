"""Queue numbers per second over HTTP by kiosks' tokens, each number once and none left out.

`hot` is one hospital's registration queue, where every press waits for one counter; `spread` is every
facility's. The control is the same code with the counter's row exchanged for max(number) + 1.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from bench import province
from bench.booking import analyse, cpu_seconds
from bench.closed_loop import Answers
from bench.closed_loop import run as play
from bench.surroundings import BenchDatabase, Surroundings, front, percentiles
from telehealth.accounts.services.devices import enrol_device
from telehealth.core.clock import system_clock
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.services import numbers
from telehealth.settings import Settings

WARM_UP = 200
KIOSK_PER_SECOND = 20
GAPS = """SELECT coalesce(sum(last - first + 1 - given), 0) FROM (
    SELECT c.last, c.first, (SELECT count(*) FROM ticket t
                     WHERE t.queue_id = c.queue_id AND t.business_date = c.business_date) AS given
      FROM queue_counter c) counted"""
COUNTER = numbers.ISSUE.split("counter AS (", 1)[1].split("), issued AS", 1)[0]
MAX_PLUS_ONE = """SELECT coalesce(max(t.number), 0) + 1 AS last FROM ticket t
    WHERE t.queue_id = %(queue)s AND t.business_date = %(day)s AND NOT EXISTS (SELECT FROM pressed)"""


@dataclass(frozen=True, slots=True)
class Kiosk:
    """A machine in a facility, and the queue it gives numbers of."""

    token: str
    device_id: UUID
    facility_id: UUID
    queue_id: UUID


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18780)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--presses", type=int, default=12000, help="more than can be answered")
    parser.add_argument("--control-presses", type=int, default=400)


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return the rates, the latencies, and how many numbers were given twice or left out."""
    with surroundings.database() as database:
        province.load(database.env, database.admin_url)
        kiosks = _kiosks(database)
        hot, spread = kiosks[:1], kiosks
        with front(database.env, options.port, options.workers) as address:
            play(address, _presses(spread, WARM_UP), clients=options.clients, seconds=60)
            analyse(database.admin_url)
            before = cpu_seconds(database.admin_url)
            on_one = _measure(address, hot, options, options.clients)
            spent = cpu_seconds(database.admin_url) - before
            before = cpu_seconds(database.admin_url)
            on_all = _measure(address, spread, options, options.clients)
            spent_on_all = cpu_seconds(database.admin_url) - before
            alone = _measure(address, hot, options, 1, per_second=KIOSK_PER_SECOND)
        duplicates = sum(map(_duplicates, (on_one, on_all, alone)))
        gaps = _count(database.admin_url, GAPS)
        control = _control(database, kiosks[0], options)
    return {
        "facilities": len(kiosks),
        "hot_per_second": _rate(on_one),
        "hot_milliseconds": percentiles(on_one.milliseconds),
        "hot_cpu_ms_per_number": _each(spent, on_one),
        "spread_per_second": _rate(on_all),
        "spread_milliseconds": percentiles(on_all.milliseconds),
        "spread_cpu_ms_per_number": _each(spent_on_all, on_all),
        "kiosk_at_20_per_second_milliseconds": percentiles(alone.milliseconds),
        "statuses": dict(on_one.statuses + on_all.statuses + alone.statuses),
        "numbers": sum(answers.statuses[201] for answers in (on_one, on_all, alone)),
        "duplicates": duplicates,
        "gaps": gaps,
        "control_presses": options.control_presses,
        "control_duplicates": control,
    }


def _measure(
    address: str,
    kiosks: Sequence[Kiosk],
    options: argparse.Namespace,
    clients: int,
    *,
    per_second: float = 0,
) -> Answers:
    presses = _presses(kiosks, options.presses)
    return play(
        address, presses, clients=clients, seconds=options.seconds, keep_bodies=True, per_second=per_second
    )


def _rate(answers: Answers) -> float:
    return round(answers.statuses[201] / answers.seconds, 1)


def _each(cpu: float, answers: Answers) -> float:
    """Return what server and database used of the processors for one number (ms)."""
    return round(1000 * cpu / max(answers.statuses[201], 1), 2)


def _duplicates(answers: Answers) -> int:
    """Count the acknowledged numbers that somebody else holds too."""
    given = Counter((slip["queue"], slip["number"]) for slip in map(json.loads, answers.bodies))
    return sum(count - 1 for count in given.values())


def _kiosks(database: BenchDatabase) -> list[Kiosk]:
    engine = create_engine(Settings.from_environ(database.env).database_url)
    try:
        with system_unit_of_work(engine) as session:
            queues = session.execute(
                text("SELECT id, facility_id FROM queue WHERE code = 'registration' AND active ORDER BY id")
            ).all()
            return [_kiosk(session, row.facility_id, row.id) for row in queues]
    finally:
        engine.dispose()


def _kiosk(session: Session, facility_id: UUID, queue_id: UUID) -> Kiosk:
    device = enrol_device(
        session,
        kind="kiosk",
        facility_id=facility_id,
        name="bench",
        enrolled_by=None,
        now=system_clock(),
    )
    return Kiosk(device.token, device.device_id, facility_id, queue_id)


def _presses(kiosks: Sequence[Kiosk], count: int) -> list[bytes]:
    return [_press(kiosks[number % len(kiosks)]) for number in range(count)]


def _press(kiosk: Kiosk) -> bytes:
    return (
        f"POST /api/v1/queues/{kiosk.queue_id}/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {kiosk.token}\r\n"
        f"Idempotency-Key: {uuid4()}\r\nContent-Length: 2\r\n\r\n{{}}"
    ).encode()


def _control(database: BenchDatabase, kiosk: Kiosk, options: argparse.Namespace) -> int:
    """Give numbers by the same code without the counter's row and the unique constraint."""
    settings = Settings.from_environ(database.env)
    engine = create_engine(settings.database_url, pool_size=options.clients)
    grants = frozenset({Grant(Role.KIOSK, kiosk.facility_id)})
    machine = Principal(PrincipalKind.KIOSK, id=kiosk.device_id, grants=grants)
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE ticket DROP CONSTRAINT uq_ticket_queue_id_business_date_number")
    guarded, numbers.ISSUE = numbers.ISSUE, numbers.ISSUE.replace(COUNTER, MAX_PLUS_ONE)

    def press(_: int) -> str:
        with system_unit_of_work(engine) as session:
            return numbers.take_number(
                session,
                machine,
                kiosk.queue_id,
                priority=PriorityClass.NONE,
                press_key=str(uuid4()),
                now=system_clock(),
                cipher=settings.cipher,
            ).number_text

    try:
        with ThreadPoolExecutor(options.clients) as pool:
            given = Counter(pool.map(press, range(options.control_presses)))
    finally:
        numbers.ISSUE = guarded
        engine.dispose()
    return sum(count - 1 for count in given.values())


def _count(admin_url: str, sql: str) -> int:
    with psycopg.connect(admin_url) as admin:
        row = admin.execute(sql).fetchone()
    return int(row[0]) if row else 0
