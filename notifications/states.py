"""The life of a notification: one table of transitions, used by the code, the SQL and the CHECK."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    IN_DOUBT = "in_doubt"
    HELD = "held"
    FALLING_BACK = "falling_back"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"
    DEAD = "dead"


class PausedBy(StrEnum):
    """Who made a provider rest. A breaker's rest is short, so what has time waits for its end."""

    BREAKER = "breaker"
    CONFIG = "config"
    QUOTA = "quota"
    OPERATOR = "operator"


_S = State
_STOPS = frozenset({_S.EXPIRED, _S.CANCELLED, _S.SUPPRESSED, _S.DEAD})
# A receipt can overtake our own record of the send, so every state with a send behind it may meet one.
_RECEIPTS = frozenset({_S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED})
_WAITING = frozenset({_S.SENDING}) | _STOPS

TRANSITIONS: Mapping[State, frozenset[State]] = {
    _S.QUEUED: _WAITING | _RECEIPTS,
    # Held or in doubt after a send that might have been: bad news of it sends it on its way again.
    _S.HELD: _WAITING | _RECEIPTS | {_S.FALLING_BACK},
    _S.FALLING_BACK: _WAITING | _RECEIPTS,
    _S.IN_DOUBT: _WAITING | _RECEIPTS | {_S.FALLING_BACK},
    _S.SENDING: frozenset({_S.QUEUED, _S.HELD, _S.FALLING_BACK, _S.IN_DOUBT}) | _STOPS | _RECEIPTS,
    # Sending again: no receipt came, and what is urgent tries the next channel.
    _S.ACCEPTED: frozenset({_S.DELIVERED, _S.UNDELIVERED, _S.FALLING_BACK, _S.SENDING}),
    _S.UNDELIVERED: frozenset({_S.DELIVERED, _S.FALLING_BACK}),
    _S.DELIVERED: frozenset(),
    # Given up while in doubt, and yet it arrived: the record follows the truth.
    _S.EXPIRED: frozenset({_S.DELIVERED}),
    _S.CANCELLED: frozenset({_S.DELIVERED}),
    _S.SUPPRESSED: frozenset(),
    # An operator sends it again, or lets it rest.
    _S.DEAD: frozenset({_S.QUEUED, _S.CANCELLED, _S.DELIVERED}),
}


class IllegalTransition(Exception):
    def __init__(self, before: State, after: State) -> None:
        super().__init__(f"a notification cannot go from {before} to {after}")


def may(before: State, after: State) -> bool:
    return after in TRANSITIONS[before]


def move(before: State, after: State) -> State:
    """`after`, or IllegalTransition."""
    if not may(before, after):
        raise IllegalTransition(before, after)
    return after


def before(after: State) -> tuple[str, ...]:
    """Every state from which `after` may be reached, for `WHERE state = ANY(...)`."""
    return tuple(state.value for state in State if may(state, after))
