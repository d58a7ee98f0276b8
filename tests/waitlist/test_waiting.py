"""Waiting for a place: joined, offered down the line, accepted by one tap, or told why not."""

from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.waitlist.schemas import WaitlistEntrySchema, WaitlistSchema
from tests.architecture.test_routes import snapshot
from tests.booking.clinic import DOCTORS, Employee, Person
from tests.booking.test_booking_over_http import book, count, slots
from tests.patient_portal.browser import Browser
from tests.waitlist.conftest import Line, link

LAN, HOA = "+84912000001", "+84912000005"
SLIP = {"bound_from": "2026-11-20T00:00:00+07:00", "bound_to": "2026-12-02T07:00:00+07:00"}


def to(offers: list[dict]) -> list[str]:
    return [offer["to"] for offer in offers]


def test_who_waits_is_offered_a_cancelled_place_and_takes_it_by_one_tap(
    line: Line,
    lan: Person,
    minh: Person,
    taken: list[dict],
    browser: Browser,
    web: FlaskClient,
    engine: Engine,
):
    made = line.join(lan)
    assert not WaitlistEntrySchema().validate(made)
    assert (made["state"], made["ahead"]) == ("waiting", 0)
    assert line.run() == []
    line.cancel(minh, taken[0])
    (offer,) = line.run(seconds=15)
    assert (offer["time"], offer["date"], offer["to"]) == ("08:00", "02/12/2026", LAN)
    page = browser.go(link(offer))
    assert page.status == 200
    assert page.sees("Có chỗ khám cho quý vị", "08:00", "Nhận chỗ này")
    page.send("accept")
    assert (page.status, page.sees("Đã nhận chỗ", "08:00")) == (200, True)
    (seen,) = web.get("/api/v1/appointments", headers=lan.headers).json["items"]
    assert (seen["slot_id"], seen["status"]) == (taken[0]["slot_id"], "booked")
    assert line.told(lan, made) == ["joined", "offered", "booked"]
    assert page.go(link(offer)).sees("Đã nhận chỗ")
    assert count(engine, "appointment", "status = 'booked'") == 2


def test_a_place_goes_down_the_line_one_after_another(
    line: Line, lan: Person, minh: Person, taken: list[dict], browser: Browser
):
    (hoa,) = line.people(5)
    first, second = line.join(lan), line.join(hoa)
    assert second["ahead"] == 1
    line.cancel(minh, taken[0])
    line.run()
    assert to(line.run(minutes=30)) == [LAN]
    offers = line.run(hours=3)
    assert to(offers) == [LAN, HOA]
    assert line.told(lan, first) == ["joined", "offered", "lapsed", "answered"]
    assert browser.go(link(offers[0])).status == 410
    assert browser.sees("Đã quá giờ trả lời", "giữ thứ tự chờ", "08:00", "Xem các giờ đang trống")
    assert "/accept" not in browser.text
    browser.go(link(offers[1])).send("decline")
    assert browser.sees("Quý vị đã nhường chỗ này")
    assert line.told(hoa, second) == ["joined", "offered", "declined"]


def test_who_is_bound_by_a_slip_that_ends_first_comes_first(
    line: Line, lan: Person, minh: Person, taken: list[dict], desk: Employee
):
    (hoa,) = line.people(5)
    line.known(hoa, "77001")
    line.join(lan)
    line.join(hoa, desk, bound_from="2026-11-20T00:00:00+07:00", bound_to="2026-12-03T00:00:00+07:00")
    line.cancel(minh, taken[0])
    assert to(line.run()) == [HOA]


def test_each_is_told_why_they_were_passed_over(
    line: Line, minh: Person, taken: list[dict], web: FlaskClient, desk: Employee, owner_engine: Engine
):
    people = line.people(*range(10, 16))
    afternoon, outside, other, earlier, mute, last = people
    line.known(outside, "77001")
    made = [
        line.join(afternoon, from_time="12:00"),
        line.join(outside, desk, **SLIP),
        line.join(other, practitioner=str(DOCTORS["chi"])),
        line.join(earlier),
        line.join(mute),
        line.join(last),
    ]
    free = slots(web, practitioner=DOCTORS["binh"], limit=1)
    assert book(web, earlier, slot_id=free[0]["id"]).status_code == 201
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE account SET phone_sealed = NULL WHERE id = %s", (mute.account_id,))
    line.cancel(minh, taken[0])
    assert to(line.run()) == ["+84912000015"]
    told = [line.told(person, entry)[-1] for person, entry in zip(people, made, strict=True)]
    why = ["not-your-time", "outside-validity", "other-doctor", "have-earlier", "no-phone", "offered"]
    assert told == why


def test_accepting_moves_a_later_appointment_instead_of_making_a_second(
    line: Line, lan: Person, minh: Person, taken: list[dict], browser: Browser, web: FlaskClient
):
    thursday = {"from": "2026-12-03T00:00:00+07:00"}
    held = book(web, lan, slot_id=slots(web, practitioner=DOCTORS["an"], **thursday)[0]["id"]).json
    line.join(lan)
    line.cancel(minh, taken[1])
    page = browser.go(link(line.run()[0]))
    assert page.sees("Thay cho lịch", "không tính thành hai lịch")
    page.send("accept")
    (seen,) = web.get("/api/v1/appointments", headers=lan.headers).json["items"]
    assert (seen["id"], seen["slot_id"], seen["code"]) == (held["id"], taken[1]["slot_id"], held["code"])


def test_accepting_at_another_facility_gives_the_later_visit_up_in_the_same_transaction(
    line: Line, lan: Person, minh: Person, taken: list[dict], browser: Browser, web: FlaskClient
):
    thursday = {"from": "2026-12-03T00:00:00+07:00"}
    held = book(web, lan, slot_id=slots(web, practitioner=DOCTORS["chi"], **thursday)[0]["id"]).json
    line.join(lan)
    line.cancel(minh, taken[0])
    browser.go(link(line.run()[0])).send("accept")
    seen = web.get("/api/v1/appointments", headers=lan.headers).json["items"]
    assert {each["slot_id"]: each["status"] for each in seen} == {
        held["slot_id"]: "cancelled",
        taken[0]["slot_id"]: "booked",
    }


def test_a_place_that_is_gone_is_said_honestly_and_the_line_is_kept(
    line: Line, lan: Person, minh: Person, taken: list[dict], browser: Browser, web: FlaskClient
):
    made = line.join(lan)
    line.cancel(minh, taken[0])
    offers = line.run()
    assert book(web, minh, slot_id=taken[0]["slot_id"]).status_code == 201
    page = browser.go(link(offers[0])).send("accept")
    assert page.sees("Chỗ này vừa có người nhận trước", "giữ nguyên thứ tự chờ")
    assert page.status == 409
    assert (line.entry(made).state, line.told(lan, made)[-1]) == ("waiting", "gone")


def test_the_family_answers_and_leaves_by_the_api_too(
    line: Line, lan: Person, minh: Person, taken: list[dict], web: FlaskClient
):
    made = line.join(lan)
    line.cancel(minh, taken[0])
    line.run()
    listed = web.get("/api/v1/waitlist", headers=lan.headers).json
    assert not WaitlistSchema().validate(listed)
    accept = f"/api/v1/waitlist/offers/{listed['items'][0]['offer']['id']}/accept"
    assert web.post(accept, headers=minh.headers).status_code == 404
    first = web.post(accept, headers=lan.headers)
    again = web.post(accept, headers=lan.headers)
    assert (first.status_code, again.status_code, first.json["id"]) == (200, 200, again.json["id"])
    assert web.delete(f"/api/v1/waitlist/{made['id']}", headers=lan.headers).status_code == 410
    other = f"/api/v1/waitlist/{line.join(minh)['id']}"
    assert web.get(other, headers=lan.headers).status_code == 404
    assert [web.delete(other, headers=minh.headers).status_code for _ in range(2)] == [204, 204]


def test_opening_a_link_changes_nothing(
    line: Line, lan: Person, minh: Person, taken: list[dict], web: FlaskClient, owner_engine: Engine
):
    line.join(lan)
    line.cancel(minh, taken[0])
    address = link(line.run()[0])
    before = snapshot(owner_engine), count(owner_engine, "audit_event")
    for method in ("GET", "HEAD", "GET"):
        assert web.open(address, method=method).status_code == 200
    assert (snapshot(owner_engine), count(owner_engine, "audit_event")) == before
    token = address.removeprefix("/j/")
    assert web.get(f"/j/l{token[1:]}").status_code == 404
    assert web.get(f"/j/{token[:-3]}AAA").status_code == 404


def test_leaving_by_link_gives_the_open_offer_to_the_next(
    line: Line, lan: Person, minh: Person, taken: list[dict], browser: Browser
):
    (hoa,) = line.people(5)
    made = line.join(lan)
    line.join(hoa)
    line.cancel(minh, taken[0])
    page = browser.go(link(line.run()[0]))
    page.go(page.links("/j/l")[0]).send("leave")
    assert (page.status, page.sees("Đã thôi chờ")) == (200, True)
    assert line.entry(made).state == "left"
    assert to(line.run(seconds=15)) == [LAN, HOA]


def test_one_waits_once_for_one_service_and_keeps_the_place_when_changing(line: Line, lan: Person):
    first, second = line.join(lan), line.join(lan, to="2026-12-20", practitioner=None)
    assert (first["id"], first["since"]) == (second["id"], second["since"])
    assert second["to"] == "2026-12-20"
    assert line.told(lan, first) == ["joined", "changed"]


def test_nobody_is_woken_but_for_early_next_morning(line: Line, lan: Person, minh: Person, taken: list[dict]):
    line.join(lan)
    line.clock.forward(hours=14)  # Monday 22:00; the place is on Wednesday
    line.cancel(minh, taken[0])
    assert line.run() == []
    assert len(line.run(hours=9, minutes=1)) == 1  # Tuesday 07:01


def test_a_wait_is_over_when_its_days_are_past(line: Line, lan: Person):
    made = line.join(lan)
    line.run()
    line.run(hours=4)
    line.run(days=3)
    assert line.entry(made).state == "over"


def test_a_new_entry_finds_what_is_free_already(line: Line, lan: Person):
    line.join(lan)
    assert [offer["time"] for offer in line.run()] == ["08:00"]


def test_what_the_roster_adds_is_offered_too(line: Line, lan: Person, taken: list[dict], engine: Engine):
    line.join(lan)
    assert line.run() == []
    with engine.begin() as connection:
        connection.exec_driver_sql(
            """UPDATE clinic_session SET slot_count = 3, end_at = start_at + interval '30 minutes',
                      online_quota = 3 WHERE id = %s""",
            (taken[0]["slot_id"].split(".")[0],),
        )
    assert [offer["time"] for offer in line.run(seconds=15)] == ["08:20"]


def test_the_desk_puts_its_people_on_the_list_and_sees_the_line(
    line: Line, web: FlaskClient, lan: Person, minh: Person, desk: Employee, other_desk: Employee
):
    asked = {
        "patient_id": str(lan.patient_id),
        "service": "internal",
        "facility": "77001",
        "from": "2026-12-02",
        "to": "2026-12-09",
    }
    assert web.post("/api/v1/waitlist", json=asked, headers=desk.headers).status_code == 201
    stranger = asked | {"patient_id": str(minh.patient_id)}
    refused = web.post("/api/v1/waitlist", json=stranger, headers=desk.headers)
    assert (refused.status_code, refused.json["code"]) == (422, "waitlist-bad-wish")
    there = web.get("/api/v1/waitlist?facility=77001", headers=desk.headers).json["items"]
    assert [each["patient_name"] for each in there] == ["Trần Thị Lan"]
    assert web.get("/api/v1/waitlist?facility=77001", headers=other_desk.headers).status_code == 403
    assert web.get(f"/api/v1/waitlist/{there[0]['id']}", headers=other_desk.headers).status_code == 404


def test_senseless_wishes_are_refused_with_their_fields(line: Line, web: FlaskClient, lan: Person):
    good = {
        "patient_id": str(lan.patient_id),
        "service": "internal",
        "from": "2026-12-02",
        "to": "2026-12-02",
    }
    for change, field in (
        ({"to": "2026-12-01"}, "to"),
        ({"to": "2028-12-01"}, "to"),
        ({"from_time": "12:00", "to_time": "12:00"}, "to_time"),
        ({"service": "nothing"}, "service"),
        ({"practitioner": "00000000-0000-4000-8000-000000000000"}, "practitioner"),
        ({"from_time": "25:00"}, "from_time"),
    ):
        answer = web.post("/api/v1/waitlist", json=good | change, headers=lan.headers)
        assert (answer.status_code, list(answer.json["fields"])) == (422, [field]), answer.json


def test_nobody_but_the_desk_that_receives_states_a_slip_s_days(
    line: Line, web: FlaskClient, lan: Person, desk: Employee, other_desk: Employee
):
    line.known(lan, "77002")
    asked = {
        "patient_id": str(lan.patient_id),
        "service": "internal",
        "facility": "77001",
        "from": "2026-12-02",
        "to": "2026-12-09",
    }
    for who in (lan, other_desk):
        answer = web.post("/api/v1/waitlist", json=asked | SLIP, headers=who.headers)
        assert (answer.status_code, list(answer.json["fields"])) == (422, ["bound_to"])
    endless = asked | SLIP | {"bound_to": "9999-12-31T23:00:00Z"}
    assert web.post("/api/v1/waitlist", json=endless, headers=desk.headers).status_code == 422
    made = line.join(lan, desk, **SLIP)
    line.join(lan, to="2026-12-09")
    assert line.entry(made).wish.bound is not None
    line.join(lan, facility=None, practitioner=None)
    assert line.entry(made).wish.bound is None


def test_an_entry_that_cannot_be_read_keeps_nobody_else_waiting(
    line: Line, lan: Person, minh: Person, taken: list[dict], owner_engine: Engine
):
    first, broken, hoa = line.people(6, 7, 5)
    made = line.join(first, **{"from": "0001-01-01"}, practitioner=str(DOCTORS["chi"]))
    assert made["from"] == "2026-11-30"
    line.join(broken)
    line.join(hoa)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE waitlist_entry SET first_day = '0001-01-01', last_day = '9999-12-31' WHERE id = %s",
            (made["id"],),
        )
        connection.exec_driver_sql(
            "UPDATE account SET phone_sealed = 'nothing' WHERE id = %s", (broken.account_id,)
        )
    line.cancel(minh, taken[0])
    assert to(line.run()) == [HOA]


def test_however_many_a_place_does_not_fit_hide_nobody_it_fits(
    line: Line, lan: Person, minh: Person, taken: list[dict], owner_engine: Engine
):
    made = line.join(lan)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            """INSERT INTO waitlist_entry (id, patient_id, service_code, facility_id, practitioner_id,
                      first_day, last_day, weekdays, from_minute, to_minute, channel, coverage_basis, state,
                      since,
                      changed_at, looked_at)
               SELECT gen_random_uuid(), gen_random_uuid(), e.service_code, e.facility_id, %s, e.first_day,
                      e.last_day, '{}', 0, 1440, 'online', 'none', 'waiting', e.since - interval '1 day',
                      e.changed_at, e.since + interval '1 day'
                 FROM waitlist_entry e, generate_series(1, 600) WHERE e.id = %s""",
            (DOCTORS["chi"], made["id"]),
        )
    line.cancel(minh, taken[0])
    assert to(line.run()) == [LAN]


def test_a_place_waits_for_the_morning_once(
    line: Line, lan: Person, taken: list[dict], minh: Person, engine: Engine
):
    line.join(lan)
    line.clock.forward(hours=14)  # Monday 22:00; the place is on Wednesday
    line.cancel(minh, taken[0])
    for _ in range(3):
        assert line.run(minutes=11) == []
    assert count(engine, "freed_place") == 1


def test_a_later_visit_that_a_slip_was_spent_on_stays(
    line: Line, lan: Person, minh: Person, taken: list[dict], browser: Browser, web: FlaskClient,
    owner_engine: Engine,
):  # fmt: skip
    thursday = {"from": "2026-12-03T00:00:00+07:00"}
    held = book(web, lan, slot_id=slots(web, practitioner=DOCTORS["chi"], **thursday)[0]["id"]).json
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            "INSERT INTO slip_use VALUES (gen_random_uuid(), gen_random_uuid(), %s, now())", (held["id"],)
        )
    line.join(lan)
    line.cancel(minh, taken[0])
    browser.go(link(line.run()[0])).send("accept")
    seen = web.get("/api/v1/appointments", headers=lan.headers).json["items"]
    assert {each["slot_id"]: each["status"] for each in seen} == {
        held["slot_id"]: "booked",
        taken[0]["slot_id"]: "booked",
    }


def test_a_slip_s_days_bind_the_visit_that_is_accepted(
    line: Line,
    lan: Person,
    minh: Person,
    taken: list[dict],
    browser: Browser,
    web: FlaskClient,
    desk: Employee,
):
    line.join(lan, desk, **SLIP | {"bound_to": "2026-12-03T00:00:00+07:00"})
    line.cancel(minh, taken[0])
    browser.go(link(line.run()[0])).send("accept")
    (seen,) = web.get("/api/v1/appointments", headers=lan.headers).json["items"]
    assert seen["valid_until"].startswith("2026-12-0")


def test_a_second_desk_is_told_that_somebody_waits_elsewhere(
    line: Line, web: FlaskClient, lan: Person, desk: Employee, other_desk: Employee
):
    line.known(lan, "77002")
    line.join(lan, desk)
    asked = {
        "patient_id": str(lan.patient_id),
        "service": "internal",
        "facility": "77002",
        "from": "2026-12-02",
        "to": "2026-12-09",
    }
    refused = web.post("/api/v1/waitlist", json=asked, headers=other_desk.headers)
    assert (refused.status_code, refused.json["code"]) == (409, "waitlist-elsewhere")
    assert "đã chờ ở nơi khác" in refused.json["detail"]
