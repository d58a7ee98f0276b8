"""Finding, holding, booking, seeing and cancelling through the API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import icalendar
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.booking import services
from telehealth.booking.schemas import AppointmentSchema, BookedSchema, HoldSchema
from telehealth.core.crypto import token_hash
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.schemas import SlotListSchema
from telehealth.settings import Settings
from tests.booking.clinic import (
    DOCTORS,
    NOW,
    TUESDAY,
    Employee,
    Person,
    add_employee,
    add_person,
    known_at,
    new_key,
    statements,
)
from tests.conftest import MovableClock

TOMORROW = "2026-12-01T00:00:00+07:00"
IN_TWO_DAYS = "2026-12-02T00:00:00+07:00"


def slots(web: FlaskClient, **query: object) -> list[dict]:
    asked = {"service": "internal", "from": TOMORROW, **query}
    answer = web.get("/api/v1/slots", query_string=asked)
    assert answer.status_code == 200, answer.json
    assert not SlotListSchema().validate(answer.json)
    return answer.json["items"]


def book(web: FlaskClient, who: Person | Employee, headers: dict | None = None, **body: object):
    body.setdefault("patient_id", str(getattr(who, "patient_id", "")))
    return web.post("/api/v1/appointments", json=body, headers={**who.headers, **(headers or {})})


def count(engine: Engine, table: str, where: str = "true") -> int:
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        return connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one()


def test_the_earliest_slots_come_first_over_the_whole_province(web: FlaskClient):
    found = slots(web, limit=4)
    assert [slot["start"] for slot in found] == [
        "2026-12-01T08:00:00+07:00",
        "2026-12-01T08:00:00+07:00",
        "2026-12-01T08:10:00+07:00",
        "2026-12-01T08:15:00+07:00",
    ]
    assert {slot["facility"]["code"] for slot in found} == {"77001"}
    assert found[0]["prices"] == {"insured": 45000, "self": 45000, "on_request": 135000, "after_hours": None}


def test_the_same_service_twice_a_day_is_booked_with_a_warning(
    web: FlaskClient, lan: Person, minh: Person, engine: Engine
):
    first, *_, later = slots(web, limit=5, practitioner=str(DOCTORS["an"]))
    beside = slots(web, limit=1, practitioner=str(DOCTORS["binh"]))[0]
    assert book(web, lan, slot_id=later["id"]).json["warnings"] == []
    key = {"Idempotency-Key": new_key()}
    twice = book(web, lan, key, slot_id=beside["id"])
    assert twice.status_code == 201
    assert twice.json["warnings"] == [
        f"Người này đã có lịch Khám nội lúc {later['start'][11:16]} hôm đó, tại Bệnh viện Thử 77001."
    ]
    assert book(web, lan, key, slot_id=beside["id"]).json == twice.json, "a replay is the same answer"
    assert book(web, minh, slot_id=first["id"]).json["warnings"] == [], "somebody else's day"
    assert count(engine, "appointment", "status = 'booked'") == 3


def test_a_patient_books_sees_and_cancels(web: FlaskClient, lan: Person, engine: Engine):
    slot = slots(web, **{"from": IN_TWO_DAYS})[0]
    answer = book(
        web,
        lan,
        {"Idempotency-Key": new_key()},
        slot_id=slot["id"],
        coverage_basis="registered-here",
        companion=True,
        reason="Đau đầu 😀'; DROP TABLE appointment; --",
        consent={"purpose": "booking", "text_version": "2026-11"},
    )
    assert answer.status_code == 201, answer.json
    booked = answer.json
    assert not BookedSchema().validate(booked)
    assert booked["status"] == "booked"
    assert booked["coverage_checked"] is False
    assert booked["actions"] == ["cancel", "reschedule", "calendar"]
    assert len(booked["code"]) == 8
    assert slot["id"] not in {
        other["id"] for other in slots(web, limit=50, **{"from": IN_TWO_DAYS}) if other["free"] < 1
    }

    shown = web.get(f"/api/v1/appointments/{booked['id']}", headers=lan.headers)
    assert shown.headers["ETag"] == '"1"'
    assert booked.pop("warnings") == []
    assert shown.json == booked

    cancelled = web.post(
        f"/api/v1/appointments/{booked['id']}/cancel",
        json={"reason_code": "patient-better"},
        headers={**lan.headers, "If-Match": shown.headers["ETag"]},
    )
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert slot["id"] in {other["id"] for other in slots(web, limit=50, **{"from": IN_TWO_DAYS})}
    assert count(engine, "claim", "active") == 0
    assert count(engine, "clinic_session", "booked > 0 OR online_booked > 0") == 0
    assert count(engine, "consent") == 1
    kinds = "SELECT kind, state FROM notifications.notification ORDER BY kind"
    with engine.connect() as connection:
        told = connection.execute(text(kinds)).all()
    assert [tuple(row) for row in told] == [
        ("appointment-booked", "cancelled"),
        ("appointment-cancelled", "queued"),
        ("appointment-reminder-day", "cancelled"),
    ]


def test_a_held_slot_is_nobody_elses_until_its_time_is_over(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    slot = slots(web)[0]["id"]
    held = web.post("/api/v1/holds", json={"slot_id": slot}, headers=lan.headers)
    assert held.status_code == 201
    assert not HoldSchema().validate(held.json)
    assert web.get(held.headers["Location"], headers=lan.headers).json["status"] == "held"
    assert slot not in {other["id"] for other in slots(web, limit=50)}
    refused = book(web, minh, slot_id=slot)
    assert (refused.status_code, refused.json["code"]) == (409, "slot-taken")
    again = web.post("/api/v1/holds", json={"slot_id": slot}, headers=lan.headers)
    assert again.json["id"] == held.json["id"]

    set_database_clock(clock.forward(minutes=6))
    assert slot in {other["id"] for other in slots(web, limit=50)}
    assert book(web, minh, slot_id=slot).status_code == 201
    late = book(web, lan, hold_id=held.json["id"])
    assert (late.status_code, late.json["code"]) == (409, "hold-expired")


def test_what_is_booked_names_its_address_and_names_it_again(web: FlaskClient, lan: Person):
    slot, key = slots(web)[0]["id"], {"Idempotency-Key": new_key()}
    made = book(web, lan, key, slot_id=slot)
    again = book(web, lan, key, slot_id=slot)
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.headers["Location"] == again.headers["Location"] == f"/api/v1/appointments/{made.json['id']}"
    assert web.get(made.headers["Location"], headers=lan.headers).json["code"] == made.json["code"]


def test_a_hold_is_confirmed_by_its_holder_and_by_nobody_else(web: FlaskClient, lan: Person, minh: Person):
    slot = slots(web)[0]["id"]
    held = web.post("/api/v1/holds", json={"slot_id": slot}, headers=lan.headers).json["id"]
    stranger = book(web, minh, hold_id=held)
    assert (stranger.status_code, stranger.json["code"]) == (404, "hold-unknown")
    confirmed = book(web, lan, hold_id=held)
    assert (confirmed.status_code, confirmed.json["id"]) == (201, held)
    assert confirmed.json["version"] == 2


def test_a_hold_let_go_is_free_at_once(web: FlaskClient, lan: Person, minh: Person, engine: Engine):
    slot = slots(web)[0]["id"]
    held = web.post("/api/v1/holds", json={"slot_id": slot}, headers=lan.headers).json["id"]
    stranger = web.delete(f"/api/v1/holds/{held}", headers=minh.headers)
    assert (stranger.status_code, stranger.json["code"]) == (404, "hold-unknown")
    assert count(engine, "claim", "active") == 1
    for _ in range(2):
        assert web.delete(f"/api/v1/holds/{held}", headers=lan.headers).status_code == 204
    assert count(engine, "claim", "active") == 0
    assert count(engine, "clinic_session", "booked > 0") == 0


def test_nobody_holds_more_than_three_slots(web: FlaskClient, lan: Person):
    answers = [
        web.post("/api/v1/holds", json={"slot_id": slot["id"]}, headers=lan.headers)
        for slot in slots(web, limit=4)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[-1].json["code"] == "too-many-holds"


def test_a_taken_slot_is_refused_with_the_next_free_ones(web: FlaskClient, lan: Person, minh: Person):
    slot = slots(web)[0]["id"]
    assert book(web, lan, slot_id=slot).status_code == 201
    refused = book(web, minh, slot_id=slot)
    assert (refused.status_code, refused.json["code"]) == (409, "slot-taken")
    offered = refused.json["alternatives"]
    assert len(offered) == 3
    assert slot not in {other["id"] for other in offered}
    assert {other["service"]["code"] for other in offered} == {"internal"}


def test_two_lanes_take_two_patients_and_no_third(
    web: FlaskClient, engine: Engine, clinic: None, settings: Settings
):
    with system_unit_of_work(engine) as session:
        people = [add_person(session, settings.cipher, number) for number in (11, 12, 13)]
    slot = slots(web, practitioner=DOCTORS["binh"])[0]
    assert slot["free"] == 2
    answers = [book(web, person, slot_id=slot["id"]) for person in people]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert count(engine, "claim", "active AND lane = 2") == 1


def test_online_places_end_at_the_quota_and_the_desk_has_the_rest(
    web: FlaskClient, engine: Engine, desk: Employee, lan: Person, settings: Settings
):
    """Doctor An has 12 slots, of which half are online."""
    with system_unit_of_work(engine) as session:
        people = [add_person(session, settings.cipher, number) for number in range(20, 27)]
    free = slots(web, practitioner=DOCTORS["an"], to="2026-12-02T00:00:00+07:00", limit=20)
    assert len(free) == 12
    answers = [book(web, person, slot_id=slot["id"]) for person, slot in zip(people, free, strict=False)]
    assert [answer.status_code for answer in answers] == [201] * 6 + [409]
    assert answers[-1].json["code"] == "online-quota-full"
    assert slots(web, practitioner=DOCTORS["an"], to="2026-12-02T00:00:00+07:00") == []
    at_the_desk = book(web, desk, slot_id=free[6]["id"], patient_id=str(lan.patient_id))
    assert at_the_desk.status_code == 201, at_the_desk.json


def test_one_patient_is_not_in_two_places_at_once(web: FlaskClient, lan: Person):
    first = slots(web, practitioner=DOCTORS["an"])[0]
    second = slots(web, practitioner=DOCTORS["binh"])[0]
    assert first["start"] == second["start"]
    assert book(web, lan, slot_id=first["id"]).status_code == 201
    refused = book(web, lan, slot_id=second["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "patient-busy")


def test_one_patient_has_two_appointments_with_a_doctor_and_three_a_day(web: FlaskClient, lan: Person):
    an = slots(web, practitioner=DOCTORS["an"], limit=5)
    assert [book(web, lan, slot_id=slot["id"]).status_code for slot in an[:2]] == [201, 201]
    refused = book(web, lan, slot_id=an[3]["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "too-many-with-practitioner")
    binh = slots(web, practitioner=DOCTORS["binh"])
    assert book(web, lan, slot_id=binh[2]["id"]).status_code == 201
    chi = slots(web, modality="video")[0]
    refused = book(web, lan, slot_id=chi["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "too-many-that-day")


def test_a_person_is_registered_by_the_booking(web: FlaskClient, lan: Person, engine: Engine):
    person = {"full_name": "Nguyễn Thị Bé 👶", "birth_year": 2021, "sex": "female"}
    answer = web.post(
        "/api/v1/appointments",
        json={"slot_id": slots(web)[0]["id"], "patient": person},
        headers=lan.headers,
    )
    assert answer.status_code in (201, 422), answer.json
    person["full_name"] = "Nguyễn Thị Bé'); DROP TABLE patient; --"
    slot = slots(web)[1]["id"]
    answer = web.post("/api/v1/appointments", json={"slot_id": slot, "patient": person}, headers=lan.headers)
    assert answer.status_code in (201, 422), answer.json
    person["full_name"] = "Nguyễn Thị Bé"
    slot = slots(web)[2]["id"]
    answer = web.post("/api/v1/appointments", json={"slot_id": slot, "patient": person}, headers=lan.headers)
    assert answer.status_code == 201, answer.json
    assert answer.json["patient_name"] == "Nguyễn Thị Bé"
    assert count(engine, "patient") >= 2


def test_the_desk_books_for_a_person_it_registers(web: FlaskClient, desk: Employee, other_desk: Employee):
    body = {
        "slot_id": slots(web)[0]["id"],
        "patient": {"full_name": "Võ Văn Tám", "birth_year": 1950, "sex": "male"},
        "coverage_basis": "referral-slip",
    }
    elsewhere = web.post("/api/v1/appointments", json=body, headers=other_desk.headers)
    assert elsewhere.status_code == 403
    answer = web.post("/api/v1/appointments", json=body, headers=desk.headers)
    assert answer.status_code == 201, answer.json
    day = web.get(
        "/api/v1/appointments",
        query_string={"facility": "77001", "date": "2026-12-01"},
        headers=desk.headers,
    )
    assert [item["patient_name"] for item in day.json["items"]] == ["Võ Văn Tám"]
    confirmed = web.post(
        f"/api/v1/appointments/{answer.json['id']}/coverage",
        json={"coverage_basis": "referral-slip"},
        headers={**desk.headers, "If-Match": '"1"'},
    )
    assert confirmed.json["coverage_checked"] is True


def test_a_desk_books_elsewhere_as_the_patient_could_from_home(
    web: FlaskClient, other_desk: Employee, lan: Person, engine: Engine
):
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77002")
    asked = {"slot_id": slots(web, facility="77001")[0]["id"], "patient_id": str(lan.patient_id)}
    by_its_own_door = web.post("/api/v1/appointments", json=asked, headers=other_desk.headers)
    assert by_its_own_door.status_code == 403
    somebody_new = {"full_name": "Võ Văn Tám", "birth_year": 1950, "sex": "male"}
    unknown = {"slot_id": asked["slot_id"], "patient": somebody_new, "channel": "online"}
    refused = web.post("/api/v1/appointments", json=unknown, headers=other_desk.headers)
    assert refused.status_code == 422
    assert "lập hồ sơ người bệnh tại cơ sở của quý vị" in refused.json["fields"]["patient_id"][0]
    booked = web.post("/api/v1/appointments", json={**asked, "channel": "online"}, headers=other_desk.headers)
    assert (booked.status_code, booked.json["facility"]["code"]) == (201, "77001")
    assert count(engine, "claim", "online AND active") > 0, "from the quota of those who book from home"


def test_the_desk_confirms_its_hold_for_a_person_it_registers(
    web: FlaskClient, desk: Employee, engine: Engine
):
    held = web.post("/api/v1/holds", json={"slot_id": slots(web)[0]["id"]}, headers=desk.headers).json["id"]
    person = {"full_name": "Võ Văn Tám", "birth_year": 1950, "sex": "male"}
    body = {"hold_id": held, "patient": person}
    booked = web.post("/api/v1/appointments", json=body, headers=desk.headers)
    assert (booked.status_code, booked.json["id"]) == (201, held), booked.json
    assert booked.json["patient_name"] == "Võ Văn Tám"
    nowhere = web.post(
        "/api/v1/appointments", json={**body, "hold_id": str(desk.account_id)}, headers=desk.headers
    )
    assert (nowhere.status_code, nowhere.json["code"]) == (404, "hold-unknown")
    assert count(engine, "patient", "full_name = 'Võ Văn Tám'") == 1


def test_a_change_names_the_version_it_changes(web: FlaskClient, lan: Person):
    booked = book(web, lan, slot_id=slots(web)[0]["id"]).json
    address = f"/api/v1/appointments/{booked['id']}/cancel"
    missing = web.post(address, json={}, headers=lan.headers)
    assert (missing.status_code, missing.json["code"]) == (428, "version-required")
    stale = web.post(address, json={}, headers={**lan.headers, "If-Match": '"7"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale-version")
    assert web.post(address, json={}, headers={**lan.headers, "If-Match": '"1"'}).status_code == 200
    twice = web.post(address, json={}, headers={**lan.headers, "If-Match": '"2"'})
    assert (twice.status_code, twice.json["code"]) == (409, "appointment-over")


def test_the_calendar_file_counts_the_changes(web: FlaskClient, lan: Person):
    booked = book(web, lan, slot_id=slots(web)[0]["id"]).json
    address = f"/api/v1/appointments/{booked['id']}"

    methods = []

    def event() -> icalendar.Event:
        answer = web.get(f"{address}.ics", headers=lan.headers)
        assert answer.mimetype == "text/calendar"
        assert "Khám nội" not in answer.get_data(as_text=True)
        calendar = icalendar.Calendar.from_ical(answer.data)
        methods.append(str(calendar["METHOD"]))
        return calendar.walk("VEVENT")[0]

    before = event()
    assert before.walk("VALARM")[0].decoded("TRIGGER") == timedelta(hours=-2)
    assert (before["SEQUENCE"], before["STATUS"]) == (0, "CONFIRMED")
    assert before.decoded("DTSTART") == datetime.fromisoformat(booked["start"])
    web.post(f"{address}/cancel", json={}, headers={**lan.headers, "If-Match": '"1"'})
    after = event()
    assert (after["SEQUENCE"], after["STATUS"], after["UID"]) == (1, "CANCELLED", before["UID"])
    assert (methods, after.walk("VALARM")) == (["PUBLISH", "CANCEL"], [])


def test_nobody_sees_anothers_appointment(web: FlaskClient, lan: Person, minh: Person, other_desk: Employee):
    booked = book(web, lan, slot_id=slots(web)[0]["id"]).json
    for stranger in (minh, other_desk):
        for path in ("", ".ics", "/actions"):
            answer = web.get(f"/api/v1/appointments/{booked['id']}{path}", headers=stranger.headers)
            assert answer.status_code == 404, path
        answer = web.post(
            f"/api/v1/appointments/{booked['id']}/cancel",
            json={},
            headers={**stranger.headers, "If-Match": '"1"'},
        )
        assert answer.status_code == 404
    assert web.get("/api/v1/appointments", headers=minh.headers).json["items"] == []
    assert web.get(f"/api/v1/appointments/{booked['id']}").status_code == 401


def test_nobody_books_for_a_patient_they_do_not_act_for(web: FlaskClient, lan: Person, minh: Person):
    answer = book(web, minh, slot_id=slots(web)[0]["id"], patient_id=str(lan.patient_id))
    assert (answer.status_code, answer.json["code"]) == (404, "patient-unknown")


def test_odd_slots_are_refused_by_name(web: FlaskClient, lan: Person, clock: MovableClock):
    slot = slots(web)[0]["id"]
    session_id, minute = slot.split(".")
    for odd in (f"{session_id}.{int(minute) + 1}", f"{session_id}.1439", "nothing", "é.5", f"{minute}.480"):
        answer = book(web, lan, slot_id=odd)
        assert (answer.status_code, answer.json["code"]) == (404, "slot-unknown"), odd
    special = slots_of_service(web, "desk-only")
    assert special == []
    clock.now = datetime(2026, 12, 1, 0, 45, tzinfo=UTC)
    answer = book(web, lan, slot_id=slot)
    assert (answer.status_code, answer.json["code"]) == (409, "slot-too-soon")
    clock.now = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    answer = book(web, lan, slot_id=slot)
    assert (answer.status_code, answer.json["code"]) == (409, "slot-in-past")


def slots_of_service(web: FlaskClient, service: str) -> list[dict]:
    return slots(web, service=service)


def test_a_desk_only_service_is_not_booked_online(
    web: FlaskClient, lan: Person, desk: Employee, engine: Engine
):
    with engine.connect() as connection:
        session_id = connection.execute(
            text("SELECT id FROM clinic_session WHERE service_code = 'desk-only' AND business_date = :day"),
            {"day": TUESDAY},
        ).scalar_one()
    slot = f"{session_id}.840"
    refused = book(web, lan, slot_id=slot)
    assert (refused.status_code, refused.json["code"]) == (409, "not-bookable-online")
    assert book(web, desk, slot_id=slot, patient_id=str(lan.patient_id)).status_code == 201


def test_bad_requests_are_clear_refusals_and_lose_nothing(web: FlaskClient, lan: Person, engine: Engine):
    address, json_type = "/api/v1/appointments", {"Content-Type": "application/json"}
    slot = slots(web)[0]["id"]
    tries = [
        (web.post(address, data="{", headers={**lan.headers, **json_type}), 400),
        (web.post(address, data="[]", headers={**lan.headers, **json_type}), 422),
        (web.post(address, data="x=1", headers=lan.headers), 415),
        (web.post(address, data=b"x" * 10_000_000, headers={**lan.headers, **json_type}), 413),
        (web.post(address, json={"slot_id": slot}, headers=lan.headers), 422),
        (book(web, lan, slot_id=slot, hold_id=str(lan.account_id)), 422),
        (book(web, lan, slot_id=slot, colour="red"), 422),
        (book(web, lan, slot_id=slot, coverage_basis="free"), 422),
        (book(web, lan, slot_id=slot, patient_id="me"), 422),
        (book(web, lan, slot_id=slot, reason="a" * 501), 422),
        (book(web, lan, {"Idempotency-Key": "é"}, slot_id=slot), 422),
        (book(web, lan, {"Idempotency-Key": "k" * 201}, slot_id=slot), 422),
        (web.post(address, json={"slot_id": slot, "patient_id": str(lan.patient_id)}), 401),
        (book(web, lan, {"Authorization": "Bearer nobody"}, slot_id=slot), 401),
        (web.get("/api/v1/slots?from=yesterday"), 422),
        (web.get("/api/v1/slots?limit=0"), 422),
        (web.get("/api/v1/slots?facility=unknown"), 404),
        (web.get("/api/v1/slots?from=2026-12-02T00:00:00Z&to=2026-12-01T00:00:00Z"), 422),
        (web.get("/api/v1/appointments?cursor=x", headers=lan.headers), 400),
        (web.get("/api/v1/appointments/not-a-uuid", headers=lan.headers), 404),
    ]
    for number, (answer, status) in enumerate(tries):
        assert answer.status_code == status, (number, answer.status_code, answer.json)
        assert answer.mimetype == "application/problem+json"
        assert answer.json["detail"]
    assert count(engine, "appointment") == 0
    assert count(engine, "claim") == 0


def test_lists_come_in_pages_of_one_statement(web: FlaskClient, lan: Person, engine: Engine):
    for slot in slots(web, practitioner=DOCTORS["an"])[:2] + slots(web, practitioner=DOCTORS["binh"])[2:3]:
        assert book(web, lan, slot_id=slot["id"]).status_code == 201
    with statements(engine) as seen:
        first = web.get("/api/v1/appointments?limit=2", headers=lan.headers).json
    assert len(seen) <= 4, seen
    second = web.get(f"/api/v1/appointments?limit=2&cursor={first['next']}", headers=lan.headers).json
    starts = [item["start"] for item in [*first["items"], *second["items"]]]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == 3
    assert second["next"] is None


def test_a_browser_needs_its_token_against_forged_requests(web: FlaskClient, lan: Person):
    with web.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
        cookie["csrf"] = "the right one"
    body = {"slot_id": slots(web)[0]["id"], "patient_id": str(lan.patient_id)}
    for headers in ({}, {"X-CSRF-Token": "the wrong one"}):
        refused = web.post("/api/v1/appointments", json=body, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (403, "wrong-csrf-token")
    booked = web.post("/api/v1/appointments", json=body, headers={"X-CSRF-Token": "the right one"})
    assert booked.status_code == 201


def test_a_booking_is_six_round_trips_and_one_more_to_warn_of_another_that_day(
    web: FlaskClient, lan: Person, engine: Engine
):
    for slot, trips in zip(slots(web, practitioner=DOCTORS["an"])[:2], (6, 7), strict=True):
        with statements(engine) as seen:
            assert book(web, lan, {"Idempotency-Key": new_key()}, slot_id=slot["id"]).status_code == 201
        assert len(seen) + len(("BEGIN", "COMMIT")) <= trips, seen
    assert count(engine, "notifications.outbox") == 4
    assert count(engine, "audit_event", "action = 'booking.book'") == 2


def test_who_left_a_person_has_nothing_of_their_appointments(web: FlaskClient, lan: Person, engine: Engine):
    slot = slots(web, **{"from": IN_TWO_DAYS})[0]
    booked = book(web, lan, {"Idempotency-Key": new_key()}, slot_id=slot["id"], coverage_basis="none").json
    place = f"/api/v1/appointments/{booked['id']}"
    assert web.get(place, headers=lan.headers).status_code == 200
    assert web.delete(f"/api/v1/patients/{lan.patient_id}", headers=lan.headers).status_code == 204
    assert web.get(place, headers=lan.headers).status_code == 404
    assert web.get("/api/v1/appointments", headers=lan.headers).json["items"] == []
    refused = web.post(
        f"{place}/cancel", json={"reason_code": "patient"}, headers={**lan.headers, "If-Match": '"1"'}
    )
    assert refused.status_code == 404
    with engine.connect() as connection:
        entered = {"token": token_hash(lan.token), "now": NOW}
        connection.execute(text("SELECT * FROM app_enter(:token, :now)"), entered)
        assert connection.execute(text("SELECT count(*) FROM appointment")).scalar_one() == 0
    assert count(engine, "appointment", "status = 'booked'") == 1


def move(web: FlaskClient, who: Person | Employee, booked: dict, slot: str, version: int = 1, **headers: str):
    return web.post(
        f"/api/v1/appointments/{booked['id']}/reschedule",
        json={"slot_id": slot},
        headers={**who.headers, "If-Match": f'"{version}"', **headers},
    )


def test_an_appointment_moves_with_its_code_its_places_and_its_messages(
    web: FlaskClient, lan: Person, engine: Engine
):
    old = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[0]
    new = slots(web, **{"from": "2026-12-03T00:00:00+07:00"}, practitioner=DOCTORS["binh"])[0]
    booked = book(web, lan, slot_id=old["id"]).json
    answers = [move(web, lan, booked, new["id"], **{"Idempotency-Key": "press-1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].json
    assert answers[0].data == answers[1].data
    moved = answers[0].json
    assert answers[0].headers["ETag"] == '"2"'
    assert not AppointmentSchema().validate(moved)
    kept = ("id", "code", "status", "patient_id", "coverage_basis")
    assert {name: moved[name] for name in kept} == {name: booked[name] for name in kept}
    assert (moved["start"], moved["slot_id"], moved["version"]) == (new["start"], new["id"], 2)
    assert old["id"] in {other["id"] for other in slots(web, limit=50, **{"from": IN_TWO_DAYS})}
    assert count(engine, "claim", "active") == 2
    assert count(engine, "clinic_session", "booked = 1 AND online_booked = 1") == 1
    assert count(engine, "clinic_session", "booked <> 0 OR online_booked <> 0") == 1
    assert count(engine, "audit_event", "action = 'booking.reschedule'") == 1
    with engine.connect() as connection:
        told = connection.execute(
            text("SELECT kind, state FROM notifications.notification ORDER BY kind, state")
        ).all()
    assert [tuple(row) for row in told] == [
        ("appointment-booked", "cancelled"),
        ("appointment-moved", "queued"),
        ("appointment-reminder-day", "cancelled"),
        ("appointment-reminder-day", "queued"),
    ]
    calendar = web.get(f"/api/v1/appointments/{booked['id']}.ics", headers=lan.headers)
    event = icalendar.Calendar.from_ical(calendar.data).walk("VEVENT")[0]
    assert (event["SEQUENCE"], event.decoded("DTSTART")) == (1, datetime.fromisoformat(new["start"]))


def test_who_moves_to_a_lost_slot_keeps_the_old_one(
    web: FlaskClient, lan: Person, minh: Person, engine: Engine
):
    first, second = slots(web, practitioner=DOCTORS["an"])[:2]
    booked = book(web, lan, slot_id=first["id"]).json
    book(web, minh, slot_id=second["id"])
    refused = move(web, lan, booked, second["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "slot-taken")
    assert len(refused.json["alternatives"]) == 3
    shown = web.get(f"/api/v1/appointments/{booked['id']}", headers=lan.headers).json
    assert (shown["version"], shown["start"]) == (1, first["start"])
    assert count(engine, "claim", "active") == 4
    assert count(engine, "notifications.notification", "state = 'cancelled'") == 0


def test_what_cannot_be_moved_says_why(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    desk: Employee,
    engine: Engine,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    first, second = slots(web, practitioner=DOCTORS["an"])[:2]
    booked = book(web, lan, slot_id=first["id"]).json
    video = slots(web, modality="video")[0]["id"]
    assert move(web, minh, booked, second["id"]).status_code == 404
    for slot, version, told in (
        (second["id"], 7, (412, "stale-version")),
        (video, 1, (409, "other-service")),
        ("nothing", 1, (404, "slot-unknown")),
    ):
        refused = move(web, lan, booked, slot, version)
        assert (refused.status_code, refused.json["code"]) == told
    missing = web.post(
        f"/api/v1/appointments/{booked['id']}/reschedule", json={"slot_id": second["id"]}, headers=lan.headers
    )
    assert missing.status_code == 428
    at_the_desk = move(web, desk, booked, second["id"])
    assert (at_the_desk.status_code, at_the_desk.json["version"]) == (200, 2)
    clock.now = datetime.fromisoformat(second["start"])
    set_database_clock(clock.now)
    later = slots(web, practitioner=DOCTORS["an"], **{"from": IN_TWO_DAYS})[0]["id"]
    late = move(web, lan, booked, later, 2)
    assert (late.status_code, late.json["code"]) == (409, "too-late-to-move")
    with system_unit_of_work(engine) as session:
        services.mark_arrived(session, SYSTEM, booked["id"], clock.now)
    for path, body in (("reschedule", {"slot_id": later}), ("cancel", {}), ("no-show", {})):
        refused = web.post(
            f"/api/v1/appointments/{booked['id']}/{path}",
            json=body,
            headers={**desk.headers, "If-Match": '"3"'},
        )
        assert (refused.status_code, refused.json["code"]) == (409, "already-arrived"), path


def test_nobody_is_offered_what_the_policy_refuses(
    web: FlaskClient,
    lan: Person,
    desk: Employee,
    engine: Engine,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    with system_unit_of_work(engine) as session:
        doctor = add_employee(session, Role.PRACTITIONER, "77001")
    slot = slots(web, practitioner=DOCTORS["an"])[0]
    booked = book(web, lan, slot_id=slot["id"]).json
    clock.now = datetime.fromisoformat(slot["start"])
    set_database_clock(clock.now)

    def offered(who: Person | Employee) -> list[str]:
        return web.get(f"/api/v1/appointments/{booked['id']}/actions", headers=who.headers).json["actions"]

    assert offered(lan) == ["calendar"]
    assert offered(doctor) == ["check-in", "no-show", "calendar"]
    assert offered(desk) == ["cancel", "check-in", "no-show", "confirm-coverage", "calendar"]


def test_a_held_slot_of_a_closed_clinic_is_not_booked(web: FlaskClient, lan: Person, engine: Engine):
    slot = slots(web)[0]["id"]
    held = web.post("/api/v1/holds", json={"slot_id": slot}, headers=lan.headers).json["id"]
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE clinic_session SET status = 'closed', version = version + 1 WHERE id = :id"),
            {"id": slot.partition(".")[0]},
        )
    refused = book(web, lan, hold_id=held)
    assert (refused.status_code, refused.json["code"]) == (409, "slot-closed")
    assert count(engine, "appointment", "status = 'booked'") == 0


def test_a_desk_hold_that_ran_out_gives_no_place_to_the_online_door(
    web: FlaskClient,
    desk: Employee,
    lan: Person,
    engine: Engine,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET online_booked = online_quota"))
        session_id = session.execute(
            text(
                "SELECT id FROM clinic_session WHERE practitioner_id = :who AND business_date = :day"
                " AND service_code = 'internal'"
            ),
            {"who": DOCTORS["an"], "day": TUESDAY},
        ).scalar_one()
    slot = f"{session_id}.480"
    assert web.post("/api/v1/holds", json={"slot_id": slot}, headers=desk.headers).status_code == 201
    set_database_clock(clock.forward(minutes=30))
    refused = book(web, lan, slot_id=slot)
    assert (refused.status_code, refused.json["code"]) == (409, "online-quota-full")
    assert slots(web, practitioner=DOCTORS["an"], to=IN_TWO_DAYS) == []


def test_any_doctor_is_held_as_any_doctor_is_booked(web: FlaskClient, lan: Person, minh: Person):
    asked = {"service": "internal", "facility": "77001", "modality": "in-person", "date": TUESDAY.isoformat()}
    first = web.post("/api/v1/holds", json=asked, headers=lan.headers)
    assert first.status_code == 201
    assert web.post("/api/v1/holds", json=asked, headers=lan.headers).json == first.json
    other = web.post("/api/v1/holds", json=asked, headers=minh.headers)
    assert other.json["slot_id"] != first.json["slot_id"]
    booked = book(web, lan, hold_id=first.json["id"])
    assert (booked.status_code, booked.json["id"]) == (201, first.json["id"])
    for odd in ({}, {**asked, "slot_id": "x"}, {"service": "internal"}, {**asked, "from": asked["date"]}):
        assert web.post("/api/v1/holds", json=odd, headers=lan.headers).status_code in (400, 422), odd
    nobody = web.post("/api/v1/holds", json={**asked, "service": "nothing"}, headers=lan.headers)
    assert (nobody.status_code, nobody.json["code"]) == (409, "nobody-free")
