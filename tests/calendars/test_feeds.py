"""A family's calendar: one address, when and where, no name; gone when it is taken back."""

from datetime import datetime

import icalendar
from flask.testing import FlaskClient

from tests.booking.clinic import DOCTORS, Person
from tests.booking.conftest import clinic, lan, minh, set_database_clock, web
from tests.forms import post_form

__all__ = ["clinic", "lan", "minh", "set_database_clock", "web"]

API = "/api/v1/calendar-feed"


def booked(web: FlaskClient, who: Person) -> dict:
    asked = {"practitioner": str(DOCTORS["an"]), "from": "2026-12-01T00:00:00+07:00"}
    slot = web.get("/api/v1/slots", query_string=asked).json["items"][0]
    wanted = {"slot_id": slot["id"], "patient_id": str(who.patient_id)}
    return web.post("/api/v1/appointments", json=wanted, headers=who.headers).json


def opened(web: FlaskClient, who: Person) -> str:
    answer = web.post(API, headers=who.headers, json={})
    assert answer.status_code == 201, answer.json
    url: str = answer.json["url"]
    assert url.startswith("http://localhost/calendar/")
    return url.removeprefix("http://localhost")


def events(web: FlaskClient, path: str) -> list[icalendar.Event]:
    answer = web.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    return icalendar.Calendar.from_ical(answer.data).walk("VEVENT")


def test_the_family_sees_its_appointments_and_their_changes(web: FlaskClient, lan: Person, minh: Person):
    path = opened(web, lan)
    assert events(web, path) == []
    appointment = booked(web, lan)
    booked(web, minh)
    shown = events(web, path)
    assert [event.decoded("DTSTART") for event in shown] == [datetime.fromisoformat(appointment["start"])]
    raw = web.get(path).get_data(as_text=True)
    assert "Lan" not in raw
    assert "nội" not in raw
    headers = lan.headers | {"If-Match": '"1"'}
    web.post(f"/api/v1/appointments/{appointment['id']}/cancel", json={}, headers=headers)
    after = events(web, path)
    assert [(str(event["STATUS"]), event["SEQUENCE"]) for event in after] == [("CANCELLED", 1)]


def test_an_unchanged_calendar_is_not_sent_again(web: FlaskClient, lan: Person):
    path = opened(web, lan)
    booked(web, lan)
    etag = web.get(path).headers["ETag"]
    assert web.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_an_address_opens_nothing_once_it_is_taken_back_or_renewed(web: FlaskClient, lan: Person):
    first = opened(web, lan)
    second = opened(web, lan)
    assert web.get(first).status_code == 404
    assert web.get(second).status_code == 200
    assert web.get(API, headers=lan.headers).json["created_at"]
    assert web.delete(API, headers=lan.headers).status_code == 204
    assert web.get(second).status_code == 404
    assert web.get(API, headers=lan.headers).json == {"created_at": None}
    assert web.get("/calendar/" + "x" * 70 + ".ics").status_code == 404


def test_the_address_gives_the_calendar_and_nothing_else(web: FlaskClient, lan: Person):
    path = opened(web, lan)
    token = path.removeprefix("/calendar/").removesuffix(".ics")
    assert web.get("/api/v1/appointments", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_page_makes_an_address_and_shows_it_once(web: FlaskClient, lan: Person):
    with web.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    page = "/appointments/calendar"
    made = post_form(web, page, page).get_data(as_text=True)
    assert "webcal://localhost/calendar/" in made
    later = web.get(page).get_data(as_text=True)
    assert "webcal://" not in later
    assert "Ngừng chia sẻ" in later
    assert post_form(web, page, f"{page}/close").status_code == 302
    assert "Ngừng chia sẻ" not in web.get(page).get_data(as_text=True)
