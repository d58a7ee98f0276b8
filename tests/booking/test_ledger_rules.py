"""What a session's terms allow: doors, buffers, resources, overbooking, blockings, limits, slips."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import services
from telehealth.booking.errors import (
    DoorQuotaFull,
    HoldNotYours,
    HoldUnknown,
    OutsideValidity,
    ResourceBusy,
    SlotTaken,
    TimeBlocked,
    TooManyHolds,
)
from telehealth.booking.queries import AppointmentView
from telehealth.booking.schemas import ActionsSchema
from telehealth.booking.services import BookingRequest, Bound, Move
from telehealth.core.clock import at_local
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM, Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.calendar import DaysQuery, free_days
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, earliest_slots
from telehealth.settings import Settings
from tests.booking.clinic import (
    DOCTORS,
    FACILITIES,
    NOW,
    TUESDAY,
    Employee,
    Person,
    add_employee,
    add_person,
    known_at,
    service_id,
)
from tests.conftest import MovableClock

EVENING = at_local(TUESDAY, 20 * 60)


@pytest.fixture
def crowd(engine: Engine, clinic: None, settings: Settings) -> list[Person]:
    with system_unit_of_work(engine) as session:
        people = [add_person(session, settings.cipher, number) for number in range(300, 312)]
        for person in people:
            known_at(session, person, "77001")
        return people


@pytest.fixture
def sessions(engine: Engine, clinic: None) -> dict[str, UUID]:
    """Tuesday's sessions for internal medicine, by doctor."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT practitioner_id, id FROM clinic_session
                    WHERE business_date = :day AND service_code = 'internal'"""
            ),
            {"day": TUESDAY},
        ).all()
    by_id = {row.practitioner_id: row.id for row in rows}
    return {name: by_id[identifier] for name, identifier in DOCTORS.items()}


@pytest.fixture
def own(owner_engine: Engine) -> Callable[..., None]:
    """Change what only the owner of the database may."""

    def run(statement: str, **values: object) -> None:
        with owner_engine.begin() as connection:
            connection.execute(text(statement), values)

    return run


class Ledger:
    """The services as tests call them, each in a transaction of its own, for the system."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings = engine, settings

    @contextmanager
    def work(self) -> Iterator[tuple[Session, dict]]:
        with system_unit_of_work(self.engine) as session:
            yield (
                session,
                {
                    "now": NOW,
                    "cipher": self.settings.cipher,
                    "outbox": Outbox(self.settings.cipher),
                    "links": self.settings.answer_links,
                },
            )

    def book(self, person: Person, slot: str, channel: str = Channel.ONLINE, **more) -> AppointmentView:
        with self.work() as (session, means):
            request = BookingRequest(person.patient_id, slot_id=slot, channel=channel, **more)
            return services.book(session, SYSTEM, request, **means)

    def move(
        self, view: AppointmentView, slot: str, channel: str = Channel.ONLINE, **more
    ) -> AppointmentView:
        with self.work() as (session, means):
            move = Move(slot, view.version, channel, **more)
            return services.reschedule(session, SYSTEM, view.id, move, **means)

    def cancel(self, view: AppointmentView) -> None:
        with self.work() as (session, means):
            del means["links"]
            services.cancel(session, SYSTEM, view.id, version=view.version, reason_code="patient", **means)


@pytest.fixture
def ledger(engine: Engine, settings: Settings) -> Ledger:
    return Ledger(engine, settings)


def claims(engine: Engine) -> list[tuple[str, str, int]]:
    """Return kind, local times and lane of every active claim."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT resource_kind, to_char(lower(during) AT TIME ZONE 'Asia/Ho_Chi_Minh', 'HH24:MI')
                          || '-' || to_char(upper(during) AT TIME ZONE 'Asia/Ho_Chi_Minh', 'HH24:MI'), lane
                     FROM claim WHERE active ORDER BY 1, 2, 3"""
            )
        ).all()
    return [tuple(row) for row in rows]


def one(engine: Engine, sql: str, **values: object) -> object:
    with system_unit_of_work(engine) as session:
        return session.execute(text(sql), values).scalar_one()


def reserve(own, session_id: UUID, door: str, places: int, falls_at: datetime = EVENING) -> None:
    own(
        "INSERT INTO session_quota VALUES (:session, :door, :places, 0, :falls)",
        session=session_id, door=door, places=places, falls=falls_at,
    )  # fmt: skip


def test_what_is_kept_for_a_door_is_only_had_through_it_until_it_falls(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine, set_database_clock
):
    session_id = sessions["an"]  # 12 places
    own("UPDATE clinic_session SET online_quota = 12, slot_count = 4 WHERE id = :id", id=session_id)
    reserve(own, session_id, "referral-initial", 2, NOW + timedelta(hours=2))
    slots = [f"{session_id}.{480 + 10 * n}" for n in range(4)]
    for person, slot in zip(crowd, slots[:2], strict=False):
        ledger.book(person, slot)
    with pytest.raises(DoorQuotaFull) as refused:
        ledger.book(crowd[2], slots[2])
    assert refused.value.params == {"time": "10:00", "date": "30/11/2026"}
    with pytest.raises(DoorQuotaFull):
        ledger.book(crowd[2], slots[2], Channel.DESK)
    with pytest.raises(DoorQuotaFull):
        ledger.book(crowd[2], slots[2], Channel.REFERRAL, referring_level="basic")
    referred = ledger.book(crowd[2], slots[2], Channel.REFERRAL, referring_level="initial")
    assert one(engine, "SELECT booked FROM session_quota") == 1
    with pytest.raises(DoorQuotaFull):
        ledger.book(crowd[3], slots[3])
    with pytest.raises(
        DoorQuotaFull
    ):  # its place goes back to the reserve: a move by another door is refused
        ledger.move(referred, slots[3])
    ledger.cancel(referred)
    assert one(engine, "SELECT booked FROM session_quota") == 0
    set_database_clock(NOW + timedelta(hours=2))
    ledger.book(crowd[3], slots[3])


def test_buffers_are_the_doctors_and_the_rooms_and_not_the_patients(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine
):
    room = new_id()
    own("INSERT INTO resource VALUES (:id, :at, 'room', 'P1', 'Phòng 1', 1)", id=room, at=FACILITIES["77001"])
    own(
        """UPDATE clinic_session SET slot_minutes = 20, slot_count = 6, lead_minutes = 3, tail_minutes = 7,
                  resource_ids = ARRAY[CAST(:room AS uuid)] WHERE id = :id""",
        room=room, id=sessions["an"],
    )  # fmt: skip
    view = ledger.book(crowd[0], f"{sessions['an']}.503")
    assert view.slot_id == f"{sessions['an']}.503"
    assert (view.start, view.end) == (at_local(TUESDAY, 503), at_local(TUESDAY, 513))
    assert claims(engine) == [
        ("patient", "08:23-08:33", 1), ("practitioner", "08:20-08:40", 1), ("room", "08:20-08:40", 1),
    ]  # fmt: skip
    for beside in (".500", ".480"):
        with pytest.raises(Exception, match="slot-unknown"):
            ledger.book(crowd[1], f"{sessions['an']}{beside}")
    ledger.book(crowd[1], f"{sessions['an']}.523")


def test_every_slot_has_its_room_or_nobody_has_the_slot(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine
):
    """Two doctors, one room with one place and a device with two: the room decides."""
    room, device = new_id(), new_id()
    own("INSERT INTO resource VALUES (:id, :at, 'room', 'P1', 'Phòng 1', 1)", id=room, at=FACILITIES["77001"])
    own(
        "INSERT INTO resource VALUES (:id, :at, 'device', 'SA', 'Siêu âm', 2)",
        id=device,
        at=FACILITIES["77001"],
    )
    own(
        "UPDATE clinic_session SET resource_ids = :ids WHERE id = :id",
        ids=sorted([room, device]),
        id=sessions["an"],
    )
    own("UPDATE clinic_session SET resource_ids = :ids WHERE id = :id", ids=[room], id=sessions["binh"])
    first = ledger.book(crowd[0], f"{sessions['an']}.480")
    assert [kind for kind, _during, _lane in claims(engine)] == ["device", "patient", "practitioner", "room"]
    with pytest.raises(ResourceBusy):
        ledger.book(crowd[1], f"{sessions['binh']}.480")
    assert len(claims(engine)) == 4
    ledger.move(first, f"{sessions['binh']}.480")  # the same room, at an overlapping time: its own
    with pytest.raises(ResourceBusy):
        ledger.book(crowd[1], f"{sessions['an']}.480")
    own("UPDATE resource SET active = false WHERE id = :id", id=device)
    with pytest.raises(ResourceBusy):
        ledger.book(crowd[1], f"{sessions['an']}.540")
    assert one(engine, "SELECT count(*) FROM claim WHERE active AND resource_kind = 'device'") == 0


def test_a_hold_that_ran_out_leaves_its_room_to_another_doctors_patient(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine, set_database_clock
):
    room = new_id()
    own("INSERT INTO resource VALUES (:id, :at, 'room', 'P1', 'Phòng 1', 1)", id=room, at=FACILITIES["77001"])
    own(
        "UPDATE clinic_session SET resource_ids = :ids WHERE id = ANY(:both)",
        ids=[room], both=[sessions["an"], sessions["binh"]],
    )  # fmt: skip
    with ledger.work() as (session, _means):
        services.hold(session, crowd[0].principal, f"{sessions['an']}.480", now=NOW)
    with pytest.raises(ResourceBusy):
        ledger.book(crowd[1], f"{sessions['binh']}.480")
    set_database_clock(NOW + timedelta(minutes=6))
    ledger.book(crowd[1], f"{sessions['binh']}.480")
    assert one(engine, "SELECT sum(booked) FROM clinic_session") == 1
    assert one(engine, "SELECT sum(booked) FROM practitioner_day") == 1


def test_an_arrival_window_takes_as_many_as_it_has_lanes(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine
):
    own(
        """UPDATE clinic_session SET mode = 'session', slot_minutes = 60, slot_count = 2, capacity = 5,
                  online_quota = 10 WHERE id = :id""",
        id=sessions["an"],
    )
    for person in crowd[:5]:
        ledger.book(person, f"{sessions['an']}.480")
    with pytest.raises(SlotTaken):
        ledger.book(crowd[5], f"{sessions['an']}.480")
    lanes = [lane for kind, _during, lane in claims(engine) if kind == "practitioner"]
    assert lanes == [1, 2, 3, 4, 5]


def test_a_doctor_sees_no_more_people_a_day_than_they_may(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine
):
    own("INSERT INTO practitioner_limit VALUES (:id, 2)", id=DOCTORS["an"])
    first = ledger.book(crowd[0], f"{sessions['an']}.480")
    afternoon = one(
        engine,
        "SELECT id FROM clinic_session WHERE service_code = 'desk-only' AND business_date = :day",
        day=TUESDAY,
    )
    ledger.book(crowd[1], f"{afternoon}.840", Channel.DESK)
    for channel, more in ((Channel.ONLINE, {}), (Channel.DESK, {})):
        with pytest.raises(Exception, match="practitioner-day-full"):
            ledger.book(crowd[2], f"{sessions['an']}.490", channel, **more)
    ledger.move(first, f"{sessions['an']}.500")
    ledger.cancel(ledger.book(crowd[3], f"{sessions['binh']}.480"))
    assert (
        one(engine, "SELECT booked FROM practitioner_day WHERE practitioner_id = :id", id=DOCTORS["an"]) == 2
    )
    assert (
        one(engine, "SELECT booked FROM practitioner_day WHERE practitioner_id = :id", id=DOCTORS["binh"])
        == 0
    )


def test_a_slip_bounds_the_day_at_booking_and_at_every_move(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, owner_engine: Engine
):
    bound = Bound(at_local(TUESDAY, 485), at_local(TUESDAY, 520))
    with pytest.raises(OutsideValidity) as refused:
        ledger.book(crowd[0], f"{sessions['an']}.480", bound=bound)
    assert refused.value.params == {"from": "01/12/2026", "until": "01/12/2026"}
    view = ledger.book(crowd[0], f"{sessions['an']}.490", bound=bound)
    assert (view.bound_from, view.bound_until) == (bound.from_, bound.until)
    for outside in (480, 520):
        with pytest.raises(OutsideValidity):
            ledger.move(view, f"{sessions['an']}.{outside}", Channel.DESK)
    moved = ledger.move(view, f"{sessions['an']}.510")
    assert (moved.start, moved.bound_until) == (at_local(TUESDAY, 510), bound.until)
    with pytest.raises(Exception, match="ck_appointment_bound"), owner_engine.begin() as connection:
        connection.execute(text("UPDATE appointment SET start_at = start_at - interval '1 hour'"))


def test_a_move_to_an_overlapping_time_of_the_same_doctor_lets_its_own_time_go(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own, engine: Engine
):
    """Two services of one doctor over the same time on different grids."""
    own(
        """UPDATE clinic_session SET start_minute = 485, start_at = start_at + interval '5 minutes',
                  end_at = end_at + interval '5 minutes' WHERE id = :id""",
        id=sessions["binh"],
    )
    own(
        "UPDATE clinic_session SET practitioner_id = :an, capacity = 1 WHERE id = :id",
        an=DOCTORS["an"],
        id=sessions["binh"],
    )
    view = ledger.book(crowd[0], f"{sessions['an']}.480")
    with pytest.raises(SlotTaken):
        ledger.book(crowd[1], f"{sessions['binh']}.485")
    moved = ledger.move(view, f"{sessions['binh']}.485")
    assert (moved.start, moved.end) == (at_local(TUESDAY, 485), at_local(TUESDAY, 500))
    assert len(claims(engine)) == 2


def test_a_session_opens_and_closes_online_at_its_own_times(
    web: FlaskClient, lan: Person, desk: Employee, sessions: dict[str, UUID], own
):
    slot = f"{sessions['an']}.480"
    own(
        "UPDATE clinic_session SET opens_at = :at WHERE id = :id",
        at=NOW + timedelta(hours=1),
        id=sessions["an"],
    )
    early = post(web, lan, lan, slot)
    assert (early.status_code, early.json["code"]) == (409, "not-open-yet")
    assert early.json["opens_at"] == "2026-11-30T09:00:00+07:00"
    assert "09:00 ngày 30/11/2026" in early.json["detail"]
    own(
        "UPDATE clinic_session SET opens_at = :at, notice_minutes = 1451 WHERE id = :id",
        at=NOW, id=sessions["an"],
    )  # fmt: skip
    late = post(web, lan, lan, slot)
    assert (late.status_code, late.json["code"]) == (409, "slot-too-soon")
    assert post(web, desk, lan, slot).status_code == 201


def post(web: FlaskClient, who: Person | Employee, patient: Person, slot: str, **more):
    body = {"slot_id": slot, "patient_id": str(patient.patient_id), **more}
    return web.post("/api/v1/appointments", json=body, headers=who.headers)


def test_who_was_missed_too_often_books_at_the_desk(
    web: FlaskClient, lan: Person, desk: Employee, sessions: dict[str, UUID], own
):
    slot = f"{sessions['an']}.480"
    own(
        "INSERT INTO booking_restriction VALUES (:who, 'desk-only', :since, :until)",
        who=lan.patient_id, since=NOW - timedelta(days=1), until=NOW + timedelta(days=1),
    )  # fmt: skip
    refused = post(web, lan, lan, slot)
    assert (refused.status_code, refused.json["code"]) == (409, "restricted-to-desk")
    assert "1900 9095" in refused.json["detail"]
    assert post(web, desk, lan, slot).status_code == 201
    own("UPDATE booking_restriction SET until = :until", until=NOW)
    assert post(web, lan, lan, f"{sessions['binh']}.525").status_code == 201


def test_patients_cancel_until_the_services_cut_off_and_the_desk_after_it(
    web: FlaskClient, lan: Person, desk: Employee, sessions: dict[str, UUID], own, clock: MovableClock
):
    own(
        """INSERT INTO booking_policy (service_id, cancel_notice_minutes, hold_seconds)
           VALUES (:service, 720, 90)""",
        service=service_id("77001", "internal"),
    )
    booked = post(web, lan, lan, f"{sessions['an']}.480").json
    assert booked["change_until"] == "2026-11-30T20:00:00+07:00"
    held = web.post("/api/v1/holds", json={"slot_id": f"{sessions['an']}.490"}, headers=lan.headers).json
    assert datetime.fromisoformat(held["expires_at"]) - NOW < timedelta(seconds=95)
    clock.forward(hours=12)
    place = f"/api/v1/appointments/{booked['id']}"
    for verb, body in (("cancel", {}), ("reschedule", {"slot_id": f"{sessions['an']}.500"})):
        late = web.post(f"{place}/{verb}", json=body, headers={**lan.headers, "If-Match": '"1"'})
        assert late.status_code == 409, late.json
        assert late.json["code"] == {"cancel": "too-late-to-cancel", "reschedule": "too-late-to-move"}[verb]
        assert "20:00 ngày 30/11/2026" in late.json["detail"]
        assert "1900 9095" in late.json["detail"]
    shown = web.get(place, headers=lan.headers).json
    assert "cancel" not in shown["actions"]
    told = verdicts(web, lan, place)
    assert (told["cancel"]["allowed"], told["cancel"]["code"]) == (False, "too-late-to-cancel")
    assert "20:00" in told["cancel"]["detail"]
    assert (told["check-in"]["code"], told["check-in"]["from"]) == ("forbidden", None)
    assert (told["set-out"]["code"], told["set-out"]["from"]) == (
        "too-early-to-set-out",
        "2026-12-01T04:00:00+07:00",
    )
    assert told["confirm"]["allowed"]
    assert told["join"]["code"] == "not-by-video"
    told = verdicts(web, desk, place)
    assert told["cancel"]["allowed"]
    assert told["overbook"]["allowed"]
    assert told["check-in"]["from"] == "2026-12-01T00:00:00+07:00"
    done = web.post(
        f"{place}/cancel", json={"reason_code": "patient"}, headers={**desk.headers, "If-Match": '"1"'}
    )
    assert done.status_code == 200


def verdicts(web: FlaskClient, who: Person | Employee, place: str) -> dict[str, dict]:
    answer = web.get(f"{place}/actions", headers=who.headers)
    assert not ActionsSchema().validate(answer.json)
    return {item["action"]: item for item in answer.json["verdicts"]}


def test_the_desk_puts_somebody_beside_the_others_with_a_reason_and_nobody_else_does(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    desk: Employee,
    sessions: dict[str, UUID],
    engine: Engine,
    crowd: list[Person],
):
    slot = f"{sessions['an']}.480"
    assert post(web, lan, lan, slot).status_code == 201
    why = {"overbook": {"reason": "Bác sĩ An đồng ý khám thêm"}}
    online = post(web, minh, minh, slot, **why)
    assert (online.status_code, online.json["code"]) == (403, "override-not-online")
    silent = post(web, desk, crowd[0], slot, overbook={"reason": ""})
    assert silent.status_code == 422
    full = post(web, desk, crowd[0], slot)
    assert (full.status_code, full.json["code"]) == (409, "slot-taken")
    for person, status in ((crowd[0], 201), (crowd[1], 201), (crowd[2], 409)):
        beside = post(web, desk, person, slot, **why)
        assert beside.status_code == status, beside.json
    assert beside.json["code"] == "overbook-full"
    assert (
        one(
            engine,
            "SELECT (booked, overbooked, online_booked)::text FROM clinic_session WHERE overbooked > 0",
        )
        == "(1,2,1)"
    )
    assert one(engine, "SELECT count(*) FROM audit_event WHERE action = 'booking.overbook'") == 2
    assert one(engine, "SELECT count(*) FROM audit_event WHERE details::text LIKE '%đồng ý%'") == 0
    assert one(engine, "SELECT count(*) FROM appointment WHERE overbook_reason_sealed IS NOT NULL") == 2
    lanes = [lane for kind, _during, lane in claims(engine) if kind == "practitioner"]
    assert lanes == [1, 2, 3]
    assert one(engine, "SELECT booked FROM practitioner_day") == 3


def test_a_doctor_overbooks_only_their_own_clinic(
    engine: Engine, sessions: dict[str, UUID], ledger: Ledger, crowd
):
    with system_unit_of_work(engine) as session:
        employee = add_employee(session, Role.PRACTITIONER, "77001")
        an = employee.principal
    for doctor, allowed in (("an", True), ("binh", False)):
        acting = _as_doctor(an, DOCTORS[doctor] if allowed else DOCTORS["an"])
        request = BookingRequest(
            crowd[0].patient_id,
            slot_id=f"{sessions[doctor]}.{480 if allowed else 510}",
            channel=Channel.DESK,
            overbook="khám thêm",
        )
        with ledger.work() as (session, means):
            if allowed:
                assert services.book(session, acting, request, **means).overbooked
            else:
                with pytest.raises(Exception, match="forbidden"):
                    services.book(session, acting, request, **means)
                session.rollback()


def _as_doctor(principal, practitioner_id: UUID):
    return replace(principal, practitioner_id=practitioner_id)


def test_a_blocked_time_is_nobodys_but_theirs_who_may_overrule_it(
    web: FlaskClient,
    lan: Person,
    desk: Employee,
    sessions: dict[str, UUID],
    own,
    engine: Engine,
    crowd: list[Person],
):
    slot = f"{sessions['an']}.480"
    blocking = """INSERT INTO blocking (id, facility_id, practitioner_id, from_at, to_at, reason,
                                        override_roles, override_account_ids, created_at)
                  VALUES (gen_random_uuid(), :at, :who, :from, :to, 'Họp', :roles, :accounts, :from)"""
    times = {"at": FACILITIES["77001"], "from": at_local(TUESDAY, 480), "to": at_local(TUESDAY, 500)}
    before = one(engine, "SELECT version FROM clinic_session WHERE id = :id", id=sessions["an"])
    own(blocking, **times, who=DOCTORS["an"], roles=["desk"], accounts=[])
    assert one(engine, "SELECT version FROM clinic_session WHERE id = :id", id=sessions["an"]) == before + 1
    assert post(web, lan, lan, slot).json["code"] == "time-blocked"
    assert post(web, desk, lan, slot).json["code"] == "time-blocked"
    assert post(web, lan, lan, f"{sessions['an']}.500").status_code == 201
    why = {"override": {"reason": "Ca cần khám sớm"}}
    assert post(web, desk, crowd[0], slot, **why).status_code == 201
    own(blocking, **times, who=None, roles=["facility-admin"], accounts=[])
    assert post(web, desk, crowd[1], f"{sessions['an']}.490", **why).json["code"] == "time-blocked"
    own(
        "UPDATE blocking SET override_account_ids = :ids WHERE practitioner_id IS NULL", ids=[desk.account_id]
    )
    assert post(web, desk, crowd[1], f"{sessions['an']}.490", **why).status_code == 201
    own("UPDATE blocking SET lifted_at = :now", now=NOW)
    assert one(engine, "SELECT count(*) FROM audit_event WHERE details @> '{\"override\": true}'") == 2


def test_the_desk_books_a_slot_that_has_begun_only_by_overruling(
    web: FlaskClient, lan: Person, desk: Employee, sessions: dict[str, UUID], clock: MovableClock
):
    clock.now = at_local(TUESDAY, 484)
    begun = f"{sessions['an']}.480"
    assert post(web, desk, lan, begun).json["code"] == "slot-in-past"
    assert post(web, desk, lan, begun, override={"reason": "Đến muộn"}).status_code == 201
    clock.now = at_local(TUESDAY, 500)
    assert (
        post(web, desk, lan, f"{sessions['an']}.490", override={"reason": "Ghi lại"}).json["code"]
        == "slot-in-past"
    )


@pytest.mark.parametrize(("seconds", "refusal"), [(-1, None), (0, "slot-in-past"), (1, "slot-in-past")])
def test_at_the_minute_a_slot_begins_search_count_and_booking_agree(
    web: FlaskClient,
    lan: Person,
    desk: Employee,
    sessions: dict[str, UUID],
    engine: Engine,
    clock: MovableClock,
    seconds: int,
    refusal: str | None,
):
    clock.now = at_local(TUESDAY, 480) + timedelta(seconds=seconds)
    first = f"{sessions['an']}.480"
    asked = {"service_code": "internal", "practitioner_id": DOCTORS["an"], "channel": Channel.DESK}
    with system_unit_of_work(engine) as session:
        found = earliest_slots(session, SlotQuery(**asked, to=EVENING, limit=100), now=clock())
        (doctor,) = free_days(session, DaysQuery(TUESDAY, TUESDAY, **asked), now=clock())
    assert (first in {slot.id for slot in found}) == (refusal is None)
    assert doctor.free[TUESDAY] == sum(slot.free for slot in found)
    answer = post(web, desk, lan, first)
    assert answer.status_code == (201 if refusal is None else 409)
    assert refusal in (None, answer.json["code"])


def test_any_doctor_is_who_has_seen_the_patient_else_who_has_the_fewest(
    web: FlaskClient,
    lan: Person,
    desk: Employee,
    crowd: list[Person],
    sessions: dict[str, UUID],
    own,
    engine: Engine,
):
    asked = {"service": "internal", "facility": "77001", "date": "2026-12-01"}

    def any_doctor(person: Person):
        body = {**asked, "patient_id": str(person.patient_id)}
        return web.post(
            "/api/v1/appointments", json=body, headers={**person.headers, "Idempotency-Key": str(new_id())}
        )

    post(web, desk, crowd[0], f"{sessions['an']}.490")
    first = any_doctor(crowd[1])
    assert first.status_code == 201, first.json
    assert first.json["practitioner"]["name"] == "Bác sĩ binh"
    own("UPDATE appointment SET status = 'fulfilled' WHERE patient_id = :id", id=crowd[0].patient_id)
    again = any_doctor(crowd[0])
    assert (again.json["practitioner"]["name"], again.json["start"]) == (
        "Bác sĩ an",
        "2026-12-01T08:00:00+07:00",
    )
    own("UPDATE clinic_session SET status = 'closed'")
    nobody = any_doctor(crowd[2])
    assert (nobody.status_code, nobody.json["code"]) == (409, "nobody-free")
    wrong = web.post(
        "/api/v1/appointments",
        json={"service": "internal", "facility": "77001", "patient_id": str(lan.patient_id)},
        headers=lan.headers,
    )
    assert wrong.status_code == 422


def test_a_hold_is_not_confirmed_into_a_time_that_has_been_blocked(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], own
):
    with ledger.work() as (session, _means):
        hold = services.hold(session, crowd[0].principal, f"{sessions['an']}.480", now=NOW)
    own(
        """INSERT INTO blocking (id, facility_id, practitioner_id, from_at, to_at, reason, created_at)
           SELECT gen_random_uuid(), facility_id, practitioner_id, start_at, end_at, 'Họp', start_at
             FROM clinic_session WHERE id = :id""",
        id=sessions["an"],
    )
    asked = BookingRequest(patient_id=crowd[0].patient_id, hold_id=hold.id)
    with pytest.raises(TimeBlocked), ledger.work() as (session, means):
        services.book(session, crowd[0].principal, asked, **means)


def integrator() -> Principal:
    """A hospital system at 77001."""
    grants = frozenset({Grant(Role.INTEGRATOR, FACILITIES["77001"])})
    return Principal(kind=PrincipalKind.INTEGRATOR, id=new_id(), grants=grants)


def test_a_system_without_account_holds_for_itself_alone_gives_back_and_has_its_limit(
    ledger: Ledger, crowd: list[Person], sessions: dict[str, UUID], engine: Engine
):
    mine, theirs = integrator(), integrator()
    slots = [f"{sessions['an']}.{480 + 10 * n}" for n in range(11)]

    def hold(who: Principal, slot: str) -> services.Hold:
        with ledger.work() as (session, _means):
            return services.hold(session, who, slot, now=NOW, channel=Channel.REFERRAL)

    first = hold(mine, slots[0])
    assert hold(mine, slots[0]).id == first.id
    with pytest.raises(HoldUnknown), ledger.work() as (session, _means):
        services.release(session, theirs, first.id, now=NOW)
    asked = BookingRequest(patient_id=crowd[0].patient_id, hold_id=first.id, channel=Channel.REFERRAL)
    with pytest.raises(HoldNotYours), ledger.work() as (session, means):
        services.book(session, theirs, asked, **means)
    with ledger.work() as (session, _means):
        services.release(session, mine, first.id, now=NOW)
    assert one(engine, "SELECT sum(booked) FROM clinic_session") == 0
    for slot in slots[:10]:
        hold(mine, slot)
    with pytest.raises(TooManyHolds):
        hold(mine, slots[10])
    hold(theirs, slots[10])
