"""The signed-in person and family, over the API."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from telehealth.accounts.services import GrantSpec, grant_role
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.patients import services
from telehealth.patients.errors import BadPatient
from telehealth.patients.services import NewPatient
from telehealth.settings import Settings
from tests.cast import ONG_HUNG, bearer, hire, open_facilities, patient_token, staff_token
from tests.conftest import MovableClock

LAN = {"full_name": "Nguyễn Thị Lan", "birth_date": "1952-09-05", "sex": "female", "phone": "0912345678"}
BI = {"full_name": "Trần Gia Bảo", "birth_year": 2021, "sex": "male", "relation": "parent"}


@pytest.fixture
def lan(client: FlaskClient, engine: Engine, settings: Settings) -> dict[str, str]:
    return bearer(patient_token(client, engine, settings.cipher))


@pytest.fixture
def hung(client: FlaskClient, engine: Engine, settings: Settings) -> dict[str, str]:
    return bearer(patient_token(client, engine, settings.cipher, ONG_HUNG))


def test_a_person_registers_herself_and_her_grandson(client: FlaskClient, lan: dict[str, str]):
    own = client.post("/api/v1/patients", json=LAN, headers=lan)
    assert own.status_code == 201
    assert own.json["relation"] is None or own.json["full_name"] == "Nguyễn Thị Lan"
    child = client.post("/api/v1/patients", json={**BI, "guardian_id": own.json["id"]}, headers=lan)
    assert child.status_code == 201
    assert child.json["birth_date"] == "2021"
    listed = client.get("/api/v1/patients", headers=lan).json["items"]
    assert [(row["full_name"], row["relation"]) for row in listed] == [
        ("Nguyễn Thị Lan", "self"),
        ("Trần Gia Bảo", "parent"),
    ]


def test_numbers_are_stored_sealed_and_shown_masked(client: FlaskClient, lan: dict[str, str], engine: Engine):
    body = {**LAN, "national_id": "077152001234", "insurance_no": "HT3797712345678"}
    made = client.post("/api/v1/patients", json=body, headers=lan).json
    assert made["national_id_masked"].endswith("1234")
    assert "0771" not in made["national_id_masked"]
    assert made["insurance_no_masked"].endswith("5678")


def test_a_number_that_does_not_fit_warns_and_does_not_block(client: FlaskClient, lan: dict[str, str]):
    made = client.post("/api/v1/patients", json={**LAN, "national_id": "077099001234"}, headers=lan)
    assert made.status_code == 201
    assert len(made.json["warnings"]) == 2


def test_the_same_person_registered_twice_is_one(client: FlaskClient, lan: dict[str, str]):
    first = client.post("/api/v1/patients", json=LAN, headers=lan).json["id"]
    second = client.post("/api/v1/patients", json={**LAN, "full_name": "NGUYỄN THỊ LAN"}, headers=lan).json[
        "id"
    ]
    assert first == second


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"full_name": " "}, "full_name"),
        ({"full_name": "<script>"}, "full_name"),
        ({"full_name": "x" * 150}, "full_name"),
        ({"full_name": "😀😀"}, "full_name"),
        ({"birth_date": "2026-02-30"}, "birth_date"),
        ({"birth_date": "2030-01-01"}, "birth_date"),
        ({"birth_date": "1880"}, "birth_date"),
        ({"birth_date": "１９９０"}, "birth_date"),
        ({"national_id": "²" * 12}, "national_id"),
        ({"guardian_id": "00000000-0000-4000-8000-000000000001"}, "guardian_id"),
        ({"birth_date": None}, "birth_date"),
        ({"sex": "bird"}, "sex"),
        ({"phone": "12"}, "phone"),
        ({"national_id": "123"}, "national_id"),
        ({"insurance_no": "XX0123"}, "insurance_no"),
        ({"passport_no": "!"}, "passport_no"),
        ({"nationality": "Vietnam"}, "nationality"),
        ({"role": "admin"}, "role"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_field(
    client: FlaskClient, lan: dict[str, str], change: dict, field: str
):
    refused = client.post("/api/v1/patients", json={**LAN, **change}, headers=lan)
    assert refused.status_code == 422, refused.json
    assert field in refused.json["fields"]


def test_odd_names_are_kept_as_they_are(client: FlaskClient, lan: dict[str, str]):
    for name in ("Robert'); DROP TABLE patient;--", "Đỗ Thị Ơ", "Y Êban H'Hen", "Nguyễn 😀 Lan"):
        made = client.post("/api/v1/patients", json={**LAN, "full_name": name}, headers=lan)
        assert made.status_code == 201
        assert made.json["full_name"] == name


def test_decomposed_letters_become_composed(client: FlaskClient, lan: dict[str, str]):
    made = client.post("/api/v1/patients", json={**LAN, "full_name": "Nguyễn Thị Hoà"}, headers=lan)
    assert made.json["full_name"] == "Nguyễn Thị Hoà"


def test_a_change_needs_the_version_it_changes(client: FlaskClient, lan: dict[str, str]):
    made = client.post("/api/v1/patients", json=LAN, headers=lan)
    place = f"/api/v1/patients/{made.json['id']}"
    assert client.patch(place, json={"phone": None}, headers=lan).status_code == 428
    changed = client.patch(
        place, json={"address": "12 Trần Phú"}, headers={**lan, "If-Match": made.headers["ETag"]}
    )
    assert changed.status_code == 200
    assert (changed.json["address"], changed.json["phone"]) == ("12 Trần Phú", "+84912345678")
    stale = client.patch(place, json={"address": "x"}, headers={**lan, "If-Match": made.headers["ETag"]})
    assert (stale.status_code, stale.json["code"]) == (412, "patient-changed")


def test_a_stranger_sees_and_changes_nothing(client: FlaskClient, lan: dict[str, str], hung: dict[str, str]):
    place = f"/api/v1/patients/{client.post('/api/v1/patients', json=BI, headers=lan).json['id']}"
    assert client.get(place, headers=hung).status_code == 404
    assert client.patch(place, json={"sex": "male"}, headers={**hung, "If-Match": '"1"'}).status_code == 404
    assert client.get(f"{place}/trail", headers=hung).status_code == 404
    assert client.delete(place, headers=hung).status_code == 404


def test_the_desk_sees_only_people_of_its_own_facility(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    places = open_facilities(engine)
    tokens = {}
    for code in places:
        clerk = hire(
            engine, settings.cipher, f"tiepdon.{code.lower()}", Role.DESK, places[code], now=clock.now
        )
        tokens[code] = bearer(staff_token(client, clerk, clock.now))
    made = client.post("/api/v1/patients", json=LAN, headers=tokens["BVT"])
    assert made.status_code == 201, made.json
    place = f"/api/v1/patients/{made.json['id']}"
    assert client.get(place, headers=tokens["BVT"]).status_code == 200
    assert client.get(place, headers=tokens["TYT"]).status_code == 404


def test_each_look_and_change_leaves_a_row_that_the_person_can_read(
    client: FlaskClient, lan: dict[str, str], engine: Engine
):
    made = client.post("/api/v1/patients", json=LAN, headers=lan).json
    place = f"/api/v1/patients/{made['id']}"
    client.get(place, headers=lan)
    client.patch(place, json={"sex": "other"}, headers={**lan, "If-Match": '"1"'})
    trail = client.get(f"{place}/trail", headers=lan).json["items"]
    assert [row["action"] for row in trail] == ["patient.change", "patient.read", "patient.register"]
    with engine.connect() as connection:
        details = str(connection.execute(text("SELECT details FROM audit_event")).all())
    assert "Lan" not in details


def test_leaving_ends_the_right_to_act_at_once(client: FlaskClient, lan: dict[str, str]):
    made = client.post("/api/v1/patients", json=BI, headers=lan).json["id"]
    assert client.delete(f"/api/v1/patients/{made}", headers=lan).status_code == 204
    assert client.get(f"/api/v1/patients/{made}", headers=lan).status_code == 404


def test_an_account_looks_after_twenty_people_at_most(client: FlaskClient, lan: dict[str, str]):
    answers = [
        client.post(
            "/api/v1/patients", json={**BI, "full_name": f"Bé Thứ {chr(65 + n)}"}, headers=lan
        ).status_code
        for n in range(21)
    ]
    assert answers == [201] * 20 + [409]


def test_a_guardian_is_somebody_the_caller_looks_after(
    client: FlaskClient, lan: dict[str, str], hung: dict[str, str]
):
    stranger = client.post("/api/v1/patients", json={**LAN, "full_name": "Trần Hùng"}, headers=hung).json
    refused = client.post("/api/v1/patients", json={**BI, "guardian_id": stranger["id"]}, headers=lan)
    assert (refused.status_code, list(refused.json["fields"])) == (422, ["guardian_id"])
    unknown = client.post(
        "/api/v1/patients", json={**BI, "guardian_id": "00000000-0000-4000-8000-000000000001"}, headers=lan
    )
    assert unknown.json["fields"] == refused.json["fields"], "it does not tell who exists"


def test_nobody_is_their_own_guardian(
    engine: Engine, client: FlaskClient, settings: Settings, clock: MovableClock
):
    with system_unit_of_work(engine) as session:
        asked = {"now": clock.now, "cipher": settings.cipher}
        child = services.register(session, SYSTEM, NewPatient("Trần Gia Bảo", birth_year=2021), **asked)
        for guardian in (child, new_id()):
            with pytest.raises(BadPatient) as refused:
                services.change(session, SYSTEM, child, {"guardian_id": guardian}, version=1, **asked)
            assert list(refused.value.fields) == ["guardian_id"]


def test_a_trail_asks_for_all_names_at_once(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    places = open_facilities(engine)
    made = None
    for number in range(4):
        clerk = hire(engine, settings.cipher, f"td.so{number}", Role.DESK, places["BVT"], now=clock.now)
        headers = bearer(staff_token(client, clerk, clock.now))
        made = made or client.post("/api/v1/patients", json=LAN, headers=headers).json["id"]
        client.get(f"/api/v1/patients/{made}", headers=headers)
    admin = hire(engine, settings.cipher, "qt.bvt", Role.FACILITY_ADMIN, places["BVT"], now=clock.now)
    headers = bearer(staff_token(client, admin, clock.now))
    asked: list[str] = []
    note = lambda _connection, _cursor, statement, *_rest: asked.append(statement)  # noqa: E731
    event.listen(engine, "before_cursor_execute", note)
    try:
        trail = client.get(f"/api/v1/patients/{made}/trail", headers=headers).json["items"]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert {row["actor"] for row in trail} == {f"Td So{number}" for number in range(4)}
    assert sum("FROM account" in statement for statement in asked) == 1


def test_the_clerk_of_several_facilities_names_the_one_that_knows_the_person(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    places = open_facilities(engine)
    clerk = hire(engine, settings.cipher, "td.hai", Role.DESK, places["BVT"], now=clock.now)
    with system_unit_of_work(engine) as session:
        grant_role(session, clerk.id, GrantSpec(Role.DESK, places["TYT"]), now=clock.now)
    headers = bearer(staff_token(client, clerk, clock.now))
    unnamed = client.post("/api/v1/patients", json=LAN, headers=headers)
    assert (unnamed.status_code, list(unnamed.json["fields"])) == (422, ["facility_id"])
    made = client.post("/api/v1/patients", json={**LAN, "facility_id": str(places["TYT"])}, headers=headers)
    assert made.status_code == 201, made.json
    with engine.connect() as connection:
        known = connection.execute(text("SELECT facility_id FROM patient_facility")).scalars().all()
    assert known == [places["TYT"]]


def test_a_clerk_cannot_name_another_facility_and_a_patient_none(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, lan: dict[str, str]
):
    places = open_facilities(engine)
    clerk = hire(engine, settings.cipher, "td.mot", Role.DESK, places["BVT"], now=clock.now)
    body = {**LAN, "facility_id": str(places["TYT"])}
    for headers in (bearer(staff_token(client, clerk, clock.now)), lan):
        refused = client.post("/api/v1/patients", json=body, headers=headers)
        assert (refused.status_code, list(refused.json["fields"])) == (422, ["facility_id"])


def test_an_administrator_reads_no_trails_where_she_is_a_clerk(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    places = open_facilities(engine)
    admin = hire(engine, settings.cipher, "qt.hai", Role.FACILITY_ADMIN, places["BVT"], now=clock.now)
    with system_unit_of_work(engine) as session:
        grant_role(session, admin.id, GrantSpec(Role.DESK, places["TYT"]), now=clock.now)
        asked = {"now": clock.now, "cipher": settings.cipher}
        person = services.register(session, SYSTEM, NewPatient("Lê Thị Tư", birth_year=1950), **asked)
        services.link_facility(session, person, places["TYT"], clock.now)
    headers = bearer(staff_token(client, admin, clock.now))
    assert client.get(f"/api/v1/patients/{person}", headers=headers).status_code == 200
    assert client.get(f"/api/v1/patients/{person}/trail", headers=headers).status_code == 404
