"""The audit's own order of calling, held against a few calls that are right and some that are not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from bench.day.replay import Number, Ratio, Replay, Step

SEVEN = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)
QUEUE = uuid4()
RATIO = Ratio(2, 2, timedelta(minutes=30), timedelta(minutes=15), 3, 1)


class Morning:
    """Numbers of one queue and what happened to them, in the order it was written."""

    def __init__(self) -> None:
        self.numbers: dict[UUID, Number] = {}
        self.steps: list[Step] = []

    def give(self, minute: float, *, priority: bool = False, from_web: bool = False) -> UUID:
        given, at = uuid4(), SEVEN + timedelta(minutes=minute)
        number = len(self.numbers) + 1
        self.numbers[given] = Number(given, QUEUE, number, uuid4(), at, priority, None, from_web, "done")
        self.happen("issued", given, minute)
        return given

    def happen(self, kind: str, number: UUID, minute: float) -> None:
        self.steps.append(Step(len(self.steps), number, kind, SEVEN + timedelta(minutes=minute)))

    def call(self, number: UUID, minute: float) -> None:
        self.happen("call", number, minute)
        self.happen("done", number, minute)

    def judged(self) -> dict[str, int]:
        return dict(Replay(self.numbers, {QUEUE: RATIO}, []).run(self.steps))


def test_whoever_is_called_before_those_who_came_first_is_seen():
    morning = Morning()
    first, second = morning.give(0), morning.give(1)
    morning.call(second, 2)
    morning.call(first, 3)
    assert morning.judged() == {"passed_in_own_lane": 1}


def test_a_priority_that_waits_while_others_are_called_is_seen():
    morning = Morning()
    first, pregnant = morning.give(0), morning.give(1, priority=True)
    morning.call(first, 2)
    morning.call(pregnant, 3)
    assert morning.judged() == {"not_their_turn": 1}


def test_whose_turn_passed_before_they_came_with_a_number_from_the_web_stands_after_the_next_few():
    morning = Morning()
    web = morning.give(0, priority=True, from_web=True)
    walk_ins = [morning.give(1 + minute) for minute in range(6)]
    morning.call(walk_ins[0], 10)
    morning.happen("here", web, 11)
    for minute, each in enumerate(walk_ins[1:4], start=12):
        morning.call(each, minute)
    morning.call(web, 16)
    for minute, each in enumerate(walk_ins[4:], start=17):
        morning.call(each, minute)
    assert morning.judged() == {}


def test_presses_at_once_are_judged_in_the_order_they_were_written():
    morning = Morning()
    first, second = morning.give(0), morning.give(1)
    morning.call(first, 2)
    morning.call(second, 2)
    assert morning.judged() == {}
