"""Doors of the consultation room: who gets a ticket, when, and what the end leaves behind."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from telehealth.booking.models import Appointment
from telehealth.consultations import queries, services
from telehealth.consultations.models import JoinLink, Room, RoomPresence
from telehealth.core import join_ticket
from telehealth.core.join_ticket import JoinTicket, ParticipantRole
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.encounters.models import Encounter, EncounterParticipant
from telehealth.settings import Settings
from tests.conftest import MONDAY_8AM, MovableClock
from tests.consultations.cast import Cast, a_consultation

START = MONDAY_8AM + timedelta(minutes=10)


@pytest.fixture
def cast(owner: Session) -> Cast:
    made = a_consultation(owner, START, MONDAY_8AM)
    owner.commit()
    return made


def join(client: FlaskClient, cast: Cast, token: str) -> Any:
    path = f"/api/v1/appointments/{cast.appointment_id}/join"
    return client.post(path, headers={"Authorization": f"Bearer {token}"})


def ticket_of(answer: Any, settings: Settings) -> JoinTicket:
    return join_ticket.decode(answer.json["ticket"], join_ticket.signing_key(settings.secret_key))


def sign_in(client: FlaskClient, token: str) -> str:
    """Give the browser a cookie and return its CSRF token."""
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
        cookie["csrf"] = "csrf-of-the-test"
    return "csrf-of-the-test"


def test_a_patient_and_their_doctor_get_tickets_to_the_same_room(
    client: FlaskClient, cast: Cast, settings: Settings
) -> None:
    family = join(client, cast, cast.patient)
    care = join(client, cast, cast.doctor)
    assert (family.status_code, care.status_code) == (200, 200)
    theirs, ours = ticket_of(family, settings), ticket_of(care, settings)
    assert theirs.room_id == ours.room_id
    assert (theirs.role, theirs.participant_id) == (ParticipantRole.PATIENT, cast.patient_id)
    assert (ours.role, ours.display_name) == (ParticipantRole.PRACTITIONER, "BS. CKI Lê Minh Tâm")
    assert family.json["url"] == f"/room/{theirs.room_id}"
    assert family.json["expires_at"] == "2026-11-30T08:02:00+07:00"


def test_a_parent_joins_as_guardian_under_their_own_name(
    client: FlaskClient, cast: Cast, settings: Settings
) -> None:
    ticket = ticket_of(join(client, cast, cast.parent), settings)
    assert (ticket.role, ticket.participant_id) == (ParticipantRole.GUARDIAN, cast.parent_id)
    assert ticket.display_name == "Nguyễn Văn Bình"


def test_nobody_else_gets_a_ticket(client: FlaskClient, cast: Cast) -> None:
    assert join(client, cast, cast.stranger).status_code == 404
    assert join(client, cast, cast.other_doctor).status_code == 403
    assert client.post(f"/api/v1/appointments/{cast.appointment_id}/join").status_code in {401, 403}
    stranger = {"Authorization": f"Bearer {cast.stranger}"}
    assert client.post(f"/api/v1/appointments/{uuid4()}/join", headers=stranger).status_code == 404


@pytest.mark.parametrize(
    ("move", "status", "code"),
    [
        (timedelta(minutes=-6), 409, "room-not-open-yet"),
        (timedelta(minutes=-5), 200, None),
        (timedelta(minutes=84), 200, None),
        (timedelta(minutes=85), 410, "room-over"),
    ],
)
def test_the_room_opens_a_quarter_before_and_closes_an_hour_after(
    client: FlaskClient, cast: Cast, clock: MovableClock, move: timedelta, status: int, code: str | None
) -> None:
    clock.now = MONDAY_8AM + move
    answer = join(client, cast, cast.patient)
    assert (answer.status_code, answer.json.get("code")) == (status, code)


@pytest.mark.parametrize(
    ("modality", "status", "code"),
    [
        ("in-person", "booked", "not-by-video"),
        ("video", "cancelled", "appointment-not-booked"),
        ("video", "fulfilled", "room-over"),
    ],
)
def test_other_appointments_have_no_room(
    client: FlaskClient, owner: Session, modality: str, status: str, code: str
) -> None:
    cast = a_consultation(owner, START, MONDAY_8AM, modality=modality, status=status)
    owner.commit()
    assert join(client, cast, cast.patient).json["code"] == code


def test_a_moved_appointment_moves_its_room(client: FlaskClient, cast: Cast, owner: Session) -> None:
    join(client, cast, cast.patient)
    owner.execute(text("UPDATE appointment SET start_at = start_at + '1 hour', end_at = end_at + '1 hour'"))
    owner.commit()
    assert join(client, cast, cast.patient).json["code"] == "room-not-open-yet"


def test_the_doctors_coming_begins_the_encounter_and_the_patients_does_not(
    client: FlaskClient, cast: Cast, owner: Session
) -> None:
    join(client, cast, cast.patient)
    assert owner.scalars(select(Encounter)).all() == []
    join(client, cast, cast.doctor)
    join(client, cast, cast.doctor)
    encounter = owner.scalars(select(Encounter)).one()
    assert (encounter.status, encounter.modality) == ("in-progress", "video")
    assert encounter.started_at == MONDAY_8AM


def status_of(session: Session, cast: Cast) -> str | None:
    session.rollback()
    return session.scalar(select(Appointment.status).where(Appointment.id == cast.appointment_id))


def test_the_patients_coming_is_the_check_in(client: FlaskClient, cast: Cast, owner: Session) -> None:
    join(client, cast, cast.doctor)
    assert status_of(owner, cast) == "booked"
    join(client, cast, cast.patient)
    assert status_of(owner, cast) == "arrived"


def test_a_doctor_who_waited_in_vain_leaves_the_appointment_as_it_was(
    client: FlaskClient, cast: Cast, owner: Session
) -> None:
    room_id = join(client, cast, cast.doctor).json["url"].rpartition("/")[2]
    csrf = sign_in(client, cast.doctor)
    client.post(f"/room/{room_id}/end", json={}, headers={"X-CSRF-Token": csrf})
    assert status_of(owner, cast) == "booked"


def presence(
    session: Session, room_id: UUID, participant: UUID, role: str, minutes: tuple[int, int | None]
) -> None:
    joined, left = (None if m is None else MONDAY_8AM + timedelta(minutes=m) for m in minutes)
    session.add(
        RoomPresence(
            room_id=room_id,
            participant_id=participant,
            role=role,
            client_id=uuid4(),
            connection_id=uuid4(),
            ticket_jti=uuid4(),
            joined_seq=minutes[0],
            joined_at=joined,
            last_seen_at=joined,
            left_at=left,
            departure=None if left is None else "left",
        )
    )


def test_the_end_closes_the_room_and_records_who_was_there(
    client: FlaskClient, cast: Cast, owner: Session, clock: MovableClock
) -> None:
    join(client, cast, cast.patient)
    room_id = UUID(join(client, cast, cast.doctor).json["url"].rpartition("/")[2])
    presence(owner, room_id, cast.patient_id, "patient", (1, 4))
    presence(owner, room_id, cast.practitioner_id, "practitioner", (2, None))
    presence(owner, room_id, cast.patient_id, "patient", (5, None))
    owner.commit()
    clock.forward(minutes=20)
    csrf = sign_in(client, cast.doctor)
    for _ in range(2):
        answer = client.post(f"/room/{room_id}/end", json={}, headers={"X-CSRF-Token": csrf})
        assert answer.status_code == 200
    room = owner.scalars(select(Room)).one()
    assert (room.ended_at, room.end_reason) == (clock.now, "ended")
    encounter = owner.scalars(select(Encounter)).one()
    assert (encounter.status, encounter.ended_at) == ("finished", clock.now)
    there = owner.scalars(select(EncounterParticipant).order_by(EncounterParticipant.joined_at)).all()
    assert [(p.role, p.left_at) for p in there] == [
        ("patient", MONDAY_8AM + timedelta(minutes=4)),
        ("practitioner", clock.now),
        ("patient", clock.now),
    ]
    assert status_of(owner, cast) == "fulfilled"
    assert join(client, cast, cast.patient).json["code"] == "room-over"


def test_only_the_doctor_may_end(client: FlaskClient, cast: Cast, owner: Session) -> None:
    room_id = join(client, cast, cast.patient).json["url"].rpartition("/")[2]
    for token in (cast.patient, cast.other_doctor):
        csrf = sign_in(client, token)
        answer = client.post(f"/room/{room_id}/end", json={}, headers={"X-CSRF-Token": csrf})
        assert answer.status_code == 403
    assert owner.scalars(select(Room)).one().ended_at is None


def test_a_room_whose_time_ran_out_finishes_its_encounter(
    client: FlaskClient, cast: Cast, engine: Engine
) -> None:
    room_id = UUID(join(client, cast, cast.doctor).json["url"].rpartition("/")[2])
    late = MONDAY_8AM + timedelta(hours=2)
    with system_unit_of_work(engine) as work:
        work.execute(
            text("UPDATE room SET ended_at = closes_at, end_reason = 'time' WHERE id = :id"), {"id": room_id}
        )
        assert services.settle_an_ended_room(work, SYSTEM, now=late)
        assert not services.settle_an_ended_room(work, SYSTEM, now=late)
        assert work.scalars(select(Encounter)).one().status == "finished"


def test_the_page_shows_the_doctor_and_no_token(client: FlaskClient, cast: Cast) -> None:
    url = join(client, cast, cast.patient).json["url"]
    sign_in(client, cast.patient)
    page = client.get(url)
    assert page.status_code == 200
    assert "Khám với BS. CKI Lê Minh Tâm" in page.text
    config = json.loads(page.text.split('application/json">')[1].split("</script>")[0])
    assert config["ticketUrl"] == f"{url}/ticket"
    assert config["endUrl"] is None
    assert all(value and not value.startswith("room-") for value in config["texts"].values())
    answer = client.post(config["ticketUrl"], json={}, headers={"X-CSRF-Token": "csrf-of-the-test"})
    assert answer.json["ticket"]


def test_the_page_in_english_has_every_text(client: FlaskClient, cast: Cast) -> None:
    url = join(client, cast, cast.doctor).json["url"]
    sign_in(client, cast.doctor)
    page = client.get(f"{url}?lang=en").text
    assert "End consultation" in page
    assert "room-" not in page.replace("th-room", "").replace("data-room", "").replace('"room-', "").replace(
        "dist/room-", ""
    )


def test_a_page_is_closed_to_others(client: FlaskClient, cast: Cast) -> None:
    url = join(client, cast, cast.patient).json["url"]
    sign_in(client, cast.stranger)
    assert client.get(url).status_code == 403
    assert (
        client.post(f"{url}/ticket", json={}, headers={"X-CSRF-Token": "csrf-of-the-test"}).status_code == 403
    )


def test_a_button_in_a_list_leads_to_the_room(client: FlaskClient, cast: Cast) -> None:
    csrf = sign_in(client, cast.patient)
    answer = client.post(f"/appointments/{cast.appointment_id}/room", data={"csrf_token": csrf})
    assert answer.status_code == 303
    assert client.get(answer.location).status_code == 200


@pytest.fixture
def link(cast: Cast, engine: Engine) -> str:
    with system_unit_of_work(engine) as work:
        found = queries.consultation(work, cast.appointment_id)
        assert found is not None
        guest = queries.Participant(cast.patient_id, ParticipantRole.PATIENT, found.patient_name)
        return services.invite(work, found, guest, now=MONDAY_8AM)


def test_a_link_lets_the_patient_in_without_signing_in(
    client: FlaskClient, cast: Cast, link: str, settings: Settings
) -> None:
    page = client.get(f"/j/{link}")
    assert "BS. CKI Lê Minh Tâm" in page.text
    csrf = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post(f"/j/{link}", data={"csrf_token": csrf})
    assert answer.status_code == 303
    assert link not in answer.location
    room = client.get(answer.location)
    assert room.status_code == 200
    assert link not in room.text
    ticket = client.post(f"{answer.location}/ticket", json={}, headers={"X-CSRF-Token": csrf})
    assert ticket_of(ticket, settings).participant_id == cast.patient_id


def test_reading_a_link_changes_nothing(client: FlaskClient, link: str, owner: Session) -> None:
    for _ in range(3):
        client.get(f"/j/{link}")
    assert owner.scalars(select(Room)).all() == []


def test_a_link_opens_its_own_room_only(client: FlaskClient, cast: Cast, link: str, owner: Session) -> None:
    other = a_consultation(owner, START, MONDAY_8AM)
    owner.commit()
    foreign = join(client, other, other.patient).json["url"]
    csrf = client.get(f"/j/{link}").text.split('name="csrf_token" value="')[1].split('"')[0]
    client.post(f"/j/{link}", data={"csrf_token": csrf})
    assert client.post(f"{foreign}/ticket", json={}, headers={"X-CSRF-Token": csrf}).status_code == 401


def test_a_visit_whose_appointment_was_cancelled_meanwhile_is_finished_all_the_same(
    client: FlaskClient, cast: Cast, engine: Engine
) -> None:
    room_id = UUID(join(client, cast, cast.doctor).json["url"].rpartition("/")[2])
    later = MONDAY_8AM + timedelta(minutes=20)
    with system_unit_of_work(engine) as work:
        work.execute(
            text(
                """INSERT INTO room_presence (id, room_id, participant_id, role, client_id, connection_id,
                       ticket_jti, joined_seq, joined_at, last_seen_at, left_at, departure)
                   VALUES (gen_random_uuid(), :room, :patient, 'patient', gen_random_uuid(),
                       gen_random_uuid(), gen_random_uuid(), 1, :now, :now, :now, 'left')"""
            ),
            {"room": room_id, "patient": cast.patient_id, "now": MONDAY_8AM},
        )
        work.execute(text("UPDATE appointment SET status = 'cancelled'"))
        assert services.close_cancelled_rooms(work, now=later) == 1
        assert services.close_cancelled_rooms(work, now=later) == 0
        assert services.settle_an_ended_room(work, SYSTEM, now=later)
        assert work.scalars(select(Room)).one().end_reason == "cancelled"
        assert work.scalars(select(Encounter)).one().status == "finished"
        assert work.scalars(select(Appointment)).one().status == "cancelled"


def test_a_link_dies_with_its_consultation_or_with_its_appointment(
    client: FlaskClient, cast: Cast, link: str, clock: MovableClock, owner: Session
) -> None:
    assert client.get("/j/no-such-link").status_code == 410
    clock.forward(minutes=90)
    assert client.get(f"/j/{link}").status_code == 410
    clock.now = MONDAY_8AM
    assert client.get(f"/j/{link}").status_code == 200
    owner.execute(text("UPDATE appointment SET status = 'cancelled'"))
    owner.commit()
    csrf = client.get(f"/j/{link}").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert client.post(f"/j/{link}", data={"csrf_token": csrf}).status_code == 409
    owner.execute(text("UPDATE join_link SET revoked_at = now()"))
    owner.commit()
    assert client.get(f"/j/{link}").status_code == 410


def test_links_are_stored_hashed(link: str, owner: Session) -> None:
    assert link.encode() not in owner.scalars(select(JoinLink.token_hash)).one()


def test_joining_leaves_an_audit_row_without_names(client: FlaskClient, cast: Cast, owner: Session) -> None:
    join(client, cast, cast.patient)
    rows = owner.execute(text("SELECT action, patient_id, details::text FROM audit_event")).all()
    assert ("room.join", cast.patient_id) in [(row.action, row.patient_id) for row in rows]
    assert not any("Hoa" in row.details for row in rows)


def test_each_page_that_names_the_patient_leaves_one_audit_row(
    client: FlaskClient, cast: Cast, link: str, owner: Session
) -> None:
    url = join(client, cast, cast.patient).json["url"]
    for path, token in ((f"/j/{link}", None), (url, cast.patient), (url, cast.doctor)):
        if token is not None:
            sign_in(client, token)
        before = owner.execute(text("SELECT count(*) FROM audit_event")).scalar_one()
        assert client.get(path).status_code == 200
        owner.rollback()
        rows = owner.execute(text("SELECT action, patient_id FROM audit_event ORDER BY id")).all()[before:]
        assert [tuple(row) for row in rows] == [("room.show", cast.patient_id)]
