"""One person with marks found nowhere else goes through the whole service; then we look for the marks.

The name may stand in patient rows alone. Numbers, telephone and reason are sealed wherever they are
kept, and never reach a log line, an address, a message or a cookie.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.attacks.town import TODAY, Caller, Town
from tests.cast import code_for, messages

API = "/api/v1"
NAME = "Nguyễn Hoàng Yến Canari"
NATIONAL_ID = "077190314159"
INSURANCE = "GD4797926535897"
PHONE = "0987314159"
REASON = "ho ra máu bốn hôm nay"
NOTE = "nghi lao phổi, chụp phim"
ADDRESS = "17 hẻm Hoàng Anh Canari"
NUMBERS = (NATIONAL_ID, INSURANCE, PHONE, PHONE[1:], REASON, NOTE, ADDRESS)
NAMED = (NAME, "nguyen hoang yen canari")
MAY_NAME = {"public.patient"}


@dataclass
class Watcher:
    """Calls as somebody and keeps every answer."""

    caller: Caller
    seen: list[TestResponse] = field(default_factory=list)

    def __call__(self, method: str, path: str, status: int, body: object = None, **headers: str) -> Any:
        options: dict[str, Any] = {} if body is None else {"json": body}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.caller.api(method, path, headers=named, **options)
        assert answer.status_code == status, (path, answer.status_code, answer.json)
        self.seen.append(answer)
        return answer.json if answer.is_json else None


def journey(town: Town, engine: Engine, settings: Settings) -> list[TestResponse]:
    """Sign in, register, book, check in, be called and seen, book again and cancel, look at everything."""
    seen: list[TestResponse] = []
    stranger = Watcher(town.caller("anonymous"), seen)
    challenge = stranger("POST", f"{API}/otp", 202, {"phone": PHONE})["challenge_id"]
    code = code_for(engine, settings.cipher, challenge)
    opened = stranger("POST", f"{API}/sessions", 201, {"challenge_id": challenge, "code": code})
    yen = Watcher(Caller(town.app, opened["token"]), seen)
    kiosk, doctor, desk = (Watcher(town.caller(who), seen) for who in ("kiosk", "practitioner", "desk"))
    person = {
        "full_name": NAME,
        "birth_date": "1990-07-09",
        "sex": "female",
        "phone": PHONE,
        "national_id": NATIONAL_ID,
        "insurance_no": INSURANCE,
        "address": ADDRESS,
    }
    slot = town.slots(**{"from": TODAY})[0]["id"]
    consent = {"purpose": "booking", "text_version": "2026-11"}
    wanted = {"slot_id": slot, "patient": person, "reason": REASON, "consent": consent}
    booked = yen("POST", f"{API}/appointments", 201, wanted, Idempotency_Key="one")
    yen("POST", f"{API}/appointments", 201, wanted, Idempotency_Key="one")
    shown = f"{API}/appointments/{booked['id']}"
    yen("GET", shown, 200)
    yen("GET", f"{shown}.ics", 200)
    yen("GET", f"{API}/patients/{booked['patient_id']}", 200)
    ticket = kiosk("POST", f"{API}/check-ins", 201, {"code": booked["code"]})
    desk("GET", f"{API}/patients/{booked['patient_id']}", 200)
    desk("GET", f"{API}/appointments?facility=77001", 200)
    doctor("POST", f"{API}/queues/{ticket['queue']}/call-next", 200, {})
    doctor("POST", f"{API}/tickets/{ticket['id']}/start", 200, {}, If_Match='"2"')
    encounter = town.rows("SELECT id FROM encounter")[0][0]
    form = {"csrf_token": "csrf", "note": NOTE}
    seen.append(doctor.caller.browser().post(f"/clinic/encounters/{encounter}/note", data=form))
    doctor("POST", f"{API}/tickets/{ticket['id']}/done", 200, {}, If_Match='"3"')
    again = {"slot_id": town.slots()[0]["id"], "patient_id": booked["patient_id"], "reason": REASON}
    second = yen("POST", f"{API}/appointments", 201, again)
    yen("POST", f"{API}/appointments/{second['id']}/cancel", 200, {}, If_Match='"1"')
    yen("GET", f"{API}/patients/{booked['patient_id']}/trail", 200)
    yen("POST", f"{API}/appointments", 422, {**wanted, "reason": REASON * 90, "extra": NATIONAL_ID})
    yen("POST", f"{API}/patients", 422, person | {"national_id": NATIONAL_ID + "1", "birth_date": REASON[:9]})
    seen += _pages(town, yen.caller, booked["id"])
    return seen


def _pages(town: Town, caller: Caller, appointment_id: str) -> list[TestResponse]:
    browser = caller.browser()
    hold = caller.post(f"{API}/holds", {"slot_id": town.slots()[-1]["id"]}).json["id"]
    details = {"csrf_token": "csrf", "coverage_basis": "none", "reason": REASON}
    people = caller.get(f"{API}/patients").json["items"]
    who = {"csrf_token": "csrf", "who": people[0]["id"]}
    answers = [
        browser.get("/appointments"),
        browser.get(f"/appointments/{appointment_id}"),
        browser.post(f"/book/holds/{hold}/who", data=who),
        browser.post(f"/book/holds/{hold}/details", data=details),
        browser.get(f"/book/holds/{hold}/confirm"),
        town.caller("practitioner").browser().get("/clinic"),
        town.caller("desk").browser().get("/desk/today"),
    ]
    with browser.session_transaction() as cookie:
        kept = repr(dict(cookie))
    assert not [mark for mark in (*NUMBERS, *NAMED) if mark in kept], "the cookie is signed, not sealed"
    return answers


def everything_stored(engine: Engine) -> dict[str, list[str]]:
    """Return every row of each table as text; bytes appear as hexadecimal."""
    tables = (
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname IN ('public', 'notifications')"
    )
    with engine.connect() as connection:
        return {
            name: list(connection.execute(text(f"SELECT t::text FROM {name} t")).scalars())
            for name in connection.execute(text(tables)).scalars()
        }


def found(mark: str, written: str) -> bool:
    """Tell whether a mark stands in a text, plain or as hexadecimal."""
    return mark.lower() in written.lower() or mark.encode().hex() in written


def test_the_marks_of_a_person_stay_where_they_belong(
    town: Town, engine: Engine, owner_engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = journey(town, engine, settings)
    stored = everything_stored(owner_engine)
    assert any(found(NAME, row) for row in stored["public.patient"]), "the search finds what is there"
    in_tables = [
        (table, mark)
        for table, rows in stored.items()
        for mark in (*NUMBERS, *(() if table in MAY_NAME else NAMED))
        if any(found(mark, row) for row in rows)
    ]
    assert in_tables == []
    logged = [record.getMessage() + (record.exc_text or "") for record in caplog.records]
    assert [(mark, line) for mark in (*NUMBERS, *NAMED) for line in logged if found(mark, line)] == []
    addresses = [answer.request.url + answer.headers.get("Location", "") for answer in answers]
    assert [(mark, url) for mark in (*NUMBERS, *NAMED) for url in addresses if found(mark, url)] == []
    refusals = [answer.get_data(as_text=True) for answer in answers if answer.status_code >= 400]
    assert [mark for mark in (*NUMBERS, *NAMED) for refusal in refusals if mark in refusal] == []


def test_messages_name_nobody_and_tell_nothing(town: Town, engine: Engine, settings: Settings) -> None:
    journey(town, engine, settings)
    with system_unit_of_work(engine) as session:
        kinds = set(session.execute(text("SELECT DISTINCT kind FROM notifications.notification")).scalars())
    assert {"otp", "appointment-booked", "appointment-cancelled"} <= kinds
    for kind in kinds:
        for message in messages(engine, settings.cipher, kind):
            words = " ".join(value for name, value in message.items() if name != "to")
            told = [mark for mark in (*NUMBERS, *NAMED, "Yến", "Khám nội", "internal") if found(mark, words)]
            assert told == [], (kind, words)
