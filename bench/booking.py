"""Bookings per second: public POST with patients' tokens to distinct free slots, closed-loop clients."""

import argparse
import random
from dataclasses import asdict

import psutil
import psycopg

from bench import province
from bench.closed_loop import run as play
from bench.surroundings import SERVERS, Surroundings, front, percentiles

WARM_UP = 400


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18750)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--patients", type=int, default=8000, help="one booking each; more than can be made")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--server", choices=SERVERS, default="one-port")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return the rate, the latencies, and whether every acknowledgement has its rows."""
    with surroundings.database() as database:
        size = province.load(database.env, database.admin_url)
        people = province.add_patients(database.env, database.admin_url, options.patients)
        slots = province.open_slots(database.admin_url)
        random.Random(1).shuffle(slots)
        requests = [
            province.booking_request(person, slot, f"bench-{number}")
            for number, (person, slot) in enumerate(zip(people, slots, strict=False))
        ]
        with front(database.env, options.port, options.workers, options.server) as address:
            warm = play(address, requests[:WARM_UP], clients=options.clients, seconds=60)
            analyse(database.admin_url)
            before = cpu_seconds(database.admin_url)
            measured = play(address, requests[WARM_UP:], clients=options.clients, seconds=options.seconds)
            spent = cpu_seconds(database.admin_url) - before
        acknowledged = warm.statuses[201] + measured.statuses[201]
        rows = _rows(database.admin_url)
    return {
        "data": asdict(size),
        "server": options.server,
        "per_second": round(measured.statuses[201] / measured.seconds, 1),
        "milliseconds": percentiles(measured.milliseconds),
        "statuses": dict(sorted((warm.statuses + measured.statuses).items())),
        "server_and_database_cpu_ms_per_booking": round(1000 * spent / max(measured.statuses[201], 1), 2),
        "client_cpu_ms_per_request": round(1000 * measured.cpu_seconds / max(measured.sent, 1), 3),
        "acknowledged": acknowledged,
        "rows": rows,
        "rows_equal_acknowledgements": all(
            rows[name] == factor * acknowledged for name, factor in _EXPECTED.items()
        )
        and acknowledged <= rows["notifications"] == rows["outbox"] <= _MOST_MESSAGES * acknowledged,
    }


_MOST_MESSAGES = 3  # the booking itself and its reminders; a near one has fewer
_EXPECTED = {
    "appointments": 1,
    "claims": 2,
    "counted": 1,
    "audit": 1,
    "idempotency": 1,
}


def analyse(admin_url: str) -> None:
    """Let the planner see that the ledger is not empty any more, as autovacuum does within a minute.

    Plans that the functions made over empty tables read them whole.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("ANALYZE")


def cpu_seconds(admin_url: str) -> float:
    """Return what the front's processes and the database's backends have used of the processors so far.

    On a machine that others use too this says more than the rate.
    """
    with psycopg.connect(admin_url) as admin:
        backends = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    workers = [child for child in psutil.Process().children(recursive=True) if "gunicorn" in _command(child)]
    times = [process.cpu_times() for process in (*workers, *(psutil.Process(row[0]) for row in backends))]
    return float(sum(spent.user + spent.system for spent in times))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a short-lived one, of no interest
        return ""


def _rows(admin_url: str) -> dict[str, int]:
    with psycopg.connect(admin_url) as admin:
        row = admin.execute(
            """SELECT (SELECT count(*) FROM appointment WHERE status = 'booked'),
                      (SELECT count(*) FROM claim WHERE active),
                      (SELECT sum(booked) FROM clinic_session),
                      (SELECT count(*) FROM audit_event WHERE action = 'booking.book'),
                      (SELECT count(*) FROM idempotency WHERE status = 201 AND response_sealed IS NOT NULL),
                      (SELECT count(*) FROM notifications.notification),
                      (SELECT count(*) FROM notifications.outbox)"""
        ).fetchone()
    names = (*_EXPECTED, "notifications", "outbox")
    return dict(zip(names, (int(value) for value in row or ()), strict=False))
