"""What follows from an answer, as a table."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifications.channels.base import Accepted, Ambiguous, Capabilities, Outcome, Rejected, Retry, Scope
from notifications.kinds import KINDS
from notifications.outbox import Recipient
from notifications.policy import Policy, Sendable, decide, route, undecided
from notifications.states import TRANSITIONS, IllegalTransition, State, before, may, move

NIGHT = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # 23:00 in the province
POLICY = Policy()
LOOKUP = Capabilities(lookup=True)


def item(kind: str = "appointment-booked", channel: str = "zalo", attempt: int = 1) -> Sendable:
    return Sendable(KINDS[kind], Recipient(phone="+84912345678"), channel, attempt, NIGHT)


@pytest.mark.parametrize(
    ("outcome", "channel", "state", "following"),
    [
        (Accepted("r"), "zalo", State.ACCEPTED, None),
        (Rejected("-118", Scope.RECIPIENT), "zalo", State.FALLING_BACK, "sms"),
        (Rejected("21211", Scope.RECIPIENT), "sms", State.DEAD, None),
        (Rejected("-109", Scope.TEMPLATE), "zalo", State.FALLING_BACK, "sms"),
        (Rejected("21617", Scope.TEMPLATE), "sms", State.DEAD, None),
        (Rejected("-115", Scope.CONFIG), "zalo", State.FALLING_BACK, "sms"),
        (Rejected("20003", Scope.CONFIG), "sms", State.QUEUED, "sms"),
        (Rejected("-144", Scope.QUOTA), "zalo", State.FALLING_BACK, "sms"),
        (Rejected("-133", Scope.NIGHT), "zalo", State.FALLING_BACK, "sms"),
        (Rejected("-133", Scope.NIGHT), "sms", State.HELD, "sms"),
        (Retry("429", 3), "zalo", State.QUEUED, "zalo"),
        (Ambiguous("lost"), "zalo", State.IN_DOUBT, "zalo"),
    ],
)
def test_each_answer_has_its_consequence(
    outcome: Outcome, channel: str, state: State, following: str | None
) -> None:
    verdict = decide(POLICY, item(channel=channel), outcome, LOOKUP)
    assert (verdict.state, verdict.next_channel) == (state, following)


def test_a_wait_is_as_long_as_it_must_be() -> None:
    def wait(outcome: Outcome, capabilities: Capabilities = LOOKUP, kind: str = "video-join") -> float:
        return decide(POLICY, item(kind, "sms"), outcome, capabilities).delay

    assert 3 <= wait(Retry("429", 3)) <= 4.5
    assert wait(Retry("busy")) <= 2
    assert wait(Ambiguous("lost")) == POLICY.grace
    assert wait(Ambiguous("lost"), Capabilities(), "appointment-booked") == POLICY.doubt_hold
    assert wait(Ambiguous("lost"), Capabilities(), "otp") == POLICY.urgent_doubt_hold
    assert wait(Ambiguous("lost"), Capabilities(idempotent=True)) <= 2
    assert wait(Rejected("-133", Scope.NIGHT)) == 8 * 3600  # from 23:00 to 07:00


def test_what_nobody_can_tell_goes_by_another_channel_or_once_more_by_the_last() -> None:
    elsewhere = undecided(POLICY, item(channel="zalo"))
    assert (elsewhere.state, elsewhere.next_channel) == (State.FALLING_BACK, "sms")
    again = undecided(POLICY, item("otp", channel="zalo"))
    assert (again.state, again.next_channel, again.switched) == (State.QUEUED, "zalo", True)


def test_a_repeat_that_was_put_off_does_not_free_a_doubtful_message_for_another_provider() -> None:
    drops_copies = Capabilities(idempotent=True)
    first, repeat = item("otp", "sms"), replace(item("otp", "sms"), in_doubt=True)
    assert not decide(POLICY, first, Retry("429", 1), drops_copies).in_doubt
    put_off = decide(POLICY, repeat, Retry("429", 1), drops_copies)
    assert (put_off.state, put_off.in_doubt, put_off.next_channel) == (State.IN_DOUBT, True, "sms")
    # Who can be asked had been asked before: it was not there.
    assert not decide(POLICY, repeat, Retry("429", 1), LOOKUP).in_doubt


def test_a_retry_never_waits_longer_than_the_cap_and_not_for_ever() -> None:
    assert decide(POLICY, replace(item(), attempt=60), Retry("busy"), LOOKUP).delay <= POLICY.retry_cap
    last = replace(item(), attempt=POLICY.most_attempts)
    assert decide(POLICY, last, Retry("busy"), LOOKUP).state is State.DEAD
    assert decide(POLICY, last, Ambiguous("lost"), LOOKUP).state is State.DEAD


def test_an_empty_quota_rests_the_provider_until_midnight_in_the_province() -> None:
    verdict = decide(POLICY, item(), Rejected("-144", Scope.QUOTA), LOOKUP)
    assert verdict.pause is not None
    assert verdict.pause.until.isoformat() == "2026-12-01T00:00:00+07:00"


@pytest.mark.parametrize(
    ("usable", "unreachable", "expected"),
    [
        ({"zalo", "sms"}, [], "zalo"),
        ({"zalo", "sms"}, ["zalo"], "sms"),
        ({"sms"}, [], "sms"),
        ({"zalo"}, ["zalo"], None),
        (set(), [], None),
    ],
)
def test_the_route_is_the_first_open_channel(
    usable: set[str], unreachable: list[str], expected: str | None
) -> None:
    kind, recipient = KINDS["appointment-booked"], Recipient(phone="+84912345678")
    assert route(kind, recipient, "zalo", usable=usable, unreachable=unreachable) == expected


def test_what_is_over_stays_over() -> None:
    assert TRANSITIONS[State.DELIVERED] == frozenset()
    assert all(may(state, State.DELIVERED) for state in before_delivery())
    with pytest.raises(IllegalTransition):
        move(State.DELIVERED, State.UNDELIVERED)
    assert set(TRANSITIONS) == set(State)
    assert "delivered" not in before(State.SENDING)


def before_delivery() -> set[State]:
    return set(State) - {State.DELIVERED, State.SUPPRESSED}
