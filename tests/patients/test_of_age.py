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


def born(engine: Engine, patient_id: str, birth_date: str) -> None:
    """Put a birth date right, as a desk does with the papers."""
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE patient SET birth_date = :born WHERE id = :id"),
            {"born": birth_date, "id": patient_id},
        )


def test_a_birth_date_put_right_at_a_desk_moves_the_end(
    client: FlaskClient,
    engine: Engine,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    lan = {"Authorization": family["Authorization"]}
    born(engine, family["son"], "2009-12-01")
    set_database_clock(clock.forward(hours=16))
    assert people(client, lan) == sorted([family["son"], family["mother"]])


def test_a_child_who_turns_out_to_be_grown_is_let_go_at_once(
    client: FlaskClient, engine: Engine, family: dict[str, str]
):
    born(engine, family["son"], "1990")
    assert people(client, {"Authorization": family["Authorization"]}) == [family["mother"]]


@pytest.mark.parametrize(
    ("birth_date", "status"), [("2009-12-01", 409), ("1990", 409), ("2008", 409), ("2008-11-30", 409)]
)
def test_a_parent_does_not_lengthen_their_right(
    client: FlaskClient, family: dict[str, str], birth_date: str, status: int
):
    changed = client.patch(
        f"/api/v1/patients/{family['son']}",
        json={"birth_date": birth_date},
        headers={"Authorization": family["Authorization"], "If-Match": '"1"'},
    )
    assert (changed.status_code, changed.json["code"]) == (status, "birth-date-at-desk")


def test_a_birth_date_that_shortens_the_right_is_anybodys_to_put_right(
    client: FlaskClient, engine: Engine, family: dict[str, str]
):
    born(engine, family["son"], "2010-12-01")
    changed = client.patch(
        f"/api/v1/patients/{family['son']}",
        json={"birth_date": "2010-11-01"},
        headers={"Authorization": family["Authorization"], "If-Match": '"1"'},
    )
    assert changed.status_code == 200, changed.json


@pytest.mark.parametrize("relation", ["relative", "other", "guardian", None])
def test_whatever_one_is_to_a_child_ends_when_the_child_is_of_age(
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
    relation: str | None,
):
    lan = bearer(patient_token(client, engine, settings.cipher, BA_LAN))
    niece = {"full_name": "Trần Gia Hân", "birth_date": "2008-12-01"} | (
        {"relation": relation} if relation else {}
    )
    assert client.post("/api/v1/patients", json=niece, headers=lan).status_code == 201
    set_database_clock(clock.forward(hours=16))
    assert people(client, lan) == []


def test_nobody_registers_a_small_child_as_themselves(
    client: FlaskClient, engine: Engine, settings: Settings
):
    lan = bearer(patient_token(client, engine, settings.cipher, BA_LAN))
    child = {"full_name": "Trần Gia Hân", "birth_date": "2020", "relation": "self"}
    refused = client.post("/api/v1/patients", json=child, headers=lan)
    assert refused.status_code == 422
    assert "Trẻ dưới 16 tuổi" in refused.get_data(as_text=True) or "relation" in str(refused.json)


def test_a_parent_whose_own_number_stands_in_the_record_does_not_take_it_back(
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    own = {"full_name": "Trần Gia Bảo", "birth_date": "2008-12-01"}
    lan = {"Authorization": family["Authorization"]}
    patched = client.patch(
        f"/api/v1/patients/{family['son']}", json={"phone": BA_LAN}, headers=lan | {"If-Match": '"1"'}
    )
    assert patched.status_code == 200, patched.json
    set_database_clock(clock.forward(hours=16))
    again = client.post("/api/v1/patients/own", json=own, headers=lan)
    assert (again.status_code, again.json["code"]) == (422, "own-record-unknown")
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE account_patient SET valid_to = valid_from WHERE patient_id = :id"),
            {"id": family["mother"]},
        )
    again = client.post("/api/v1/patients/own", json=own, headers=lan)
    assert again.status_code == 422, "without a record of her own neither"


def test_who_has_a_record_of_their_own_takes_no_other(
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    hung = bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))
    own = {"full_name": "Trần Văn Hùng", "birth_year": 1978}
    assert client.post("/api/v1/patients", json=own, headers=hung).status_code == 201
    set_database_clock(clock.forward(hours=16))
    said = {"full_name": "Trần Gia Bảo", "birth_date": "2008-12-01"}
    assert client.post("/api/v1/patients/own", json=said, headers=hung).status_code == 422


def test_who_takes_over_is_the_only_one_from_then_on(
    client: FlaskClient,
    engine: Engine,
    settings: Settings,
    family: dict[str, str],
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    set_database_clock(clock.forward(hours=16))
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE account_patient SET relation = 'spouse', valid_to = NULL WHERE patient_id = :id"),
            {"id": family["son"]},
        )
    son = bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))
    said = {"full_name": "Trần Gia Bảo", "birth_date": "2008-12-01"}
    assert client.post("/api/v1/patients/own", json=said, headers=son).status_code == 200
    assert people(client, {"Authorization": family["Authorization"]}) == [family["mother"]]


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
