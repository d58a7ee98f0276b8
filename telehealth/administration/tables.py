"""A table of people, as hospitals send it: CSV or an Excel sheet."""

import csv
import io
import zipfile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from telehealth.administration.errors import UnreadableTable

MOST_ROWS = 5000
_ZIP = b"PK"


def read_rows(raw: bytes) -> list[dict[str, str]]:
    """Return the rows under their header. Raises UnreadableTable."""
    try:
        lines = _workbook(raw) if raw.startswith(_ZIP) else _csv(raw)
    except (
        UnicodeDecodeError,
        csv.Error,
        zipfile.BadZipFile,
        InvalidFileException,
        KeyError,
        OSError,
    ) as error:
        raise UnreadableTable from error
    if len(lines) < 2 or len(lines) > MOST_ROWS:
        raise UnreadableTable
    header = [name.strip().lower() for name in lines[0]]
    if "login" not in header:
        raise UnreadableTable
    return [dict(zip(header, line, strict=False)) for line in lines[1:] if any(cell.strip() for cell in line)]


def _csv(raw: bytes) -> list[list[str]]:
    text = raw.decode("utf-8-sig")
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _workbook(raw: bytes) -> list[list[str]]:
    book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS + 1)
        return [["" if cell is None else str(cell) for cell in row] for row in rows]
    finally:
        book.close()
