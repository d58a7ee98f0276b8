"""What is said of an appointment goes out again only while it is true; a booking code finds its messages."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from notifications import Outbox
from notifications.alarms import AlarmName
from notifications.channels.registry import BUILT_IN
from notifications.dead_letters import Cause, DeadLetter
from notifications.kinds import CHANNELS, KINDS, LANGUAGES, Priority
from notifications.states import PausedBy, State
from notifications.template_versions import Approval
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.messaging.rules import AppointmentStand, life_of
from telehealth.settings import Settings
from telehealth.web.localization import LOCALES, has_message
from tests.attacks.town import Town, build, inhabit
from tests.booking.clinic import NOW
from tests.cast import bearer, hire, staff_token
from tests.conftest import MovableClock

START = NOW + timedelta(hours=24)
BOOKED = DeadLetter(
    id=UUID(int=1),
    kind="appointment-reminder-day",
    language="vi",
    channel="sms",
    cause=Cause("twilio", "rejected_recipient", "21211"),
    subject=UUID(int=2),
    died_at=NOW,
    expires_at=NOW + timedelta(hours=2),
    dedupe_key=f"appointment-reminder-day:{UUID(int=2)}:{int(START.timestamp())}",
    purged=False,
)
CANCELLATION = replace(BOOKED, kind="appointment-cancelled", expires_at=START)
LATER = START + timedelta(days=1)


def letter(kind: str, which: object) -> DeadLetter:
    return replace(BOOKED, kind=kind, expires_at=START, dedupe_key=f"{kind}:{UUID(int=2)}:{which}")


@pytest.mark.parametrize(
    ("dead", "stand", "hours", "expected"),
    [
        (BOOKED, AppointmentStand("booked", START), None, 2),
        (BOOKED, AppointmentStand("arrived", START), None, 2),
        (BOOKED, AppointmentStand("cancelled", START), None, None),
        (BOOKED, AppointmentStand("fulfilled", START), None, None),
        (BOOKED, AppointmentStand("booked", START), 4, 4),
        (BOOKED, AppointmentStand("booked", START), 48, 24),
        (BOOKED, AppointmentStand("cancelled", START), 4, None),
        (CANCELLATION, AppointmentStand("cancelled", START), None, 24),
        (CANCELLATION, AppointmentStand("booked", START), None, None),
        (BOOKED, None, None, 2),
        (BOOKED, None, 24, 24),
        (replace(BOOKED, purged=True), None, None, None),
        (replace(BOOKED, expires_at=NOW), None, None, None),
        (replace(BOOKED, expires_at=NOW - timedelta(hours=1)), AppointmentStand("booked", NOW), 4, None),
    ],
)
def test_a_message_lives_while_it_is_true(
    dead: DeadLetter, stand: AppointmentStand | None, hours: int | None, expected: int | None
) -> None:
    until = None if expected is None else NOW + timedelta(hours=expected)
    assert life_of(dead, stand, NOW, hours) == until


STANDS = AppointmentStand("booked", START, agreed_at=NOW)
WHY, OTHER = UUID(int=8), UUID(int=9)


@pytest.mark.parametrize(
    ("dead", "stand", "true"),
    [
        (letter("appointment-booked", 2), STANDS, True),
        (letter("appointment-booked", 2), replace(STANDS, start=LATER), False),
        (letter("appointment-booked", 2), replace(STANDS, disruption=WHY), False),
        (letter("appointment-moved", 3), replace(STANDS, start=LATER), False),
        (letter("appointment-cancelled", 3), replace(STANDS, status="cancelled", start=LATER), False),
        (letter("appointment-reminder-hours", int(START.timestamp())), STANDS, True),
        (letter("appointment-reminder-hours", int(START.timestamp())), replace(STANDS, start=LATER), False),
        (letter("appointment-reminder-day", int(START.timestamp())), replace(STANDS, disruption=WHY), False),
        (letter("appointment-disrupted", WHY), replace(STANDS, disruption=WHY), True),
        (letter("appointment-disrupted", WHY), replace(STANDS, disruption=OTHER), False),
        (letter("appointment-disrupted", WHY), STANDS, False),
        (letter("appointment-stands", WHY), STANDS, True),
        (letter("appointment-stands", WHY), replace(STANDS, disruption=OTHER), False),
        (letter("video-join", f"{NOW.timestamp():.6f}"), STANDS, True),
        (letter("video-join", f"{NOW.timestamp():.6f}"), replace(STANDS, agreed_at=LATER), False),
        (letter("appointment-offer", OTHER), replace(STANDS, offer=OTHER), True),
        (letter("appointment-offer", OTHER), replace(STANDS, offer=WHY), False),
        (letter("appointment-offer", OTHER), STANDS, False),
    ],
)
def test_a_message_says_only_how_things_stand(dead: DeadLetter, stand: AppointmentStand, true: bool) -> None:
    assert (life_of(dead, stand, NOW, None) is not None) == true


def test_an_offer_never_outlives_itself() -> None:
    dead = replace(letter("appointment-offer", OTHER), expires_at=NOW + timedelta(hours=1))
    assert life_of(dead, replace(STANDS, offer=OTHER), NOW, 4) == NOW + timedelta(hours=1)


@pytest.fixture
def town(
    app: Flask,
    engine: Engine,
    owner_engine: Engine,
    clean_database: None,
    clock: MovableClock,
    settings: Settings,
) -> Town:
    """A town whose people have booked."""
    shift = "UPDATE clock_offset SET seconds = extract(epoch FROM :at - clock_timestamp())"
    with owner_engine.begin() as connection:
        connection.execute(text(shift), {"at": NOW})
    made = build(app, engine, owner_engine, settings.cipher)
    inhabit(made)
    return made


@pytest.fixture
def officer(client: FlaskClient, town: Town, engine: Engine, settings: Settings, clock: MovableClock) -> str:
    staff = hire(engine, settings.cipher, "so.yte", Role.PROVINCE_OFFICER, None, now=clock.now)
    return staff_token(client, staff, clock.now)


def dead_ones(engine: Engine, appointment_id: UUID) -> list[UUID]:
    with system_unit_of_work(engine) as session:
        session.execute(
            text(
                "DELETE FROM notifications.outbox o USING notifications.notification n "
                "WHERE n.id = o.notification_id AND n.subject = :id"
            ),
            {"id": appointment_id},
        )
        found = session.execute(
            text("UPDATE notifications.notification SET state = 'dead' WHERE subject = :id RETURNING id"),
            {"id": appointment_id},
        )
        return list(found.scalars())


def test_a_booking_code_finds_its_messages_and_the_patients_trail_says_who_looked(
    client: FlaskClient, town: Town, officer: str
) -> None:
    booked = (
        "SELECT id, code, patient_id FROM appointment WHERE status = 'booked' ORDER BY start_at DESC LIMIT 1"
    )
    ((appointment_id, code, patient_id),) = town.rows(booked)
    found = client.post("/admin/messages/trace", data={"wanted": code.lower()}, headers=bearer(officer))
    assert found.status_code == 200
    page = found.get_data(as_text=True)
    assert "Báo đã đặt lịch" in page
    assert "Nhắc lịch trước vài giờ" in page
    trail = town.rows("SELECT entity_id, patient_id FROM audit_event WHERE action = 'messages.trace'")
    assert [tuple(row) for row in trail] == [(appointment_id, patient_id)]


def test_looking_by_phone_stands_in_the_trail_of_whom_the_messages_are_about(
    client: FlaskClient, town: Town, officer: str, engine: Engine, settings: Settings
) -> None:
    phone = "+84912000333"
    index = Outbox(settings.cipher).recipient_index(phone) or b""
    ((appointment_id, patient_id),) = town.rows(
        "SELECT id, patient_id FROM appointment WHERE status = 'booked' LIMIT 1"
    )
    given = "UPDATE notifications.notification SET recipient_index = :index WHERE subject = :id"
    with system_unit_of_work(engine) as session:
        session.execute(text(given), {"index": index, "id": appointment_id})
    found = client.post("/admin/messages/trace", data={"wanted": phone}, headers=bearer(officer))
    assert "Báo đã đặt lịch" in found.get_data(as_text=True)
    ((whom, details),) = town.rows(
        "SELECT patient_id, details FROM audit_event WHERE action = 'messages.trace'"
    )
    assert (whom, details["phone"]) == (patient_id, index[:8].hex())


def test_messages_of_a_cancelled_appointment_stay_where_they_are(
    client: FlaskClient, town: Town, officer: str, engine: Engine
) -> None:
    ((appointment_id,),) = town.rows("SELECT id FROM appointment WHERE status = 'booked' LIMIT 1")
    ids = dead_ones(engine, appointment_id)
    assert ids
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE appointment SET status = 'cancelled' WHERE id = :id"), {"id": appointment_id}
        )
    for identifier in ids:
        path = f"/admin/messages/dead-letters/{identifier}/replay"
        for form in ({}, {"hours": "4"}):
            refused = client.post(path, data=form, headers={**bearer(officer), "Accept": "text/html"})
            assert refused.status_code == 409
    client.post("/admin/messages/dead-letters/replay", data={}, headers=bearer(officer))
    left = town.rows(f"SELECT count(*) FROM notifications.outbox WHERE notification_id = '{ids[0]}'")
    assert left[0][0] == 0


def test_what_died_before_an_appointment_moved_is_not_sent_after_it(
    client: FlaskClient, town: Town, officer: str, engine: Engine
) -> None:
    ((appointment_id,),) = town.rows("SELECT id FROM appointment WHERE status = 'booked' LIMIT 1")
    ids = dead_ones(engine, appointment_id)
    with system_unit_of_work(engine) as session:
        session.execute(
            text(
                "UPDATE appointment SET start_at = start_at + interval '1 day', "
                "end_at = end_at + interval '1 day' WHERE id = :id"
            ),
            {"id": appointment_id},
        )
    for identifier in ids:
        path = f"/admin/messages/dead-letters/{identifier}/replay"
        refused = client.post(path, headers={**bearer(officer), "Accept": "text/html"})
        assert refused.status_code == 409
        assert "lịch hẹn đã thay đổi" in refused.get_data(as_text=True)
    cause = {"provider": "", "outcome": "", "code": ""}
    client.post("/admin/messages/dead-letters/replay", data=cause, headers=bearer(officer))
    waiting = town.rows(
        "SELECT count(*) FROM notifications.outbox o JOIN notifications.notification n "
        f"ON n.id = o.notification_id WHERE n.subject = '{appointment_id}'"
    )
    assert waiting[0][0] == 0


GROUPS = {
    "kind": KINDS,
    "channel": CHANNELS,
    "language": LANGUAGES,
    "state": State,
    "approval": Approval,
    "paused-by": PausedBy,
    "provider": [provider.name for provider in BUILT_IN],
    "alarm": AlarmName,
    "remedy": AlarmName,
    "alarm-short": AlarmName,
    "priority": [value for name, value in vars(Priority).items() if name.isupper()],
}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("group", GROUPS)
def test_operators_read_words_and_not_codes(group: str, locale: str) -> None:
    keys = [f"messaging-{group}-{value}".replace("_", "-") for value in GROUPS[group]]
    assert [key for key in keys if not has_message(locale, key)] == []
