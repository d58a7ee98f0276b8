"""Bad input over HTTP: each time a clear refusal in both languages, and nothing lost or half-written."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from telehealth.settings import Settings
from telehealth.web.localization import has_message
from tests.attacks.town import TODAY, TOMORROW, Town
from tests.cast import ask_for_code, code_for

API = "/api/v1"
PHONE = "0912345678"
SQL = "Robert'); DROP TABLE patient;--"
NAMES = {
    "sql": SQL,
    "emoji": "Nguyễn 😀 Thị Hoa",
    "right-to-left": "محمد \u202e علي",
    "zero-width": "Lê\u200b Thị\u200d Mơ\ufeff",
    "template": "{{7*7}} ${7*7} {0.__class__}",
    "markup": "<script>alert(1)</script>",
    "decomposed": "Trần Thị Hoà",
}


def refused(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """Check that an answer is a problem whose code has a text in both languages."""
    assert answer.status_code == status, (answer.status_code, answer.get_data(as_text=True)[:300])
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = answer.json
    assert body["status"] == status
    assert code is None or body["code"] == code, body
    assert has_message("vi", f"error-{body['code']}"), body["code"]
    assert has_message("en", f"error-{body['code']}"), body["code"]
    assert body["detail"]
    assert not body["detail"].startswith("error-")
    return body


def test_wrong_and_burnt_codes(town: Town, engine: Engine, settings: Settings) -> None:
    client = town.app.test_client()
    challenge = ask_for_code(client, PHONE).json["challenge_id"]
    right = code_for(engine, settings.cipher, challenge)
    wrong = f"{(int(right) + 1) % 10 ** len(right):0{len(right)}d}"
    for _ in range(5):
        answer = client.post(f"{API}/sessions", json={"challenge_id": challenge, "code": wrong})
        refused(answer, 401, "wrong-code")
    burnt = client.post(f"{API}/sessions", json={"challenge_id": challenge, "code": right})
    refused(burnt, 401, "wrong-code")
    foreign = client.post(f"{API}/sessions", json={"challenge_id": str(uuid4()), "code": right})
    refused(foreign, 401, "wrong-code")
    assert town.rows("SELECT 1 FROM account WHERE kind = 'patient'") == [(1,), (1,)]  # Lan and Minh


def test_a_code_opens_once(town: Town, engine: Engine, settings: Settings) -> None:
    client = town.app.test_client()
    challenge = ask_for_code(client, PHONE).json["challenge_id"]
    body = {"challenge_id": challenge, "code": code_for(engine, settings.cipher, challenge)}
    assert client.post(f"{API}/sessions", json=body).status_code == 201
    refused(client.post(f"{API}/sessions", json=body), 401, "wrong-code")


def test_slots_that_cannot_be_had(town: Town) -> None:
    lan = town.caller("lan")
    before = town.counts()
    tomorrow = town.slots()[0]["id"]
    session_id, minute = tomorrow.split(".")
    past = town.slots(**{"from": TODAY})[0]["id"].split(".")[0] + ".480"
    for slot, status, codes in (
        (past, 409, {"slot-in-past", "slot-too-soon"}),
        (f"{uuid4()}.{minute}", 404, {"slot-unknown"}),
        (f"{session_id}.{int(minute) + 1}", 404, {"slot-unknown"}),
        (f"{session_id}.99999", 404, {"slot-unknown"}),
        (f"{session_id}.-1", 404, {"slot-unknown"}),
        (f"{session_id}.²²²", 404, {"slot-unknown"}),
        (session_id, 404, {"slot-unknown"}),
        (SQL, 404, {"slot-unknown"}),
        ("😀", 404, {"slot-unknown"}),
    ):
        wanted = {"slot_id": slot, "patient_id": str(town.lan.patient_id)}
        for path, body in ((f"{API}/appointments", wanted), (f"{API}/holds", {"slot_id": slot})):
            assert refused(lan.post(path, body), status)["code"] in codes, slot
    assert town.counts() == before


UNKNOWN = (
    "/slots?facility=NOWHERE",
    "/facilities/NOWHERE",
    "/facilities/NOWHERE/services",
    "/facilities/%00",
    "/facilities/..%2f..%2fetc",
    "/queues?facility=NOWHERE",
    f"/queues/{uuid4()}",
    "/queues/not-a-uuid",
    f"/tickets/{'x' * 64}",
    f"/tickets/{'x' * 5000}",
    "/tickets/%F0%9F%98%80",
    f"/appointments/{uuid4()}",
    f"/appointments/{uuid4()}.ics",
    "/appointments/00000000-0000-0000-0000-00000000000g",
    "/appointments/1",
    f"/patients/{uuid4()}",
    "/nothing",
)


def test_unknown_names(town: Town) -> None:
    for path in UNKNOWN:
        answer = town.caller("lan").get(API + path)
        assert answer.status_code in (400, 404), path
        refused(answer, answer.status_code)


QUESTIONS = (
    "slots?limit=0",
    "slots?limit=101",
    f"slots?limit={'9' * 5000}",
    "slots?limit=-1",
    "slots?limit=1e3",
    "slots?limit=",
    "slots?from=yesterday",
    "slots?from=2026-12-01",
    "slots?from=2026-12-01T00:00:00",
    "slots?from=0001-01-01T00:00:00%2B14:00",
    "slots?to=9999-12-31T23:59:59-12:00",
    f"slots?from={TOMORROW.replace('+', '%2B')}&to={TODAY.replace('+', '%2B')}",
    "slots?practitioner=1",
    "slots?modality=telepathy",
    "slots?service=%00",
    f"slots?service={'a' * 10_000}",
    f"facilities?q={'a' * 10_000}",
    "facilities?q=%00",
    "facilities?near=91,181",
    "facilities?near=nan,nan",
    "facilities?near=inf,0",
    "facilities?care_level=%27%20OR%201=1",
    "facilities?cursor=AAAA",
    "facilities?cursor=%F0%9F%98%80",
    "facilities?cursor=WzEsMiwzLDQsNV0",
    "facilities?cursor=W251bGwsbnVsbF0",
    "facilities?cursor=W3t9LHt9XQ",
    "practitioners?cursor=W3t9LHt9XQ",
    "practitioners?cursor=W251bGwsbnVsbF0",
    "practitioners?cursor=WyJcdTAwMDAiLCJcdTAwMDAiXQ",
    "appointments?cursor=W3t9LHt9XQ",
    "appointments?cursor=WzEsMl0",
    "appointments?patient_id=me",
    "appointments?facility=77001",
    "queues",
    "queues?facility=",
)


def test_odd_questions(town: Town) -> None:
    for query in QUESTIONS:
        answer = town.caller("lan").get(f"{API}/{query}")
        assert answer.status_code in (200, 400, 403, 404, 422), (query, answer.status_code)
        if answer.status_code != 200:
            refused(answer, answer.status_code)


PAGES = (
    "/book/times?from=9999-12-31",
    "/book/times?from=0001-01-01",
    "/book/times?after=0001-01-01T00:00:00%2B14:00",
    "/book/times?after=9999-12-31T23:59:59-12:00",
    "/book/times?near=nan,nan",
    "/book/places?near=1e400,0",
    "/book/places?cursor=W3t9LHt9XQ",
    "/book/places?q=%00",
    "/book/slots/%F0%9F%98%80",
    "/book/slots/%00",
    "/book/holds/1/who",
    "/a/%00",
    "/t/%00",
    "/j/%00",
    "/board/%00",
    "/sign-in?next=%00",
    "/en?next=%0d%0aSet-Cookie:x=1",
    "/static/dist/..%2f..%2fapp.py",
    "/static/%00",
)


def test_odd_addresses_of_pages(town: Town) -> None:
    for path in PAGES:
        answer = town.caller("lan").browser().get(path)
        assert answer.status_code < 500, (path, answer.status_code)
        assert "x=1" not in str(answer.headers.getlist("Set-Cookie"))


def test_a_parameter_given_twice_counts_once(town: Town) -> None:
    """HTTP parameter pollution (ASVS 15.3.7): a second `facility` widens nothing."""
    answer = town.caller("anonymous").get(f"{API}/slots?facility=77001&facility=77002&limit=50")
    assert len({slot["facility"]["code"] for slot in answer.json["items"]}) == 1
    both = town.caller("desk").get(f"{API}/appointments?facility=77001&facility=77002")
    other = town.caller("desk").get(f"{API}/appointments?facility=77002&facility=77001")
    assert {both.status_code, other.status_code} <= {200, 403}
    assert both.status_code != other.status_code


BODIES = {
    "nothing": b"",
    "half": b'{"phone": "09',
    "array": b"[]",
    "string": b'"x"',
    "number": b"7",
    "null": b"null",
    "nan": b'{"phone": NaN}',
    "not utf-8": b'{"phone": "\xff\xfe"}',
    "nul": b'{"phone": "\\u0000"}',
    "surrogate": b'{"phone": "\\ud800"}',
    "deep": b'{"phone": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep object": b'{"phone": ' * 50_000 + b"1" + b"}" * 50_000,
    "wrong types": b'{"phone": {"$ne": null}}',
    "list": b'{"phone": ["0912345678"]}',
    "bool": b'{"phone": true}',
    "huge integer": b'{"phone": ' + b"9" * 10_000 + b"}",
    "unknown field": b'{"phone": "0912345678", "role": "desk"}',
    "prototype": b'{"phone": "0912345678", "__proto__": {"role": "desk"}}',
    "doubled": b'{"phone": "0912345678", "phone": {}}',
}
PLACES = ("otp", "sessions", "devices", "holds", "appointments", "patients", "check-ins")


def test_bodies_that_are_no_request(town: Town) -> None:
    before = town.counts()
    for name, body in BODIES.items():
        for place in PLACES:
            caller = town.caller("kiosk" if place == "check-ins" else "lan")
            answer = caller.api("POST", f"{API}/{place}", data=body, content_type="application/json")
            assert answer.status_code in (400, 422), (name, place, answer.status_code)
            refused(answer, answer.status_code)
    assert town.counts() == before


def test_other_kinds_of_body(town: Town) -> None:
    before = town.counts()
    for kind in ("text/plain", "application/xml", "multipart/form-data", "application/jso", ""):
        for place in PLACES:
            body = b'{"phone": "0912345678"}'
            answer = town.caller("lan").api("POST", f"{API}/{place}", data=body, content_type=kind)
            assert answer.status_code in (400, 403, 415, 422), (kind, place)
            refused(answer, answer.status_code)
    assert town.counts() == before


def test_ten_megabytes(town: Town) -> None:
    before = town.counts()
    body = json.dumps({"full_name": "x" * 10_000_000, "birth_year": 1980}).encode()
    for path in (f"{API}/patients", f"{API}/appointments", f"{API}/otp"):
        answer = town.caller("lan").api("POST", path, data=body, content_type="application/json")
        refused(answer, 413, "too-large")
    page = (
        town.caller("lan").browser().post("/sign-in", data={"csrf_token": "csrf", "phone": "9" * 10_000_000})
    )
    assert page.status_code == 413
    assert town.counts() == before


FORGED: tuple[dict[str, str], ...] = (
    {},
    {"X-CSRF-Token": "wrong"},
    {"X-CSRF-Token": ""},
    {"X-CSRF-Token": "csrf", "Origin": "https://evil.example"},
    {"X-CSRF-Token": "csrf", "Origin": "null"},
    {"X-CSRF-Token": "csrf", "Origin": "http://localhost.evil.example"},
    {"X-CSRF-Token": "csrf", "Origin": "http://localhost:1"},
)


def test_a_cookie_needs_its_token_and_our_origin(town: Town) -> None:
    browser = town.caller("lan").browser()
    first, second = ({"slot_id": slot["id"]} for slot in town.slots()[:2])
    before = town.counts()
    for headers in FORGED:
        refused(browser.post(f"{API}/holds", json=first, headers=headers), 403, "wrong-csrf-token")
    assert town.counts() == before
    ours = {"X-CSRF-Token": "csrf", "Origin": "http://localhost"}
    assert browser.post(f"{API}/holds", json=first, headers=ours).status_code == 201
    del ours["Origin"]
    assert browser.post(f"{API}/holds", json=second, headers=ours).status_code == 201


def test_a_form_without_its_token_is_refused_with_a_page(town: Town) -> None:
    answer = town.caller("lan").browser().post(f"/book/slots/{town.slots()[0]['id']}", data={})
    assert answer.status_code == 403
    assert "trang" in answer.get_data(as_text=True)
    assert town.rows("SELECT 1 FROM appointment") == []


def test_methods_are_not_overridden(town: Town) -> None:
    slot = town.slots()[0]["id"]
    for headers in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "POST"}):
        answer = town.caller("lan").get(f"{API}/holds?_method=POST&slot_id={slot}", headers=headers)
        refused(answer, 405)
    assert town.rows("SELECT 1 FROM appointment") == []


def test_odd_names_are_kept_or_refused_but_never_hurt(town: Town) -> None:
    desk, kept = town.caller("desk"), 2
    for name in NAMES.values():
        answer = desk.post(f"{API}/patients", {"full_name": name, "birth_year": 1980, "sex": "female"})
        if answer.status_code == 201:
            kept += 1
            assert (
                answer.json["full_name"] == desk.get(f"{API}/patients/{answer.json['id']}").json["full_name"]
            )
            assert not set(answer.json["full_name"]) & set("\u200b\u200d\u202e\ufeff"), "nothing invisible"
        else:
            refused(answer, 422)
            assert answer.json["fields"]["full_name"]
    assert town.rows("SELECT count(*) FROM patient") == [(kept,)]


PERSON: tuple[tuple[str, object], ...] = (
    ("full_name", "a" * 10_000),
    ("full_name", ""),
    ("full_name", " \u200b\t"),
    ("full_name", "\u0000"),
    ("full_name", 7),
    ("address", "a" * 10_000),
    ("phone", "1" * 10_000),
    ("phone", "not a phone"),
    ("national_id", "²" * 12),
    ("national_id", "٠" * 12),
    ("national_id", "1' OR '1'='1"),
    ("insurance_no", "<b>"),
    ("birth_date", "1980-02-30"),
    ("birth_date", "1980-13"),
    ("birth_date", "yesterday"),
    ("birth_date", "9999"),
    ("birth_date", "0000"),
    ("birth_date", "١٩٨٠"),
    ("birth_year", 10**30),
    ("birth_year", -1),
    ("birth_year", 2100),
    ("birth_year", 1980.5),
    ("birth_year", True),
    ("sex", "unknown' --"),
    ("nationality", "vn"),
    ("guardian_id", "not-a-uuid"),
    ("guardian_id", str(uuid4())),
    ("relation", "owner"),
    ("status", "vip"),
    ("version", 9),
    ("unidentified", True),
    ("merged_into", str(uuid4())),
)


def test_odd_values_of_a_person(town: Town) -> None:
    before = town.counts()
    known = f"{API}/patients/{town.lan.patient_id}"
    for name, value in PERSON:
        body = {"full_name": "Lê Thị Mơ", "sex": "female", name: value}
        if not name.startswith("birth"):
            body["birth_year"] = 1980
        answer = town.caller("lan").post(f"{API}/patients", body)
        assert answer.status_code in (400, 404, 422), (name, value, answer.status_code)
        refused(answer, answer.status_code)
        changed = town.caller("lan").api("PATCH", known, json={name: value}, headers={"If-Match": '"1"'})
        assert changed.status_code in (400, 404, 422), (name, value, changed.status_code)
    assert town.counts() == before


def test_odd_versions(lived_in: Town) -> None:
    before = lived_in.hashes()
    cancel = f"{API}/appointments/{lived_in.records['next appointment']['id']}/cancel"
    patient, lan = f"{API}/patients/{lived_in.lan.patient_id}", lived_in.caller("lan")
    refused(lan.post(cancel), 428, "version-required")
    refused(lan.api("PATCH", patient, json={"sex": "male"}), 428, "version-required")
    for given in ("x", "*", '""', '"²"', '"9"', f'"{"9" * 5000}"', "-1", "0", "😀", '"1", "2"'):
        headers = {"If-Match": given.encode().decode("latin-1")}
        refused(lan.post(cancel, headers=headers), 412, "stale-version")
        refused(lan.api("PATCH", patient, json={"sex": "male"}, headers=headers), 412)
        form = {"csrf_token": "csrf", "version": given, "reason_code": "patient"}
        shown = f"/appointments/{lived_in.records['next appointment']['id']}/cancel"
        assert lan.browser().post(shown, data=form).status_code in (412, 422), given
        shown = f"/desk/appointments/{lived_in.records['next appointment']['id']}/cancel"
        assert lived_in.caller("desk").browser().post(shown, data=form).status_code in (400, 412, 422), given
    assert lived_in.hashes() == before


def test_odd_idempotency_keys(town: Town) -> None:
    slot = town.slots()[0]["id"]
    before = town.counts()
    wanted = {"slot_id": slot, "patient_id": str(town.lan.patient_id)}
    for key in ("", " ", "a b", "x" * 201, "é", "\x7f"):
        for path, body in ((f"{API}/appointments", wanted), (f"{API}/holds", {"slot_id": slot})):
            answer = town.caller("lan").post(path, body, headers={"Idempotency-Key": key})
            assert answer.status_code in (400, 422), key
            refused(answer, answer.status_code)
    assert town.counts() == before


def test_a_key_used_again(town: Town) -> None:
    first, second = (slot["id"] for slot in town.slots()[:2])
    headers = {"Idempotency-Key": "one"}
    lan, minh = town.caller("lan"), town.caller("minh")
    body = {"slot_id": first, "patient_id": str(town.lan.patient_id)}
    booked = lan.post(f"{API}/appointments", body, headers=headers)
    assert booked.status_code == 201
    counted = town.counts()
    assert lan.post(f"{API}/appointments", body, headers=headers).json == booked.json
    other = lan.post(f"{API}/appointments", body | {"slot_id": second}, headers=headers)
    refused(other, 422, "idempotency-key-reused")
    assert town.counts() == counted
    hers = {"slot_id": second, "patient_id": str(town.minh.patient_id)}
    assert minh.post(f"{API}/appointments", hers, headers=headers).status_code == 201


XSS = (
    '<script>alert("xss")</script>',
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "</textarea><svg/onload=alert(1)>",
)


@pytest.mark.parametrize("payload", XSS)
def test_what_people_type_comes_back_escaped(town: Town, payload: str) -> None:
    """Stored and reflected (ASVS 1.2.1): a name, a reason, an address, a search, a phone, a note."""
    lan = town.caller("lan")
    person = lan.post(
        f"{API}/patients",
        {"full_name": f"Lê {payload}", "birth_year": 1990, "address": payload, "relation": "relative"},
    )
    patient_id = person.json["id"] if person.status_code == 201 else str(town.lan.patient_id)
    slot = town.slots(**{"from": TODAY})[0]
    wanted = {"slot_id": slot["id"], "patient_id": patient_id, "reason": payload}
    booked = lan.post(f"{API}/appointments", wanted)
    assert booked.status_code == 201, booked.json
    ticket = town.caller("kiosk").post(f"{API}/check-ins", {"code": booked.json["code"]})
    hold = lan.post(f"{API}/holds", {"slot_id": town.slots()[-1]["id"]}).json["id"]
    browser, doctor = lan.browser(), town.caller("practitioner").browser()
    queue = ticket.json["queue"]
    town.caller("practitioner").post(f"{API}/queues/{queue}/call-next")
    begun = f"{API}/tickets/{ticket.json['id']}/start"
    town.caller("practitioner").post(begun, headers={"If-Match": '"2"'})
    encounter = town.rows("SELECT id FROM encounter")[0][0]
    doctor.post(f"/clinic/encounters/{encounter}/note", data={"csrf_token": "csrf", "note": payload})
    pages = [
        browser.get("/appointments"),
        browser.get(f"/appointments/{booked.json['id']}"),
        browser.get(f"/book/holds/{hold}/who"),
        browser.get("/book/places", query_string={"q": payload, "service": payload, "area": payload}),
        browser.get(
            "/book/times", query_string={"service": payload, "modality": payload, "facility": payload}
        ),
        browser.get("/book", query_string={"facility": payload, "kind": payload}),
        browser.get(f"/sign-in?next={payload}"),
        browser.get(f"/a/{payload}"),
        browser.get(f"/nowhere/{payload}"),
        browser.get(f"/t/{payload}"),
        browser.get(f"/j/{payload}"),
        browser.get(f"/board/{payload}"),
        town.app.test_client().get(f"/staff/sign-in?next={payload}"),
        doctor.get("/clinic"),
        browser.post(
            f"/book/holds/{hold}/person",
            data=dict.fromkeys(("full_name", "birth_date", "phone", "national_id", "address"), payload)
            | {"csrf_token": "csrf"},
        ),
        browser.post(
            f"/book/holds/{hold}/details",
            data={"csrf_token": "csrf", "reason": payload * 100, "coverage_basis": payload},
        ),
        town.caller("anonymous")
        .browser()
        .post("/sign-in", data={"csrf_token": "csrf", "phone": payload, "next": payload}),
        town.caller("kiosk").browser().post("/kiosk/identify", data={"csrf_token": "csrf", "text": payload}),
    ]
    for page in pages:
        html = page.get_data(as_text=True)
        assert page.status_code < 500, page.request.path
        for live in ("<script>alert", "<img src=x", "<svg/onload", 'href="javascript:', "\"'-alert(1)-'\""):
            assert live not in html, (page.request.path, live)
    note = doctor.get("/clinic").get_data(as_text=True)
    assert "alert(1)" in note or "alert(&#34;xss&#34;)" in note, "the note is shown, escaped"


ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "http://localhost@evil.example",
)


def test_a_link_back_leads_nowhere_else(town: Town) -> None:
    """Open redirects (ASVS 3.7.2)."""
    for target in ELSEWHERE:
        for path in ("/sign-in", "/staff/sign-in", "/en", "/vi"):
            answer = town.caller("lan").browser().get(path, query_string={"next": target})
            location = answer.headers.get("Location", "/")
            assert location.startswith("/"), (path, target, location)
            assert not location.startswith(("//", "/\\", "/\t")), (path, target, location)
            assert "evil.example" not in answer.headers.get("Location", "").split("?")[0]


def test_a_forged_host_reaches_no_link(lived_in: Town) -> None:
    """Host headers do not choose where a calendar file or a QR points (ASVS 4.1.3)."""
    appointment = lived_in.records["next appointment"]["id"]
    for headers in (
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example"},
    ):
        answer = lived_in.caller("lan").get(f"{API}/appointments/{appointment}.ics", headers=headers)
        assert "evil.example" not in answer.get_data(as_text=True)
