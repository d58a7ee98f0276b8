"""Rows as CSV, a piece at a time, or as an Excel workbook, written to disk first."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from telehealth.exports.rules import Cell, harmless

_IN_MEMORY = 1 << 20
_PIECE = 1 << 16
_BOM = "\ufeff"  # or Excel reads Vietnamese as Latin letters


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Yield UTF-8 CSV in pieces; no cell is a formula."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    buffer.write(_BOM)
    writer.writerow(header)
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
        if buffer.tell() > _PIECE:
            yield _taken(buffer)
    yield _taken(buffer)


def as_xlsx(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Yield an Excel workbook in pieces; every text is a text, whatever it begins with."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.append(list(header))
    for row in rows:
        sheet.append([_plain(sheet, cell) for cell in row])
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        book.save(file)
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _plain(sheet: object, cell: Cell) -> object:
    if not isinstance(cell, str):
        return cell
    written = WriteOnlyCell(sheet, value="")  # type: ignore[arg-type]
    written.value = cell
    written.data_type = "s"
    return written


def _taken(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece
