"""A deposit from booking to refund: through the API, the bank's webhook and the job."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from telehealth.payments.providers import sepay
from telehealth.payments.queries import overdue, untold
from telehealth.payments.rules import BANK_DELAY
from telehealth.payments.services import let_go
from telehealth.payments.services import tell as say
from telehealth.settings import Settings
from tests.booking.clinic import NOW, Employee, Person, new_key
from tests.conftest import MovableClock
from tests.payments.conftest import ACCOUNT, SECRET

pytestmark = pytest.mark.usefixtures("deposits")


def book(web: FlaskClient, who: Person, day: str = "2026-12-02") -> dict:
    query = {"service": "internal", "from": f"{day}T00:00:00+07:00", "facility": "77001"}
    slots = web.get("/api/v1/slots", query_string=query).json["items"]
    body = {"slot_id": slots[0]["id"], "patient_id": str(who.patient_id)}
    answer = web.post(
        "/api/v1/appointments", json=body, headers={**who.headers, "Idempotency-Key": new_key()}
    )
    assert answer.status_code == 201, answer.json
    return answer.json


def deposit(web: FlaskClient, who: Person, booked: dict) -> dict:
    answer = web.get(f"/api/v1/appointments/{booked['id']}/deposit", headers=who.headers)
    assert answer.status_code == 200, answer.json
    return answer.json


def tell(web: FlaskClient, clock: MovableClock, *, amount: int, content: str, number: int = 1, **changes):
    said = {
        "id": number,
        "transactionDate": "2026-11-30 08:05:00",
        "accountNumber": ACCOUNT,
        "content": content,
        "transferType": "in",
        "transferAmount": amount,
    } | changes
    body = json.dumps(said).encode()
    stamp = str(int(clock().timestamp()))
    signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-SePay-Timestamp": stamp, "X-SePay-Signature": f"sha256={signed}"}
    return web.post("/webhooks/payments/sepay/77001", data=body, headers=headers)


def cancel(web: FlaskClient, who: Person | Employee, booked: dict, reason: str = "patient"):
    answer = web.post(
        f"/api/v1/appointments/{booked['id']}/cancel",
        json={"reason_code": reason},
        headers={**who.headers, "If-Match": str(booked["version"])},
    )
    assert answer.status_code == 200, answer.json


def worklist(web: FlaskClient, desk: Employee) -> dict:
    answer = web.get("/api/v1/facilities/77001/payments/worklist", headers=desk.headers)
    assert answer.status_code == 200, answer.json
    return answer.json


def headings(web: FlaskClient, who: Person, booked: dict) -> list[str]:
    page = web.get(f"/appointments/{booked['id']}/deposit", headers=who.headers)
    assert page.status_code == 200, page.text
    return re.findall(r"<h1[^>]*>([^<]+)</h1>", page.text)


def test_the_page_has_one_heading_and_it_says_how_the_deposit_stands(
    web: FlaskClient, lan: Person, clock: MovableClock
) -> None:
    due = deposit(web, lan, booked := book(web, lan))
    assert headings(web, lan, booked) == ["Đặt cọc giữ chỗ"]
    assert tell(web, clock, amount=50_000, content=due["reference"]).status_code == 200
    assert headings(web, lan, booked) == ["Đã nhận tiền đặt cọc"]
    cancel(web, lan, booked)
    assert headings(web, lan, booked) == ["Tiền đặt cọc của lịch hẹn"]


def test_booking_online_asks_for_the_deposit_and_the_bank_s_word_settles_it(
    web: FlaskClient, lan: Person, clock: MovableClock
):
    booked = book(web, lan)
    due = deposit(web, lan, booked)
    assert (due["state"], due["missing_vnd"]) == ("due", 50_000)
    assert due["reference"] in due["vietqr"]
    assert booked["code"] not in due["vietqr"], "the check-in code is nobody's but the patient's"
    assert tell(web, clock, amount=50_000, content=f"MBVCB.{due['reference']}.CT").json == {"success": True}
    paid = deposit(web, lan, booked)
    assert (paid["state"], paid["missing_vnd"], paid["vietqr"]) == ("paid", 0, None)


def test_a_transfer_told_again_counts_once(web: FlaskClient, lan: Person, clock: MovableClock):
    due = deposit(web, lan, booked := book(web, lan))
    for _ in range(3):
        assert tell(web, clock, amount=20_000, content=due["reference"]).status_code == 200
    assert deposit(web, lan, booked)["missing_vnd"] == 30_000
    tell(web, clock, amount=30_000, content=due["reference"], number=2)
    assert deposit(web, lan, booked)["state"] == "paid"


def test_transfers_told_at_once_are_all_counted(
    app: Flask, web: FlaskClient, lan: Person, clock: MovableClock
):
    due = deposit(web, lan, booked := book(web, lan))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda number: (
                    tell(
                        app.test_client(), clock, amount=10_000, content=due["reference"], number=number
                    ).status_code
                ),
                [1, 2, 3, 4, 5, 1, 2, 3],
            )
        )
    assert answers == [200] * 8
    assert deposit(web, lan, booked)["state"] == "paid"


@pytest.mark.parametrize(
    "spoil",
    [
        {"X-SePay-Signature": "sha256=" + "0" * 64},
        {"X-SePay-Signature": ""},
        {"X-SePay-Timestamp": "1"},
        {"X-SePay-Timestamp": "next year"},
    ],
)
def test_a_call_without_our_signature_moves_nothing(
    web: FlaskClient, lan: Person, clock: MovableClock, spoil: dict
):
    due = deposit(web, lan, booked := book(web, lan))
    body = json.dumps({"id": 1, "content": due["reference"], "transferAmount": 50_000}).encode()
    stamp = str(int(clock().timestamp()))
    headers = {"X-SePay-Timestamp": stamp, "X-SePay-Signature": sepay.signature(SECRET, stamp, body)} | spoil
    answer = web.post("/webhooks/payments/sepay/77001", data=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "unsigned-transfer")
    assert deposit(web, lan, booked)["state"] == "due"


def test_an_old_call_played_again_is_refused(web: FlaskClient, clock: MovableClock):
    body, stamp = b"{}", str(int(clock().timestamp()) - 301)
    headers = {"X-SePay-Timestamp": stamp, "X-SePay-Signature": sepay.signature(SECRET, stamp, body)}
    assert web.post("/webhooks/payments/sepay/77001", data=body, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "changes", [{"transferAmount": -5}, {"transferAmount": "x"}, {"transactionDate": "?"}]
)
def test_a_signed_call_that_makes_no_sense_is_refused_in_words(
    web: FlaskClient, clock: MovableClock, changes: dict
):
    answer = tell(web, clock, amount=1, content="", **changes)
    assert (answer.status_code, answer.json["code"]) == (422, "bad-transfer")


def test_a_facility_without_an_account_takes_no_calls(web: FlaskClient):
    assert web.post("/webhooks/payments/sepay/77002", data=b"{}").status_code == 401
    assert web.post("/webhooks/payments/elsewhere/77001", data=b"{}").status_code == 404


def unpaid(engine: Engine, settings: Settings, app: Flask, now: datetime) -> list[bool]:
    outbox = app.extensions["telehealth"].outbox
    with system_unit_of_work(engine) as session:
        found = overdue(session, now - BANK_DELAY, most=10)
    done = []
    for appointment_id in found:
        with system_unit_of_work(engine) as session:
            done.append(let_go(session, appointment_id, now=now, cipher=settings.cipher, outbox=outbox))
    return done


def test_an_unpaid_place_is_given_back_after_its_time_and_late_money_is_owed(
    web: FlaskClient,
    lan: Person,
    desk: Employee,
    engine: Engine,
    settings: Settings,
    app: Flask,
    clock: MovableClock,
):
    due = deposit(web, lan, booked := book(web, lan))
    assert unpaid(engine, settings, app, NOW + timedelta(minutes=69)) == []
    assert unpaid(engine, settings, app, NOW + timedelta(minutes=71)) == [True]
    assert deposit(web, lan, booked)["state"] == "lapsed"
    shown = web.get(f"/api/v1/appointments/{booked['id']}", headers=lan.headers).json
    assert (shown["status"], shown["cancel_reason"]) == ("cancelled", "deposit-unpaid")
    tell(web, clock, amount=50_000, content=due["reference"])
    assert deposit(web, lan, booked)["refund_due_vnd"] == 50_000
    owed = worklist(web, desk)["refunds"]
    assert [each["booking_code"] for each in owed] == [booked["code"]]


def test_money_that_comes_just_before_the_job_keeps_the_place(
    web: FlaskClient, lan: Person, engine: Engine, settings: Settings, app: Flask, clock: MovableClock
):
    due = deposit(web, lan, booked := book(web, lan))
    with system_unit_of_work(engine) as session:
        found = overdue(session, NOW + timedelta(hours=2), most=10)
    tell(web, clock, amount=50_000, content=due["reference"])
    with system_unit_of_work(engine) as session:
        late = NOW + timedelta(hours=3)
        outbox = app.extensions["telehealth"].outbox
        assert not let_go(session, found[0], now=late, cipher=settings.cipher, outbox=outbox)
    assert web.get(f"/api/v1/appointments/{booked['id']}", headers=lan.headers).json["status"] == "booked"


@pytest.mark.parametrize(
    ("hours_before", "reason", "owed"),
    [(25, "patient", 50_000), (23, "patient", 25_000), (1, "practitioner-away", 50_000)],
)
def test_what_comes_back_follows_the_policy(
    web: FlaskClient,
    lan: Person,
    desk: Employee,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
    hours_before: int,
    reason: str,
    owed: int,
):
    due = deposit(web, lan, booked := book(web, lan))
    tell(web, clock, amount=50_000, content=due["reference"])
    clock.now = datetime.fromisoformat(booked["start"]) - timedelta(hours=hours_before)
    set_database_clock(clock.now)
    cancel(web, desk if reason == "practitioner-away" else lan, booked, reason)
    after = deposit(web, lan, booked)
    assert (after["state"], after["refund_due_vnd"]) == ("cancelled", owed)
    headers = {**desk.headers, "If-Match": str(after["version"])}
    path = f"/api/v1/payments/{after['id']}/refund"
    done = web.post(path, json={"paid_out_ref": "FT123"}, headers=headers)
    assert (done.status_code, done.json["refund_due_vnd"], done.json["refunded_vnd"]) == (200, 0, owed)
    again = web.post(path, json={"paid_out_ref": "FT124"}, headers=headers)
    assert (again.status_code, again.json["code"]) == (409, "nothing-to-refund")


def test_a_transfer_without_its_words_waits_for_a_person(
    web: FlaskClient, lan: Person, desk: Employee, other_desk: Employee, clock: MovableClock
):
    booked = book(web, lan)
    tell(web, clock, amount=50_000, content="chuyen tien kham")
    tell(web, clock, amount=7_000, content="nham", number=2)
    second, first = sorted(worklist(web, desk)["transfers"], key=lambda each: each["amount_vnd"])
    path = f"/api/v1/facilities/77001/bank-transfers/{first['id']}"
    wrong = web.post(f"{path}/match", json={"reference": "ABCDEFGH"}, headers=desk.headers)
    assert (wrong.status_code, wrong.json["code"]) == (422, "reference-unknown")
    elsewhere = web.post(f"{path}/match", json={"reference": booked["code"]}, headers=other_desk.headers)
    assert elsewhere.status_code == 403
    done = web.post(f"{path}/match", json={"reference": booked["code"].lower()}, headers=desk.headers)
    assert done.json == {"state": "matched"}
    assert deposit(web, lan, booked)["state"] == "paid"
    again = web.post(f"{path}/match", json={"reference": booked["code"]}, headers=desk.headers)
    assert (again.status_code, again.json["code"]) == (409, "transfer-settled")
    closed = f"/api/v1/facilities/77001/bank-transfers/{second['id']}/settle"
    assert web.post(closed, json={"note": "Đã trả lại"}, headers=desk.headers).status_code == 204
    assert worklist(web, desk) == {"transfers": [], "refunds": []}


def test_what_the_payer_wrote_is_sealed_and_others_see_no_deposit(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    other_desk: Employee,
    clock: MovableClock,
    owner_engine: Engine,
):
    booked = book(web, lan)
    tell(web, clock, amount=1_000, content="Tran Thi Lan chuyen tien kham gan")
    with owner_engine.connect() as connection:
        sealed = connection.execute(text("SELECT content_sealed FROM bank_transfer")).scalar_one()
    assert b"Lan" not in bytes(sealed)
    for stranger in (minh, other_desk):
        answer = web.get(f"/api/v1/appointments/{booked['id']}/deposit", headers=stranger.headers)
        assert answer.status_code == 404


def test_the_desk_books_without_a_deposit(web: FlaskClient, lan: Person, desk: Employee):
    query = {"service": "internal", "from": "2026-12-02T00:00:00+07:00", "facility": "77001"}
    slot = web.get("/api/v1/slots", query_string=query).json["items"][0]
    body = {"slot_id": slot["id"], "patient_id": str(lan.patient_id), "channel": "desk"}
    booked = web.post("/api/v1/appointments", json=body, headers=desk.headers)
    if booked.status_code == 422:
        body.pop("channel")
        booked = web.post("/api/v1/appointments", json=body, headers=desk.headers)
    assert booked.status_code == 201, booked.json
    answer = web.get(f"/api/v1/appointments/{booked.json['id']}/deposit", headers=desk.headers)
    assert (answer.status_code, answer.json["code"]) == (404, "no-deposit")


def test_an_admin_sets_account_and_terms_and_the_secret_is_never_told(
    web: FlaskClient, admin: Employee, desk: Employee
):
    path = "/api/v1/facilities/77001/bank-account"
    assert web.get(path, headers=desk.headers).status_code == 403
    shown = web.get(path, headers=admin.headers).json
    assert (shown["account_no"], shown["version"]) == (ACCOUNT, 1)
    assert "secret" not in json.dumps(shown)
    body = {"bank_bin": "970415", "account_no": "77", "holder": "X"}
    bad = web.put(path, json=body, headers={**admin.headers, "If-Match": "1"})
    assert (bad.status_code, list(bad.json["fields"])) == (422, ["account_no"])
    good = body | {"account_no": "7700100200"}
    assert web.put(path, json=good, headers={**admin.headers, "If-Match": "9"}).status_code == 412
    assert web.put(path, json=good, headers={**admin.headers, "If-Match": "1"}).json["version"] == 2
    terms = "/api/v1/facilities/77001/services/internal/deposit"
    assert web.delete(terms, headers={**admin.headers, "If-Match": "1"}).status_code == 204
    bad_terms = web.put(terms, json={"amount_vnd": 5}, headers={**admin.headers, "If-Match": "0"})
    assert (bad_terms.status_code, list(bad_terms.json["fields"])) == (422, ["amount_vnd"])


def move(web: FlaskClient, who: Person, booked: dict, day: str) -> dict:
    query = {"service": "internal", "from": f"{day}T00:00:00+07:00", "facility": "77001"}
    slot = web.get("/api/v1/slots", query_string=query).json["items"][-1]
    headers = {**who.headers, "If-Match": str(booked["version"])}
    path = f"/api/v1/appointments/{booked['id']}/reschedule"
    answer = web.post(path, json={"slot_id": slot["id"]}, headers=headers)
    assert answer.status_code == 200, answer.json
    return answer.json


def says_before_cancelling(web: FlaskClient, who: Person, booked: dict, amount: str) -> bool:
    headers = who.headers | {"Accept": "text/html"}
    page = web.get(f"/appointments/{booked['id']}/cancel", headers=headers).get_data(as_text=True)
    assert "Hủy lịch hẹn này?" in page
    return f"được hoàn lại {amount}" in page


def test_moving_does_not_win_back_what_a_late_cancelling_has_lost(
    web: FlaskClient,
    lan: Person,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
):
    due = deposit(web, lan, booked := book(web, lan, "2026-12-01"))
    tell(web, clock, amount=50_000, content=due["reference"])
    clock.now = datetime.fromisoformat(booked["start"]) - timedelta(hours=20)
    set_database_clock(clock.now)
    moved = move(web, lan, booked, "2026-12-03")
    assert says_before_cancelling(web, lan, moved, "25.000")
    cancel(web, lan, moved)
    assert deposit(web, lan, booked)["refund_due_vnd"] == 25_000


def test_who_is_about_to_cancel_in_time_reads_that_all_of_the_deposit_comes_back(
    web: FlaskClient, lan: Person, clock: MovableClock
):
    due = deposit(web, lan, booked := book(web, lan, "2026-12-01"))
    assert not says_before_cancelling(web, lan, booked, "")
    tell(web, clock, amount=50_000, content=due["reference"])
    assert says_before_cancelling(web, lan, booked, "50.000")


@pytest.mark.parametrize("reason", ["facility", "practitioner-away", "entered-in-error", "deposit-unpaid"])
def test_a_patient_cannot_say_that_the_hospital_cancels(web: FlaskClient, lan: Person, reason: str):
    booked = book(web, lan)
    headers = {**lan.headers, "If-Match": str(booked["version"])}
    path = f"/api/v1/appointments/{booked['id']}/cancel"
    answer = web.post(path, json={"reason_code": reason}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "not-their-reason")


def test_whose_time_the_hospital_cannot_keep_gets_all_of_it_back(
    web: FlaskClient,
    lan: Person,
    clock: MovableClock,
    owner_engine: Engine,
    set_database_clock: Callable[[datetime], None],
):
    due = deposit(web, lan, booked := book(web, lan))
    tell(web, clock, amount=50_000, content=due["reference"])
    clock.now = datetime.fromisoformat(booked["start"]) - timedelta(hours=2)
    set_database_clock(clock.now)
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO appointment_disruption (id, appointment_id, start_at, found_at)"
                " SELECT gen_random_uuid(), id, start_at, :now FROM appointment WHERE id = :id"
            ),
            {"id": booked["id"], "now": clock.now},
        )
    cancel(web, lan, booked)
    assert deposit(web, lan, booked)["refund_due_vnd"] == 50_000


def test_the_largest_deposit_can_be_paid_back_in_part(
    web: FlaskClient,
    lan: Person,
    clock: MovableClock,
    owner_engine: Engine,
    set_database_clock: Callable[[datetime], None],
):
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE deposit_policy SET amount_vnd = 50000000"))
    due = deposit(web, lan, booked := book(web, lan))
    tell(web, clock, amount=50_000_000, content=due["reference"])
    clock.now = datetime.fromisoformat(booked["start"]) - timedelta(hours=1)
    set_database_clock(clock.now)
    cancel(web, lan, booked)
    assert deposit(web, lan, booked)["refund_due_vnd"] == 25_000_000


def test_a_visit_that_has_begun_is_not_cancelled_for_its_deposit(
    web: FlaskClient, lan: Person, engine: Engine, settings: Settings, app: Flask
):
    booked = book(web, lan)
    begun = datetime.fromisoformat(booked["start"]) + timedelta(minutes=11)
    assert unpaid(engine, settings, app, begun) == [False]
    assert unpaid(engine, settings, app, begun) == [], "it leaves the list"
    assert web.get(f"/api/v1/appointments/{booked['id']}", headers=lan.headers).json["status"] == "booked"


def test_what_is_to_be_paid_is_said_once(
    web: FlaskClient, lan: Person, engine: Engine, settings: Settings, app: Flask
):
    book(web, lan)
    outbox = app.extensions["telehealth"].outbox
    for expected in (1, 0):
        with system_unit_of_work(engine) as session:
            found = untold(session, most=10)
            assert len(found) == expected
            for each in found:
                say(session, each, now=NOW, cipher=settings.cipher, outbox=outbox, base_url="http://x")
    with engine.connect() as connection:
        told = text("SELECT count(*) FROM notifications.notification WHERE kind = 'deposit-due'")
        assert connection.execute(told).scalar_one() == 1
