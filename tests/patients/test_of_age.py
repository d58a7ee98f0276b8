"""A child leaves guardianship at 18, by the date alone, and takes over their own record."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from telehealth.patients.queries import recipient_of
from telehealth.patients.rules import adult_from, consent_age
from telehealth.settings import Settings
from tests.booking.conftest import set_database_clock
from tests.cast import BA_LAN, ONG_HUNG, bearer, patient_token
from tests.conftest import MovableClock

__all__ = ["set_database_clock"]

BIRTHDAYS = {
    "2008-12-01": date(2026, 12, 1),
    "2008-02-29": date(2026, 3, 1),
    "2008-02": date(2026, 3, 1),
    "2008-11": date(2026, 11, 30),
    "2008-03-01": date(2026, 3, 1),
    "2008": date(2026, 12, 31),
}


@pytest.mark.parametrize("born", BIRTHDAYS)
def test_the_day_of_age_is_the_last_that_a_birth_date_may_mean_in_both_languages(engine: Engine, born: str):
    assert adult_from(born) == BIRTHDAYS[born]
    with engine.connect() as connection:
        instant = connection.execute(text("SELECT adult_from(:born)"), {"born": born}).scalar_one()
    assert instant == datetime.fromisoformat(f"{BIRTHDAYS[born].isoformat()}T00:00:00+07:00")


def test_whose_consent_counts_is_data():
    today = date(2026, 11, 30)
    notes = {born: consent_age(born, today) for born in ("2020", "2019-11-30", "2008-12-01", "2008-11-30")}
    assert [note and note.note for note in notes.values()] == [
        "patients-consent-under-7",
        "patients-consent-from-7",
        "patients-consent-from-7",
        None,
    ]


@pytest.fixture
def family(client: FlaskClient, engine: Engine, settings: Settings) -> dict[str, str]:
    """Bà Lan, and her son Bảo with a telephone of his own, who is 18 on Tuesday."""
    lan = bearer(patient_token(client, engine, settings.cipher, BA_LAN))
    mother = client.post(
        "/api/v1/patients", json={"full_name": "Trần Thị Lan", "birth_year": 1980}, headers=lan
    ).json["id"]
    son = {
        "full_name": "Trần Gia Bảo",
        "birth_date": "2008-12-01",
        "relation": "parent",
        "phone": ONG_HUNG,
        "guardian_id": mother,
    }
    made = client.post("/api/v1/patients", json=son, headers=lan)
    assert made.status_code == 201, made.json
    return {"son": made.json["id"], "mother": mother, **lan}


def people(client: FlaskClient, headers: dict[str, str]) -> list[str]:
    listed = client.get("/api/v1/patients", headers=headers)
    assert listed.status_code == 200, listed.json
    return sorted(row["id"] for row in listed.json["items"])


def test_the_relation_ends_by_itself_and_the_page_says_so(
    client: FlaskClient,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    lan = {"Authorization": family["Authorization"]}
    assert people(client, lan) == sorted([family["son"], family["mother"]])
    set_database_clock(clock.forward(hours=16))
    assert people(client, lan) == [family["mother"]]
    assert client.get(f"/api/v1/patients/{family['son']}", headers=lan).status_code == 404
    page = client.get("/account", headers=lan | {"Accept": "text/html"}).get_data(as_text=True)
    assert "Trần Gia Bảo đã đủ 18 tuổi" in page


def test_a_birth_date_put_right_moves_the_end(
    client: FlaskClient,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    lan = {"Authorization": family["Authorization"]}
    changed = client.patch(
        f"/api/v1/patients/{family['son']}",
        json={"birth_date": "2009-12-01"},
        headers=lan | {"If-Match": '"1"'},
    )
    assert changed.status_code == 200, changed.json
    set_database_clock(clock.forward(hours=16))
    assert people(client, lan) == sorted([family["son"], family["mother"]])


def test_he_takes_over_his_record_with_his_own_telephone_and_nobody_else_does(
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    own = {"full_name": "TRẦN GIA BẢO", "birth_date": "2008-12-01"}
    early = bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))
    refused = client.post("/api/v1/patients/own", json=own, headers=early)
    assert (refused.status_code, refused.json["code"]) == (422, "own-record-unknown"), "not of age yet"
    set_database_clock(clock.forward(hours=16))
    stranger = bearer(patient_token(client, engine, settings.cipher, "0934567890"))
    for who, said in (
        (stranger, own),
        (early, own | {"birth_date": "2008-12-02"}),
        (early, own | {"full_name": "Trần Gia Bình"}),
    ):
        answer = client.post("/api/v1/patients/own", json=said, headers=who)
        assert (answer.status_code, answer.json["code"]) == (422, "own-record-unknown")
    taken = client.post("/api/v1/patients/own", json=own, headers=early)
    assert taken.status_code == 200, taken.json
    assert taken.json["id"] == family["son"]
    assert people(client, early) == [family["son"]]


def test_guesses_at_a_record_are_counted(client: FlaskClient, engine: Engine, settings: Settings):
    headers = bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))
    said = {"full_name": "Ai Đó", "birth_date": "2000-01-01"}
    answers = [client.post("/api/v1/patients/own", json=said, headers=headers).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_a_grown_persons_messages_no_longer_go_to_the_guardian(
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    family: dict[str, str],
    set_database_clock: Callable[[datetime], None],
):
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE patient SET phone_sealed = NULL, phone_index = NULL WHERE id = :id"),
            {"id": family["son"]},
        )
        session.execute(
            text("UPDATE patient SET phone_sealed = :sealed WHERE id = :id"),
            {
                "sealed": settings.cipher.seal_text("+84903000111", f"patient.phone:{family['mother']}"),
                "id": family["mother"],
            },
        )

    def told() -> str | None:
        with system_unit_of_work(engine) as session:
            to = recipient_of(session, UUID(family["son"]), None, settings.cipher)
            return to and to.phone

    set_database_clock(datetime(2026, 11, 30, 1, tzinfo=UTC))
    assert told() == "+84903000111"
    set_database_clock(datetime(2026, 12, 1, 1, tzinfo=UTC))
    assert told() is None
