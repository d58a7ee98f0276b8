"""Exactly the right messages go, the others do not: whatever happens to an appointment."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from notifications.leases import Leases, Result
from notifications.states import State
from telehealth.booking.recipients import recipients
from telehealth.consultations.queries import consultation
from telehealth.consultations.services import move_windows, open_room
from telehealth.core.clock import at_local
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.patients import queries as people_queries
from telehealth.patients import services as people
from telehealth.patients.models import Patient
from telehealth.settings import Settings
from tests.booking.clinic import FACILITIES, NOW, TUESDAY, Person
from tests.cast import hire
from tests.reminders.appointments import Appointments

WEDNESDAY = TUESDAY + timedelta(days=1)
THURSDAY = TUESDAY + timedelta(days=2)
AFTERNOON = 14 * 60
LANS_PHONE, MINHS_PHONE = "+84912000001", "+84912000002"
AT_NINE = [("reminder-day", "Wed 09:00"), ("reminder-hours", "Thu 07:00")]


def lost(appointments: Appointments, lan: Person, *, told: bool = True):
    """An appointment on Thursday at nine whose doctor is away; and the leave."""
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    appointments.send_due()
    leave = appointments.away("an", THURSDAY)
    if told:
        appointments.send_due()
    return made, leave


def out_of_reach(engine: Engine) -> None:
    """Nobody has a telephone any more."""
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE account_patient SET valid_to = valid_from"))


def test_who_books_is_told_and_reminded(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    assert appointments.timetable(made.id) == [("booked", "Mon 08:00"), *AT_NINE]


def test_who_moves_is_reminded_of_the_new_time_only(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    appointments.send_due()
    appointments.move(made.id, "binh", WEDNESDAY, 8 * 60 + 15)
    assert appointments.timetable(made.id) == [("moved", "Mon 08:00"), ("reminder-day", "Tue 08:15")]


def test_who_moves_away_and_back_is_reminded_as_if_they_had_not(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    for doctor, minute in (("binh", 8 * 60), ("an", 9 * 60), ("binh", 8 * 60), ("an", 9 * 60)):
        appointments.send_due()
        appointments.move(made.id, doctor, THURSDAY, minute)
    assert appointments.timetable(made.id) == [("moved", "Mon 08:00"), *AT_NINE]
    assert sorted(appointments.states(made.id, "appointment-moved")) == ["accepted"] * 3 + ["queued"]


def test_a_cancelled_appointment_is_told_of_once(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    appointments.send_due()
    appointments.cancel(made.id)
    assert appointments.timetable(made.id) == [("cancelled", "Mon 08:00")]


def test_who_has_come_is_reminded_no_more(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    appointments.send_due()
    appointments.arrive(made.id)
    assert appointments.timetable(made.id) == []
    assert appointments.states(made.id, "appointment-reminder-day") == ["cancelled"]


def test_when_the_doctor_is_away_one_message_goes_instead_of_the_reminders(
    appointments: Appointments, lan: Person, minh: Person
):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    other = appointments.book(minh, "binh", THURSDAY, 8 * 60)
    appointments.send_due()
    appointments.away("an", THURSDAY)
    assert appointments.timetable(made.id) == [("disrupted", "Mon 08:00")]
    assert appointments.timetable(other.id) == [("reminder-day", "Wed 08:00")]
    assert appointments.follow_rosters() == 0
    appointments.send_due()
    assert appointments.follow_rosters() == 0
    assert appointments.states(made.id, "appointment-disrupted") == ["accepted"]


def test_an_absence_found_at_night_is_told_in_the_morning(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    appointments.send_due()
    appointments.at(NOW + timedelta(hours=15))
    appointments.away("an", THURSDAY)
    assert appointments.timetable(made.id) == [("disrupted", "Tue 07:00")]


def test_only_those_are_touched_whose_time_is_lost(appointments: Appointments, lan: Person, minh: Person):
    early = appointments.book(lan, "an", THURSDAY, 8 * 60 + 10)
    late = appointments.book(minh, "an", THURSDAY, 9 * 60 + 40)
    appointments.send_due()
    leave = appointments.away("an", THURSDAY, 8 * 60, 9 * 60)
    assert appointments.timetable(early.id) == [("disrupted", "Mon 08:00")]
    assert [kind for kind, _ in appointments.timetable(late.id)] == ["reminder-day", "reminder-hours"]
    appointments.back(leave)
    appointments.away("an", THURSDAY, 9 * 60, 10 * 60)
    assert [kind for kind, _ in appointments.timetable(early.id)] == ["reminder-day"]
    assert appointments.timetable(late.id) == [("disrupted", "Mon 08:00")]


def test_who_opens_the_page_of_a_lost_time_is_told_to_choose_another(
    appointments: Appointments, web: FlaskClient, lan: Person
):
    made, leave = lost(appointments, lan)
    page = f"/appointments/{made.id}"
    with web.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    assert "Giờ khám này phải thay đổi" in web.get(page).get_data(as_text=True)
    appointments.back(leave)
    assert "Giờ khám này phải thay đổi" not in web.get(page).get_data(as_text=True)


def test_nobody_books_with_a_doctor_who_is_away(appointments: Appointments, web: FlaskClient, lan: Person):
    lost(appointments, lan)
    query = {"service": "internal", "from": "2026-12-03T00:00:00+07:00", "limit": 50}
    found = web.get("/api/v1/slots", query_string=query).json["items"]
    assert {slot["practitioner"]["name"] for slot in found} == {"Bác sĩ binh", "Bác sĩ chi"}


def test_a_declared_holiday_is_told_to_everyone_whose_place_is_closed(
    appointments: Appointments, lan: Person, minh: Person
):
    made = [appointments.book(lan, "an", THURSDAY, 9 * 60), appointments.book(minh, "binh", THURSDAY, 8 * 60)]
    elsewhere = appointments.book(minh, "binh", WEDNESDAY, 8 * 60)
    appointments.send_due()
    appointments.holiday(THURSDAY)
    for one in made:
        assert appointments.timetable(one.id) == [("disrupted", "Mon 08:00")]
    assert appointments.timetable(elsewhere.id) == [("reminder-day", "Tue 08:00")]
    appointments.send_due()
    appointments.holiday_taken_back()
    for one in made:
        assert "stands" in {kind for kind, _ in appointments.timetable(one.id)}


def test_an_absence_taken_back_before_it_was_told_was_never_told(appointments: Appointments, lan: Person):
    made, leave = lost(appointments, lan, told=False)
    appointments.back(leave)
    assert appointments.timetable(made.id) == AT_NINE
    assert appointments.states(made.id, "appointment-disrupted") == ["cancelled"]


def test_who_was_told_of_an_absence_is_told_that_the_time_stands(appointments: Appointments, lan: Person):
    made, leave = lost(appointments, lan)
    appointments.back(leave)
    assert appointments.timetable(made.id) == [("stands", "Mon 08:00"), *AT_NINE]
    assert appointments.follow_rosters() == 0
    appointments.send_due()
    again = appointments.away("an", THURSDAY)
    assert appointments.timetable(made.id) == [("disrupted", "Mon 08:00")]
    appointments.send_due()
    appointments.back(again)
    assert appointments.timetable(made.id) == [("stands", "Mon 08:00"), *AT_NINE]


def test_what_opens_again_after_the_day_reminders_hour_is_reminded_of_in_the_evening(
    appointments: Appointments, lan: Person
):
    made = appointments.book(lan, "an", THURSDAY, 8 * 60)
    appointments.send_due()
    leave = appointments.away("an", THURSDAY)
    appointments.send_due()
    appointments.at(NOW + timedelta(days=2, hours=4))
    appointments.back(leave)
    assert appointments.timetable(made.id) == [("stands", "Wed 12:00"), ("reminder-hours", "Wed 20:00")]


def test_who_has_chosen_another_time_hears_nothing_of_the_lost_one_any_more(
    appointments: Appointments, lan: Person
):
    made, leave = lost(appointments, lan)
    appointments.move(made.id, "binh", THURSDAY, 8 * 60)
    new = [("moved", "Mon 08:00"), ("reminder-day", "Wed 08:00")]
    assert appointments.timetable(made.id) == new
    appointments.back(leave)
    assert appointments.timetable(made.id) == new


def test_who_cancels_a_lost_time_hears_that_and_nothing_else(appointments: Appointments, lan: Person):
    made, leave = lost(appointments, lan, told=False)
    appointments.cancel(made.id)
    appointments.back(leave)
    assert appointments.timetable(made.id) == [("cancelled", "Mon 08:00")]


def test_who_cannot_be_reached_is_noted_all_the_same(appointments: Appointments, lan: Person, engine: Engine):
    out_of_reach(engine)
    made, leave = lost(appointments, lan)
    assert appointments.timetable(made.id) == []
    with system_unit_of_work(engine) as session:
        assert (
            session.scalar(text("SELECT count(*) FROM appointment_disruption WHERE resolved_at IS NULL")) == 1
        )
    appointments.back(leave)
    assert appointments.timetable(made.id) == []


# A message that is under way.


def leased(appointments: Appointments, engine: Engine, kind: str) -> tuple[Leases, Result]:
    """A reminder that a dispatcher holds, and what it will say when the provider has taken it."""
    clock = f"timestamptz '{appointments.clock.now.isoformat()}'"
    leases = Leases(engine, "sender:1:abc", seconds=60, clock=clock)
    (item,) = [item for item in leases.claim(50, {"zalo": 50}, {}) if item.kind == kind]
    accepted = Result(item.id, item.attempt, State.ACCEPTED, "zalo", "zalo", "accepted", ref="z1")
    return leases, accepted


def at_the_reminder(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    appointments.send_due()
    appointments.at(NOW + timedelta(days=2, hours=1))
    return made


def test_a_reminder_that_is_under_way_may_arrive_and_is_not_tried_again(
    appointments: Appointments, lan: Person, engine: Engine
):
    made = at_the_reminder(appointments, lan)
    leases, accepted = leased(appointments, engine, "appointment-reminder-day")
    appointments.away("an", THURSDAY)
    leases.finish([accepted])
    assert appointments.states(made.id, "appointment-reminder-day") == ["accepted"]
    assert appointments.timetable(made.id) == [("disrupted", "Wed 09:00")]


def test_a_reminder_that_was_refused_while_it_was_taken_back_does_not_come_again(
    appointments: Appointments, lan: Person, engine: Engine
):
    made = at_the_reminder(appointments, lan)
    leases, accepted = leased(appointments, engine, "appointment-reminder-day")
    leave = appointments.away("an", THURSDAY)
    refused = {"state": State.QUEUED, "outcome": "retry", "ref": None, "next_channel": "zalo", "delay": 5.0}
    leases.finish([replace(accepted, **refused)])
    assert appointments.states(made.id, "appointment-reminder-day") == ["cancelled"]
    appointments.send_due()
    appointments.back(leave)
    assert appointments.timetable(made.id) == [("stands", "Wed 09:00"), ("reminder-hours", "Thu 07:00")]


def test_an_absence_being_told_counts_as_told(appointments: Appointments, lan: Person, engine: Engine):
    made, leave = lost(appointments, lan, told=False)
    leases, accepted = leased(appointments, engine, "appointment-disrupted")
    appointments.back(leave)
    assert ("stands", "Mon 08:00") in appointments.timetable(made.id)
    leases.finish([accepted])
    assert appointments.states(made.id, "appointment-disrupted") == ["accepted"]


# Other telephones, other languages.


def change(appointments: Appointments, person: Person, **fields: object) -> None:
    with system_unit_of_work(appointments.engine) as session:
        version = session.get_one(Patient, person.patient_id).version
        people.change(
            session,
            SYSTEM,
            person.patient_id,
            fields,
            version=version,
            now=appointments.clock.now,
            cipher=appointments.settings.cipher,
        )


def reached(appointments: Appointments, made) -> set[tuple[str, str]]:
    return {(item.phone, item.language) for item in appointments.waiting(made.id)}


def test_what_waits_follows_to_the_new_telephone(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    before = appointments.timetable(made.id)
    change(appointments, lan, phone="0987 654 321")
    assert appointments.follow_people() == 1
    assert appointments.timetable(made.id) == before
    assert reached(appointments, made) == {("+84987654321", "vi")}
    assert appointments.follow_people() == 0


def test_what_is_due_but_has_not_left_yet_follows_as_well(appointments: Appointments, lan: Person):
    made = at_the_reminder(appointments, lan)
    before = appointments.timetable(made.id)
    assert before[0] == ("reminder-day", "Wed 09:00")
    change(appointments, lan, phone="0987654321")
    appointments.follow_people()
    assert appointments.timetable(made.id) == before
    assert reached(appointments, made) == {("+84987654321", "vi")}


def test_what_waits_is_written_in_the_new_language(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    before = appointments.timetable(made.id)
    change(appointments, lan, language="en")
    appointments.follow_people()
    assert appointments.timetable(made.id) == before
    assert {language for _, language in reached(appointments, made)} == {"en"}


def test_another_address_or_name_moves_no_message(appointments: Appointments, lan: Person):
    appointments.book(lan, "an", THURSDAY, 9 * 60)
    change(appointments, lan, address="12 đường Lê Lợi")
    assert appointments.follow_people() == 0


def test_whoever_gets_a_telephone_is_reminded_from_then_on(
    appointments: Appointments, lan: Person, engine: Engine
):
    out_of_reach(engine)
    made = appointments.book(lan, "an", THURSDAY, 9 * 60)
    assert appointments.timetable(made.id) == []
    change(appointments, lan, phone="0987654321")
    appointments.follow_people()
    assert appointments.timetable(made.id) == AT_NINE


def test_a_guardians_new_telephone_counts_for_the_child(
    appointments: Appointments, lan: Person, minh: Person, engine: Engine
):
    change(appointments, lan, phone="0911111111")
    appointments.follow_people()
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE patient SET guardian_id = :guardian WHERE id = :child"),
            {"guardian": lan.patient_id, "child": minh.patient_id},
        )
    made = appointments.book(minh, "an", THURSDAY, 9 * 60)
    assert reached(appointments, made) == {("+84911111111", "vi")}
    change(appointments, lan, phone="0922222222")
    appointments.follow_people()
    assert reached(appointments, made) == {("+84922222222", "vi")}


def test_a_lost_time_is_not_reminded_of_at_a_new_telephone(appointments: Appointments, lan: Person):
    made, _ = lost(appointments, lan, told=False)
    change(appointments, lan, phone="0987654321")
    appointments.follow_people()
    assert appointments.timetable(made.id) == [("disrupted", "Mon 08:00")]
    assert reached(appointments, made) == {("+84987654321", "vi")}


def test_one_person_of_two_records_is_told_by_the_record_that_is_left(
    appointments: Appointments, lan: Person, minh: Person, engine: Engine
):
    made = appointments.book(minh, "an", THURSDAY, 9 * 60)
    with system_unit_of_work(engine) as session:
        session.execute(
            text("SELECT merge_patients(:other, :one, :now)"),
            {"one": lan.patient_id, "other": minh.patient_id, "now": appointments.clock.now},
        )
    change(appointments, lan, phone="0987654321")
    appointments.follow_people()
    assert reached(appointments, made) == {("+84987654321", "vi")}


# Who acts for somebody no more.


def run(engine: Engine, statement: str, **values: object) -> object:
    with system_unit_of_work(engine) as session:
        found = session.execute(text(statement), values)
        return found.scalar() if found.returns_rows else None


def booked_by(appointments: Appointments, person: Person, by: UUID):
    """An appointment on Thursday at nine, made by an account for somebody without an own telephone."""
    made = appointments.book(person, "an", THURSDAY, 9 * 60)
    run(appointments.engine, "UPDATE appointment SET account_id = :by WHERE id = :id", by=by, id=made.id)
    return made


def delegated(engine: Engine, giver: Person, to: Person, until: datetime) -> None:
    run(
        engine,
        """INSERT INTO delegation (id, patient_id, account_id, delegate_name, relation, scopes, valid_from,
                                   valid_to, given_by, given_how, text_version, created_at)
           VALUES (gen_random_uuid(), :patient, :to, 'Lê Văn Minh', 'child', '{see,book}', :now, :until, :by,
                   'code', '1', :now)""",
        patient=giver.patient_id,
        to=to.account_id,
        until=until,
        by=giver.account_id,
        now=NOW,
    )


@pytest.mark.parametrize("ends", ["revoked", "over"])
def test_a_delegate_hears_of_what_they_booked_as_long_as_they_act_for_the_person(
    appointments: Appointments,
    lan: Person,
    minh: Person,
    engine: Engine,
    set_database_clock: Callable[[datetime], None],
    ends: str,
):
    tomorrow = appointments.clock.now + timedelta(days=1)
    delegated(engine, lan, minh, tomorrow)
    made = booked_by(appointments, lan, minh.account_id)
    change(appointments, lan, language="en")
    appointments.follow_people()
    before = appointments.timetable(made.id)
    assert reached(appointments, made) == {(MINHS_PHONE, "en")}
    if ends == "revoked":
        run(engine, "UPDATE delegation SET revoked_at = :now", now=appointments.clock.now)
    else:
        appointments.at(tomorrow + timedelta(seconds=5))
        set_database_clock(appointments.clock.now)
    assert appointments.follow_people() == 1
    assert appointments.timetable(made.id) == before
    assert reached(appointments, made) == {(LANS_PHONE, "en")}


def test_who_looked_after_a_child_hears_nothing_once_the_child_is_of_age(
    appointments: Appointments,
    lan: Person,
    minh: Person,
    engine: Engine,
    set_database_clock: Callable[[datetime], None],
):
    run(engine, "UPDATE account_patient SET relation = 'parent' WHERE patient_id = :id", id=minh.patient_id)
    run(engine, "UPDATE patient SET guardian_id = :of WHERE id = :id", of=lan.patient_id, id=minh.patient_id)
    change(appointments, lan, phone="0911111111")
    run(engine, "UPDATE patient SET birth_date = '2008-12-02' WHERE id = :id", id=minh.patient_id)
    made = booked_by(appointments, minh, minh.account_id)
    closure_phone = "SELECT closure_phone(:id)"
    assert reached(appointments, made) == {("+84911111111", "vi")}
    assert run(engine, closure_phone, id=made.id) is True
    appointments.at(at_local(WEDNESDAY, 0) + timedelta(seconds=5))
    set_database_clock(appointments.clock.now)
    appointments.follow_people()
    assert appointments.waiting(made.id) == []
    assert run(engine, closure_phone, id=made.id) is False, "the desk has to look for them"


def test_a_clerks_own_telephone_is_nobodys_reminder(
    appointments: Appointments, lan: Person, engine: Engine, settings: Settings
):
    clerk = hire(
        engine, settings.cipher, "quay.mot", Role.DESK, FACILITIES["77001"], now=appointments.clock.now
    )
    out_of_reach(engine)
    made = booked_by(appointments, lan, clerk.id)
    with system_unit_of_work(engine) as session:
        assert recipients(session, [made.id], settings.cipher) == {}
        assert people_queries.recipient_of(session, lan.patient_id, clerk.id, settings.cipher) is None


def test_who_does_not_act_for_a_person_hears_nothing_of_what_they_booked(
    appointments: Appointments, lan: Person, minh: Person, engine: Engine, settings: Settings
):
    made = booked_by(appointments, lan, minh.account_id)
    with system_unit_of_work(engine) as session:
        together = recipients(session, [made.id], settings.cipher)[made.id]
        alone = people_queries.recipient_of(session, lan.patient_id, minh.account_id, settings.cipher)
    assert together == alone
    assert (alone.phone, alone.owner) == (LANS_PHONE, lan.account_id)


# Video.


def test_an_invitation_is_sent_again_when_the_time_was_given_up_and_taken_again(
    appointments: Appointments, lan: Person
):
    made = appointments.book(lan, "chi", TUESDAY, 17 * 60)
    appointments.send_due()
    appointments.at(made.start - timedelta(minutes=15))
    assert [appointments.invite(), appointments.invite()] == [1, 0]
    appointments.move(made.id, "chi", TUESDAY, 17 * 60 + 10)
    assert appointments.waiting(made.id, kinds=["video-join"]) == []
    appointments.at(made.start - timedelta(minutes=13))
    appointments.move(made.id, "chi", TUESDAY, 17 * 60)
    assert [appointments.invite(), appointments.invite()] == [1, 0]
    assert sorted(appointments.states(made.id, "video-join")) == ["cancelled", "queued"]


def test_nobody_is_invited_while_the_doctor_is_away(appointments: Appointments, lan: Person):
    made = appointments.book(lan, "chi", TUESDAY, 17 * 60)
    leave = appointments.away("chi", TUESDAY)
    appointments.at(made.start - timedelta(minutes=15))
    assert appointments.invite() == 0
    appointments.back(leave)
    assert appointments.invite() == 1


@pytest.mark.parametrize("later", [10, 30])
def test_an_open_room_keeps_the_time_of_its_appointment(
    appointments: Appointments, lan: Person, engine: Engine, later: int
):
    made = appointments.book(lan, "chi", TUESDAY, 17 * 60)
    with system_unit_of_work(engine) as session:
        found = consultation(session, made.id)
        assert found is not None
        before = open_room(session, found, now=appointments.clock.now)
    appointments.move(made.id, "chi", TUESDAY, 17 * 60 + later)
    with system_unit_of_work(engine) as session:
        move_windows(session)
        opens, closes = session.execute(text("SELECT opens_at, closes_at FROM room")).one()
    moved = timedelta(minutes=later)
    assert (opens - before.opens_at, closes - before.closes_at) == (moved, moved)
