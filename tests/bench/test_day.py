"""A small province day with every trouble, and proof that its audit would see what it looks for."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bench import day
from bench.day.outages import Saboteur, shut_out
from bench.day.stages import Stages
from telehealth.settings import Settings, psycopg_url, random_base64
from tests.conftest import cloned

pytestmark = pytest.mark.long


@pytest.fixture
def env(template_database: str, settings: Settings) -> Iterator[Mapping[str, str]]:
    """The environment of a database of its own, which the day may take away."""
    with cloned(template_database, f"{template_database}_day_{os.getpid()}") as made:
        yield {
            "DATABASE_URL": made.app_url,
            "DATABASE_OWNER_URL": made.owner_url,
            "SECRET_KEY": settings.secret_key,
            "FIELD_KEYS": f"1:{random_base64(bytes(range(32)))}",
            "INDEX_KEY": random_base64(bytes(32)),
            "DEMO": "1",
        }


def played(
    env: Mapping[str, str], *, facilities: int, visits: int, away_after: float, processes: int = 0
) -> dict[str, Any]:
    url = psycopg_url(env["DATABASE_OWNER_URL"])
    away = Saboteur(url, 1, every=1.5, absent_after=away_after, absence=lambda: shut_out(url, 0.5))
    return day.play(
        env,
        url,
        facilities=facilities,
        visits=visits,
        seed=1,
        processes=processes,
        every=True,
        saboteur=away,
    )


def in_order(figures: Mapping[str, Any]) -> None:
    assert {kind: count for kind, count in figures["violations"].items() if count} == {}
    assert (figures["stages_failed"], figures["stages_left_out"]) == ({}, [])
    assert figures["facilities_played"] == figures["facilities"]
    assert figures["planted_faults_unseen"] == []
    assert all(figures["seen_with_a_guard_left_out"].values()), figures["seen_with_a_guard_left_out"]
    assert figures["database_taken_away"] == 1
    assert figures["waiting_at_nine"] == 0


@pytest.mark.timeout(900)
def test_a_small_day_with_every_trouble_ends_in_order_and_the_audit_sees_planted_faults(env):
    figures = played(env, facilities=3, visits=40, away_after=1)
    in_order(figures)
    assert figures["visits"] > 30
    troubles = {**figures["troubles"], **figures["happened"]}
    wanted = {"answers lost", "killed before commit", "printer dead", "presses that came late", "tests"}
    assert wanted <= {name for name, count in troubles.items() if count}


@pytest.mark.timeout(900)
def test_a_larger_day_with_every_trouble_ends_in_order(env):
    figures = played(env, facilities=3, visits=90, away_after=10, processes=2)
    in_order(figures)
    assert figures["happened"]["merged"]
    shown, plain = (figures["waits"]["at_issue"][name] for name in ("shown", "plain"))
    assert shown["inside"] > plain["inside"]
    assert shown["mae"] < plain["mae"]


@pytest.mark.timeout(900)
def test_a_trouble_that_fails_and_the_end_of_the_time_leave_the_figures_of_what_was_played(env):
    url, stages = psycopg_url(env["DATABASE_OWNER_URL"]), Stages()

    def fails_and_ends() -> None:
        stages.enough.set()
        msg = "the time is over"
        raise RuntimeError(msg)

    broken = Saboteur(url, 1, every=0.5, absent_after=0, absence=fails_and_ends)
    figures = day.play(env, url, facilities=3, visits=40, seed=1, processes=0, saboteur=broken, stages=stages)
    assert figures["facilities_played"] < figures["facilities"]
    assert figures["violations_in_all"] == 0
    assert "the time is over" in figures["stages_failed"]["saboteur"]
    assert (figures["stages_left_out"], figures["told_to_end"]) == (["plants", "controls"], True)
