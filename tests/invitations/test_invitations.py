"""A son abroad is invited to the video visit, sees when it is, and hears when that changes."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from telehealth.invitations.services import Means, tell_changes
from telehealth.settings import Settings
from tests.booking.clinic import Person
from tests.booking.test_booking_over_http import book, slots
from tests.cast import messages
from tests.conftest import MovableClock

SON = {"name": "Lê Văn Minh", "contact": "son@example.com", "relation": "child", "agreed": True}


@pytest.fixture
def visit(web: FlaskClient, lan: Person) -> dict:
    """Lan's video visit on Tuesday."""
    slot = slots(web, modality="video")[0]
    answer = book(web, lan, slot_id=slot["id"])
    assert answer.status_code == 201, answer.json
    return answer.json


@pytest.fixture
def tell(engine: Engine, settings: Settings, clock: MovableClock):
    """Let the worker tell what changed."""
    from notifications import Outbox

    def run() -> int:
        means = Means(settings.cipher, Outbox(settings.cipher), settings.answer_links)
        with system_unit_of_work(engine) as session:
            return tell_changes(session, means, now=clock.now)

    return run


def invite(web: FlaskClient, who: Person, visit: dict, **changes: object):
    return web.post(f"/api/v1/appointments/{visit['id']}/invitees", json=SON | changes, headers=who.headers)


def page_of(web: FlaskClient, engine: Engine, settings: Settings, kind: str = "visit-invitation"):
    link = messages(engine, settings.cipher, kind)[-1]["link"]
    return web.get(link.removeprefix(settings.public_base_url), headers={"Accept": "text/html"})


def test_the_invited_gets_a_link_of_their_own_that_says_when_and_nothing_else(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, visit: dict
):
    invited = invite(web, lan, visit)
    assert invited.status_code == 201, invited.json
    assert [row["contact_ending"] for row in invited.json["items"]] == ["s••••@example.com"]
    assert messages(engine, settings.cipher, "visit-invitation")[0]["to"] == "son@example.com"
    page = page_of(web, engine, settings)
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert "Phòng mở lúc" in text
    assert "giờ Việt Nam" in text
    assert "Trần Thị Lan" not in text
    assert page.headers["X-Robots-Tag"].startswith("noindex")


def test_invited_twice_they_are_told_once_and_only_so_many_come(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, visit: dict
):
    assert [invite(web, lan, visit).status_code for _ in range(2)] == [201, 201]
    assert len(messages(engine, settings.cipher, "visit-invitation")) == 1
    for number in range(2):
        assert invite(web, lan, visit, contact=f"other{number}@example.com").status_code == 201
    assert invite(web, lan, visit, contact="fourth@example.com").status_code == 409


def test_when_the_visit_moves_and_is_cancelled_they_are_told(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, visit: dict, tell
):
    invite(web, lan, visit)
    assert tell() == 0
    later = slots(web, modality="video")[1]
    moved = web.post(
        f"/api/v1/appointments/{visit['id']}/reschedule",
        json={"slot_id": later["id"]},
        headers=lan.headers | {"If-Match": f'"{visit["version"]}"'},
    )
    assert moved.status_code == 200, moved.json
    assert (tell(), tell()) == (1, 0)
    told = messages(engine, settings.cipher, "visit-invitation-moved")
    assert [message["time"] for message in told] == [later["start"][11:16]]
    assert later["start"][11:16] in page_of(web, engine, settings).get_data(as_text=True)
    web.post(
        f"/api/v1/appointments/{visit['id']}/cancel",
        json={},
        headers=lan.headers | {"If-Match": moved.headers["ETag"]},
    )
    assert (tell(), tell()) == (1, 0)
    assert len(messages(engine, settings.cipher, "visit-invitation-cancelled")) == 1
    assert "Buổi khám đã hủy" in page_of(web, engine, settings).get_data(as_text=True)


def test_an_invitation_taken_back_opens_nothing_and_strangers_neither_see_nor_invite(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, minh: Person, visit: dict
):
    invitee = invite(web, lan, visit).json["items"][0]["id"]
    path = f"/api/v1/appointments/{visit['id']}/invitees"
    assert web.get(path, headers=minh.headers).status_code == 404
    assert invite(web, minh, visit).status_code == 404
    assert web.delete(f"{path}/{invitee}", headers=minh.headers).status_code == 404
    assert web.delete(f"{path}/{invitee}", headers=lan.headers).status_code == 204
    assert page_of(web, engine, settings).status_code == 404
    link = messages(engine, settings.cipher, "visit-invitation")[0]["link"]
    forged = re.sub(r".$", "A" if link[-1] != "A" else "B", link).removeprefix(settings.public_base_url)
    assert web.get(forged).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"contact": "nobody"}, {"name": " "}, {"agreed": False}, {"relation": "stranger"}]
)
def test_what_cannot_be_right_is_refused(web: FlaskClient, lan: Person, visit: dict, wrong: dict):
    assert invite(web, lan, visit, **wrong).status_code == 422


def test_nobody_is_invited_to_a_visit_in_person(web: FlaskClient, lan: Person):
    booked = book(web, lan, slot_id=slots(web)[0]["id"]).json
    assert invite(web, lan, booked).status_code == 409


def test_who_was_withdrawn_counts_and_is_not_told_of_what_never_reached_them(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, visit: dict
):
    path = f"/api/v1/appointments/{visit['id']}/invitees"
    for number in range(3):
        invited = invite(web, lan, visit, contact=f"other{number}@example.com")
        assert invited.status_code == 201, invited.json
        (row,) = invited.json["items"]
        assert web.delete(f"{path}/{row['id']}", headers=lan.headers).status_code == 204
    assert invite(web, lan, visit, contact="fourth@example.com").json["code"] == "too-many-invitees"
    assert messages(engine, settings.cipher, "visit-invitation-cancelled") == []


def test_one_account_writes_to_so_many_strangers_an_hour(web: FlaskClient, lan: Person):
    answers = []
    for slot in slots(web, modality="video")[:6]:
        booked = book(web, lan, slot_id=slot["id"])
        if booked.status_code == 201:
            answers += [
                invite(web, lan, booked.json, contact=f"a{number}@example.com").status_code
                for number in range(3)
            ]
            web.post(
                f"/api/v1/appointments/{booked.json['id']}/cancel",
                json={},
                headers=lan.headers | {"If-Match": booked.headers["ETag"]},
            )
    assert answers[:6] == [201] * 6
    assert set(answers[6:]) == {429}


def test_a_dear_number_abroad_is_limited_as_codes_are(
    web: FlaskClient, lan: Person, visit: dict, engine: Engine
):
    invite(web, lan, visit, contact="+14155550123")
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT count(*) FROM rate_count WHERE name LIKE 'otp:foreign:country:hour:1%'")
        )
        assert found.scalar_one() == 1


def test_after_the_visit_the_link_tells_nothing_more(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, visit: dict, clock: MovableClock
):
    invite(web, lan, visit)
    clock.forward(days=30)
    page = page_of(web, engine, settings).get_data(as_text=True)
    assert "Buổi khám đã kết thúc" in page
    assert visit["start"][11:16] not in page
