"""Lines that a spreadsheet opens as they were written."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from notifications.channels.base import Outgoing
from notifications.policy import LOCAL

# Excel takes a file for UTF-8 only by this mark.
_MARK = "\ufeff"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _row(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(
        [_cell(cell) for cell in cells]
    )
    return written.getvalue()


def _cell(text: str) -> str:
    """No cell is taken for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


HEADING = (
    _MARK
    + _row(
        (
            "Ghi lúc", "Gọi trước", "Điện thoại", "Nội dung cần nói", "Mã lịch hẹn",
            "Người gọi", "Gọi lúc", "Kết quả", "Mã tin",
        )
    )
).encode()  # fmt: skip


def line(message: Outgoing, key: UUID) -> bytes:
    """One person to call. The key comes last, so that a line which was cut off does not count as written."""
    code = message.params.get("code", "")
    cells = (
        _time(message.now),
        _time(message.expires_at),
        _spoken(message.address),
        message.template.sms_text(message.params, accented=True),
        f"mã {code}" if code else "",
        "",
        "",
        "",
        str(key),
    )
    return _row(cells).encode()


def _time(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL):%H:%M %d/%m/%Y}"


def _spoken(address: str) -> str:
    """In groups, as people read it aloud; a spreadsheet would drop the first zero of a bare number."""
    if not address.startswith("+84"):
        return address.lstrip("+")
    national = "0" + address[3:]
    return " ".join(filter(None, (national[:4], national[4:7], national[7:])))
