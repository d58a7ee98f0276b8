"""A holiday in the whole province: how long it takes to close sessions and to find everybody a place."""

import argparse
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from bench import province
from bench.province import Patient
from bench.surroundings import Surroundings
from telehealth.booking import services as booking
from telehealth.closures import queries, services
from telehealth.closures.codes import ClosureKind, ClosurePlan, ClosureState
from telehealth.closures.rules import Span
from telehealth.closures.services import Order
from telehealth.core.clock import business_date, system_clock
from telehealth.core.errors import DomainError
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import closures as job
from telehealth.jobs.work import Work, work
from telehealth.scheduling.codes import Channel
from telehealth.settings import Settings

_FIRST_DAY = 5


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--people", type=int, default=400, help="appointments on the day")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return the time to preview, to close, and to care for everybody, one transaction each."""
    with surroundings.database() as database:
        size = province.load(database.env, database.admin_url)
        people = province.add_patients(database.env, database.admin_url, options.people)
        mine = work(Settings.from_environ(database.env))
        try:
            day, booked = _fill(mine, database.admin_url, people)
            order = Order(ClosureKind.HOLIDAY, None, None, Span(day, day), ClosurePlan.OFFER, "holiday")
            return {"data": asdict(size), "booked": booked, **_measured(mine, order)}
        finally:
            mine.engine.dispose()


def _fill(mine: Work, admin_url: str, people: list[Patient]) -> tuple[date, int]:
    """Book everybody on one day, over as many sessions as there are; return the day and how many got in."""
    with psycopg.connect(admin_url) as admin:
        row = admin.execute(
            """SELECT business_date FROM clinic_session WHERE status = 'open' AND business_date >= %s
                GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1""",
            (business_date(system_clock()) + timedelta(days=_FIRST_DAY),),
        ).fetchone()
        day = row[0] if row else business_date(system_clock())
        sessions = admin.execute(
            """SELECT id, start_minute + lead_minutes, slot_minutes, slot_count FROM clinic_session
                WHERE status = 'open' AND business_date = %s ORDER BY md5(id::text)""",
            (day,),
        ).fetchall()
    slots = (
        f"{identifier}.{first + index * step}"
        for index in range(20)
        for identifier, first, step, most in sessions
        if index < most
    )
    return day, sum(_book(mine, person, slot) for person, slot in zip(people, slots, strict=False))


def _book(mine: Work, person: Patient, slot_id: str) -> bool:
    request = booking.BookingRequest(person.id, slot_id=slot_id, channel=Channel.DESK)
    try:
        with system_unit_of_work(mine.engine) as session:
            booking.book(
                session,
                SYSTEM,
                request,
                now=mine.clock(),
                cipher=mine.settings.cipher,
                outbox=mine.outbox,
                links=mine.settings.answer_links,
            )
    except DomainError:
        return False
    return True


def _measured(mine: Work, order: Order) -> Mapping[str, object]:
    began = time.perf_counter()
    with system_unit_of_work(mine.engine) as session:
        services.preview(session, order, now=mine.clock())
    previewed = time.perf_counter()
    with system_unit_of_work(mine.engine) as session:
        closure_id = services.close(session, SYSTEM, order, now=mine.clock())
    closed = time.perf_counter()
    ticks, used = 0, time.process_time()
    while _state(mine, closure_id) == ClosureState.RUNNING:
        job.run(mine, mine.clock())
        ticks += 1
    done, used = time.perf_counter(), time.process_time() - used
    with system_unit_of_work(mine.engine) as session:
        found = queries.closure(session, closure_id)
        progress = queries.progress(session, closure_id)
        shown = queries.items(session, closure_id)
        doubled = _doubled(session)
    read = time.perf_counter()
    people = progress.people
    return {
        "sessions_closed": found.sessions if found else 0,
        "people": people,
        "preview_s": round(previewed - began, 2),
        "close_s": round(closed - previewed, 2),
        "job_s": round(done - closed, 2),
        "job_people_per_second": round(people / (done - closed), 1),
        "job_cpu_ms_per_person": round(1000 * used / max(people, 1), 1),
        "job_ticks": ticks,
        "worklist_page_ms": round(1000 * (read - done), 1),
        "page": len(shown.items),
        "standings": dict(Counter(progress.by_standing)),
        "places_offered_twice": doubled,
    }


def _state(mine: Work, closure_id: object) -> str:
    with system_unit_of_work(mine.engine) as session:
        return str(
            session.scalar(text("SELECT state FROM session_closure WHERE id = :id"), {"id": closure_id})
        )


def _doubled(session: Session) -> int:
    """Count claims that overlap on one lane: there is none."""
    return int(
        session.scalar(
            text(
                """SELECT count(*) FROM claim a JOIN claim b ON b.resource_id = a.resource_id
                      AND b.lane = a.lane AND b.id > a.id AND b.during && a.during
                    WHERE a.active AND b.active"""
            )
        )
        or 0
    )
