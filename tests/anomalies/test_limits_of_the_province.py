"""The province sets how often one identity may book online, on a page and over the API."""

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import Employee, Person
from tests.booking.test_booking_over_http import book, slots
from tests.forms import post_form

LIMITS = "/api/v1/identity-limits"
SHIPPED = {"account_day": 12, "phone_active": 15, "identity_active": 6}
PAGE = "/admin/province/limits"


@pytest.fixture
def office(app: Flask, officer: Employee) -> FlaskClient:
    """The browser of the province's officer."""
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = officer.token
    return client


def trail(engine: Engine) -> list[dict]:
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            text("SELECT details FROM audit_event WHERE action = 'identity-limits.change'")
        )
        return list(rows.scalars())


def test_what_the_officer_sets_holds_from_the_next_booking_on(
    limits: Callable[..., None], web: FlaskClient, officer: Employee, lan: Person, engine: Engine
):
    assert web.get(LIMITS, headers=officer.headers).json == SHIPPED
    free = slots(web, limit=10)
    assert book(web, lan, slot_id=free[0]["id"]).status_code == 201
    wanted = SHIPPED | {"account_day": 1}
    etag = web.get(LIMITS, headers=officer.headers).headers["ETag"]
    saved = web.put(LIMITS, json=wanted, headers=officer.headers | {"If-Match": etag})
    assert saved.status_code == 204
    assert saved.headers["ETag"] == web.get(LIMITS, headers=officer.headers).headers["ETag"] != etag
    assert web.get(LIMITS, headers=officer.headers).json == wanted
    assert book(web, lan, slot_id=free[-1]["id"]).json["code"] == "too-many-by-account"
    assert [(each["before"]["account-day"], each["after"]["account-day"]) for each in trail(engine)] == [
        (12, 1)
    ]


@pytest.mark.parametrize("odd", [0, -1, 501, 2.5, "12", None, 10**30])
def test_what_is_no_limit_is_refused_by_its_field(
    limits: Callable[..., None], web: FlaskClient, officer: Employee, odd: object
):
    headers = officer.headers | {"If-Match": web.get(LIMITS, headers=officer.headers).headers["ETag"]}
    refused = web.put(LIMITS, json=SHIPPED | {"phone_active": odd}, headers=headers)
    assert (refused.status_code, list(refused.json["fields"])) == (422, ["phone_active"])
    assert web.get(LIMITS, headers=officer.headers).json == SHIPPED


def test_a_change_over_the_api_names_what_it_has_seen(
    limits: Callable[..., None], web: FlaskClient, officer: Employee, engine: Engine
):
    etag = web.get(LIMITS, headers=officer.headers).headers["ETag"]
    unnamed = web.put(LIMITS, json=SHIPPED, headers=officer.headers)
    assert (unnamed.status_code, unnamed.json["code"]) == (428, "version-required")
    first = {"json": SHIPPED | {"account_day": 3}, "headers": officer.headers | {"If-Match": etag}}
    assert web.put(LIMITS, **first).status_code == 204
    late = web.put(LIMITS, json=SHIPPED, headers=officer.headers | {"If-Match": etag})
    assert (late.status_code, late.json["code"]) == (412, "stale-version")
    assert web.get(LIMITS, headers=officer.headers).json["account_day"] == 3
    assert len(trail(engine)) == 1


def test_a_page_that_was_open_too_long_overwrites_nothing(
    limits: Callable[..., None], office: FlaskClient, engine: Engine
):
    wanted = {"account_day": "8", "phone_active": "15", "identity_active": "4"}
    seen = {"version": "12-15-6"}
    assert post_form(office, PAGE, PAGE, **wanted, **seen).status_code == 303
    late = post_form(office, PAGE, PAGE, **wanted | {"account_day": "9"}, **seen)
    assert late.status_code == 412
    assert 'name="account_day" type="text" value="8"' in office.get(PAGE).text
    assert len(trail(engine)) == 1


def test_nobody_else_sees_or_sets_them(
    limits: Callable[..., None], web: FlaskClient, chief: Employee, desk: Employee, lan: Person
):
    for who in (chief, desk, lan):
        assert web.get(LIMITS, headers=who.headers).status_code == 403
        assert web.put(LIMITS, json=SHIPPED, headers=who.headers).status_code == 403
    assert web.get(LIMITS).status_code == 401


def test_the_page_sets_them_and_keeps_what_was_typed_wrong(
    limits: Callable[..., None], office: FlaskClient, engine: Engine
):
    assert "Giới hạn đặt lịch trực tuyến" in office.get("/admin/province").text
    shown = office.get(PAGE).text
    assert 'name="account_day" type="text" value="12"' in shown
    assert f'href="{PAGE}" aria-current="page"' in shown
    wrong = post_form(
        office, PAGE, PAGE, version="12-15-6", account_day="0", phone_active="mười", identity_active="4"
    )
    assert wrong.status_code == 422
    assert wrong.text.count("Nhập một số nguyên từ 1 đến 500.") == 4, "by the fields and in the summary"
    assert 'value="mười"' in wrong.text
    assert trail(engine) == []
    right = post_form(
        office, PAGE, PAGE, version="12-15-6", account_day="8", phone_active="15", identity_active="4"
    )
    assert (right.status_code, right.location) == (303, PAGE)
    shown = office.get(PAGE).text
    assert "Đã lưu" in shown
    assert 'name="account_day" type="text" value="8"' in shown
    assert len(trail(engine)) == 1


def test_the_database_lets_only_the_province_set_them(
    limits: Callable[..., None], engine: Engine, chief: Employee, officer: Employee
):
    change = text("UPDATE identity_limit SET most = 99 WHERE name = 'account-day'")
    for who, changed in ((chief, 0), (officer, 1)):
        with engine.begin() as connection:
            connection.execute(
                text("SELECT set_config('app.kind', 'staff', true), set_config('app.account', :id, true)"),
                {"id": str(who.account_id)},
            )
            assert connection.execute(change).rowcount == changed
    for statement in ("DELETE FROM identity_limit", "UPDATE identity_limit SET name = 'x'"):
        with pytest.raises(DBAPIError) as refused, engine.begin() as connection:
            connection.execute(text(statement))
        assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
