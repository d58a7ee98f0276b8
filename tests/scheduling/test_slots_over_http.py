"""The slots API: near a place, and days of many practitioners."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.schemas import DaysSchema, SlotListSchema
from tests.booking.clinic import NOW, add_clinic
from tests.conftest import MovableClock


@pytest.fixture
def web(
    client: FlaskClient, engine: Engine, clean_database: None, owner_engine: Engine, clock: MovableClock
) -> FlaskClient:
    """A program that speaks to the API, on the Monday of the clinic."""
    with owner_engine.begin() as connection:
        connection.execute(
            text("UPDATE clock_offset SET seconds = extract(epoch FROM :at - clock_timestamp())"), {"at": NOW}
        )
    with system_unit_of_work(engine) as session:
        add_clinic(session)
        session.execute(text("UPDATE facility SET latitude = 10, longitude = 107 WHERE code = '77001'"))
    return client


def test_slots_near_a_place_tell_how_far_they_are(web: FlaskClient):
    answer = web.get("/api/v1/slots?service=internal&near=10.05,107&radius_km=10")
    assert not SlotListSchema().validate(answer.json)
    assert {item["facility"]["code"] for item in answer.json["items"]} == {"77001"}
    assert {(item["distance_km"], item["mode"]) for item in answer.json["items"]} == {(5.6, "slot")}
    assert web.get("/api/v1/slots?service=internal&near=10.05,107&radius_km=5").json["items"] == []


def test_days_are_counted_for_a_calendar_in_pages(web: FlaskClient):
    answer = web.get("/api/v1/slots/days?facility=77001&to=2026-12-01&limit=1")
    assert not DaysSchema().validate(answer.json), answer.json
    first = answer.json["items"][0]
    assert first["practitioner"]["name"] == "Bác sĩ an"
    assert first["days"] == [{"date": "2026-11-30", "free": 6}, {"date": "2026-12-01", "free": 6}]
    more = web.get(
        "/api/v1/slots/days",
        query_string={
            "facility": "77001", "to": "2026-12-01", "limit": 1, "cursor": answer.json["next_cursor"],
        },
    )  # fmt: skip
    assert [item["practitioner"]["name"] for item in more.json["items"]] == ["Bác sĩ binh"]
    assert web.get("/api/v1/slots/days?facility=77002").json["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/slots?near=here", 422),
        ("/api/v1/slots?near=nan,nan", 422),
        ("/api/v1/slots?near=10,107&radius_km=0", 422),
        ("/api/v1/slots?near=10,107&radius_km=nan", 422),
        ("/api/v1/slots/days", 422),
        ("/api/v1/slots/days?facility=nowhere", 404),
        ("/api/v1/slots/days?facility=77001&from=2026-12-02&to=2026-12-01", 422),
        ("/api/v1/slots/days?facility=77001&from=2026-12-01&to=2027-12-01", 422),
        ("/api/v1/slots/days?facility=77001&from=9999-12-31", 400),
        ("/api/v1/slots/days?facility=77001&from=0001-01-01&to=0001-01-02", 400),
        ("/api/v1/slots/days?facility=77001&limit=301", 422),
        ("/api/v1/slots/days?facility=77001&cursor=x", 400),
        ("/api/v1/slots?service=internal&from=0001-01-01T00:00:00Z", 200),
        ("/api/v1/slots?service=internal&from=9999-12-31T23:59:59Z", 400),
    ],
)
def test_odd_questions_are_refused_by_name(web: FlaskClient, path: str, status: int):
    answer = web.get(path)
    assert answer.status_code == status, answer.json
    assert status == 200 or answer.json["code"]
