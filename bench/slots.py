"""Earliest free slots, and calendars of many doctors: inside the server's process, and over HTTP."""

import argparse
import os
import random
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

import psutil
import psycopg
from sqlalchemy import create_engine

from bench import country, province
from bench.closed_loop import run as play
from bench.surroundings import Surroundings, front, percentiles
from telehealth.core.clock import business_date, system_clock
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.places import Place
from telehealth.scheduling.calendar import DaysQuery, free_days
from telehealth.scheduling.queries import SlotQuery, earliest_slots
from telehealth.settings import Settings


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18760)
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--clients", type=int, default=4, help="closed-loop clients over HTTP")
    parser.add_argument("--full-days", type=int, default=3, help="days ahead that are 95 % taken")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return the time of the earliest 10 slots: distinct questions, nothing cached."""
    if options.scale == "country":
        return _country(options, surroundings)
    with surroundings.database() as database:
        size = province.load(database.env, database.admin_url)
        claims = _fill(database.admin_url, options.full_days)
        codes, facilities = _names(database.admin_url)
        with front(database.env, options.port) as address:
            requests = [_request(address, codes, facilities, n) for n in range(options.queries)]
            play(address, requests[:100], clients=options.clients, seconds=60)
            one = play(address, requests, clients=1, seconds=60)
            many = play(address, requests, clients=options.clients, seconds=60)
        inside = _inside(database.env, codes, options.queries)
    return {
        "data": asdict(size),
        "claims": claims,
        "inside_ms": percentiles(inside),
        "http_ms": percentiles(one.milliseconds),
        f"http_{options.clients}_clients_ms": percentiles(many.milliseconds),
        f"http_{options.clients}_clients_per_second": round(many.sent / many.seconds, 1),
        "statuses": dict(one.statuses + many.statuses),
    }


def _country(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Ask the whole country: a specialty near a place, a specialty anywhere, and a hospital's calendar.

    `cpu_ms` is what server and database spent on one question: what a quiet machine would take.
    """
    with surroundings.database() as database, front(database.env, options.port) as address:
        began = time.perf_counter()
        size = country.load(database.admin_url, full_days=options.full_days)
        figures: dict[str, object] = {
            "data": asdict(size),
            "load_seconds": round(time.perf_counter() - began, 1),
        }
        places, hospitals = _map(database.admin_url)
        asked = _Asked(database.env)
        chosen = random.Random(5)
        try:
            figures |= asked.timed("near", options.queries, lambda: asked.near(chosen.choice(places), chosen))
            figures |= asked.timed("anywhere", options.queries, lambda: asked.anywhere(chosen))
            figures |= asked.timed("calendar", 60, lambda: asked.days(chosen.choice(hospitals)))
        finally:
            asked.engine.dispose()
        for name, requests in _questions(places, options.queries).items():
            play(address, requests[:20], clients=1, seconds=60)
            played = play(address, requests[20:], clients=1, seconds=120)
            figures[f"{name}_http_ms"] = percentiles(played.milliseconds)
            figures[f"{name}_http_statuses"] = dict(played.statuses)
        return {**figures, "load_at_end": [round(load, 2) for load in os.getloadavg()]}


class _Asked:
    """One connection to the product's database, and what its questions cost."""

    def __init__(self, env: dict[str, str]) -> None:
        self.engine = create_engine(Settings.from_environ(env).database_url, pool_size=1, max_overflow=0)
        with self.engine.connect() as connection:
            self.backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

    def near(self, place: Place, chosen: random.Random) -> None:
        query = SlotQuery(chosen.choice(country.SPECIALTIES), near=place)
        with system_unit_of_work(self.engine) as session:
            earliest_slots(session, query, now=system_clock())

    def anywhere(self, chosen: random.Random) -> None:
        with system_unit_of_work(self.engine) as session:
            earliest_slots(session, SlotQuery(chosen.choice(country.SPECIALTIES)), now=system_clock())

    def days(self, facility_id: UUID) -> None:
        today = business_date(system_clock())
        query = DaysQuery(today, today + timedelta(days=29), facility_id, limit=300)
        with system_unit_of_work(self.engine) as session:
            free_days(session, query, now=system_clock())

    def timed(self, name: str, count: int, ask: Callable[[], None]) -> dict[str, object]:
        """Ask 10 times to warm up and `count` times to measure."""
        for _ in range(10):
            ask()
        spent, times = self._cpu(), []
        for _ in range(count):
            began = time.perf_counter()
            ask()
            times.append((time.perf_counter() - began) * 1000)
        return {
            f"{name}_inside_ms": percentiles(times),
            f"{name}_cpu_ms": round((self._cpu() - spent) * 1000 / count, 1),
        }

    def _cpu(self) -> float:
        there = psutil.Process(self.backend).cpu_times()
        return time.process_time() + float(there.user + there.system)


def _map(admin_url: str) -> tuple[list[Place], list[UUID]]:
    """Return where facilities are, and those with 300 doctors and more."""
    with psycopg.connect(admin_url) as admin:
        places = admin.execute("SELECT latitude, longitude FROM facility ORDER BY code").fetchall()
        hospitals = admin.execute(
            "SELECT facility_id FROM practitioner GROUP BY 1 HAVING count(*) >= 300 ORDER BY 1"
        ).fetchall()
    return [Place(*row) for row in places], [row[0] for row in hospitals]


def _questions(places: list[Place], count: int) -> dict[str, list[bytes]]:
    chosen = random.Random(7)
    near = [
        f"slots?service={chosen.choice(country.SPECIALTIES)}&near={place.latitude:.4f},{place.longitude:.4f}"
        for place in chosen.choices(places, k=count)
    ]
    calendars = [f"slots/days?facility={n}-1&limit=300" for n in range(1, country.PROVINCES + 1)] * 2
    return {"near": [_get(path) for path in near], "calendar": [_get(path) for path in calendars]}


def _get(path: str) -> bytes:
    return f"GET /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: vi\r\n\r\n".encode()


def _inside(env: dict[str, str], codes: list[str], count: int) -> list[float]:
    """Time the query alone, in a process that does what the server's does."""
    engine = create_engine(Settings.from_environ(env).database_url)
    chosen = random.Random(3)
    times = []
    try:
        for number in range(count + 50):
            query = SlotQuery(chosen.choice(codes), modality=chosen.choice((None, "in-person", "video")))
            with system_unit_of_work(engine) as session:
                began = time.perf_counter()
                earliest_slots(session, query, now=system_clock())
                if number >= 50:
                    times.append((time.perf_counter() - began) * 1000)
    finally:
        engine.dispose()
    return times


def _request(address: str, codes: list[str], facilities: list[str], number: int) -> bytes:
    query = f"service={codes[number % len(codes)]}&limit=10"
    if number % 3 == 1:
        query += f"&facility={facilities[number % len(facilities)]}"
    if number % 5 == 2:
        query += "&modality=video"
    return f"GET /api/v1/slots?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: vi\r\n\r\n".encode()


def _names(admin_url: str) -> tuple[list[str], list[str]]:
    with psycopg.connect(admin_url) as admin:
        codes = admin.execute("SELECT DISTINCT service_code FROM clinic_session ORDER BY 1").fetchall()
        facilities = admin.execute("SELECT code FROM facility ORDER BY 1").fetchall()
    return [row[0] for row in codes], [row[0] for row in facilities]


def _fill(admin_url: str, days: int) -> int:
    """Take 95 % of the places of the coming days, so that a search has to read past them."""
    with psycopg.connect(admin_url) as admin:
        admin.execute("SET session_replication_role = replica")  # rows of nobody: no foreign keys
        admin.execute(
            """INSERT INTO claim (id, appointment_id, resource_kind, resource_id, lane, during, active)
               SELECT gen_random_uuid(), gen_random_uuid(), 'practitioner', s.practitioner_id, lane,
                      tstzrange(s.start_at + n * s.slot_minutes * interval '1 minute',
                                s.start_at + (n + 1) * s.slot_minutes * interval '1 minute'), true
                 FROM clinic_session s, generate_series(0, s.slot_count - 1) n,
                      generate_series(1, s.capacity) lane
                WHERE s.start_at < now() + %s * interval '1 day' AND random() < 0.95
               ON CONFLICT DO NOTHING""",
            (days,),
        )
        admin.execute(
            """UPDATE clinic_session s
                  SET booked = c.taken, online_booked = least(s.online_quota, c.taken / 2)
                 FROM (SELECT x.id, count(*) AS taken FROM clinic_session x JOIN claim k
                         ON k.resource_id = x.practitioner_id AND k.during && tstzrange(x.start_at, x.end_at)
                        GROUP BY x.id) c WHERE c.id = s.id"""
        )
        row = admin.execute("SELECT count(*) FROM claim").fetchone()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE claim, clinic_session")
    return int(row[0]) if row else 0
