"""Row-level security, asked with the application's own role and raw SQL."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from telehealth.core.crypto import token_hash
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.patients import services
from telehealth.patients.services import NewPatient
from telehealth.settings import Settings
from tests.cast import ONG_HUNG, bearer, hire, open_facilities, patient_token, staff_token
from tests.conftest import MovableClock

WALLED = ("patient", "patient_identifier", "consent", "appointment", "encounter")


@pytest.fixture
def people(client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock) -> dict[str, UUID]:
    """Bé Bảo of Bà Lan's account; Bà Tư, known to the hospital only."""
    lan = bearer(patient_token(client, engine, settings.cipher))
    body = {"full_name": "Trần Gia Bảo", "birth_year": 2021, "national_id": "077221001234"}
    bao = UUID(client.post("/api/v1/patients", json=body, headers=lan).json["id"])
    places = open_facilities(engine)
    with system_unit_of_work(engine) as session:
        new = NewPatient("Lê Thị Tư", birth_year=1950, national_id="077150004321")
        tu = services.register(session, SYSTEM, new, now=clock.now, cipher=settings.cipher)
        services.link_facility(session, tu, places["BVT"], clock.now)
    return {"bao": bao, "tu": tu, **places}


def seen_by(engine: Engine, token: str | None, now) -> set[UUID]:
    with Session(engine) as session:
        if token is not None:
            session.execute(text("SELECT * FROM app_enter(:t, :now)"), {"t": token_hash(token), "now": now})
        return set(session.execute(text("SELECT id FROM patient")).scalars())


def test_a_raw_connection_sees_nobody(engine: Engine, people: dict[str, UUID]):
    with engine.connect() as connection:
        for table in WALLED:
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_the_control_sees_everybody(owner_engine: Engine, people: dict[str, UUID]):
    with owner_engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM patient")).scalar_one() == 2


def test_a_raw_connection_changes_and_adds_nothing(engine: Engine, people: dict[str, UUID]):
    with engine.connect() as connection:
        assert connection.execute(text("UPDATE patient SET full_name = 'x'")).rowcount == 0
        with pytest.raises(Exception, match="row-level security"):
            connection.execute(
                text(
                    "INSERT INTO consent (id, patient_id, purpose, text_version, channel, given_at) "
                    "VALUES (gen_random_uuid(), :id, 'x', '1', 'desk', now())"
                ),
                {"id": people["tu"]},
            )


def test_an_account_sees_its_own_family_only(
    client: FlaskClient, engine: Engine, settings: Settings, people: dict[str, UUID], clock: MovableClock
):
    lan = patient_token(client, engine, settings.cipher)
    hung = patient_token(client, engine, settings.cipher, ONG_HUNG)
    assert seen_by(engine, lan, clock.now) == {people["bao"]}
    assert seen_by(engine, hung, clock.now) == set()
    assert seen_by(engine, "no token", clock.now) == set()


def test_a_desk_sees_the_people_its_facility_knows(
    client: FlaskClient, engine: Engine, settings: Settings, people: dict[str, UUID], clock: MovableClock
):
    hospital = hire(engine, settings.cipher, "td.bvt", Role.DESK, people["BVT"], now=clock.now)
    station = hire(engine, settings.cipher, "td.tyt", Role.DESK, people["TYT"], now=clock.now)
    assert seen_by(engine, staff_token(client, hospital, clock.now), clock.now) == {people["tu"]}
    assert seen_by(engine, staff_token(client, station, clock.now), clock.now) == set()


def test_entering_ends_with_the_transaction(
    client: FlaskClient, engine: Engine, settings: Settings, people: dict[str, UUID], clock: MovableClock
):
    lan = patient_token(client, engine, settings.cipher)
    with Session(engine) as session:
        session.execute(text("SELECT * FROM app_enter(:t, :now)"), {"t": token_hash(lan), "now": clock.now})
        assert session.execute(text("SELECT count(*) FROM patient")).scalar_one() == 1
        session.rollback()
        assert session.execute(text("SELECT count(*) FROM patient")).scalar_one() == 0


def test_the_trail_cannot_be_changed(engine: Engine, people: dict[str, UUID]):
    for statement in (
        "UPDATE audit_event SET action = 'x'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
    ):
        with engine.connect() as connection, pytest.raises(Exception, match="permission denied"):
            connection.execute(text(statement))


def test_no_number_lies_in_clear_anywhere(owner_engine: Engine, people: dict[str, UUID]):
    with owner_engine.connect() as connection:
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        for table in list(tables):
            stored = str(connection.execute(text(f'SELECT to_jsonb(t) FROM "{table}" t')).all())
            for number in ("077221001234", "077150004321", "912345678"):
                assert number not in stored, table
                assert number.encode().hex() not in stored, table


def test_a_card_shown_at_another_desk_finds_the_person_and_leaves_a_row(
    client: FlaskClient, engine: Engine, settings: Settings, people: dict[str, UUID], clock: MovableClock
):
    station = hire(engine, settings.cipher, "td.tyt", Role.DESK, people["TYT"], now=clock.now)
    token = staff_token(client, station, clock.now)
    with Session(engine) as session:
        session.execute(text("SELECT * FROM app_enter(:t, :now)"), {"t": token_hash(token), "now": clock.now})
        found = services.find_by_identifier(
            session,
            SYSTEM,
            "national-id",
            "0771 5000 4321",
            facility_id=people["TYT"],
            now=clock.now,
            cipher=settings.cipher,
        )
        session.commit()
    assert [view.full_name for view in found] == ["Lê Thị Tư"]
    assert seen_by(engine, token, clock.now) == {people["tu"]}
    with engine.connect() as connection:
        found_by_card = text("SELECT count(*) FROM audit_event WHERE action = 'patient.find-by-card'")
        assert connection.execute(found_by_card).scalar_one() == 1


def test_messages_go_to_the_person_else_the_guardian_else_the_account(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    from telehealth.patients.queries import recipient_of

    patient_token(client, engine, settings.cipher)
    with system_unit_of_work(engine) as session:
        account = session.execute(text("SELECT id FROM account")).scalar_one()

        def register(**fields) -> UUID:
            return services.register(
                session, SYSTEM, NewPatient(birth_year=2000, **fields), now=clock.now, cipher=settings.cipher
            )

        mother = register(full_name="Mẹ", phone="0903000111")
        child = register(full_name="Con", guardian_id=mother)
        own = register(full_name="Lớn", phone="0903000222", guardian_id=mother)
        alone = register(full_name="Một mình")

        def phone(patient: UUID, account_id: UUID | None = None) -> str | None:
            recipient = recipient_of(session, patient, account_id, settings.cipher)
            return recipient and recipient.phone

        assert phone(own) == "+84903000222"
        assert phone(child) == "+84903000111"
        assert phone(alone, account) is None  # an account that does not act for them hears nothing
        acts = "INSERT INTO account_patient VALUES (:account, :patient, 'other', :now)"
        session.execute(text(acts), {"account": account, "patient": alone, "now": clock.now})
        assert phone(alone, account) == "+84912345678"


def test_an_unidentified_person_needs_no_birth_date(
    engine: Engine, clean_database: None, settings: Settings, clock: MovableClock
):
    with system_unit_of_work(engine) as session:
        new = NewPatient("Nam, khoảng 40 tuổi, chưa rõ tên", sex="male", unidentified=True)
        assert services.register(session, SYSTEM, new, now=clock.now, cipher=settings.cipher)
