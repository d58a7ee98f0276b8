"""When a provider should rest: a circuit breaker (Nygard, "Release It!"), pure, without clock or network."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
MOST_IN_A_ROW = 5
MOST_IN_WINDOW = 20
MOST_SHARE = 0.5
FIRST_REST = 30.0
LONGEST_REST = 300.0


@dataclass
class Breaker:
    """Counts a provider's failures: refused connections, lost answers, errors of its own.

    Opens after five in a row, or twenty in a minute that are half of all. What is refused for a reason of
    ours or of the recipient's is an answer, and no failure.
    """

    _answers: deque[tuple[float, bool]] = field(default_factory=deque)
    _failures: int = 0
    _in_a_row: int = 0
    _openings: int = 0
    _open_until: float = float("-inf")

    def answered(self, at: float) -> None:
        """The provider works."""
        self._note(at, failed=False)
        self._in_a_row = 0
        if at >= self._open_until:
            self._openings = 0

    def failed(self, at: float) -> float | None:
        """The seconds to rest from now on, when this failure opens the breaker."""
        self._note(at, failed=True)
        self._in_a_row += 1
        if at < self._open_until or not self._too_many():
            return None
        rest = min(LONGEST_REST, FIRST_REST * float(1 << min(self._openings, 8)))
        self._openings += 1
        self._open_until = at + rest
        self._in_a_row = self._failures = 0
        self._answers.clear()
        return rest

    def _note(self, at: float, *, failed: bool) -> None:
        self._answers.append((at, failed))
        self._failures += failed
        while self._answers[0][0] < at - WINDOW_SECONDS:
            self._failures -= self._answers.popleft()[1]

    def _too_many(self) -> bool:
        crowded = self._failures >= MOST_IN_WINDOW and self._failures >= MOST_SHARE * len(self._answers)
        return crowded or self._in_a_row >= MOST_IN_A_ROW
