"""From an appointment to a number, and clear words for those at the wrong door."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from telehealth.audit.models import AuditEvent
from telehealth.booking.models import Appointment
from telehealth.encounters.models import Encounter
from telehealth.queueing import queries, services
from telehealth.queueing.errors import (
    CheckInByVideo,
    CheckInElsewhere,
    CheckInNotBooked,
    CheckInOtherDay,
    PressReused,
    UnknownCode,
)
from telehealth.queueing.models import Ticket
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Hospital

SOON = MONDAY_8AM + timedelta(minutes=20)


def by_code(hospital: Hospital, code: str) -> services.TicketView:
    with hospital.begin() as session:
        return services.check_in(
            session, hospital.kiosk, services.find_by_code(session, code, hospital.id), press_key=uuid4().hex,
            now=MONDAY_8AM, cipher=hospital.cipher,
        )  # fmt: skip


def test_the_code_gives_a_number_for_the_room_and_opens_the_visit(hospital: Hospital):
    appointment = hospital.appointment(SOON, room="P002")
    slip = by_code(hospital, appointment.code)
    assert (slip.number_text, slip.room, slip.people_ahead) == ("2-001", "Phòng khám 2", 0)
    assert hospital.status_of(appointment) == "arrived"
    with hospital.begin() as session:
        visit = session.scalars(select(Encounter)).one()
        ticket = session.get_one(Ticket, slip.id)
        trail = set(session.scalars(select(AuditEvent.action).where(AuditEvent.patient_id.is_not(None))))
    assert (visit.status, visit.appointment_id) == ("arrived", appointment.id)
    assert (ticket.encounter_id, ticket.patient_id) == (visit.id, appointment.patient_id)
    assert {"encounter.open", "ticket.issue"} <= trail


def test_whoever_comes_before_their_time_is_told_to_wait_until_then_and_not_for_all_who_are_there(
    hospital: Hospital,
):
    for _ in range(14):
        hospital.number()
    appointment = hospital.appointment(SOON)
    slip, walk_in = hospital.check_in(appointment), hospital.number()
    assert slip.wait_range is not None
    assert walk_in.wait_range is not None
    assert (slip.people_ahead, walk_in.people_ahead) == (14, 14)
    assert slip.wait_range.low >= 15
    assert slip.wait_range.high <= 45 < walk_in.wait_range.low
    with hospital.begin() as session:
        followed = queries.follow(session, slip.public_token, MONDAY_8AM)
    assert followed is not None
    assert followed.wait == slip.wait_range


def test_the_code_may_be_typed_as_people_type(hospital: Hospital):
    appointment = hospital.appointment(SOON)
    typed = f" {appointment.code[:4].lower()}-{appointment.code[4:].lower()}\n"
    assert by_code(hospital, typed).number_text == "1-001"


def test_checking_in_again_shows_the_same_number(hospital: Hospital):
    appointment = hospital.appointment(SOON)
    first = hospital.check_in(appointment)
    again = hospital.check_in(appointment)
    assert (again.id, again.public_token) == (first.id, first.public_token)
    assert hospital.count(Ticket) == 1


def test_a_press_used_for_one_person_gives_another_nothing(hospital: Hospital):
    """A page left open, or a program that keeps its key: never the other person's slip."""
    first, second = hospital.appointment(SOON), hospital.appointment(SOON + timedelta(minutes=10))
    hospital.check_in(first, press_key="kept")
    with pytest.raises(PressReused):
        hospital.check_in(second, press_key="kept")
    assert hospital.status_of(second) == "booked"
    assert (hospital.count(Ticket), hospital.count(Encounter)) == (1, 1)
    assert hospital.check_in(second).number_text == "1-002"


def test_two_kiosks_check_one_person_in_once(hospital: Hospital):
    appointment = hospital.appointment(SOON)
    with ThreadPoolExecutor(8) as pool:
        slips = list(pool.map(lambda _: hospital.check_in(appointment), range(8), timeout=60))
    assert {slip.number_text for slip in slips} == {"1-001"}
    assert (hospital.count(Ticket), hospital.count(Encounter)) == (1, 1)


def missed(hospital: Hospital) -> tuple[Appointment, services.TicketView]:
    appointment = hospital.appointment(MONDAY_8AM)
    slip = hospital.check_in(appointment)
    hospital.call()
    with hospital.begin() as session:
        services.skip(session, hospital.doctor, slip.id, now=MONDAY_8AM)
    return appointment, slip


def test_who_missed_the_turn_is_back_in_line_by_scanning_again(hospital: Hospital):
    appointment, slip = missed(hospital)
    for _ in range(4):
        hospital.number()
    again = hospital.check_in(appointment)
    assert (again.number_text, again.status, again.people_ahead) == (slip.number_text, "waiting", 3)
    assert hospital.status_of(appointment) == "arrived"


def test_who_missed_it_long_ago_gets_a_new_number_like_a_walk_in(hospital: Hospital):
    appointment, _slip = missed(hospital)
    for minute in range(1, 12):
        hospital.number()
        hospital.call(now=MONDAY_8AM + timedelta(minutes=minute))
    again = hospital.check_in(appointment)
    assert (again.number_text, again.appointment_start) == ("1-013", None)
    assert hospital.count(Encounter) == 1


def test_who_was_seen_gets_no_other_number(hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    slip = hospital.check_in(appointment)
    hospital.call()
    with hospital.begin() as session:
        services.done(session, hospital.doctor, slip.id, now=MONDAY_8AM, cipher=hospital.cipher)
    with pytest.raises(CheckInNotBooked):
        hospital.check_in(appointment)


def test_at_the_wrong_hospital_one_is_told_where_and_when(hospital: Hospital, other_hospital: Hospital):
    appointment = other_hospital.appointment(SOON)
    with pytest.raises(CheckInElsewhere) as refusal:
        by_code(hospital, appointment.code)
    assert refusal.value.params == {
        "facility": "Bệnh viện Vũng Tàu",
        "date": "30/11/2026",
        "time": "08:20",
    }


def test_on_the_wrong_day_one_is_told_when(hospital: Hospital):
    appointment = hospital.appointment(SOON + timedelta(days=1))
    with pytest.raises(CheckInOtherDay) as refusal:
        by_code(hospital, appointment.code)
    assert refusal.value.params["date"] == "01/12/2026"
    assert hospital.status_of(appointment) == "booked"


def test_a_code_nobody_has_is_unknown(hospital: Hospital):
    for code in ("ZZZZZZZZ", "", "🙂", "' OR 1=1 --"):
        with pytest.raises(UnknownCode):
            by_code(hospital, code)


def test_a_hold_is_no_booking(hospital: Hospital):
    appointment = hospital.appointment(SOON, status="expired")
    with pytest.raises(CheckInNotBooked):
        by_code(hospital, appointment.code)


def test_a_cancelled_appointment_gives_no_number(hospital: Hospital):
    appointment = hospital.appointment(SOON, status="cancelled")
    with pytest.raises(CheckInNotBooked):
        by_code(hospital, appointment.code)
    assert hospital.count(Ticket) == 0


def test_a_video_appointment_needs_no_number(hospital: Hospital):
    appointment = hospital.appointment(SOON, modality="video", room="")
    with pytest.raises(CheckInByVideo):
        by_code(hospital, appointment.code)


def test_a_session_without_a_room_begins_at_registration(hospital: Hospital):
    appointment = hospital.appointment(SOON, room="P099")
    assert hospital.check_in(appointment).number_text == "A001"


def test_age_gives_its_priority_without_asking(hospital: Hospital):
    old = hospital.appointment(SOON, patient_id=hospital.patient("1949-05-01"))
    slip = hospital.check_in(old)
    assert slip.priority == "aged-75"
    with hospital.begin() as session:
        assert session.get_one(Ticket, slip.id).priority_set_by == "birth-date"
