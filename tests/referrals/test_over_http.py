"""Referrals and slips as programs use them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from telehealth.core.clock import local
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import NOW, Employee, Person, add_person
from tests.referrals.conftest import Caller, paper, referral


@pytest.fixture
def made(doctor: Caller, lan: Person) -> dict[str, Any]:
    answer = doctor.post("/referrals", referral(lan.patient_id))
    assert answer.status_code == 201, answer.json
    return answer.json


def first_slot(caller: Caller, request: dict[str, Any]) -> str:
    answer = caller.get(f"/referrals/{request['id']}/slots")
    assert answer.status_code == 200, answer.json
    return answer.json["items"][0]["id"]


def test_a_doctor_refers_and_the_slip_is_good_for_ten_working_days(made: dict[str, Any]):
    assert made["status"] == "active"
    assert made["number"].startswith("CK26-")
    assert (made["signed_on"], made["valid_until"]) == ("2026-11-30", "2026-12-14")
    assert made["owner"] == {"code": "77001", "name": "Bệnh viện Thử 77001"}


def test_the_patient_books_from_their_list_and_the_slip_is_spent(patient: Caller, made: dict[str, Any]):
    (mine,) = patient.get("/referrals").json["items"]
    booked = patient.change(mine, "book", {"slot_id": first_slot(patient, mine)})
    assert booked.status_code == 200, booked.json
    assert booked.json["appointment"]["status"] == "booked"
    again = patient.change(mine, "book", {"slot_id": first_slot(patient, mine)})
    assert (again.status_code, again.json["code"]) == (409, "slip-spent")


def test_a_cancelled_booking_gives_the_slip_back(patient: Caller, made: dict[str, Any]):
    booked = patient.change(made, "book", {"slot_id": first_slot(patient, made)}).json
    appointment = patient.get(f"/appointments/{booked['appointment']['id']}").json
    cancelled = patient.post(
        f"/appointments/{appointment['id']}/cancel", {}, If_Match=f'"{appointment["version"]}"'
    )
    assert cancelled.status_code == 200, cancelled.json
    free = patient.get(f"/referrals/{made['id']}").json
    assert (free["status"], free["appointment"]) == ("active", None)
    assert patient.change(made, "book", {"slot_id": first_slot(patient, made)}).status_code == 200
    kinds = [event["kind"] for event in patient.get(f"/referrals/{made['id']}/events").json["items"]]
    assert kinds == ["issued", "booked", "released", "booked"]


@pytest.mark.parametrize("who", ["doctor", "receiving_desk", "desk"])
def test_the_doctor_and_both_desks_book_too(who: str, request: pytest.FixtureRequest, made: dict[str, Any]):
    caller: Caller = request.getfixturevalue(who)
    booked = caller.change(made, "book", {"slot_id": first_slot(caller, made)})
    assert booked.status_code == 200, booked.json


def test_a_day_after_the_last_is_refused_with_times_inside(
    engine: Engine, patient: Caller, made: dict[str, Any]
):
    slot = first_slot(patient, made)
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE service_request SET valid_until = '2026-11-30'"))
    later = patient.get(
        "/slots",
        service="internal",
        facility="77002",
        modality="in-person",
        **{"from": "2026-12-02T00:00:00Z"},
    )
    refused = patient.change(made, "book", {"slot_id": later.json["items"][0]["id"]})
    assert (refused.status_code, refused.json["code"]) == (422, "slip-outside-validity")
    assert "30/11/2026" in refused.json["detail"]
    assert refused.json["alternatives"][0]["id"] == slot


def test_an_appointment_bound_to_a_slip_moves_only_inside_its_days(
    engine: Engine, patient: Caller, made: dict[str, Any]
):
    patient.change(made, "book", {"slot_id": first_slot(patient, made)})
    with system_unit_of_work(engine) as session:
        bound = session.execute(text("SELECT lower(bound), upper(bound) FROM appointment")).one()
        assert [local(instant).isoformat() for instant in bound] == [
            "2026-11-30T00:00:00+07:00",
            "2026-12-15T00:00:00+07:00",
        ]
    outside = text("UPDATE appointment SET start_at = '2026-12-15T01:00Z', end_at = '2026-12-15T01:10Z'")
    with pytest.raises(IntegrityError, match="ck_appointment_bound"), system_unit_of_work(engine) as session:
        session.execute(outside)


def test_deferring_is_refused_while_there_are_times(doctor: Caller, made: dict[str, Any]):
    refused = doctor.change(made, "defer")
    assert (refused.status_code, refused.json["code"]) == (422, "slots-available")
    assert refused.json["slots"]


def test_without_times_a_request_is_deferred_with_an_owner_and_a_clock(
    engine: Engine, doctor: Caller, lan: Person
):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
    made = doctor.post("/referrals", referral(lan.patient_id, priority="asap")).json
    deferred = doctor.change(made, "defer", {"reason": "Hết giờ khám"})
    assert deferred.status_code == 200, deferred.json
    assert deferred.json["status"] == "on-hold"
    assert (deferred.json["owner_role"], deferred.json["owner"]["code"]) == ("desk", "77001")
    assert deferred.json["escalate_at"] == "2026-11-30T12:00:00+07:00"


def test_only_those_concerned_see_a_request(
    made: dict[str, Any],
    minh: Person,
    call: Callable[[Any], Caller],
    receiving_desk: Caller,
    staff: Callable[..., Employee],
):
    assert call(minh).get(f"/referrals/{made['id']}").status_code == 404
    seen = receiving_desk.get(f"/referrals/{made['id']}")
    assert seen.json["clinical"]["diagnosis"] == "Cơn đau thắt ngực"
    officer = call(staff(Role.PROVINCE_OFFICER, "77001"))
    assert officer.get(f"/referrals/{made['id']}").status_code == 403


def test_a_referral_is_returned_with_a_reason_and_revoked_by_whoever_made_it(
    doctor: Caller, receiving_desk: Caller, made: dict[str, Any]
):
    returned = receiving_desk.change(made, "return", {"reason": "Thiếu kết quả xét nghiệm"})
    assert (returned.status_code, returned.json["status"]) == (200, "on-hold")
    assert returned.json["owner"]["code"] == "77001"
    assert receiving_desk.change(made, "revoke", {"reason": "x"}).status_code == 403
    revoked = doctor.change(made, "revoke", {"reason": "Bệnh nhân đã nhập viện"})
    assert revoked.json["status"] == "revoked"
    assert doctor.change(made, "defer").json["code"] == "request-closed"


def test_changes_name_the_version_they_change(doctor: Caller, made: dict[str, Any]):
    assert doctor.post(f"/referrals/{made['id']}/defer").status_code == 428
    assert doctor.post(f"/referrals/{made['id']}/defer", If_Match='"7"').status_code == 412


def test_the_same_key_makes_one_referral(doctor: Caller, lan: Person):
    body = referral(lan.patient_id)
    first, second = (doctor.post("/referrals", body, Idempotency_Key="k1") for _ in range(2))
    assert first.json == second.json
    assert len(doctor.get("/referrals", facility="77001").json["items"]) == 1


def test_a_visit_ends_with_slot_and_slip_in_one_step(doctor: Caller, lan: Person):
    slots = doctor.get("/slots", service="internal", facility="77001", **{"from": "2026-12-02T00:00:00Z"})
    body = {
        "kind": "reexamination",
        "facility": "77001",
        "patient_id": str(lan.patient_id),
        "target_facility": "77001",
        "target_service": "internal",
        "appointment_on": "2026-12-02",
        "slot_id": slots.json["items"][0]["id"],
    }
    made = doctor.post("/referrals", body)
    assert made.status_code == 201, made.json
    assert made.json["appointment"]["start"].startswith("2026-12-02")
    refused = doctor.post("/referrals", body | {"appointment_on": "2026-12-02"})
    assert refused.json["code"] == "slot-taken"
    assert len(doctor.get("/referrals", facility="77001").json["items"]) == 1


def test_a_paper_is_typed_in_once_and_books_on_its_day(patient: Caller, lan: Person):
    entered = patient.post("/slips", paper(lan.patient_id))
    assert entered.status_code == 201, entered.json
    assert entered.json["due_on"] == "2026-12-01"
    again = patient.post("/slips", paper(lan.patient_id, number="0123 HK"))
    assert again.json["id"] == entered.json["id"]
    booked = patient.change(entered.json, "book", {"slot_id": first_slot(patient, entered.json)})
    assert booked.status_code == 200, booked.json
    assert booked.json["appointment"]["start"].startswith("2026-12-01")
    assert not booked.json["needs_decision"]


def test_somebody_elses_paper_is_not_told(
    patient: Caller, lan: Person, minh: Person, call: Callable[..., Caller]
):
    patient.post("/slips", paper(lan.patient_id))
    refused = call(minh).post("/slips", paper(minh.patient_id))
    assert (refused.status_code, refused.json["code"]) == (409, "slip-known")


def test_a_place_that_the_hospital_takes_away_starts_the_clock(
    patient: Caller, receiving_desk: Caller, desk: Caller, made: dict[str, Any]
):
    booked = patient.change(made, "book", {"slot_id": first_slot(patient, made)}).json["appointment"]
    version = receiving_desk.get(f"/appointments/{booked['id']}").json["version"]
    cancelled = receiving_desk.post(
        f"/appointments/{booked['id']}/cancel", {"reason_code": "facility"}, If_Match=f'"{version}"'
    )
    assert cancelled.status_code == 200, cancelled.json
    (waiting,) = desk.get("/referrals", facility="77001", worklist="true").json["items"]
    assert (waiting["id"], waiting["status"]) == (made["id"], "on-hold")
    assert waiting["escalate_at"]
    again = patient.change(made, "book", {"slot_id": first_slot(patient, made)})
    assert (again.status_code, again.json["escalate_at"]) == (200, None)


@pytest.mark.parametrize("state", ["active", "completed"])
def test_the_same_paper_is_one_request_however_its_hospital_is_spelt(
    patient: Caller, lan: Person, engine: Engine, state: str
):
    entered = patient.post("/slips", paper(lan.patient_id)).json
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE service_request SET status = :state"), {"state": state})
    again = patient.post("/slips", paper(lan.patient_id, issuer="BV Chợ Rẫy"))
    assert again.json["id"] == entered["id"], again.json
    other_day = patient.post("/slips", paper(lan.patient_id, issuer="BVCR", signed_on="2026-11-19"))
    assert (other_day.status_code, other_day.json["code"]) == (409, "slip-known")


def test_another_record_of_the_person_cannot_use_the_paper_again(
    patient: Caller, lan: Person, engine: Engine, settings: Settings, call: Callable[..., Caller]
):
    patient.post("/slips", paper(lan.patient_id))
    with system_unit_of_work(engine) as session:
        twin = add_person(session, settings.cipher, 9, name="Trần Thị Lan")
    refused = call(twin).post("/slips", paper(twin.patient_id, issuer="BV Chợ Rẫy"))
    assert (refused.status_code, refused.json["code"]) == (409, "slip-known")


@pytest.mark.parametrize("state", ["completed", "revoked"])
def test_a_number_of_ours_is_found_and_never_typed_in_as_a_paper(
    patient: Caller, made: dict[str, Any], lan: Person, minh: Person, engine: Engine, call, state: str
):
    typed = {"kind": "referral", "number": made["number"], "signed_on": made["signed_on"]}
    assert patient.post("/slips", paper(lan.patient_id, **typed)).json["id"] == made["id"]
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE service_request SET status = :state"), {"state": state})
    spent = patient.post("/slips", paper(lan.patient_id, **typed))
    assert (spent.status_code, spent.json["code"]) == (409, "slip-known")
    stranger = call(minh).post("/slips", paper(minh.patient_id, **typed))
    assert (stranger.status_code, list(stranger.json["fields"])) == (422, ["number"])
    with system_unit_of_work(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM service_request")) == 1


def test_who_may_see_or_book_for_somebody_does_not_type_their_slips(
    lan: Person, minh: Person, engine: Engine, call: Callable[..., Caller]
):
    with system_unit_of_work(engine) as session:
        session.execute(
            text(
                """INSERT INTO delegation (id, patient_id, account_id, delegate_name, relation, scopes,
                          valid_from, valid_to, given_how, text_version, created_at)
                   SELECT gen_random_uuid(), :lan, account_id, 'Minh', 'child', '{see,book}', :now,
                          :until, 'code', '1', :now FROM account_patient WHERE patient_id = :minh"""
            ),
            {
                "lan": lan.patient_id,
                "minh": minh.patient_id,
                "now": NOW,
                "until": NOW + timedelta(days=90),
            },
        )
    assert call(minh).post("/slips", paper(lan.patient_id)).status_code == 404


def test_another_day_than_the_papers_warns_and_staff_decide(patient: Caller, desk: Caller, lan: Person):
    entered = patient.post("/slips", paper(lan.patient_id, appointment_on="2026-12-20")).json
    slots = patient.get("/slots", service="internal", facility="77001").json["items"]
    warned = patient.change(entered, "book", {"slot_id": slots[0]["id"]})
    assert (warned.status_code, warned.json["code"]) == (409, "slip-date-shifted")
    assert "20/12/2026" in warned.json["detail"]
    booked = patient.change(entered, "book", {"slot_id": slots[0]["id"], "shift_known": True}).json
    assert booked["needs_decision"]
    (waiting,) = desk.get("/referrals", facility="77001", worklist="true").json["items"]
    assert desk.change(waiting, "decide", {"accept": False}).status_code == 422
    refused = desk.change(waiting, "decide", {"accept": False, "reason": "Chưa đủ thuốc"})
    assert refused.status_code == 200, refused.json
    after = patient.get(f"/referrals/{entered['id']}").json
    assert (after["appointment"], after["decision"], after["decision_reason"]) == (
        None,
        "refused",
        "Chưa đủ thuốc",
    )


def test_staff_agree_to_another_day(patient: Caller, desk: Caller, lan: Person):
    entered = patient.post("/slips", paper(lan.patient_id, appointment_on="2026-12-20")).json
    slot = patient.get("/slots", service="internal", facility="77001").json["items"][0]["id"]
    patient.change(entered, "book", {"slot_id": slot, "shift_known": True})
    agreed = desk.change(entered, "decide", {"accept": True})
    assert agreed.status_code == 200, agreed.json
    assert (agreed.json["decision"], agreed.json["needs_decision"]) == ("accepted", False)
    assert desk.change(entered, "decide", {"accept": True}).json["code"] == "nothing-to-decide"


def test_a_holiday_moves_the_day_and_keeps_the_entitlement(patient: Caller, lan: Person):
    entered = patient.post("/slips", paper(lan.patient_id, appointment_on="2027-01-01")).json
    assert (entered["appointment_on"], entered["due_on"]) == ("2027-01-01", "2027-01-04")


def test_bad_papers_are_refused_by_field(patient: Caller, lan: Person):
    for change, field in (
        ({"signed_on": "2026-12-30"}, "signed_on"),
        ({"signed_on": "1999-01-01"}, "signed_on"),
        ({"appointment_on": "9999-12-31"}, "appointment_on"),
        ({"appointment_on": None}, "appointment_on"),
        ({"icd10": "Ị10"}, "icd10"),
        ({"target_facility": None, "target_service": None}, "target"),
        ({"target_service": "surgery"}, "service"),
        ({"number": "--"}, "number"),
        ({"issuer": ""}, "issuer"),
    ):
        refused = patient.post("/slips", paper(lan.patient_id, **change))
        assert refused.status_code == 422, (change, refused.json)
        assert field in refused.json["fields"], (change, refused.json)


def test_remote_conditions_are_found_by_plain_words(patient: Caller):
    found = patient.get("/remote-conditions", q="cao huyet ap").json
    assert [item["code"] for item in found["items"]] == ["I10"]
    assert found["consultation_without_treatment"] is True
