"""Who carries, who rests, who slows down."""

import random
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifications import operations
from notifications.breaker import FIRST_REST, WINDOW_SECONDS, Breaker
from notifications.channels.base import Accepted, Capabilities, Outcome, Outgoing, Rejected, Retry, Scope
from notifications.channels.provider import Carrier, Tariff
from notifications.fleet import Fleet
from notifications.limiter import Limiter
from notifications.policy import Pause
from notifications.provider_states import ProviderStates
from notifications.shares import Share, rebalanced, settle
from notifications.states import PausedBy
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK


class Silent:
    """An adapter that takes everything and sends nothing."""

    capabilities = Capabilities(idempotent=True)

    def __init__(self, provider: str) -> None:
        self.provider = provider

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        return Accepted(ref=str(key))

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str]
    ) -> Outcome | None:
        return None


class Hand:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def fleet(world: World, *carriers: Carrier, hand: Hand | None = None) -> Fleet:
    return Fleet(world.engine, carriers, QUICK, clock="clock_timestamp()", monotonic=hand or Hand())


def sms(provider: str, weight: int = 100, rate: float | None = None) -> Carrier:
    return Carrier("sms", Silent(provider), weight, rate, Tariff(segment=800))


def test_providers_of_a_channel_share_its_messages_by_weight(world: World) -> None:
    random.seed(7)
    two = fleet(world, sms("esms", 80), sms("twilio", 20))
    drawn = Counter(name for _ in range(200) for name in two.openings(8).picks["sms"])
    assert 0.75 < drawn["esms"] / drawn.total() < 0.85


def test_a_channel_that_nobody_serves_is_open_so_that_its_messages_can_go_on(world: World) -> None:
    openings = fleet(world, sms("twilio")).openings(8)
    assert openings.rooms["zalo"] == 8
    assert openings.picks["zalo"] == []


def test_who_rests_is_not_drawn_and_the_other_takes_all(world: World) -> None:
    two = fleet(world, sms("esms"), sms("twilio"))
    two.pause("esms", Pause(world.now().replace(year=2100), "empty", PausedBy.QUOTA))
    two.look()
    assert set(two.openings(8).picks["sms"]) == {"twilio"}
    assert two.situation.usable == {"sms"}
    changes = world.rows("SELECT provider, change, reason FROM notifications.provider_change")
    assert [tuple(row) for row in changes] == [("esms", "pause", "quota: empty")]


def test_an_operators_pause_is_not_shortened_by_a_breaker(world: World) -> None:
    one = fleet(world, sms("esms"))
    long, short = world.now().replace(year=2100), world.now().replace(year=2099)
    one.pause("esms", Pause(long, "contract", PausedBy.OPERATOR))
    one.pause("esms", Pause(short, "failures", PausedBy.BREAKER))
    (row,) = world.rows("SELECT paused_by, paused_until FROM notifications.provider_state")
    assert (row.paused_by, row.paused_until) == ("operator", long)


def test_five_failures_in_a_row_open_the_breaker_for_longer_each_time() -> None:
    breaker = Breaker()
    rests = [breaker.failed(at=1.0) for _ in range(5)]
    assert rests == [None] * 4 + [FIRST_REST]
    again = 1.0 + FIRST_REST
    assert [breaker.failed(at=again) for _ in range(5)][-1] == 2 * FIRST_REST


def test_failures_among_many_good_answers_open_nothing() -> None:
    breaker = Breaker()
    for number in range(300):
        breaker.answered(at=number / 10)
        if number % 3 == 0:
            assert breaker.failed(at=number / 10) is None


def test_half_of_a_minutes_answers_failing_opens_it_and_old_ones_are_forgotten() -> None:
    breaker = Breaker()
    opened = []
    for number in range(25):
        breaker.answered(at=float(number))
        opened.append(breaker.failed(at=float(number)))
    assert any(opened)
    quiet = Breaker()
    spread = [(quiet.answered(at=n * WINDOW_SECONDS), quiet.failed(at=n * WINDOW_SECONDS)) for n in range(60)]
    assert not any(rest for _, rest in spread)


def test_a_success_resets_the_rest_to_the_first() -> None:
    breaker = Breaker()
    [breaker.failed(at=0.0) for _ in range(5)]
    breaker.answered(at=FIRST_REST + 1)
    assert [breaker.failed(at=FIRST_REST + 2) for _ in range(5)][-1] == FIRST_REST


def test_who_stands_by_carries_nothing_while_another_works_and_everything_once_none_does(
    world: World,
) -> None:
    carries, stands_by = sms("esms", rate=4.0), sms("twilio", weight=0)
    here = fleet(world, carries, stands_by)
    drawn = here.openings(64).picks["sms"]
    assert 0 < len(drawn) < 64, "what is over the rate waits"
    assert set(drawn) == {"esms"}
    here.pause("esms", Pause(world.now() + timedelta(minutes=5), "broken", PausedBy.BREAKER))
    here.look()
    assert here.openings(64).picks["sms"] == ["twilio"] * here.openings(64).rooms["sms"]
    assert here.openings(64).rooms["sms"] > 0
    alone = fleet(world, stands_by)
    assert set(alone.openings(8).picks["sms"]) == {"twilio"}


def test_two_workers_together_keep_to_the_rate(world: World) -> None:
    hands = [Hand(), Hand()]
    limiters = [Limiter(world.engine, {"zalo": 40.0}, hand) for hand in hands]
    drawn = 0
    begin = database_seconds(world.engine)
    while (passed := database_seconds(world.engine) - begin) < 1.0:
        for limiter, hand in zip(limiters, hands, strict=True):
            hand.at += 1.0
            drawn += limiter.available(64)["zalo"]
            for _ in range(64):
                limiter.use("zalo")
    assert 0.7 * 40 * passed <= drawn <= 40 * passed + 0.25 * 40 + 1


def database_seconds(engine: Engine) -> float:
    with engine.begin() as connection:
        return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())


def test_a_provider_with_too_much_to_do_gets_half_and_who_is_not_limited_all(world: World) -> None:
    limiter = Limiter(world.engine, {"zalo": 40.0}, Hand())
    assert set(limiter.available(5)) == {"zalo"}
    limiter.slow_down("zalo")
    limiter.slow_down("zalo")  # the same moment counts once
    limiter.slow_down("twilio")
    (row,) = world.rows("SELECT rate, tokens FROM notifications.rate_bucket")
    assert (row.rate, row.tokens) == (20.0, 0.0)
    assert limiter.available(5) == {"zalo": 0}


@pytest.mark.parametrize(
    ("outcome", "rate"),
    [
        (Retry("421", crowded=True), 20.0),
        (Retry("451"), 40.0),
        (Retry("unreachable", down=True), 40.0),
        (Rejected("550", Scope.RECIPIENT), 40.0),
    ],
)
def test_only_a_provider_with_too_much_to_do_slows_down(world: World, outcome: Outcome, rate: float) -> None:
    relay = sms("relay", rate=40.0)
    here = fleet(world, relay)
    here.openings(5)
    here.judge(relay, outcome, 0.1, world.now())
    (row,) = world.rows("SELECT rate FROM notifications.rate_bucket")
    assert row.rate == rate


WELL = Share("esms", weight=80, usual=80, answers=1000)
POOR = Share("twilio", weight=20, usual=20, answers=100)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((replace(WELL, failed=60), POOR), {"esms": 70, "twilio": 30}),
        ((replace(WELL, slow=150), POOR), {"esms": 70, "twilio": 30}),
        ((replace(WELL, failed=49, slow=149), POOR), {}),
        ((replace(WELL, failed=60, age=30), POOR), {}),
        ((replace(WELL, failed=60), replace(POOR, failed=60)), {}),
        ((replace(WELL, failed=60),), {}),
        ((replace(WELL, failed=60, weight=5), replace(POOR, weight=95)), {"esms": 0, "twilio": 100}),
        ((replace(WELL, weight=55, age=900), replace(POOR, weight=45, age=900)), {"esms": 65, "twilio": 35}),
        ((replace(WELL, weight=55, age=899), replace(POOR, weight=45, age=899)), {}),
        ((replace(WELL, weight=75, age=900), replace(POOR, weight=25, age=900)), {"esms": 80, "twilio": 20}),
        ((WELL, POOR), {}),
    ],
)
def test_shares_move_by_ten_points_and_drift_back(
    shares: tuple[Share, ...], expected: Mapping[str, int]
) -> None:
    assert rebalanced(shares) == expected


def test_a_suffering_provider_loses_share_once_a_minute_and_it_is_written_down(world: World) -> None:
    world.run(
        "INSERT INTO notifications.provider_minute (provider, minute, channel, accepted, failed)"
        " VALUES ('esms', date_trunc('minute', clock_timestamp()), 'sms', 10, 60)"
    )
    carriers = [sms("esms", 80), sms("twilio", 20)]
    for _ in range(3):
        settle(world.engine, carriers)
    rows = world.rows("SELECT provider, weight FROM notifications.provider_state ORDER BY provider")
    assert [tuple(row) for row in rows] == [("esms", 70), ("twilio", 30)]
    assert world.count("provider_change") == 2


def test_what_a_person_has_set_stands_and_what_the_machine_moved_drifts_back_to_it(world: World) -> None:
    carriers = [sms("esms", 80), sms("twilio", 20)]
    with Session(world.engine) as session, session.begin():
        operations.weigh(session, "esms", 30, reason="đắt quá", by=uuid4(), now=world.now())
        ProviderStates().weigh(session.connection(), [("esms", 10), ("twilio", 40)], "errors or slow answers")
    weights = []
    for _ in range(3):
        world.run(
            "UPDATE notifications.provider_state SET weight_changed_at = clock_timestamp() - interval '1h'"
        )
        settle(world.engine, carriers)
        rows = world.rows("SELECT weight FROM notifications.provider_state ORDER BY provider")
        weights.append([row.weight for row in rows])
    assert weights == [[20, 30], [30, 20], [30, 20]]
