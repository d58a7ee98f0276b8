"""The form of an area, as a browser sends it."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from werkzeug.datastructures import MultiDict

from telehealth.boards.codes import Dialect, Languages
from telehealth.boards.queries import AreaView
from telehealth.boards.schemas import CODE, MOST_MEMBERS
from telehealth.boards.services import Arrangement
from telehealth.core.errors import Unprocessable
from telehealth.core.text import whole_number

_LONGEST_NAME = 80


def read_area(given: MultiDict[str, str], code: str | None = None) -> Arrangement:
    """Return what was filled in; `code` where the address stays. Raises Unprocessable with each fault."""
    wrong: dict[str, list[str]] = {}
    name = given.get("name", "").strip()
    address = code or given.get("code", "").strip().lower()
    seconds, volume = whole_number(given.get("least_seconds", "")), whole_number(given.get("volume", ""))
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        wrong["name"] = ["field-board-name"]
    if not re.fullmatch(CODE, address):
        wrong["code"] = ["field-board-code"]
    if seconds is None or not 4 <= seconds <= 30:
        wrong["least_seconds"] = ["field-board-seconds"]
    if volume is None or not 0 <= volume <= 100:
        wrong["volume"] = ["field-board-volume"]
    try:
        languages, dialect = Languages(given.get("languages", "")), Dialect(given.get("dialect", ""))
        queues, rooms = _ids(given.getlist("queues")), _ids(given.getlist("rooms"))
    except ValueError as error:
        raise Unprocessable(wrong or {"languages": ["error-invalid"]}) from error
    if wrong:
        raise Unprocessable(wrong)
    return Arrangement(
        code=address,
        name=name,
        queue_ids=queues,
        room_ids=rooms,
        least_seconds=seconds or 0,
        languages=languages,
        dialect=dialect,
        volume=volume or 0,
        muted=bool(given.get("muted")),
    )


def as_sent(given: MultiDict[str, str]) -> dict[str, Any]:
    """Return what was filled in, to show it again."""
    return {**given.to_dict(), "queues": given.getlist("queues"), "rooms": given.getlist("rooms")}


def as_stored(area: AreaView) -> dict[str, Any]:
    """Return what the form of an area shows."""
    return {
        "name": area.name,
        "code": area.code,
        "queues": [str(each) for each in area.queue_ids],
        "rooms": [str(each) for each in area.room_ids],
        "least_seconds": area.least_seconds,
        "languages": area.languages.value,
        "dialect": area.dialect.value,
        "volume": area.volume,
        "muted": "yes" if area.muted else "",
    }


def _ids(given: Sequence[str]) -> frozenset[UUID]:
    return frozenset(UUID(each) for each in given[:MOST_MEMBERS])
