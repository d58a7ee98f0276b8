"""From the files that hospitals send to lines of clean text.

Takes a folder of CSV or .xlsx files named after the tables, or one workbook with a sheet for each.
Bears a byte order mark, UTF-16, CRLF, semicolons for commas, decomposed letters (NFD), stray
spaces, and Excel's own dates, times and numbers.
"""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from telehealth.core.text import clean
from telehealth.provincial_import.findings import Finding, Place
from telehealth.provincial_import.layout import COLUMNS, OPTIONAL_COLUMNS, TABLES

_CSV, _WORKBOOK = ".csv", ".xlsx"
_DELIMITERS = ",;\t"
_GUARDED = ("'=", "'+", "'-", "'@")  # what exports write so that no spreadsheet takes a text for a formula

MOST_ROWS, MOST_COLUMNS = 2_000, 64
_MOST_UNPACKED = 32 << 20
_ARCHIVE = b"PK\x03\x04"
# Whatever a broken or hostile workbook makes of the parsers below openpyxl.
_UNREADABLE = (
    csv.Error,
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line: where it stands and its cells as clean text, by column."""

    place: Place
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it was sent."""

    name: str
    rows: list[list[str]]


Tables = Mapping[str, list[Line]]


def read_tables(source: Path) -> tuple[Tables, list[Finding]]:
    """Return every table's lines, and what is wrong with the files themselves."""
    findings: list[Finding] = []
    sheets: dict[str, Sheet] = {}
    for table, sheet in _sheets(source, findings):
        if table in sheets:
            findings.append(
                Finding(Place(sheet.name), "", table, "table-twice", {"other": sheets[table].name})
            )
        sheets[table] = sheet
    refused = {finding.value for finding in findings}
    findings.extend(
        Finding(Place(source.name), "", table, "file-missing", {"table": table})
        for table in COLUMNS
        if table not in sheets and table not in refused
    )
    lines = {table: _lines(table, sheet, findings) for table, sheet in sheets.items()}
    return {table: lines.get(table, []) for table in TABLES}, findings


def read_table(table: str, name: str, raw: bytes) -> tuple[list[Line], list[Finding]]:
    """Return the lines of one table that was sent alone, and what is wrong with the file.

    CSV, or a workbook: its sheet of that name, else its first. At most MOST_ROWS lines of MOST_COLUMNS cells
    are looked at; any bytes are borne.
    """
    try:
        rows = _only_sheet(table, raw) if raw.startswith(_ARCHIVE) else _csv_rows(raw)
    except UnicodeDecodeError:
        return [], [Finding(Place(name), "", "", "not-utf8")]
    except _UNREADABLE:
        return [], [Finding(Place(name), "", "", "file-unreadable")]
    while rows and not any(clean(cell) for cell in rows[-1]):
        rows.pop()
    if len(rows) > MOST_ROWS + 1:
        return [], [Finding(Place(name), "", "", "too-many-rows", {"most": MOST_ROWS})]
    findings: list[Finding] = []
    return _lines(table, Sheet(name, rows), findings), findings


def _only_sheet(table: str, raw: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if sum(part.file_size for part in archive.infolist()) > _MOST_UNPACKED:
            raise zipfile.BadZipFile
    book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    try:
        named = {sheet.title.strip().lower(): sheet for sheet in book.worksheets}
        sheet = named.get(table, book.worksheets[0])
        rows = sheet.iter_rows(max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS, values_only=True)
        return [[_text(cell) for cell in row] for row in rows]
    finally:
        book.close()


def _sheets(source: Path, findings: list[Finding]) -> Iterator[tuple[str, Sheet]]:
    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        suffix, table = path.suffix.lower(), path.stem.lower()
        try:
            if suffix == _CSV and table in TABLES:
                yield table, Sheet(path.name, _csv_rows(path.read_bytes()))
            elif suffix == _WORKBOOK:
                yield from _workbook(path)
        except UnicodeDecodeError:
            findings.append(Finding(Place(path.name), "", table, "not-utf8"))
        except (csv.Error, InvalidFileException, zipfile.BadZipFile, KeyError, OSError):
            findings.append(Finding(Place(path.name), "", table, "file-unreadable"))


def _workbook(path: Path) -> Iterator[tuple[str, Sheet]]:
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        named = {sheet.title.strip().lower(): sheet for sheet in book.worksheets}
        if path.stem.lower() in TABLES and not named.keys() & TABLES.keys():
            named = {path.stem.lower(): book.worksheets[0]}
        for table, sheet in named.items():
            if table in TABLES:
                name = path.name if table == path.stem.lower() else f"{path.name}[{sheet.title}]"
                yield table, Sheet(name, [[_text(cell) for cell in row] for row in sheet.values])
    finally:
        book.close()


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value.isoformat(" ", "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _csv_rows(raw: bytes) -> list[list[str]]:
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    heading = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=heading.count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _lines(table: str, sheet: Sheet, findings: list[Finding]) -> list[Line]:
    if not sheet.rows:
        findings.append(Finding(Place(sheet.name), "", "", "file-empty"))
        return []
    heading = [clean(cell).lower().replace(" ", "_") for cell in sheet.rows[0]]
    while heading and not heading[-1]:
        heading.pop()
    wrong = list(_heading_findings(table, Place(sheet.name, 1), heading))
    findings.extend(wrong)
    if wrong:
        return []
    absent = dict.fromkeys(set(OPTIONAL_COLUMNS.get(table, ())) - set(heading), "")
    return list(_body(sheet, heading, absent, findings))


def _heading_findings(table: str, place: Place, heading: list[str]) -> Iterator[Finding]:
    known = (*TABLES[table], *OPTIONAL_COLUMNS.get(table, ()))
    for column in TABLES[table]:
        if column not in heading:
            yield Finding(place, column, "", "column-missing")
    for column in dict.fromkeys(heading):
        if column not in known:
            yield Finding(place, column, column, "column-unknown", {"known": ", ".join(known)})
        elif heading.count(column) > 1:
            yield Finding(place, column, column, "column-twice")


def _body(
    sheet: Sheet, heading: list[str], absent: Mapping[str, str], findings: list[Finding]
) -> Iterator[Line]:
    for number, row in enumerate(sheet.rows[1:], start=2):
        cells = [_unguarded(clean(cell)) for cell in row]
        if not any(cells):
            continue
        place = Place(sheet.name, number)
        if any(cells[len(heading) :]):
            findings.append(Finding(place, "", _rest(cells[len(heading) :]), "too-many-cells"))
            continue
        padded = cells + [""] * (len(heading) - len(cells))
        yield Line(place, {**absent, **dict(zip(heading, padded, strict=False))})


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith(_GUARDED) else cell


def _rest(cells: Iterable[str]) -> str:
    return ", ".join(cell for cell in cells if cell)
