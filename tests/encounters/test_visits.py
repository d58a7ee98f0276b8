"""A visit opens once, starts, is noted under seal, and ends; every step leaves its trace."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from telehealth.audit.models import AuditEvent
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.core.principal import SYSTEM, Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.codes import Modality
from telehealth.encounters import queries, services
from telehealth.encounters.errors import EncounterOver
from telehealth.encounters.models import Encounter, EncounterParticipant
from telehealth.encounters.policies import RULES
from telehealth.settings import Settings
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Hospital

LATER = MONDAY_8AM + timedelta(minutes=12)

Begin = Callable[[], AbstractContextManager[Session]]


@pytest.fixture
def begin(engine: Engine, clean_database: None) -> Begin:
    return lambda: system_unit_of_work(engine)


@pytest.fixture
def cipher(settings: Settings) -> FieldCipher:
    return settings.cipher


@pytest.fixture
def hospital(begin: Begin, cipher: FieldCipher) -> Hospital:
    return Hospital(begin, cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture
def visit(hospital: Hospital) -> UUID:
    with hospital.begin() as session:
        found = services.Visit(hospital.id, Modality.IN_PERSON, patient_id=hospital.patient())
        return services.open_visit(session, SYSTEM, found, now=MONDAY_8AM)


def state(hospital: Hospital, encounter_id: UUID) -> Encounter:
    with hospital.begin() as session:
        return session.get_one(Encounter, encounter_id)


def test_an_appointment_has_one_visit_however_often_it_is_opened(hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    found = services.Visit(
        hospital.id, Modality.IN_PERSON, patient_id=appointment.patient_id, appointment_id=appointment.id
    )
    with hospital.begin() as session:
        first = services.open_visit(session, SYSTEM, found, now=MONDAY_8AM)
        assert services.open_visit(session, SYSTEM, found, now=LATER) == first
    with hospital.begin() as session:
        view = queries.encounter_of_appointment(session, appointment.id)
    assert view is not None
    assert (view.id, view.status, view.modality) == (first, "arrived", "in-person")


def test_from_arrival_to_the_end(hospital: Hospital, visit: UUID):
    with hospital.begin() as session:
        services.start(
            session, hospital.doctor, visit, now=MONDAY_8AM, practitioner_id=hospital.practitioner_id
        )
        services.start(session, hospital.doctor, visit, now=LATER)
        services.finish(session, hospital.doctor, visit, now=LATER)
        services.finish(session, hospital.doctor, visit, now=LATER + timedelta(hours=1))
    row = state(hospital, visit)
    assert (row.status, row.started_at, row.ended_at) == ("finished", MONDAY_8AM, LATER)
    assert row.practitioner_id == hospital.practitioner_id
    with hospital.begin() as session:
        trail = session.scalars(
            select(AuditEvent.action).where(AuditEvent.entity_id == visit).order_by(AuditEvent.id)
        ).all()
    assert trail == ["encounter.open", "encounter.start", "encounter.start", "encounter.finish"]


def test_what_is_over_does_not_begin_again(hospital: Hospital, visit: UUID):
    with hospital.begin() as session:
        services.cancel(session, SYSTEM, visit, now=MONDAY_8AM)
    for act in (services.start, services.finish, services.cancel):
        with pytest.raises(EncounterOver), hospital.begin() as session:
            act(session, SYSTEM, visit, now=LATER)
    with pytest.raises(NotFound), hospital.begin() as session:
        services.start(session, SYSTEM, uuid4(), now=LATER)


def test_a_note_is_sealed_for_its_row_and_reading_it_leaves_a_trace(
    hospital: Hospital, cipher: FieldCipher, visit: UUID
):
    with hospital.begin() as session:
        services.write_note(
            session, hospital.doctor, visit, "Theo dõi huyết áp", now=MONDAY_8AM, cipher=cipher
        )
    sealed = state(hospital, visit).note_sealed
    assert sealed is not None
    assert "huyết áp".encode() not in sealed
    with hospital.begin() as session:
        text = queries.note(session, hospital.doctor, visit, now=LATER, cipher=cipher)
    assert text == "Theo dõi huyết áp"
    with hospital.begin() as session:
        actions = session.scalars(select(AuditEvent.action)).all()
        services.write_note(session, hospital.doctor, visit, "", now=LATER, cipher=cipher)
    assert "encounter.read-note" in actions
    assert state(hospital, visit).note_sealed is None


def test_who_was_there_and_when(hospital: Hospital, visit: UUID):
    doctor, patient = uuid4(), uuid4()
    with hospital.begin() as session:
        services.join(session, visit, doctor, "practitioner", now=MONDAY_8AM)
        services.join(session, visit, doctor, "practitioner", now=LATER)
        services.join(session, visit, patient, "patient", now=MONDAY_8AM)
        services.leave(session, visit, patient, now=LATER)
        services.finish(session, SYSTEM, visit, now=LATER)
    with hospital.begin() as session:
        there = {
            row.participant_id: (row.joined_at, row.left_at)
            for row in session.scalars(select(EncounterParticipant))
        }
    assert there == {doctor: (MONDAY_8AM, LATER), patient: (MONDAY_8AM, LATER)}


def test_only_practitioners_of_the_place_write_notes(hospital: Hospital):
    rule = RULES["encounter.note"]
    clerk = Principal(PrincipalKind.STAFF, id=uuid4(), grants=frozenset({Grant(Role.DESK, hospital.id)}))
    assert rule.when(hospital.doctor, hospital.id)
    assert not rule.when(hospital.doctor, uuid4())
    assert not clerk.has_any(rule.roles)
