"""Finding, holding, booking, seeing and cancelling through the API."""

from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.booking.schemas import AppointmentSchema
from telehealth.scheduling.schemas import SlotListSchema
from tests.booking.clinic import Employee, Person, new_key

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
    assert not AppointmentSchema().validate(booked)
    assert booked["status"] == "booked"
    assert booked["coverage_checked"] is False
    assert booked["actions"] == ["cancel", "calendar"]
    assert len(booked["code"]) == 8
    assert slot["id"] not in {
        other["id"] for other in slots(web, limit=50, **{"from": IN_TWO_DAYS}) if other["free"] < 1
    }

    shown = web.get(f"/api/v1/appointments/{booked['id']}", headers=lan.headers)
    assert shown.headers["ETag"] == '"1"'
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
        ("appointment-reminder-hours", "cancelled"),
    ]
