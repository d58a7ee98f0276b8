"""A province before the day: its queues, machines and clerks, the people who will come, what they booked."""

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from bench import province
from bench.day import arrivals
from bench.day.arrivals import Facility, Person, Way
from bench.day.place import Place, QueueInfo
from notifications import Outbox
from telehealth.accounts.services.devices import enrol_device
from telehealth.booking import services as booking
from telehealth.booking.rules import BookingPolicy, Policies
from telehealth.booking.services import BookingRequest
from telehealth.core.clock import business_date, system_clock
from telehealth.core.crypto import token_hash
from telehealth.core.errors import DomainError
from telehealth.core.ids import derived_id
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import CONNECT_ARGS, system_unit_of_work
from telehealth.scheduling.codes import Channel
from telehealth.settings import Settings

FREELY = Policies(booking=dict.fromkeys(Channel, BookingPolicy(None, None, None, holds_per_account=1000)))
_KNOWN = {Way.APPOINTMENT: 1.0, Way.WEB: 1.0, Way.ROOM: 0.7, Way.DESK: 0.4, Way.EMERGENCY: 0.0}
_POINTS = """SELECT q.facility_id, q.id, q.kind, q.code, q.minutes_per_visit,
                    ARRAY(SELECT p.id FROM queue_points(q.id, %s) p)
               FROM queue q WHERE q.active AND q.practitioner_id IS NULL ORDER BY q.facility_id, q.code"""
_SESSIONS = """SELECT q.id, count(*) FROM clinic_session s
                 JOIN service_point p ON p.facility_id = s.facility_id AND p.code = s.room
                 JOIN queue q ON q.service_point_id = p.id AND q.active AND q.practitioner_id IS NULL
                WHERE s.business_date = %s AND s.modality = 'in-person' AND s.status = 'open' GROUP BY q.id"""
_SLOTS = """SELECT q.id, s.id, s.start_minute + s.lead_minutes, s.slot_minutes,
                   least(s.slot_count, s.online_quota)
              FROM clinic_session s
              JOIN service_point p ON p.facility_id = s.facility_id AND p.code = s.room
              JOIN queue q ON q.service_point_id = p.id AND q.active AND q.practitioner_id IS NULL
             WHERE s.business_date = %s AND s.modality = 'in-person' AND s.status = 'open'
               AND q.id = ANY(%s) ORDER BY s.id"""


@dataclass(frozen=True, slots=True)
class Plan:
    """One facility's day before it begins; `slots` are free ones of its staffed rooms (id, minute)."""

    place: Place
    people: Sequence[Person]
    slots: Sequence[tuple[str, int]]
    clerk_token: str
    kiosk_token: str


def coming_day(admin: psycopg.Connection) -> date:
    """Return the next day from tomorrow on which clinics work."""
    row = admin.execute(
        "SELECT min(business_date) FROM clinic_session WHERE business_date > %s",
        (business_date(system_clock()),),
    ).fetchone()
    if row is None or row[0] is None:
        msg = "no clinic works in the coming days"
        raise AssertionError(msg)
    day: date = row[0]
    return day


def prepare(env: Mapping[str, str], admin_url: str, *, facilities: int, visits: int, seed: int) -> list[Plan]:
    """Load the province and plan the day of so many facilities, the largest first."""
    province.load(env, admin_url, days=7)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        day = coming_day(admin)
        known = _facilities(admin, facilities)
        admin.execute("UPDATE queue SET web_limit = 60, web_until_minute = 630 WHERE kind = 'registration'")
    counts = arrivals.shares([each for each, _id in known], visits, seed)
    people = {each.code: arrivals.day_of(each, counts[each.code], seed) for each, _id in known}
    _introduce(env, admin_url, [each for group in people.values() for each in group], seed)
    settings = Settings.from_environ(env)
    engine = create_engine(settings.database_url, connect_args=CONNECT_ARGS)
    try:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            for facility, facility_id in known:
                _open_desks(admin, facility_id, arrivals.desks_needed(people[facility.code]))
            queues = _queues(admin, day)
            sessions: dict[UUID, int] = dict(admin.execute(_SESSIONS, (day,)).fetchall())
            plans = []
            for facility, facility_id in known:
                with system_unit_of_work(engine) as session:
                    kiosk = enrol_device(
                        session,
                        kind="kiosk",
                        facility_id=facility_id,
                        name="Kiosk",
                        enrolled_by=None,
                        now=system_clock(),
                    )
                clerk, token = _clerk(admin, facility_id)
                place = _place(
                    facility, facility_id, day, queues[facility_id], sessions, counts, clerk, kiosk.device_id
                )
                slots = _slots(admin, day, place.rooms)
                plans.append(Plan(place, people[facility.code], slots, token, kiosk.token))
    finally:
        engine.dispose()
    return sorted(plans, key=lambda each: -len(each.people))


def book(plan: Plan, settings: Settings) -> int:
    """Book the appointments of a facility's people by the product; return how many got one."""
    engine = create_engine(settings.database_url, connect_args=CONNECT_ARGS)
    clerk = Principal(
        PrincipalKind.SYSTEM,
        id=derived_id("bench-booker", plan.place.code),
        grants=frozenset({Grant(Role.SYSTEM), Grant(Role.DESK)}),
    )
    free = iter(plan.slots)
    booked = 0
    try:
        for person in plan.people:
            slot = next(free, None) if person.way is Way.APPOINTMENT else None
            if slot is None or person.patient is None:
                continue
            request = BookingRequest(person.patient, slot_id=slot[0], channel=Channel.DESK)
            try:
                person.appointment = _book(engine, settings, clerk, request)
            except DomainError:
                continue
            booked += 1
            _expect(person, slot[1], plan.place.code)
    finally:
        engine.dispose()
    return booked


def _book(engine: object, settings: Settings, clerk: Principal, request: BookingRequest) -> UUID:
    while True:
        try:
            with system_unit_of_work(engine) as session:  # type: ignore[arg-type]
                return booking.book(
                    session,
                    clerk,
                    request,
                    now=system_clock(),
                    cipher=settings.cipher,
                    outbox=Outbox(settings.cipher),
                    links=settings.answer_links,
                    policies=FREELY,
                ).id
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.OperationalError):
                raise
            time.sleep(0.05)


def _expect(person: Person, minute: int, code: str) -> None:
    person.minute = arrivals.appointment_minute(minute, random.Random(f"{person.key}:{code}"))


def _facilities(admin: psycopg.Connection, count: int) -> list[tuple[Facility, UUID]]:
    """The hospitals, centres and stations in the province's shares, at least one of each where it goes."""
    rows = admin.execute(
        """SELECT f.code, f.kind, f.id, (SELECT count(*) FROM queue q WHERE q.facility_id = f.id
                                          AND q.active AND q.kind = 'clinic') AS rooms
             FROM facility f WHERE f.active ORDER BY f.code"""
    ).fetchall()
    groups: dict[str, list[tuple[Facility, UUID]]] = defaultdict(list)
    for code, kind, facility_id, rooms in rows:
        groups[kind].append((Facility(code, kind, rooms), facility_id))
    chosen = [group[0] for group in groups.values()][:count]
    rest = [each for group in groups.values() for each in group[1:]]
    step = max(1.0, len(rest) / max(1, count - len(chosen)))
    chosen += [rest[int(index * step)] for index in range(min(len(rest), count - len(chosen)))]
    return chosen


def _queues(admin: psycopg.Connection, day: date) -> dict[UUID, list[QueueInfo]]:
    queues: dict[UUID, list[QueueInfo]] = defaultdict(list)
    for facility_id, queue_id, kind, code, minutes, points in admin.execute(_POINTS, (day,)).fetchall():
        queues[facility_id].append(QueueInfo(queue_id, kind, code, minutes, tuple(points)))
    return queues


def _open_desks(admin: psycopg.Connection, facility_id: UUID, needed: Mapping[str, int]) -> None:
    """Open so many more desks at each line of a facility that its people can be served in a day."""
    for kind, count in needed.items():
        admin.execute(
            """WITH there AS (
                   SELECT count(*) AS desks FROM service_point
                    WHERE facility_id = %(facility)s AND kind = %(kind)s AND active)
               INSERT INTO service_point (id, facility_id, code, name, kind, active)
               SELECT gen_random_uuid(), %(facility)s, 'X' || %(kind)s || n, 'X' || n, %(kind)s, true
                 FROM there, generate_series(there.desks + 1, %(count)s) n
                WHERE there.desks > 0""",
            {"facility": facility_id, "kind": kind, "count": count},
        )


def _place(
    facility: Facility,
    facility_id: UUID,
    day: date,
    queues: Sequence[QueueInfo],
    sessions: Mapping[UUID, int],
    counts: Mapping[str, int],
    clerk: Principal,
    device_id: UUID,
) -> Place:
    clinics = sorted(
        (each for each in queues if each.kind == "clinic"),
        key=lambda each: (-sessions.get(each.id, 0), each.code),
    )
    wanted = arrivals.rooms_needed(facility, counts[facility.code])
    return Place(
        id=facility_id,
        code=facility.code,
        level=facility.kind,
        day=day,
        kiosk=Principal(
            PrincipalKind.KIOSK,
            id=device_id,
            device_id=device_id,
            display_name="Kiosk",
            grants=frozenset({Grant(Role.KIOSK, facility_id)}),
        ),
        clerk=clerk,
        system=Principal(
            PrincipalKind.INTEGRATOR,
            id=derived_id("bench-system", facility.code),
            scopes=frozenset({"visit.tell"}),
            grants=frozenset({Grant(Role.INTEGRATOR, facility_id)}),
        ),
        queues=tuple(queues),
        rooms=tuple(each.id for each in clinics[:wanted]),
        spare=tuple(point for each in clinics[wanted:] for point in each.points)[:1],
    )


def _clerk(admin: psycopg.Connection, facility_id: UUID) -> tuple[Principal, str]:
    """Somebody who works everywhere in a facility, and a token of theirs."""
    account, token = derived_id("bench-clerk", facility_id), f"bench-clerk-{facility_id}"
    admin.execute(
        "INSERT INTO account (id, kind, login, display_name, language, must_change_password, failed_count,"
        " created_at, enabled_at) VALUES (%s, 'staff', %s, 'Bench', 'vi', false, 0, now(), now())",
        (account, f"bench.{str(facility_id)[:8]}"),
    )
    for role in (Role.DESK, Role.FACILITY_ADMIN, Role.PRACTITIONER):
        admin.execute(
            "INSERT INTO membership (id, account_id, role, facility_id, valid_from)"
            " VALUES (gen_random_uuid(), %s, %s, %s, now() - interval '1 day')",
            (account, role.value, facility_id),
        )
    admin.execute(
        "INSERT INTO access_session (id, token_hash, kind, account_id, mfa, created_at, expires_at,"
        " last_seen_at) VALUES (gen_random_uuid(), %s, 'bearer', %s, true, now(),"
        " now() + interval '2 days', now())",
        (token_hash(token), account),
    )
    grants = frozenset({Grant(Role.DESK, facility_id), Grant(Role.FACILITY_ADMIN, facility_id)})
    return Principal(PrincipalKind.STAFF, id=account, grants=grants), token


def _introduce(env: Mapping[str, str], admin_url: str, people: Sequence[Person], seed: int) -> None:
    """Let those be known who are: with a telephone, and a birth date that says who is 75."""
    dice = random.Random(f"{seed}:known")
    known = [each for each in people if dice.random() < _KNOWN[each.way]]
    for person, patient in zip(known, province.add_patients(env, admin_url, len(known)), strict=True):
        person.patient = patient.id
    aged = [each.patient for each in known if each.aged]
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("UPDATE patient SET birth_date = '1948-03-02' WHERE id = ANY(%s)", (aged,))


def _slots(admin: psycopg.Connection, day: date, rooms: Sequence[UUID]) -> list[tuple[str, int]]:
    """Free slots of the staffed rooms, spread over rooms and hours."""
    rows = admin.execute(_SLOTS, (day, list(rooms))).fetchall()
    slots = [
        (f"{session}.{start + index * step}", start + index * step)
        for _queue, session, start, step, most in rows
        for index in range(most)
    ]
    return sorted(slots, key=lambda each: hash_of(each[0]))


def hash_of(text: str) -> bytes:
    """Return an order that is the same in each run and has nothing to do with time."""
    return token_hash(text)
