"""What the queue, the room and the desk report back about an appointment."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from notifications import Outbox
from telehealth.booking import services
from telehealth.booking.errors import AlreadyArrived, AppointmentOver
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import NOW, Employee, Person
from tests.booking.test_booking_over_http import book, count, slots
from tests.conftest import MovableClock


@pytest.fixture
def booked(web: FlaskClient, lan: Person) -> dict:
    return book(web, lan, slot_id=slots(web)[0]["id"]).json


def test_arrived_then_seen_and_never_back(booked: dict, desk: Employee, engine: Engine, settings: Settings):
    appointment_id = UUID(booked["id"])
    with system_unit_of_work(engine) as session:
        arrived = services.mark_arrived(session, desk.principal, appointment_id, NOW)
        again = services.mark_arrived(session, desk.principal, appointment_id, NOW)
    assert (arrived.status, arrived.version, again.version) == ("arrived", 2, 2)
    with system_unit_of_work(engine) as session, pytest.raises(AlreadyArrived):
        services.cancel(
            session,
            desk.principal,
            appointment_id,
            version=2,
            reason_code="patient",
            now=NOW,
            cipher=settings.cipher,
            outbox=Outbox(settings.cipher),
        )
    with system_unit_of_work(engine) as session:
        assert services.mark_fulfilled(session, desk.principal, appointment_id, NOW).status == "fulfilled"
    with system_unit_of_work(engine) as session, pytest.raises(AppointmentOver):
        services.mark_arrived(session, desk.principal, appointment_id, NOW)


def test_nobody_is_missed_before_the_time_and_who_was_missed_may_still_come(
    web: FlaskClient, booked: dict, desk: Employee, lan: Person, clock: MovableClock, engine: Engine
):
    address = f"/api/v1/appointments/{booked['id']}/no-show"
    version = {**desk.headers, "If-Match": '"1"'}
    assert web.post(address, headers={**lan.headers, "If-Match": '"1"'}).status_code == 403
    early = web.post(address, headers=version)
    assert (early.status_code, early.json["code"]) == (409, "too-early-for-no-show")
    clock.now = datetime.fromisoformat(booked["start"]) + timedelta(minutes=30)
    missed = web.post(address, headers=version)
    assert (missed.json["status"], missed.json["actions"]) == ("noshow", ["check-in"])
    with system_unit_of_work(engine) as session:
        back = services.mark_arrived(session, desk.principal, UUID(booked["id"]), clock.now)
    assert back.status == "arrived"


def test_the_database_itself_hides_others_appointments_and_their_holds(
    booked: dict, lan: Person, minh: Person, engine: Engine
):
    def seen_by(kind: str, account: Person | None = None) -> int:
        with engine.begin() as connection:
            connection.execute(
                text("SELECT set_config('app.kind', :kind, true), set_config('app.account', :id, true)"),
                {"kind": kind, "id": str(account.account_id) if account else ""},
            )
            return connection.execute(text("SELECT count(*) FROM appointment")).scalar_one()

    assert (seen_by("patient", lan), seen_by("patient", minh), seen_by("")) == (1, 0, 0)


def test_what_the_desk_books_the_family_hears_on_its_own_telephone(
    web: FlaskClient, desk: Employee, lan: Person, engine: Engine
):
    booked = book(web, desk, slot_id=slots(web)[0]["id"], patient_id=str(lan.patient_id)).json
    assert count(engine, "notifications.notification", "kind = 'appointment-booked'") == 1
    cancelled = web.post(
        f"/api/v1/appointments/{booked['id']}/cancel",
        json={"reason_code": "patient"},
        headers={**desk.headers, "If-Match": '"1"'},
    )
    assert cancelled.status_code == 200, cancelled.json
    assert count(engine, "notifications.notification", "kind = 'appointment-cancelled'") == 1


def test_who_has_only_an_e_mail_address_is_told_there(
    web: FlaskClient, lan: Person, engine: Engine, settings: Settings
):
    """A son abroad signs in by e-mail: what is said of his booking must reach him."""
    address = "con.trai@example.org"
    with system_unit_of_work(engine) as session:
        session.execute(
            text(
                "UPDATE account SET phone_sealed = NULL, phone_index = NULL, email_sealed = :sealed,"
                " email_index = :index WHERE id = :id"
            ),
            {
                "id": lan.account_id,
                "sealed": settings.cipher.seal_text(address, f"account.email:{lan.account_id}"),
                "index": settings.cipher.index_text(address, "account.email"),
            },
        )
    slot = web.get("/api/v1/slots?service=internal&from=2026-12-02T00:00:00%2B07:00").json["items"][0]
    body = {"slot_id": slot["id"], "patient_id": str(lan.patient_id)}
    assert web.post("/api/v1/appointments", json=body, headers=lan.headers).status_code == 201
    with system_unit_of_work(engine) as session:
        channels = session.execute(
            text(
                "SELECT DISTINCT o.channel FROM notifications.outbox o"
                " JOIN notifications.notification n ON n.id = o.notification_id"
                " WHERE n.kind = 'appointment-booked'"
            )
        ).scalars()
        assert set(channels) == {"email"}
