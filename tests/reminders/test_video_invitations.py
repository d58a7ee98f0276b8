"""The link into a video room goes out once, when the room opens, and opens only that room."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.uow import system_unit_of_work
from telehealth.patients.models import Patient
from telehealth.reminders.services import Means, invite_to_video
from telehealth.settings import Settings
from tests.cast import messages
from tests.conftest import MONDAY_8AM
from tests.consultations.cast import a_consultation

OPENS = MONDAY_8AM
START = OPENS + timedelta(minutes=15)

Tick = Callable[[datetime], int]


@pytest.fixture
def tick(engine: Engine, settings: Settings) -> Tick:
    means = Means(
        settings.cipher, Outbox(settings.cipher), AnswerLinks.of(settings.secret_key, "https://kham.example")
    )

    def run(now: datetime) -> int:
        with system_unit_of_work(engine) as session:
            return invite_to_video(session, means, now=now)

    return run


def a_video_visit(owner_engine: Engine, settings: Settings, *, phone: bool = True, **odd: str) -> None:
    with Session(owner_engine) as owner:
        made = a_consultation(owner, START, OPENS, **odd)
        patient = owner.get_one(Patient, made.patient_id)
        if phone:
            patient.phone_sealed = settings.cipher.seal_text("+84912345678", f"patient.phone:{patient.id}")
        owner.commit()


def test_the_link_goes_out_once_when_the_room_opens(
    client: FlaskClient, tick: Tick, owner_engine: Engine, settings: Settings
) -> None:
    a_video_visit(owner_engine, settings)
    assert tick(OPENS - timedelta(seconds=1)) == 0
    assert tick(OPENS) == 1
    assert tick(OPENS + timedelta(seconds=15)) == 0
    (sent,) = messages(owner_engine, settings.cipher, "video-join")
    page = client.get(sent["link"].removeprefix("https://kham.example"))
    assert page.status_code == 200
    assert "Trung tâm Y tế Long Điền" in page.get_data(as_text=True)


@pytest.mark.parametrize("odd", [{"status": "cancelled"}, {"modality": "in-person"}, {"phone": False}])
def test_no_link_goes_where_none_is_wanted(
    client: FlaskClient, tick: Tick, owner_engine: Engine, settings: Settings, odd: dict[str, object]
) -> None:
    a_video_visit(owner_engine, settings, **odd)  # type: ignore[arg-type]
    assert tick(OPENS) == 0
    assert messages(owner_engine, settings.cipher, "video-join") == []
