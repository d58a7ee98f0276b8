"""Single use under a race, and four hundred days in which no request is lost."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, text

from telehealth.booking import services as bookings
from telehealth.booking.codes import CancelReason
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.remote_care import remote_care
from telehealth.jobs import deferred_requests
from telehealth.jobs.work import Work
from telehealth.referrals.codes import RequestKind, RequestPriority
from telehealth.referrals.queries import request as request_of
from telehealth.referrals.rulebook import slip_rules
from telehealth.referrals.services import Asked, Issue, Means, Use, book, defer, issue, slots_for
from telehealth.scheduling.services import materialise
from telehealth.settings import Settings
from tests.booking.clinic import FACILITIES, Employee, Person, add_person, known_at
from tests.conftest import MovableClock
from tests.referrals.conftest import Caller, referral

USES = "SELECT count(*) FROM slip_use WHERE released_at IS NULL"


@pytest.fixture
def many(app: Flask, engine: Engine, lan: Person) -> Callable[[int], list[Caller]]:
    """Several browsers of the same patient."""
    return lambda count: [Caller(app.test_client(), lan.headers) for _ in range(count)]


@contextmanager
def without(owner: Engine, drop: str, restore: str, between: str = ""):
    """Take a guard away for a while."""
    with owner.begin() as connection:
        connection.execute(text(drop))
    try:
        yield
    finally:
        with owner.begin() as connection:
            if between:
                connection.execute(text(between))
            connection.execute(text(restore))


def raced(callers: list[Caller], made: dict[str, Any], slots: list[str]) -> list[int]:
    """Spend one slip on as many slots as there are callers, at once."""
    barrier = Barrier(len(callers))
    version = callers[0].get(f"/referrals/{made['id']}").json["version"]

    def spend(caller: Caller, slot: str) -> int:
        barrier.wait()
        return caller.post(
            f"/referrals/{made['id']}/book", {"slot_id": slot}, If_Match=f'"{version}"'
        ).status_code

    with ThreadPoolExecutor(len(callers)) as pool:
        return list(pool.map(spend, callers, slots))


def slots_of(caller: Caller, count: int) -> list[str]:
    found = caller.get("/slots", service="internal", facility="77002", modality="in-person", limit="20").json
    return [item["id"] for item in found["items"]][::3][:count]


def test_a_slip_is_spent_once_however_many_try(
    engine: Engine, doctor: Caller, lan: Person, many: Callable[[int], list[Caller]]
):
    callers = many(4)
    made = doctor.post("/referrals", referral(lan.patient_id)).json
    statuses = raced(callers, made, slots_of(callers[0], 4))
    assert sorted(statuses) == [200, 409, 409, 409] or sorted(statuses) == [200, 409, 409, 412], statuses
    with system_unit_of_work(engine) as session:
        assert session.scalar(text(USES)) == 1
        assert session.scalar(text("SELECT count(*) FROM appointment WHERE status = 'booked'")) == 1


@pytest.fixture
def two_records(
    engine: Engine, doctor: Caller, lan: Person, settings: Settings, call: Callable[[Any], Caller]
) -> tuple[dict[str, Any], list[Caller]]:
    """A slip that two records of one person have: they do not wait for each other's lock."""
    made = doctor.post("/referrals", referral(lan.patient_id)).json
    with system_unit_of_work(engine) as session:
        other = add_person(session, settings.cipher, 9, name="Trần Thị Lan")
    body = {
        "kind": "referral",
        "patient_id": str(other.patient_id),
        "number": made["number"].lower(),
        "signed_on": made["signed_on"],
        "target_facility": "77002",
    }
    shown = call(other).post("/slips", body)
    assert shown.json["id"] == made["id"], shown.json
    return made, [call(lan), call(other)]


def test_the_one_who_comes_second_is_told(
    owner_engine: Engine, two_records: tuple[dict[str, Any], list[Caller]]
):
    made, callers = two_records
    assert sorted(overtaken(owner_engine, callers, made, slots_of(callers[0], 2))) == [200, 409]


def test_without_the_index_the_race_spends_the_slip_twice(
    engine: Engine, owner_engine: Engine, two_records: tuple[dict[str, Any], list[Caller]]
):
    made, callers = two_records
    slots = slots_of(callers[0], 2)
    index = "CREATE UNIQUE INDEX uq_slip_use_once ON slip_use (service_request_id) WHERE released_at IS NULL"
    with without(owner_engine, "DROP INDEX uq_slip_use_once", index, "TRUNCATE slip_use"):
        assert overtaken(owner_engine, callers, made, slots) == [200, 200]
        with system_unit_of_work(engine) as session:
            assert session.scalar(text(USES)) == 2


def overtaken(owner: Engine, callers: list[Caller], made: dict[str, Any], slots: list[str]) -> list[int]:
    """Hold both at the moment when they have read the slip and not spent it yet."""
    url = owner.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as gate:
        gate.execute("LOCK TABLE slip_use IN EXCLUSIVE MODE")
        version = callers[0].get(f"/referrals/{made['id']}").json["version"]
        with ThreadPoolExecutor(2) as pool:
            waiting = [
                pool.submit(
                    caller.post,
                    f"/referrals/{made['id']}/book",
                    {"slot_id": slot},
                    If_Match=f'"{version}"',
                )
                for caller, slot in zip(callers, slots, strict=True)
            ]
            _until_waiting(url, 1)
            gate.rollback()
            return [future.result().status_code for future in waiting]


def _until_waiting(url: str, count: int) -> None:
    with psycopg.connect(url, autocommit=True) as watch:
        for _ in range(200):
            row = watch.execute(
                "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                " WHERE c.relname = 'slip_use' AND NOT l.granted"
            ).fetchone()
            if row and row[0] >= count:
                return
            watch.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody came to the gate")


def test_an_open_request_without_owner_and_a_deferred_one_without_clock_cannot_be(
    owner_engine: Engine, doctor: Caller, lan: Person
):
    doctor.post("/referrals", referral(lan.patient_id))
    for change, guard in (
        ("owner_role = NULL", "ck_service_request_owner"),
        ("owner_facility_id = NULL", "ck_service_request_owner"),
        ("status = 'on-hold'", "ck_service_request_clock"),
    ):
        with pytest.raises(Exception, match=guard), owner_engine.begin() as connection:
            connection.execute(text(f"UPDATE service_request SET {change}"))


@pytest.fixture
def work(engine: Engine, settings: Settings, app: Flask) -> Work:
    return Work(settings, None, engine, app.extensions["telehealth"].outbox, ())  # type: ignore[arg-type]


def means_at(now: datetime, settings: Settings, work: Work) -> Means:
    return Means(now, settings.cipher, work.outbox, settings.answer_links, slip_rules(), remote_care())


def test_in_four_hundred_days_with_holidays_no_request_is_lost(
    engine: Engine, clinic: None, lan: Person, settings: Settings, work: Work
):
    """Some are made and deferred, some of these find a place and lose it, the job runs: each has an owner."""
    dice = random.Random(20261122)
    start = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
    made: list[UUID] = []
    given_up = 0
    clocks: dict[UUID, tuple[int, datetime]] = {}
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
        known_at(session, lan, "77001")
    for day in range(400):
        now = start + timedelta(days=day, hours=dice.randrange(8))
        if day % 10 == 0:
            made.append(_deferred(engine, lan, dice, means_at(now, settings, work)))
        if day % 10 == 3 and _booked_and_cancelled(engine, made[-1], dice, means_at(now, settings, work)):
            given_up += 1
            del clocks[made[-1]]
        deferred_requests.run(work, now)
        _nobody_is_lost(engine, now, made, clocks)
    with system_unit_of_work(engine) as session:
        roles = dict(
            session.execute(text("SELECT owner_role, count(*) FROM service_request GROUP BY 1")).all()
        )
        lapsed = session.scalar(text("SELECT count(*) FROM service_request WHERE lapsed_at IS NOT NULL"))
    assert sum(roles.values()) == len(made) == 40
    assert roles["province-officer"] >= 35
    assert lapsed >= 35
    assert given_up >= 25


def _deferred(engine: Engine, lan: Person, dice: random.Random, means: Means) -> UUID:
    wanted = Issue(
        asked=Asked(
            kind=RequestKind.REFERRAL,
            patient_id=lan.patient_id,
            target_facility_id=FACILITIES["77002"] if dice.random() < 0.7 else None,
            service_code="internal",
            priority=dice.choice(list(RequestPriority)),
        ),
        facility_id=FACILITIES["77001"],
        practitioner_id=None,
    )
    with system_unit_of_work(engine) as session:
        request_id = issue(session, SYSTEM, wanted, means).request.id
    with system_unit_of_work(engine) as session:
        view = request_of(session, request_id, **means.reading)
        assert view is not None
        defer(session, SYSTEM, request_id, means, version=view.version, reason=None)
    return request_id


def _booked_and_cancelled(engine: Engine, request_id: UUID, dice: random.Random, means: Means) -> bool:
    """For once there is a place, and then there is none: False where that day has no sessions."""
    with system_unit_of_work(engine) as session:
        materialise(session, [(means.now + timedelta(days=1)).date()], means.now)
        view = request_of(session, request_id, **means.reading)
        assert view is not None
        free = slots_for(session, SYSTEM, view, means)
        booked = book(session, SYSTEM, request_id, Use(free[0].id), means) if free else None
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
    if booked is None:
        return False
    with system_unit_of_work(engine) as session:
        bookings.cancel(
            session,
            SYSTEM,
            booked.id,
            version=booked.version,
            reason_code=dice.choice([CancelReason.PATIENT, CancelReason.FACILITY]),
            now=means.now,
            cipher=means.cipher,
            outbox=means.outbox,
        )
    return True


def _nobody_is_lost(
    engine: Engine, now: datetime, made: list[UUID], clocks: dict[UUID, tuple[int, datetime]]
) -> None:
    with system_unit_of_work(engine) as session:
        rows = session.execute(text("SELECT * FROM service_request")).all()
    assert {row.id for row in rows} == set(made)
    for row in rows:
        assert row.status == "on-hold"
        assert row.owner_role is not None
        assert (row.owner_facility_id is None) == (row.owner_role == "province-officer")
        assert row.escalate_at > now
        step, clock = clocks.get(row.id, (0, row.escalate_at))
        assert row.escalation_step >= step
        assert row.escalate_at >= clock
        clocks[row.id] = (row.escalation_step, row.escalate_at)


def test_the_province_sees_what_has_come_up_without_names_and_hands_it_over(
    engine: Engine,
    doctor: Caller,
    lan: Person,
    staff: Callable[..., Employee],
    call: Callable[[Any], Caller],
    clock: MovableClock,
    work: Work,
):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
    made = doctor.post("/referrals", referral(lan.patient_id, priority="asap")).json
    doctor.change(made, "defer")
    for hours in (5, 10):
        deferred_requests.run(work, clock.now + timedelta(hours=hours))
    officer = call(province_officer(engine, staff))
    (shown,) = officer.get("/referrals/escalated").json["items"]
    assert shown["number"] == made["number"]
    assert not {"patient_id", "patient_name", "icd10", "clinical"} & shown.keys()
    assert officer.get(f"/referrals/{made['id']}").status_code == 403
    given = officer.post(
        f"/referrals/{made['id']}/hand-over",
        {"facility": "77002", "reason": "Mở thêm buổi khám"},
        If_Match=f'"{shown["version"]}"',
    )
    assert given.status_code == 204, given.json
    assert officer.get("/referrals/escalated").json["items"] == []
    now = doctor.get(f"/referrals/{made['id']}").json
    assert (now["owner_role"], now["owner"]["code"]) == ("facility-admin", "77002")
    stale = officer.post(
        f"/referrals/{made['id']}/hand-over", {"facility": "77002", "reason": "x"}, If_Match='"1"'
    )
    assert stale.status_code == 412


def province_officer(engine: Engine, staff: Callable[..., Employee]) -> Employee:
    """An officer of the whole province: no facility in the grant."""
    officer = staff(Role.PROVINCE_OFFICER)
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE membership SET facility_id = NULL WHERE account_id = :id"),
            {"id": officer.account_id},
        )
    return officer
