"""Drawing a slip as dots: thermal printers guess at code pages, pictures they all print the same."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

from telehealth.printing.slips import Slip

WIDE, NARROW = 576, 384
"""Dots across paper of 80 and of 58 mm, at 203 dots an inch."""
_FONTS = Path(__file__).parent / "fonts"
_MARGIN = 12
_LEADING = 1.35


def draw(slip: Slip, width: int = WIDE) -> Image.Image:
    """Return the slip in black and white, `width` dots across and as long as it needs."""
    unit = width / WIDE
    blocks = list(_blocks(slip, unit, width))
    height = sum(block.height for block in blocks) + 2 * _MARGIN
    page = Image.new("L", (width, height), 255)
    top = _MARGIN
    for block in blocks:
        page.paste(block, ((width - block.width) // 2, top))
        top += block.height
    return page.point(lambda shade: 255 if shade > 127 else 0).convert("1")


def _blocks(slip: Slip, unit: float, width: int) -> Iterator[Image.Image]:
    yield _text(slip.place, 600, round(30 * unit), width)
    yield _number(slip.number, round(150 * unit), width)
    yield _text(slip.room, 600, round(44 * unit), width)
    for line in slip.lines:
        yield _text(line, 400, round(28 * unit), width)
    yield _qr(slip.address, width)
    for line in slip.foot:
        yield _text(line, 400, round(24 * unit), width)


@cache
def _font(weight: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / f"be-vietnam-pro-{weight}.woff2", size)


def _number(text: str, size: int, width: int) -> Image.Image:
    """The number as large as it fits."""
    while _font(600, size).getlength(text) > width - 2 * _MARGIN and size > 12:
        size -= 4
    return _text(text, 600, size, width)


def _text(text: str, weight: int, size: int, width: int) -> Image.Image:
    font = _font(weight, size)
    lines = _wrapped(text, font, width - 2 * _MARGIN)
    step = round(size * _LEADING)
    block = Image.new("L", (width, step * len(lines)), 255)
    pen = ImageDraw.Draw(block)
    for place, line in enumerate(lines):
        pen.text((width / 2, step * (place + 0.5)), line, font=font, fill=0, anchor="mm")
    return block


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _qr(address: str, width: int) -> Image.Image:
    """The code with its quiet zone, in whole dots."""
    matrix = segno.make(address, error="m", micro=False).matrix
    border = 4
    side = len(matrix) + 2 * border
    scale = max(3, width * 2 // 5 // side)
    small = Image.new("L", (side, side), 255)
    for row, cells in enumerate(matrix):
        for column, dark in enumerate(cells):
            if dark:
                small.putpixel((column + border, row + border), 0)
    return small.resize((side * scale, side * scale), Image.Resampling.NEAREST)
