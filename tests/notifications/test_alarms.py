"""When somebody is called, and that it happens once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifications import figures
from notifications.alarms import AlarmName, Raised, alarms, open_alarms, settle_alarms
from notifications.figures import NOTHING, ProviderFigures, Queue, Spent, Token, Vitals
from notifications.template_versions import Standing, TextKey
from notifications.templates import SOURCES
from tests.notifications.conftest import World

NOW = datetime(2026, 11, 30, 1, tzinfo=UTC)
QUIET = Vitals(
    at=NOW,
    queues=(),
    providers=(),
    spending=(),
    budget=None,
    texts=(),
    changed_texts=(),
    dead=0,
    dead_today=0,
    unknown_codes=(),
    oldest_transaction=0.0,
)


def queue(priority: int, seconds: float | None) -> Queue:
    oldest = None if seconds is None else NOW - timedelta(seconds=seconds)
    return Queue("sms", priority, 1, 1, 0, 0, oldest)


def provider(**details: Any) -> ProviderFigures:
    usual: dict[str, Any] = {
        "name": "zalo", "channel": "zalo", "configured": True, "weight": 100, "usual_weight": 100,
        "rate": 20.0, "paused_until": None, "paused_by": None, "reason": None, "remaining": None,
        "remaining_at": None,
        "token": None, "five_minutes": NOTHING, "hour": NOTHING, "day": NOTHING,
    }  # fmt: skip
    return ProviderFigures(**usual | details)


def resting(minutes: float, by: str | None) -> Vitals:
    until = NOW + timedelta(minutes=minutes)
    return replace(QUIET, providers=(provider(paused_until=until, paused_by=by),))


def token(state: str, days: float) -> Vitals:
    return replace(QUIET, providers=(provider(token=Token(state, None, NOW - timedelta(days=days))),))


def spent(vnd: int, budget: int | None) -> Vitals:
    return replace(
        QUIET, budget=budget, spending=(Spent("esms", 0, 0, 0, 0, vnd - 1), Spent("zalo", 0, 0, 0, 0, 1))
    )


def text(word: str | None, identifier: str | None = "300001") -> Vitals:
    return replace(QUIET, texts=(Standing("otp", "vi", "zalo", 1, identifier, word, NOW),))


@pytest.mark.parametrize(
    ("vitals", "expected"),
    [
        (QUIET, []),
        (replace(QUIET, queues=(queue(1, 60),)), []),
        (replace(QUIET, queues=(queue(1, 61),)), ["oldest-ready urgent"]),
        (replace(QUIET, queues=(queue(0, 61), queue(3, 299))), ["oldest-ready urgent"]),
        (replace(QUIET, queues=(queue(5, 301), queue(1, None))), ["oldest-ready others"]),
        (resting(60, "operator"), ["provider-paused zalo"]),
        (resting(60, "config"), ["provider-paused zalo"]),
        (resting(60, None), ["provider-paused zalo"]),
        (resting(10, "breaker"), []),
        (resting(20, "breaker"), ["provider-paused zalo"]),
        (resting(-1, "operator"), []),
        (token("ok", 75), []),
        (token("ok", 77), ["token-chain-old zalo"]),
        (token("refreshing", 77), ["token-chain-old zalo"]),
        (token("needs_reauth", 77), ["token-needs-authorisation zalo"]),
        (spent(10**9, None), []),
        (spent(799, 1000), []),
        (spent(800, 1000), ["budget-near month"]),
        (spent(1000, 1000), ["budget-used month"]),
        (text("ENABLE"), []),
        (text(None), []),
        (text("PENDING_REVIEW"), []),
        (text("REJECT"), ["text-refused otp.vi.zalo"]),
        (text("disable"), ["text-refused otp.vi.zalo"]),
        (text("SOMETHING_NEW"), ["text-refused otp.vi.zalo"]),
        (text("registered (Viettel)"), []),
        (text("UNLISTED"), ["text-refused otp.vi.zalo"]),
        (text("REJECT", None), []),
        (replace(QUIET, changed_texts=(TextKey("otp", "vi", "sms", 1),)), ["text-changed otp.vi.sms"]),
        (replace(QUIET, dead=50, dead_today=5), []),
        (replace(QUIET, dead_today=6), ["dead-letters today"]),
        (replace(QUIET, unknown_codes=(("esms", "999"),)), ["unknown-code esms 999"]),
        (replace(QUIET, oldest_transaction=599.0), []),
        (replace(QUIET, oldest_transaction=601.0), ["old-transaction database"]),
    ],
)  # fmt: skip
def test_each_alarm_has_its_cause(vitals: Vitals, expected: list[str]) -> None:
    assert [f"{each.name} {each.subject}" for each in alarms(vitals, NOW)] == expected


PAUSED = Raised(AlarmName.PROVIDER_PAUSED, "zalo")
DEAD = Raised(AlarmName.DEAD_LETTERS, "today")


def settle(world: World, raised: set[Raised], minutes: float) -> list[Raised]:
    with Session(world.engine) as session, session.begin():
        return settle_alarms(session, raised, NOW + timedelta(minutes=minutes))


def test_an_alarm_is_told_once_while_it_lasts(world: World) -> None:
    assert settle(world, {PAUSED}, 0) == [PAUSED]
    assert settle(world, {PAUSED}, 1) == []
    assert settle(world, {PAUSED, DEAD}, 2) == [DEAD]
    with Session(world.engine) as session:
        assert [each.raised for each in open_alarms(session)] == [PAUSED, DEAD]
    assert settle(world, set(), 3) == []
    with Session(world.engine) as session:
        assert open_alarms(session) == ()


def test_an_alarm_that_comes_back_soon_is_the_same_one(world: World) -> None:
    settle(world, {PAUSED}, 0)
    settle(world, set(), 1)
    assert settle(world, {PAUSED}, 20) == []
    with Session(world.engine) as session:
        assert [each.since for each in open_alarms(session)] == [NOW]
    settle(world, set(), 21)
    assert settle(world, {PAUSED}, 60) == [PAUSED]


def test_a_code_that_no_table_names_is_noticed(world: World) -> None:
    phone = world.new_phone()
    world.sandbox.fault("zalo", "reject", to=phone, code=-98765, times=1)
    world.enqueue(world.message("appointment-booked", phone))
    world.dispatch_until_empty()
    with Session(world.engine) as session:
        vitals = figures.vitals(
            session, world.settings.configured, budget=None, sources=SOURCES, now=world.now()
        )
    assert vitals.unknown_codes == (("zalo", "-98765"),)


def test_a_transaction_that_holds_rows_back_is_noticed(world: World) -> None:
    with world.engine.connect() as holder, Session(world.engine) as session:
        holder.exec_driver_sql("SELECT pg_sleep(0.2)")
        vitals = figures.vitals(session, {}, budget=None, sources=(), now=world.now())
        holder.rollback()
    assert vitals.oldest_transaction > 0.1
