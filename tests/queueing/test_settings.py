"""What a facility sets holds from the next number on, whoever asks at the same time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select, text

from telehealth.audit.models import AuditEvent
from telehealth.core.errors import PreconditionFailed, Unprocessable
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.errors import QueueFull, ReturnTooLate, WebNumbersGone
from telehealth.queueing.models import Queue, QueueCounter, Ticket
from telehealth.queueing.queries import queue_by_id
from telehealth.queueing.rules import QueueSettings
from telehealth.queueing.services import arranging
from telehealth.queueing.services.numbers import Holder, issue
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Caller, Hospital
from tests.queueing.test_calling import step

API = "/api/v1"


def from_web(hospital: Hospital, code: str = "registration") -> str:
    holder = Holder(patient_id=hospital.patient(), web_until=MONDAY_8AM + timedelta(hours=2))
    with hospital.begin() as session:
        queue = queue_by_id(session, hospital.queue(code))
        assert queue is not None
        return issue(
            session, hospital.kiosk, queue, holder, press_key=uuid4().hex, now=MONDAY_8AM,
            cipher=hospital.cipher,
        ).number_text  # fmt: skip


def test_numbers_stay_in_their_band(hospital: Hospital):
    hospital.settle("registration", first_number=500, last_number=502)
    assert [hospital.number("registration").number_text for _ in range(3)] == ["A500", "A501", "A502"]
    with pytest.raises(QueueFull):
        hospital.number("registration")


def test_a_band_of_one_number_gives_one(hospital: Hospital):
    hospital.settle("registration", first_number=7, last_number=7)
    assert hospital.number("registration").number_text == "A007"
    with pytest.raises(QueueFull):
        hospital.number("registration")


def test_a_new_first_number_counts_from_the_next_day(hospital: Hospital):
    hospital.number("registration")
    hospital.settle("registration", first_number=300)
    assert hospital.number("registration").number_text == "A002"
    tomorrow = MONDAY_8AM + timedelta(days=1)
    assert hospital.number("registration", now=tomorrow).number_text == "A300"


def test_the_contingent_of_the_web_is_part_of_the_day(hospital: Hospital):
    hospital.settle("registration", daily_limit=3, web_limit=1)
    assert [from_web(hospital), hospital.number("registration").number_text] == ["A001", "A002"]
    with pytest.raises(WebNumbersGone):
        from_web(hospital)
    assert hospital.number("registration").number_text == "A003"
    with pytest.raises(QueueFull):
        hospital.number("registration")


def test_without_a_contingent_the_web_gives_nothing(hospital: Hospital):
    with pytest.raises(WebNumbersGone):
        from_web(hospital)
    assert hospital.number("registration").number_text == "A001"


def test_many_at_once_never_pass_band_or_contingents(hospital: Hospital):
    hospital.settle("registration", first_number=100, last_number=111, daily_limit=12, web_limit=4)

    def press(turn: int) -> str | None:
        try:
            return from_web(hospital) if turn % 2 else hospital.number("registration").number_text
        except (QueueFull, WebNumbersGone):
            return None

    with ThreadPoolExecutor(8) as pool:
        given = [number for number in pool.map(press, range(32), timeout=60) if number]
    assert sorted(given) == [f"A{n}" for n in range(100, 112)]
    with hospital.begin() as session:
        counter = session.scalars(select(QueueCounter)).one()
        web = session.scalars(select(Ticket.number).where(Ticket.web_until.is_not(None))).all()
    assert (counter.first, counter.last, counter.web) == (100, 111, 4)
    assert len(web) == 4


def test_without_the_check_in_the_counting_statement_contingents_are_passed(hospital: Hospital):
    """The control: look first, then count; both look before either counts."""
    hospital.settle("registration", daily_limit=1)
    queue_id = hospital.queue("registration")
    look = text("SELECT coalesce(max(last), 0) FROM queue_counter WHERE queue_id = :queue")
    count = text(
        "INSERT INTO queue_counter (queue_id, business_date, last) VALUES (:queue, current_date, 1)"
        " ON CONFLICT (queue_id, business_date) DO UPDATE SET last = queue_counter.last + 1 RETURNING last"
    )
    with hospital.begin() as one:
        assert one.scalar(look, {"queue": queue_id}) == 0
        with hospital.begin() as other:
            assert other.scalar(look, {"queue": queue_id}) == 0
            assert other.scalar(count, {"queue": queue_id}) == 1
        assert one.scalar(count, {"queue": queue_id}) == 2


def test_a_return_is_judged_by_the_queues_own_rules(hospital: Hospital):
    hospital.settle("P001", max_passed=1, return_places=0)
    for _ in range(4):
        hospital.number()
    first = hospital.call()
    step(hospital, "skip", first.id)
    hospital.call(now=MONDAY_8AM + timedelta(minutes=1))
    step(hospital, "return", first.id)
    assert hospital.call(now=MONDAY_8AM + timedelta(minutes=2)).number_text == "1-001"
    step(hospital, "skip", first.id)
    for minute in (3, 4):
        hospital.call(now=MONDAY_8AM + timedelta(minutes=minute))
    with pytest.raises(ReturnTooLate):
        step(hospital, "return", first.id)


def test_the_order_follows_the_queues_ratio(hospital: Hospital):
    hospital.settle("P001", priority_run=1)
    for _ in range(2):
        hospital.number()
    for _ in range(2):
        hospital.number(priority=PriorityClass.PREGNANT)
    called = [hospital.call(now=MONDAY_8AM + timedelta(minutes=n)).number_text for n in range(4)]
    assert called == ["1-003", "1-001", "1-004", "1-002"]


def test_settings_that_contradict_each_other_are_refused_by_field(hospital: Hospital):
    queue_id = hospital.queue("registration")
    wrong = QueueSettings(first_number=10, last_number=5, daily_limit=3, web_limit=4)
    with pytest.raises(Unprocessable) as refused, hospital.begin() as session:
        arranging.configure(session, hospital.admin, queue_id, wrong, version=1, now=MONDAY_8AM)
    assert set(refused.value.fields) == {"last_number", "web_limit"}
    with pytest.raises(PreconditionFailed), hospital.begin() as session:
        arranging.configure(session, hospital.admin, queue_id, QueueSettings(), version=9, now=MONDAY_8AM)


def test_the_admin_sets_them_by_the_api_and_the_trail_says_what_changed(
    app: Flask, clock: object, hospital: Hospital
):
    admin = Caller(app.test_client(), hospital.admin_token)
    path = f"{API}/queues/{hospital.queue('registration')}/settings"
    shown = admin.get(path)
    assert (shown.json["max_passed"], shown.headers["ETag"]) == (10, '"1"')
    wanted = {name: value for name, value in shown.json.items() if name != "version"} | {"max_passed": 5}
    put = admin.client.put
    headers = {"Authorization": f"Bearer {hospital.admin_token}"}
    assert put(path, json=wanted, headers=headers).status_code == 428
    changed = put(path, json=wanted, headers=headers | {"If-Match": '"1"'})
    assert (changed.status_code, changed.json["max_passed"], changed.json["version"]) == (200, 5, 2)
    assert put(path, json=wanted, headers=headers | {"If-Match": '"1"'}).status_code == 412
    odd = put(path, json=wanted | {"priority_run": 0}, headers=headers | {"If-Match": '"2"'})
    assert (odd.status_code, list(odd.json["fields"])) == (422, ["priority_run"])
    doctor = Caller(app.test_client(), hospital.staff_token)
    assert doctor.get(path).status_code == 403
    with hospital.begin() as session:
        entry = session.scalars(select(AuditEvent).where(AuditEvent.action == "queue.configure")).one()
    assert entry.details == {"max_passed": [10, 5]}


def test_the_model_holds_every_setting():
    columns = set(Queue.__table__.columns.keys())
    assert set(asdict(QueueSettings())) <= columns
    assert replace(QueueSettings(), near=1).near == 1
