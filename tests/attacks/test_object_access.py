"""Nobody reaches another's records: by any path, from any role, with any field."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from werkzeug.routing import AnyConverter, Rule
from werkzeug.test import TestResponse

from telehealth.core.clock import PROVINCE_TZ
from telehealth.queueing.routes.arranging import NUMBERS
from tests.attacks.town import Town
from tests.booking.clinic import FACILITIES
from tests.conftest import MovableClock

API = "/api/v1"
STRANGERS = (
    "anonymous",
    "minh",
    "other desk",
    "other practitioner",
    "other facility-admin",
    "other kiosk",
    "other integrator",
    "province-officer",
)
REFUSED = {401, 403, 404}
DOORS = ("/sign-in", "/staff/sign-in", "/kiosk/activate")
NOBODY = "00000000-0000-0000-0000-000000000001"
BODIES: dict[str, dict[str, Any]] = {
    "booking-api.confirm_coverage": {"coverage_basis": "none"},
    "kiosk-api.note_print": {"status": "printed"},
    "queueing-api.grant_priority": {"priority": "none"},
    "lent-api.make_list": {"size": 1},
    "queue-arranging-api.merge": {"into": NOBODY},
    "queue-arranging-api.move": {"service_point_id": NOBODY},
    "queue-arranging-api.pause": {"reason": "break"},
    "queue-arranging-api.set_settings": {
        **dict.fromkeys(NUMBERS, 1),
        "skips_by_itself": False,
    },
    "patients-api.OnePatient": {"sex": "male"},
    "invitations-api.Invitees": {
        "name": "Lê Minh",
        "contact": "0912345678",
        "relation": "child",
        "agreed": True,
    },
    "schedule-api.move_session": {"day": "2026-12-04", "start": "08:00", "practitioner_id": NOBODY},
    "identities-api.merge": {"merged_id": NOBODY, "same_person": True},
    "attendance-api.excuse": {"reason": "sick"},
}
STEPS = ("recall", "skip", "park", "return", "start", "done")
PUBLIC = {"queueing-api.show_queue"}  # how many wait: no person
WITHOUT_EFFECT = {"booking-api.delete_hold", "portal.release"}  # a hold that is not one's own is gone already
PERSONAL = ("appointment", "claim", "consent", "encounter", "patient", "patient_identifier", "ticket")


def aimed(town: Town) -> dict[str, str]:
    """Names of path parameters, and which record of Lan's they should hit."""
    records = town.records
    encounter = town.rows("SELECT id FROM encounter")[0][0]
    return {
        "appointment_id": records["appointment"]["id"],
        "hold_id": records["hold"]["id"],
        "patient_id": str(town.lan.patient_id),
        "ticket_id": records["ticket"]["id"],
        "encounter_id": str(encounter),
        "queue_id": records["queues"]["P1"],
        "visit_id": str(town.rows("SELECT visit_id FROM ticket WHERE visit_id IS NOT NULL")[0][0]),
        "session_id": str(town.rows("SELECT id FROM access_session ORDER BY created_at LIMIT 1")[0][0]),
    }


def targets(town: Town, values: dict[str, str]) -> Iterator[tuple[str, str, Rule]]:
    """Every method and address that names a record of Lan's."""
    for rule in town.app.url_map.iter_rules():
        if not rule.arguments & values.keys() or rule.endpoint in PUBLIC:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            for filled in fillings(rule, values):
                with town.app.test_request_context():
                    path = town.app.url_map.bind("localhost").build(rule.endpoint, filled, method=method)
                yield method, path, rule


def fillings(rule: Rule, values: dict[str, str]) -> Iterator[dict[str, str]]:
    """The rule's parameters: Lan's records, her hospital, and each word that the address can have."""
    words = {
        name: sorted(converter.items)
        for name, converter in rule._converters.items()
        if isinstance(converter, AnyConverter)
    } | ({"step": list(STEPS)} if "step" in rule.arguments else {})
    known = {"facility_id": str(FACILITIES["77001"])} | values
    plain = {name: known.get(name, "") for name in rule.arguments - words.keys()}
    for chosen in product(*words.values()):
        yield plain | dict(zip(words, chosen, strict=True))


def knock(town: Town, who: str, method: str, path: str, rule: Rule) -> TestResponse:
    """Send a request that would succeed but for who sends it."""
    caller = town.caller(who)
    version = {"If-Match": '"1"'}
    if path.startswith("/api/"):
        body = BODIES.get(rule.endpoint, {})
        if rule.endpoint in ("queueing-api.transfer", "visits-api.move_visit"):
            body = {"queue_id": town.records["queues"]["registration"]}
        if rule.endpoint in ("booking-api.reschedule_appointment", "booking-api.offer_slot"):
            body = {"slot_id": town.records["free slot"]}
        return caller.api(method, path, headers=version, **({} if method == "GET" else {"json": body}))
    form = {"csrf_token": "csrf", "version": "1", "reason_code": "patient", "note": "x", "agree": "yes"}
    form |= {"reason": "sick"}
    if rule.endpoint == "clinic.grant_priority":
        form["priority"] = "none"
    form |= {"queue": town.records["queues"]["registration"], "press_key": "one press"}
    return caller.browser().open(path, method=method, data=None if method == "GET" else form)


def turned_away(answer: TestResponse) -> bool:
    """Tell whether the answer refuses, or sends the caller to sign in."""
    to_a_door = answer.status_code in (302, 303) and answer.headers["Location"].startswith(DOORS)
    return answer.status_code in REFUSED or to_a_door


def secrets_of(town: Town) -> tuple[str, ...]:
    """What no stranger may read."""
    return (
        "Trần Thị Lan",
        "Đau ngực",
        *(town.records[name]["code"] for name in ("appointment", "next appointment")),
    )


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_reaches_nothing_by_any_path(lived_in: Town, who: str) -> None:
    values = aimed(lived_in)
    before, wrong = lived_in.hashes(), []
    for method, path, rule in targets(lived_in, values):
        answer = knock(lived_in, who, method, path, rule)
        read = answer.get_data(as_text=True)
        if not turned_away(answer) and rule.endpoint not in WITHOUT_EFFECT:
            wrong.append(f"{method} {path}: {answer.status_code} {read[:120]!r}")
        wrong += [f"{method} {path} tells {secret}" for secret in secrets_of(lived_in) if secret in read]
    assert not wrong, "\n".join(wrong)
    after = lived_in.hashes()
    assert {name for name in after if after[name] != before[name]} == set()


def test_lists_hold_only_ones_own(lived_in: Town) -> None:
    """Left out, widened or repeated filters return no more (trust.md: filter widening)."""
    lists = (
        "/appointments",
        "/appointments?facility=77001",
        "/appointments?facility=77001&date=2026-12-01",
        f"/appointments?patient_id={lived_in.lan.patient_id}",
        "/patients",
        "/sessions",
    )
    for who in STRANGERS:
        for path in lists:
            read = lived_in.caller(who).get(API + path).get_data(as_text=True)
            assert not [secret for secret in secrets_of(lived_in) if secret in read], (who, path)
            assert str(lived_in.lan.patient_id) not in read, (who, path)
        for page in ("/appointments", "/clinic", "/desk", "/desk/today", "/kiosk", "/board/77001"):
            read = lived_in.caller(who).browser().get(page, follow_redirects=True).get_data(as_text=True)
            assert not [secret for secret in secrets_of(lived_in) if secret in read], (who, page)


def test_the_code_of_a_booking_opens_it_only_to_its_people(lived_in: Town) -> None:
    code = lived_in.records["appointment"]["code"]
    for who in STRANGERS:
        page = lived_in.caller(who).browser().get(f"/a/{code}")
        assert turned_away(page), (who, page.status_code, page.headers.get("Location"))
        check_in = lived_in.caller(who).post(f"{API}/check-ins", {"code": code, "facility": "77001"})
        assert check_in.status_code in REFUSED, (who, check_in.json)
    told = lived_in.caller("other kiosk").post(f"{API}/check-ins", {"code": code})
    assert told.status_code == 409, "the right hospital and time, nothing else"
    assert not [secret for secret in ("Lan", "Đau ngực") if secret in told.get_data(as_text=True)]


def test_the_room_is_for_those_who_meet_in_it(lived_in: Town, clock: MovableClock) -> None:
    video = lived_in.records["minh's video"]
    clock.now = clock.now.astimezone(PROVINCE_TZ).replace(hour=16, minute=58)
    joined = lived_in.caller("minh").post(f"{API}/appointments/{video['id']}/join")
    assert joined.status_code == 200, joined.json
    room = joined.json["url"]
    strangers = ("anonymous", "lan", "desk", "other desk", "practitioner", "other kiosk", "province-officer")
    for who in strangers:
        caller = lived_in.caller(who)
        assert caller.post(f"{API}/appointments/{video['id']}/join").status_code in REFUSED, who
        browser = caller.browser()
        assert turned_away(browser.get(room)), who
        for path in (f"{room}/ticket", f"{room}/end"):
            answer = browser.post(path, json={}, headers={"X-CSRF-Token": "csrf"})
            assert answer.status_code in REFUSED, (who, path)
        assert turned_away(browser.post(f"/appointments/{video['id']}/room", data={"csrf_token": "csrf"})), (
            who
        )
    assert lived_in.rows("SELECT count(*) FROM room WHERE ended_at IS NOT NULL") == [(0,)]
    as_login = lived_in.caller("anonymous").get(
        f"{API}/appointments", headers={"Authorization": f"Bearer {joined.json['ticket']}"}
    )
    assert as_login.status_code == 401, "a ticket to a room is no sign-in"


ENDINGS = (
    ("lan", "UPDATE access_session SET revoked_at = now() WHERE kind = 'patient'"),
    ("lan", "UPDATE account SET disabled_at = now()"),
    ("lan", "UPDATE access_session SET expires_at = '2026-11-30T00:59:59Z'"),
    ("desk", "UPDATE account SET disabled_at = now()"),
    ("desk", "UPDATE membership SET valid_to = '2026-11-30T00:59:59Z'"),
    ("kiosk", "UPDATE device SET revoked_at = now()"),
    ("integrator", "UPDATE integrator_client SET revoked_at = now()"),
)


def test_an_ended_right_opens_nothing_at_once(lived_in: Town, owner_engine: Engine) -> None:
    path = f"{API}/appointments/{lived_in.records['appointment']['id']}"
    for who, ending in ENDINGS:
        assert lived_in.caller(who).get(path).status_code == 200, who
        with owner_engine.connect() as connection:
            connection.execute(text(ending))
            connection.commit()
        assert lived_in.caller(who).get(path).status_code in (401, 403), ending
        assert turned_away(lived_in.caller(who).browser().get("/appointments")), ending
        with owner_engine.begin() as connection:
            for table, column in (
                ("access_session", "revoked_at = NULL, expires_at = '2027-11-30'"),
                ("account", "disabled_at = NULL"),
                ("membership", "valid_to = NULL"),
                ("device", "revoked_at = NULL"),
                ("integrator_client", "revoked_at = NULL"),
            ):
                connection.execute(text(f"UPDATE {table} SET {column}"))


def test_an_ended_relation_hides_the_patient_at_once(lived_in: Town, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE account_patient SET valid_to = '2026-11-01'"))
    lan = lived_in.caller("lan")
    assert lan.get(f"{API}/patients/{lived_in.lan.patient_id}").status_code == 404
    assert lan.get(f"{API}/patients").json["items"] == []


def test_a_raw_connection_sees_no_person(lived_in: Town, engine: Engine) -> None:
    """The application's own role, without entering as anybody (trust.md 13: the second wall)."""
    walled = tuple(table for table in PERSONAL if table != "claim")
    for settings in ({}, {"app.kind": "anonymous"}, {"app.kind": "patient"}, {"app.kind": "staff"}):
        with engine.connect() as connection:
            for name, value in settings.items():
                connection.execute(text(f"SELECT set_config('{name}', '{value}', true)"))
            seen = {
                table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                for table in walled
            }
        assert seen == dict.fromkeys(walled, 0), settings


def test_the_application_cannot_rewrite_history(lived_in: Town, engine: Engine) -> None:
    for statement in (
        "UPDATE audit_event SET action = 'x'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "DELETE FROM login_event",
        "DELETE FROM appointment",
        "DELETE FROM patient",
        "DELETE FROM encounter",
        "DELETE FROM ticket",
        "ALTER TABLE patient DISABLE ROW LEVEL SECURITY",
        "DROP TABLE audit_event",
        "UPDATE clock_offset SET seconds = 0",
        "SET ROLE postgres",
    ):
        with (
            engine.connect() as connection,
            pytest.raises(DBAPIError, match=r"denied|owner|does not exist"),
        ):
            connection.execute(text(statement))


HIDDEN: dict[str, Any] = {
    "status": "fulfilled",
    "role": "facility-admin",
    "price_class": "insured",
    "facility_id": "00000000-0000-0000-0000-000000000001",
    "coverage_checked": True,
    "coverage_checked_at": "2026-11-30T08:00:00+07:00",
    "account_id": "00000000-0000-0000-0000-000000000001",
    "practitioner_id": "00000000-0000-0000-0000-000000000001",
    "channel": "desk",
    "lane": 1,
    "code": "AAAAAAAA",
    "version": 1,
    "id": "00000000-0000-0000-0000-000000000001",
    "priority_class": "emergency",
    "number": 1,
    "created_at": "2020-01-01T00:00:00Z",
    "disabled_at": None,
    "__proto__": {},
}


def test_hidden_fields_cannot_be_written(lived_in: Town) -> None:
    """Mass assignment (ASVS 15.3.3): a field that is not in the schema is refused, not ignored."""
    lan, kiosk, records = lived_in.caller("lan"), lived_in.caller("kiosk"), lived_in.records
    booked = f"{API}/appointments/{records['next appointment']['id']}"
    patient = f"{API}/patients/{lived_in.lan.patient_id}"
    slot = {"slot_id": records["free slot"]}
    person = {"full_name": "Lê Thị Mơ", "birth_year": 1980}
    wanted = slot | {"patient_id": str(lived_in.lan.patient_id)}
    asks = (
        (lan, "POST", f"{API}/appointments", wanted),
        (lan, "POST", f"{API}/holds", slot),
        (lan, "POST", f"{booked}/cancel", {"reason_code": "patient"}),
        (lan, "POST", f"{booked}/reschedule", slot),
        (lan, "POST", f"{API}/patients", person),
        (lan, "PATCH", patient, {"sex": "male"}),
        (lived_in.caller("desk"), "POST", f"{booked}/coverage", {"coverage_basis": "none"}),
        (kiosk, "POST", f"{API}/queues/{records['queues']['registration']}/tickets", {}),
        (kiosk, "POST", f"{API}/check-ins", {"code": records["next appointment"]["code"]}),
        (lived_in.caller("anonymous"), "POST", f"{API}/otp", {"phone": "0912345678"}),
        (lived_in.caller("anonymous"), "POST", f"{API}/sessions", {"login": "a", "password": "b"}),
    )
    before = lived_in.hashes()
    for caller, method, path, body in asks:
        for name, value in HIDDEN.items():
            if name in body:
                continue
            answer = caller.api(method, path, json=body | {name: value}, headers={"If-Match": '"1"'})
            assert answer.status_code == 422, (path, name, answer.status_code)
            assert answer.json["fields"].keys() & {name, "_schema"}, (path, name, answer.json)
    assert lived_in.hashes() == before


def test_another_familys_patient_cannot_be_booked_for(lived_in: Town) -> None:
    slot = lived_in.records["free slot"]
    body = {"slot_id": slot, "patient_id": str(lived_in.lan.patient_id)}
    answer = lived_in.caller("minh").post(f"{API}/appointments", body)
    assert (answer.status_code, answer.json["code"]) == (404, "patient-unknown")
    held = {"hold_id": lived_in.records["hold"]["id"], "patient_id": str(lived_in.minh.patient_id)}
    stolen = lived_in.caller("minh").post(f"{API}/appointments", held)
    assert stolen.status_code in (404, 409), stolen.json
    hers = f"{API}/patients/{lived_in.minh.patient_id}"
    guardian = {"full_name": "Bé Na", "birth_year": 2020, "guardian_id": str(lived_in.lan.patient_id)}
    assert lived_in.caller("minh").post(f"{API}/patients", guardian).status_code == 422
    assert lived_in.caller("minh").get(hers).status_code == 200
