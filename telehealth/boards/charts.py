"""Bars of waits as the server draws them: where each one stands. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from telehealth.boards.figures import Figures

WIDTH = 860
LABELS = 250
_ROW = 34
_BAR = 22
_TOP = 30
_ROOM_FOR_VALUES = 110
_STEPS = (5, 10, 15, 30, 60, 120, 240, 480)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its label, the median's and the 85th percentile's lengths, the height of its middle."""

    label: str
    y: int
    median: int
    p85: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of waits. `ticks`: where a line stands, and for how many minutes."""

    width: int
    height: int
    left: int
    bar: int
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, int], ...]


def wait_chart(labelled: Sequence[tuple[str, Figures]]) -> Chart | None:
    """Return a row for each that was called at all; None where nobody was."""
    waited = [(label, each) for label, each in labelled if each.p85 is not None]
    if not waited:
        return None
    most = max(1, *(each.p85 or 0 for _label, each in waited))
    room = WIDTH - LABELS - _ROOM_FOR_VALUES
    step = next((step for step in _STEPS if most / step <= 5), 480)

    def length(minutes: int) -> int:
        return max(2, round(room * minutes / most))

    bars = tuple(
        Bar(label, _TOP + place * _ROW, length(each.median or 0), length(each.p85 or 0), each)
        for place, (label, each) in enumerate(waited)
    )
    ticks = tuple((LABELS + round(room * at / most), at) for at in range(0, most + 1, step))
    return Chart(WIDTH, _TOP + len(bars) * _ROW + 8, LABELS, _BAR, bars, ticks)
