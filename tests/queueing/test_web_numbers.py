"""Numbers from the web: on the same counter, one a person and day, over without check-in in time."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select

from notifications.models import Notification
from telehealth.accounts.models import AccessSession, Account
from telehealth.core.clock import at_local
from telehealth.core.crypto import token_hash
from telehealth.core.errors import NotFound
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.patients.models import AccountPatient
from telehealth.queueing import queries, services
from telehealth.queueing.errors import QueueEmpty, WebNumberLapsed, WebNumbersGone, WebNumberTaken
from telehealth.queueing.models import Ticket, TicketEvent
from telehealth.visits import queries as visits
from tests.conftest import MONDAY_8AM, MovableClock
from tests.queueing.hospital import Caller, Hospital
from tests.queueing.test_calling import step
from tests.queueing.test_pages import Browser

API = "/api/v1"
TEN = at_local(MONDAY_8AM.date(), 600)


@pytest.fixture
def open_hospital(hospital: Hospital) -> Hospital:
    hospital.settle("P001", web_limit=5)
    return hospital


def take(hospital: Hospital, patient_id: UUID | None = None, code: str = "P001", **more):
    who = Principal(PrincipalKind.PATIENT, id=more.pop("account", None) or uuid4())
    queue_id, patient_id = hospital.queue(code), patient_id or hospital.patient(phone="+84912345678")
    with hospital.begin() as session:
        return services.take_web_number(
            session, who, queue_id, patient_id, cipher=hospital.cipher, **{"now": MONDAY_8AM, **more}
        )


def relative(hospital: Hospital, app: Flask, *patient_ids: UUID) -> Caller:
    account, token = uuid4(), uuid4().hex
    with hospital.begin() as session:
        session.add(
            Account(
                id=account,
                kind="patient",
                phone_index=account.bytes,
                phone_sealed=hospital.cipher.seal_text("+84912000900", f"account.phone:{account}"),
                display_name="Lan",
                created_at=MONDAY_8AM,
            )
        )
        session.flush()
        for each in patient_ids:
            session.add(
                AccountPatient(
                    account_id=account, patient_id=each, relation="other", valid_from=MONDAY_8AM
                )
            )  # fmt: skip
        session.add(
            AccessSession(
                token_hash=token_hash(token), kind="bearer", account_id=account, created_at=MONDAY_8AM,
                expires_at=MONDAY_8AM + timedelta(days=1), last_seen_at=MONDAY_8AM,
            )
        )  # fmt: skip
    return Caller(app.test_client(), token)


def test_the_number_is_of_the_same_counter_and_nobody_waits_for_who_is_at_home(open_hospital: Hospital):
    web = take(open_hospital)
    slip = open_hospital.number(now=MONDAY_8AM + timedelta(minutes=1))
    assert (web.number_text, slip.number_text, slip.people_ahead) == ("1-001", "1-002", 0)
    assert open_hospital.call().number_text == "1-002"
    with pytest.raises(QueueEmpty):
        open_hospital.call(now=MONDAY_8AM + timedelta(minutes=2))


def test_who_comes_stands_where_their_number_stands(open_hospital: Hospital):
    web = take(open_hospital)
    open_hospital.number(now=MONDAY_8AM + timedelta(minutes=1))
    step(open_hospital, "here", web.id)
    assert open_hospital.call().number_text == "1-001"


def test_whose_turn_passed_on_the_way_stands_after_the_next_three(open_hospital: Hospital):
    web = take(open_hospital)
    for minute in range(1, 7):
        open_hospital.number(now=MONDAY_8AM + timedelta(minutes=minute))
    open_hospital.call(now=MONDAY_8AM + timedelta(minutes=8))
    step(open_hospital, "here", web.id)
    called = [open_hospital.call(now=MONDAY_8AM + timedelta(minutes=9 + n)).number_text for n in range(4)]
    assert called == ["1-003", "1-004", "1-005", "1-001"]


def test_one_person_has_one_a_day_at_a_facility(open_hospital: Hospital):
    open_hospital.settle("registration", web_limit=5)
    patient, account = open_hospital.patient(), uuid4()
    first = take(open_hospital, patient, account=account)
    assert take(open_hospital, patient, account=account).id == first.id
    for other in ({"account": account, "code": "registration"}, {"code": "registration"}, {}):
        with pytest.raises(WebNumberTaken):
            take(open_hospital, patient, **other)
    tomorrow = MONDAY_8AM + timedelta(days=1)
    assert take(open_hospital, patient, account=account, now=tomorrow).number_text == "1-001"


def test_the_database_refuses_a_second_number_whoever_asks_at_once(open_hospital: Hospital):
    patient = open_hospital.patient()

    def press(_: int) -> str | None:
        try:
            return take(open_hospital, patient).number_text
        except WebNumberTaken:
            return None

    with ThreadPoolExecutor(6) as pool:
        given = [each for each in pool.map(press, range(6), timeout=60) if each]
    assert given == ["1-001"]
    assert take(open_hospital).number_text == "1-002"


def test_without_check_in_it_is_over_though_no_daemon_ran(
    open_hospital: Hospital, app: Flask, clock: MovableClock
):
    web = take(open_hospital)
    late = TEN + timedelta(seconds=1)
    with pytest.raises(WebNumberLapsed), open_hospital.begin() as session:
        services.here(session, open_hospital.doctor, web.id, now=late)
    with pytest.raises(QueueEmpty):
        open_hospital.call(now=late)
    clock.forward(hours=2, seconds=1)
    page = app.test_client().get(f"/t/{web.public_token}").get_data(as_text=True)
    assert "đã hết hiệu lực" in page
    with open_hospital.begin() as session:
        assert session.get_one(Ticket, web.id).status == "waiting"
        assert services.tidy_web_numbers(session, now=late) == 1
        assert services.tidy_web_numbers(session, now=late) == 0
    with open_hospital.begin() as session:
        assert session.get_one(Ticket, web.id).status == "cancelled"
        kinds = session.scalars(select(TicketEvent.kind).order_by(TicketEvent.id)).all()
    assert kinds == ["issued", "lapse"]


def test_after_the_time_there_is_none_to_take(open_hospital: Hospital):
    with pytest.raises(WebNumbersGone):
        take(open_hospital, now=TEN)


def test_the_birth_date_gives_its_priority_by_itself(open_hospital: Hospital):
    slip = take(open_hospital, open_hospital.patient(birth_date="1940-01-01"))
    with open_hospital.begin() as session:
        ticket = session.get_one(Ticket, slip.id)
    assert (ticket.priority_class, ticket.priority_set_by, ticket.priority_basis) == (
        "aged-75", "birth-date", "birth-date",
    )  # fmt: skip


def test_the_phone_says_when_to_leave_and_once(open_hospital: Hospital):
    open_hospital.settle("P001", travel_minutes=20)
    for _ in range(8):
        open_hospital.number()
    web = take(open_hospital, now=MONDAY_8AM + timedelta(minutes=1))
    assert not services.leaves_now(web)
    for minute in range(2, 7):
        open_hospital.call(now=MONDAY_8AM + timedelta(minutes=8 * minute))
    with open_hospital.begin() as session:
        told = session.scalars(select(Notification.dedupe_key)).all()
    assert told == [f"leave-home-now:{web.id}"]


def test_who_is_next_anyway_reads_it_on_the_page(open_hospital: Hospital, app: Flask, clock: object):
    web = take(open_hospital)
    assert services.leaves_now(web)
    page = app.test_client().get(f"/t/{web.public_token}").get_data(as_text=True)
    assert "Vui lòng đến điểm danh trước 10:00" in page
    assert "Mời quý vị lên đường ngay" in page
    assert open_hospital.count(Notification) == 0


def test_the_slip_of_the_phone_checks_in_at_the_kiosk(
    open_hospital: Hospital, kiosk: Caller, other_hospital: Hospital
):
    web = take(open_hospital)
    answer = kiosk.post(f"{API}/check-ins", {"code": f"https://example.vn/t/{web.public_token}"})
    assert (answer.status_code, answer.json["number"]) == (201, "1-001")
    assert open_hospital.call().number_text == "1-001"
    with pytest.raises(NotFound), open_hospital.begin() as session:
        services.arrive_by_slip(
            session, other_hospital.kiosk, web.public_token, other_hospital.id, now=MONDAY_8AM,
            cipher=open_hospital.cipher,
        )  # fmt: skip
    unknown = kiosk.post(f"{API}/check-ins", {"code": "A" * 22})
    assert unknown.status_code == 404


def test_a_relative_takes_it_for_their_own_and_for_nobody_else(
    open_hospital: Hospital, app: Flask, clock: object
):
    own, other = open_hospital.patient(), open_hospital.patient()
    lan = relative(open_hospital, app, own)
    queue_id = str(open_hospital.queue("P001"))
    offers = lan.get(f"{API}/web-numbers?facility=77001").json["items"]
    assert [(each["id"], each["left"], each["until"]) for each in offers] == [
        (queue_id, 5, "2026-11-30T10:00:00+07:00")
    ]
    taken = lan.post(f"{API}/web-numbers", {"queue_id": queue_id, "patient_id": str(own)})
    assert (taken.status_code, taken.json["number"]) == (201, "1-001")
    refused = lan.post(f"{API}/web-numbers", {"queue_id": queue_id, "patient_id": str(other)})
    assert refused.status_code in (403, 404)
    assert open_hospital.count(Ticket) == 1
    with open_hospital.begin() as session:
        assert [each.left for each in queries.web_queues(session, MONDAY_8AM)] == [4]


def test_the_page_takes_a_number_and_shows_it(open_hospital: Hospital, app: Flask, clock: object):
    lan = relative(open_hospital, app, patient := open_hospital.patient())
    browser = Browser(lan.client)
    with lan.client.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    assert "Lấy số hôm nay" in browser.open("/numbers")
    assert "còn 5 số, điểm danh trước 10:00" in browser.open("/numbers?facility=77001")
    browser.send("/numbers", 422, facility="77001", patient=str(patient))
    shown = browser.send(
        "/numbers", facility="77001", queue=str(open_hospital.queue("P001")), patient=str(patient)
    )
    assert "1-001" in shown
    assert "Vui lòng đến điểm danh trước 10:00" in shown
    assert re.search(r'class="th-qr"[^>]*>\s*<svg', shown)


def test_whoever_cannot_come_gives_the_number_back_once(open_hospital: Hospital, app: Flask, clock):
    patient = open_hospital.patient()
    family = relative(open_hospital, app, patient)
    asked = {"queue_id": str(open_hospital.queue("P001")), "patient_id": str(patient)}
    number = family.post(f"{API}/web-numbers", asked).json
    stranger = relative(open_hospital, app, open_hospital.patient())
    path = f"{API}/web-numbers/{number['id']}"
    assert stranger.delete(path).status_code == 404
    assert [family.delete(path).status_code for _ in range(2)] == [204, 409]
    refused = family.post(f"{API}/web-numbers", asked)
    assert (refused.status_code, refused.json["code"]) == (409, "web-number-taken")
    assert family.get(f"{API}/tickets/{number['public_token']}").json["status"] == "cancelled"
    with open_hospital.begin() as session:
        assert visits.nowhere(session, open_hospital.id, MONDAY_8AM) == []


def test_a_number_whose_holder_has_come_is_not_given_back(open_hospital: Hospital, app: Flask, clock):
    patient = open_hospital.patient()
    family = relative(open_hospital, app, patient)
    number = take(open_hospital, patient)
    step(open_hospital, "here", number.id)
    assert family.delete(f"{API}/web-numbers/{number.id}").status_code == 409
    slip = open_hospital.number()
    assert family.delete(f"{API}/web-numbers/{slip.id}").status_code == 404


def test_the_page_lists_what_is_held_and_takes_it_back(open_hospital: Hospital, app: Flask, clock):
    patient = open_hospital.patient()
    number = take(open_hospital, patient)
    lan = relative(open_hospital, app, patient)
    with lan.client.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    browser = Browser(lan.client)
    assert "1-001" in browser.open("/numbers")
    browser.send(f"/numbers/{number.id}/give-back")
    assert "Đã trả số" in browser.page
    assert "Trả số này" not in browser.page


def test_who_has_nobody_in_the_account_enters_one_and_comes_back(open_hospital: Hospital, app: Flask, clock):
    lan = relative(open_hospital, app)
    with lan.client.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    browser = Browser(lan.client)
    page = browser.open("/numbers")
    path = re.search(r'href="(/account/people/new[^"]*)"', page)
    assert path
    browser.open(path[1])
    person = {"relation": "self", "full_name": "Lê Thị Nhung", "birth-year": "1958", "sex": "female"}
    browser.send(path[1], 422, **{**person, "full_name": ""})
    assert "Lấy số hôm nay" in browser.send(path[1], **person)
    assert "Lê Thị Nhung" in browser.open("/numbers?facility=77001")
