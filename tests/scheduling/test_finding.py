"""Finding free slots in the database: every rule reaches the search, and a search reads little."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from telehealth.booking.errors import TimeBlocked
from telehealth.booking.rules import BookingPolicy as BookingLimits
from telehealth.booking.rules import Policies
from telehealth.booking.services import hold
from telehealth.core.clock import at_local
from telehealth.core.ids import derived_id, new_id
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.places import Place
from telehealth.scheduling.calendar import DaysQuery, free_days, swept
from telehealth.scheduling.codes import Channel, Door
from telehealth.scheduling.models import (
    Blocking,
    BookingPolicy,
    PractitionerDay,
    PractitionerLimit,
    Resource,
    Schedule,
    ScheduleException,
    ScheduleQuota,
    ScheduleResource,
    ScheduleService,
)
from telehealth.scheduling.queries import (
    SlotQuery,
    earliest_slots,
    grid_of,
    sessions_of,
    slot_by_id,
)
from telehealth.scheduling.rules import POLICIES, door_of, room
from telehealth.scheduling.services import materialise
from tests.booking.clinic import (
    DOCTORS,
    FACILITIES,
    NOW,
    TUESDAY,
    add_clinic,
    add_schedule,
    service_id,
    statements,
)

NINE = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)  # Tuesday, 09:00 in the province
AN = DOCTORS["an"]


@pytest.fixture(autouse=True)
def _clinic(engine: Engine, clean_database: None, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text("UPDATE clock_offset SET seconds = extract(epoch FROM :at - clock_timestamp())"), {"at": NOW}
        )
    with system_unit_of_work(engine) as session:
        add_clinic(session)


@pytest.fixture
def owner(owner_engine: Engine) -> Iterator[Session]:
    """Write rows of nobody, on one connection: what a search reads, without the bookings behind it."""
    with owner_engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.commit()
        with Session(connection) as session:
            yield session
        connection.execute(text("RESET session_replication_role"))
        connection.commit()


def an_on_tuesday(**changes: object) -> SlotQuery:
    values = {
        "service_code": "internal",
        "practitioner_id": AN,
        "from_": datetime.fromisoformat(f"{TUESDAY}T00:00:00+07:00"),
        "to": datetime.fromisoformat(f"{TUESDAY}T23:00:00+07:00"),
        "limit": 100,
        "channel": Channel.DESK,
    }
    return SlotQuery(**(values | changes))


def times(engine: Engine, query: SlotQuery, now: datetime = NOW) -> list[str]:
    with system_unit_of_work(engine) as session:
        found = earliest_slots(session, query, now=now)
    return [f"{slot.start.astimezone(UTC) + timedelta(hours=7):%H:%M}" for slot in found]


def remake(engine: Engine, *rows: object, **line: object) -> UUID:
    """Change doctor An's morning line, add what belongs to it, and make Tuesday anew; return the session."""
    with system_unit_of_work(engine) as session:
        schedule = session.get_one(Schedule, derived_id("test-schedule", "an", "77001", "internal", 480))
        for name, value in line.items():
            setattr(schedule, name, value)
        session.add_all(rows)
        session.flush()
        materialise(session, [TUESDAY], NOW)
        found = sessions_of(session, FACILITIES["77001"], TUESDAY, practitioner_id=AN)
        return next(item.id for item in found if item.service_id == service_id("77001", "internal"))


SCHEDULE = derived_id("test-schedule", "an", "77001", "internal", 480)


def claim(session: Session, owner: UUID, start: datetime, minutes: int, lane: int = 1) -> None:
    session.execute(
        text(
            """INSERT INTO claim (id, appointment_id, resource_kind, resource_id, lane, during, active)
               VALUES (:id, :id, 'room', :owner, :lane, tstzrange(:start, :end), true)"""
        ),
        {
            "id": new_id(),
            "owner": owner,
            "lane": lane,
            "start": start,
            "end": start + timedelta(minutes=minutes),
        },
    )


def test_a_buffer_moves_what_patients_see_and_not_what_the_doctor_works(engine: Engine):
    session_id = remake(engine, lead_minutes=5, tail_minutes=5)
    assert times(engine, an_on_tuesday()) == ["08:05", "08:25", "08:45", "09:05", "09:25", "09:45"]
    with system_unit_of_work(engine) as session:
        slot = slot_by_id(session, f"{session_id}.485", NOW, channel=Channel.DESK)
        assert slot is not None
        assert (slot.free, slot.end - slot.start) == (1, timedelta(minutes=10))
        assert slot_by_id(session, f"{session_id}.480", NOW, channel=Channel.DESK) is None


def test_a_session_of_windows_is_the_same_with_many_lanes(engine: Engine):
    remake(engine, mode="session", slot_minutes=60, capacity=15)
    with system_unit_of_work(engine) as session:
        found = earliest_slots(session, an_on_tuesday(), now=NOW)
    assert [(slot.mode, slot.free) for slot in found] == [("session", 15)] * 2


def test_a_line_may_offer_several_services_over_the_same_time(engine: Engine, owner: Session):
    remake(engine, ScheduleService(schedule_id=SCHEDULE, service_id=service_id("77001", "desk-only")))
    assert len(times(engine, an_on_tuesday())) == 12
    claim(owner, AN, NINE, 10)
    owner.commit()
    assert "09:00" not in times(engine, an_on_tuesday())
    morning = an_on_tuesday(service_code="desk-only", to=NINE + timedelta(hours=2))
    assert len(times(engine, morning)) == 11


def test_a_slot_needs_its_room(engine: Engine, owner: Session):
    room = Resource(
        id=new_id(), facility_id=FACILITIES["77001"], kind="room", code="SA1", name="Siêu âm", lanes=1
    )
    with system_unit_of_work(engine) as session:
        session.add(room)
    remake(engine, ScheduleResource(schedule_id=SCHEDULE, resource_id=room.id))
    assert "09:00" in times(engine, an_on_tuesday())
    claim(owner, room.id, NINE, 15)
    owner.commit()
    taken = times(engine, an_on_tuesday())
    assert "09:00" not in taken
    assert "09:10" not in taken
    owner.execute(text("UPDATE resource SET active = false"))
    owner.commit()
    assert times(engine, an_on_tuesday()) == []


def test_a_blocking_closes_slots_to_those_who_may_not_override_it(engine: Engine, owner: Session):
    owner.add(
        Blocking(
            facility_id=FACILITIES["77001"], practitioner_id=AN, from_at=NINE,
            to_at=NINE + timedelta(hours=1), reason="Họp", override_roles=["desk"], created_at=NOW,
        )
    )  # fmt: skip
    owner.commit()
    assert len(times(engine, an_on_tuesday())) == 6
    assert len(times(engine, an_on_tuesday(override_roles=["desk"]))) == 12
    owner.execute(text("UPDATE blocking SET lifted_at = now()"))
    owner.commit()
    assert len(times(engine, an_on_tuesday())) == 12


def test_a_doctor_whose_day_is_full_is_offered_to_nobody(engine: Engine, owner: Session):
    owner.add(PractitionerLimit(practitioner_id=AN, per_day=8))
    owner.add(PractitionerDay(practitioner_id=AN, business_date=TUESDAY, booked=7))
    owner.commit()
    assert len(times(engine, an_on_tuesday())) == 12
    owner.execute(text("UPDATE practitioner_day SET booked = 8"))
    owner.commit()
    assert times(engine, an_on_tuesday()) == []


def test_a_reserve_falls_to_everybody_at_its_time(engine: Engine, owner: Session):
    session_id = remake(
        engine,
        ScheduleQuota(schedule_id=SCHEDULE, door=Door.REFERRAL_INITIAL, places=4, falls_minutes=60),
    )
    owner.execute(text("UPDATE clinic_session SET booked = 8 WHERE id = :id"), {"id": session_id})
    owner.commit()
    referred = an_on_tuesday(channel=Channel.REFERRAL, care_level="initial")
    assert times(engine, an_on_tuesday()) == []
    assert len(times(engine, referred)) == 12
    assert times(engine, an_on_tuesday(), now=NINE - timedelta(hours=2)) != []


def test_a_quota_that_a_reader_makes_counts_those_whom_the_reader_cannot_see(engine: Engine, owner: Session):
    session_id = remake(engine)
    held(owner, session_id, NOW + timedelta(hours=1))
    owner.add(ScheduleQuota(schedule_id=SCHEDULE, door=Door.ONLINE, places=4, falls_minutes=60))
    owner.execute(text("UPDATE roster_state SET version = version + 1"))
    owner.commit()
    with Session(engine) as session, session.begin():
        session.execute(text("SELECT set_config('app.kind', 'anonymous', true)"))
        assert session.scalar(text("SELECT count(*) FROM appointment")) == 0
        materialise(session, [TUESDAY], NOW)
        counted = session.execute(text("SELECT reserved, booked FROM session_quota")).one()
    assert tuple(counted) == (4, 1)


def test_a_quota_that_is_new_counts_those_who_came_by_that_door(engine: Engine, owner: Session):
    session_id = remake(engine)
    held(owner, session_id, NOW + timedelta(hours=1))
    owner.commit()
    remake(engine, ScheduleQuota(schedule_id=SCHEDULE, door=Door.ONLINE, places=4, falls_minutes=60))
    with system_unit_of_work(engine) as session:
        found = next(
            item for item in sessions_of(session, FACILITIES["77001"], TUESDAY) if item.id == session_id
        )
    assert [(item.door, item.reserved, item.booked) for item in found.reserves] == [("online", 4, 1)]
    with system_unit_of_work(engine) as session:
        session.execute(text("DELETE FROM schedule_quota"))
        materialise(session, [TUESDAY], NOW)
        found = next(
            item for item in sessions_of(session, FACILITIES["77001"], TUESDAY) if item.id == session_id
        )
    assert [(item.reserved, item.booked) for item in found.reserves] == [(0, 1)]


def held(session: Session, session_id: UUID, until: datetime) -> None:
    """Hold doctor An's 09:00, online."""
    appointment_id = new_id()
    session.execute(
        text(
            """INSERT INTO appointment (id, code, status, version, clinic_session_id, facility_id,
                    practitioner_id, service_id, modality, start_at, end_at, lane, channel, door, hold_until,
                    price_class, coverage_basis, companion, created_at, updated_at)
               SELECT :id, 'HELD', 'held', 1, id, facility_id, practitioner_id, service_id, modality, :start,
                      :start + interval '10 minutes', 1, 'online', 'online', :until, 'self', 'none', false,
                      now(), now()
                 FROM clinic_session WHERE id = :session"""
        ),
        {"id": appointment_id, "session": session_id, "start": NINE, "until": until},
    )
    session.execute(
        text(
            """INSERT INTO claim (id, appointment_id, resource_kind, resource_id, lane, during, active,
                                  hold_until, online)
               VALUES (:id, :id, 'practitioner', :doctor, 1,
                       tstzrange(:start, :start + interval '10 minutes'), true, :until, true)"""
        ),
        {"id": appointment_id, "doctor": AN, "start": NINE, "until": until},
    )
    session.execute(
        text(
            """UPDATE clinic_session SET booked = booked + 1, online_booked = online_booked + 1
                WHERE id = :id"""
        ),
        {"id": session_id},
    )


def test_the_place_of_a_lapsed_hold_is_found_though_the_counters_are_full(engine: Engine, owner: Session):
    session_id = remake(engine, capacity=1)
    held(owner, session_id, NOW - timedelta(seconds=1))
    owner.execute(
        text("UPDATE clinic_session SET booked = 12, online_booked = online_quota WHERE id = :id"),
        {"id": session_id},
    )
    for minutes in (0, 10, 20, 30, 40, 50, 70, 80, 90, 100, 110):
        claim(owner, AN, NINE + timedelta(minutes=minutes - 60), 10)
    owner.commit()
    for channel in (Channel.DESK, Channel.ONLINE):
        assert times(engine, an_on_tuesday(channel=channel)) == ["09:00"]
    owner.execute(text("UPDATE appointment SET hold_until = :later"), {"later": NOW + timedelta(hours=1)})
    owner.execute(
        text("UPDATE claim SET hold_until = :later WHERE hold_until IS NOT NULL"),
        {"later": NOW + timedelta(hours=1)},
    )
    owner.commit()
    assert times(engine, an_on_tuesday()) == []


def test_a_service_opens_and_closes_to_the_public_by_its_own_policy(engine: Engine):
    policy = BookingPolicy(
        service_id=service_id("77001", "internal"),
        window_days=0,
        release_minute=7 * 60,
        min_notice_minutes=60,
    )
    remake(engine, policy)
    online = an_on_tuesday(channel=Channel.ONLINE)
    assert times(engine, online) == []
    assert len(times(engine, an_on_tuesday())) == 12
    seven = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
    assert times(engine, online, now=seven - timedelta(seconds=1)) == []
    assert times(engine, online, now=seven)[0] == "08:00"
    assert times(engine, online, now=seven + timedelta(minutes=30))[0] == "08:30"


def test_a_place_nearby_is_asked_for_by_its_distance(engine: Engine, owner: Session):
    for code, latitude in (("77001", 10.0), ("77002", 10.2)):
        owner.execute(
            text("UPDATE facility SET latitude = :latitude, longitude = 107 WHERE code = :code"),
            {"latitude": latitude, "code": code},
        )
    owner.commit()
    here = SlotQuery("internal", near=Place(10.0, 107.0), channel=Channel.DESK, limit=100)
    closer = SlotQuery(None, near=Place(10.0, 107.0), radius_km=15, channel=Channel.DESK, limit=100)
    with system_unit_of_work(engine) as session:
        near = earliest_slots(session, here, now=NOW)
        nobody = earliest_slots(session, SlotQuery("internal", near=Place(20.0, 105.0)), now=NOW)
        wide = earliest_slots(session, closer, now=NOW)
    assert nobody == []
    assert {slot.facility.code for slot in near} == {"77001", "77002"}
    assert {(slot.facility.code, slot.distance_km) for slot in wide} == {("77001", 0.0)}
    assert 22 < next(slot.distance_km for slot in near if slot.facility.code == "77002") < 22.5


def test_every_slot_that_is_found_is_the_one_that_its_id_names(engine: Engine, owner: Session):
    session_id = remake(engine, lead_minutes=2, tail_minutes=3, capacity=2)
    claim(owner, AN, NINE, 20, 2)
    owner.commit()
    with system_unit_of_work(engine) as session:
        for channel in Channel:
            found = {
                slot.id: slot.free
                for slot in earliest_slots(session, an_on_tuesday(channel=channel), now=NOW)
            }
            by_id = {
                f"{session_id}.{minute}": slot_by_id(session, f"{session_id}.{minute}", NOW, channel=channel)
                for minute in range(480, 600)
            }
            assert found == {key: slot.free for key, slot in by_id.items() if slot and slot.free}


def test_a_search_is_one_statement_and_near_a_place_two(engine: Engine):
    with statements(engine) as seen, system_unit_of_work(engine) as session:
        earliest_slots(session, SlotQuery("internal", limit=10), now=NOW)
        assert sum("clinic_session" in statement for statement in seen) == 1
        seen.clear()
        earliest_slots(session, SlotQuery("internal", near=Place(10.0, 107.0)), now=NOW)
        assert len(seen) <= 2


def test_a_full_session_is_not_read(engine: Engine, owner: Session):
    with system_unit_of_work(engine) as session:
        for day in range(4):
            add_schedule(session, "chi", "77002", start=480 + day, end=540)
        materialise(session, [TUESDAY], NOW)
    owner.execute(
        text("UPDATE clinic_session SET booked = slot_count * capacity, online_booked = online_quota")
    )
    owner.commit()
    with statements(engine) as seen, system_unit_of_work(engine) as session:
        assert earliest_slots(session, SlotQuery("internal", limit=10), now=NOW) == []
        assert sum("clinic_session" in statement for statement in seen) == 1


def test_days_are_counted_as_a_search_finds_them(engine: Engine, owner: Session):
    """Whatever is odd about a day: the count is what the search offers, through every door."""
    room = Resource(
        id=new_id(), facility_id=FACILITIES["77001"], kind="room", code="SA1", name="Siêu âm", lanes=1
    )
    with system_unit_of_work(engine) as session:
        session.add(room)
    session_id = remake(
        engine,
        ScheduleQuota(schedule_id=SCHEDULE, door=Door.REFERRAL_INITIAL, places=4, falls_minutes=60),
        BookingPolicy(service_id=service_id("77001", "internal"), min_notice_minutes=90),
        lead_minutes=5,
    )
    assert_counted(engine)
    claim(owner, AN, NINE + timedelta(minutes=30), 15)
    claim(owner, DOCTORS["binh"], NINE - timedelta(hours=1), 15, 2)
    owner.commit()
    assert_counted(engine)
    held(owner, session_id, NOW - timedelta(seconds=1))
    owner.add(
        Blocking(
            facility_id=FACILITIES["77001"], practitioner_id=DOCTORS["binh"],
            from_at=NINE - timedelta(hours=1), to_at=NINE - timedelta(minutes=50), reason="Họp",
            created_at=NOW,
        )
    )  # fmt: skip
    owner.add(PractitionerLimit(practitioner_id=DOCTORS["binh"], per_day=3))
    owner.add(PractitionerDay(practitioner_id=DOCTORS["binh"], business_date=TUESDAY, booked=1))
    owner.execute(text("UPDATE clinic_session SET booked = 6 WHERE id = :id"), {"id": session_id})
    owner.add(ScheduleResource(schedule_id=SCHEDULE, resource_id=room.id))
    owner.commit()
    assert_counted(engine)


def assert_counted(engine: Engine) -> None:
    for now in (NOW, NINE - timedelta(minutes=90), NINE - timedelta(minutes=25), NINE + timedelta(hours=1)):
        for channel in Channel:
            with system_unit_of_work(engine) as session:
                counted = free_days(
                    session,
                    DaysQuery(NOW.date(), TUESDAY, FACILITIES["77001"], channel=channel, care_level="basic"),
                    now=now,
                )
                for item in counted:
                    for day, free in item.free.items():
                        assert free == found_on(session, item.practitioner.id, day, channel, now), (
                            item.practitioner.name, day, channel, now,
                        )  # fmt: skip


def found_on(session: Session, practitioner_id: UUID, day: date, channel: str, now: datetime) -> int:
    """Count what a search finds, by session: no more than it has room for, and than the day has left."""
    query = SlotQuery(
        practitioner_id=practitioner_id, facility_id=FACILITIES["77001"], from_=at_local(day, 0),
        to=at_local(day, 1440), limit=100, channel=channel, care_level="basic",
    )  # fmt: skip
    by_session: dict[str, list[int]] = {}
    for slot in earliest_slots(session, query, now=now):
        by_session.setdefault(slot.id.partition(".")[0], []).append(slot.free)
    total = 0
    for session_id, frees in by_session.items():
        sweep = swept(session, [UUID(session_id)])[0]
        window = POLICIES[channel].window(now, door_of(channel, "basic"))
        total += min(sum(frees), room(grid_of(sweep), window))
    limit = session.execute(
        text(
            """SELECT greatest(0, m.per_day - coalesce(d.booked, 0)) FROM practitioner_limit m
                LEFT JOIN practitioner_day d
                  ON d.practitioner_id = m.practitioner_id AND d.business_date = :day
                WHERE m.practitioner_id = :doctor"""
        ),
        {"day": day, "doctor": practitioner_id},
    ).scalar()
    return total if limit is None else min(total, limit)


def test_many_days_are_counted_in_two_statements_and_in_pages_by_name(engine: Engine):
    asked = DaysQuery(NOW.date(), NOW.date() + timedelta(days=3), FACILITIES["77001"], limit=1)
    with statements(engine) as seen, system_unit_of_work(engine) as session:
        first = free_days(session, asked, now=NOW)
        assert sum("clinic_session" in statement for statement in seen) <= 2
        after = (first[0].name_sort, first[0].practitioner.id)
        second = free_days(session, replace(asked, after=after), now=NOW)
        assert [item.practitioner.name for item in first + second] == ["Bác sĩ an", "Bác sĩ binh"]
        assert free_days(session, replace(asked, after=(second[0].name_sort, DOCTORS["binh"])), now=NOW) == []


def test_what_the_roster_no_longer_has_of_a_session_with_bookings_is_not_to_be_had(engine: Engine):
    key = remake(engine, end_minute=660)
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE clinic_session SET booked = 1, online_quota = 18 WHERE id = :id"), {"id": key}
        )
    leave = ScheduleException(
        id=new_id(),
        facility_id=FACILITIES["77001"],
        practitioner_id=AN,
        kind="leave",
        from_date=TUESDAY,
        to_date=TUESDAY,
        start_minute=540,
        end_minute=600,
    )
    remake(engine, leave)
    found = an_on_tuesday(channel=Channel.ONLINE)
    assert [slot for slot in times(engine, found) if slot.startswith("09")] == []
    assert {"08:00", "08:50", "10:00", "10:50"} <= set(times(engine, found))
    policies = Policies(booking=dict.fromkeys(Channel, BookingLimits(None, None, None, holds_per_account=99)))
    with system_unit_of_work(engine) as session:
        lost, kept = (slot_by_id(session, f"{key}.{minute}", NOW) for minute in (550, 500))
        assert [view.free for view in (lost, kept) if view is not None] == [0, 1]
        days = free_days(session, DaysQuery(TUESDAY, TUESDAY, practitioner_id=AN), now=NOW)
        assert [view.free[TUESDAY] for view in days] == [12 + 3]  # and half of the new session's, from 10:00
        hold(session, SYSTEM, f"{key}.500", now=NOW, policies=policies)
        with pytest.raises(TimeBlocked):
            hold(session, SYSTEM, f"{key}.550", now=NOW, policies=policies)
