"""The stored answers of writes are kept for a week."""

from datetime import timedelta

from sqlalchemy import Engine, text

from telehealth.booking.idempotency import forget
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import stored_answers
from telehealth.jobs.work import Work
from telehealth.settings import Settings
from tests.booking.clinic import NOW


def test_answers_are_forgotten_after_a_week_the_oldest_first(engine: Engine, settings: Settings):
    with system_unit_of_work(engine) as session:
        for days in (6, 8, 9, 10):
            session.execute(
                text("INSERT INTO idempotency VALUES ('patient:1', '/x', :key, 'h', 201, 'a', :at)"),
                {"key": str(days), "at": NOW - timedelta(days=days)},
            )
        assert forget(session, now=NOW, limit=1) == 1
    stored_answers.run(Work(settings, None, engine, None, ()), NOW)  # type: ignore[arg-type]
    with system_unit_of_work(engine) as session:
        assert session.scalars(text("SELECT key FROM idempotency")).all() == ["6"]
