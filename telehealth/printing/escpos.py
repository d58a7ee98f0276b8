"""The commands of ESC/POS that are needed, and no others: begin, raster, cut, and asking how the printer is.

Names and bits as in Epson's command reference: `GS v 0` prints dots, `DLE EOT n` asks at once, `GS r 1` is
answered in its turn, when everything before it is on paper.
"""

from collections.abc import Iterator
from enum import StrEnum

from PIL import Image

BAND = 128
"""Rows in one raster command: small printers have small memories."""

BEGIN = b"\x1b@"
FEED_AND_CUT = b"\x1bd\x04\x1dV\x42\x00"
ASK_OFFLINE = b"\x10\x04\x02"
ASK_PAPER = b"\x10\x04\x04"
ASK_WHEN_DONE = b"\x1dr\x01"

_COVER_OPEN, _PAPER_STOP, _ERROR = 0x04, 0x20, 0x40
_ROLL_END = 0x60
_SHEET_END = 0x0C


class Outcome(StrEnum):
    """What became of a slip."""

    PRINTED = "printed"
    PAPER_OUT = "paper-out"
    COVER_OPEN = "cover-open"
    BROKEN = "broken"
    UNREACHABLE = "unreachable"
    STALLED = "stalled"


def raster(page: Image.Image) -> Iterator[bytes]:
    """Yield the commands that print a black and white picture."""
    width, height = page.size
    across = (width + 7) // 8
    for top in range(0, height, BAND):
        rows = min(BAND, height - top)
        band = page.crop((0, top, across * 8, top + rows)).convert("L")
        # A set bit is a black dot; what crop() adds at the right is black and must not be printed.
        dots = Image.new("L", band.size, 255)
        dots.paste(band.crop((0, 0, width, rows)), (0, 0))
        data = dots.point(lambda shade: 255 - shade).convert("1").tobytes()
        yield b"\x1dv0\x00" + across.to_bytes(2, "little") + rows.to_bytes(2, "little") + data


def offline_cause(status: int) -> Outcome | None:
    """Return why a printer prints nothing, from the answer to ASK_OFFLINE."""
    if status & _COVER_OPEN:
        return Outcome.COVER_OPEN
    if status & _PAPER_STOP:
        return Outcome.PAPER_OUT
    return Outcome.BROKEN if status & _ERROR else None


def roll_is_empty(status: int) -> bool:
    """Tell whether the roll's end was seen, from the answer to ASK_PAPER."""
    return status & _ROLL_END == _ROLL_END


def ran_out(status: int) -> bool:
    """Tell whether paper ended while printing, from the answer to ASK_WHEN_DONE."""
    return status & _SHEET_END == _SHEET_END
