"""Reading what a FHIR client asks: search parameters, references, dates, Parameters resources. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from telehealth.core.clock import PROVINCE_TZ
from telehealth.fhir.codes import Kind
from telehealth.fhir.errors import BadParameter, InvalidResource

DEFAULT_COUNT = 20
MOST = 100
_MOST_VALUES = 8
_PREFIXED = re.compile(r"(eq|ge|gt|le|lt|sa|eb)?(\d.*)")
_INSTANT_LENGTH = len("2026-11-30T08:00")


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a search or an operation, each with its values in their order."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Asked":
        """Gather repeated names; a value with commas is several. Raises BadParameter."""
        gathered: dict[str, list[str]] = {}
        for name, value in pairs:
            gathered.setdefault(name, []).extend(part for part in value.split(",") if part)
        for name, values in gathered.items():
            if len(values) > _MOST_VALUES and name != "_id":
                raise BadParameter(name=name[:40])
        return cls(gathered)

    def one(self, name: str) -> str | None:
        """Return the single value of a parameter. Raises BadParameter when there are several."""
        values = self.values.get(name, ())
        if len(values) > 1:
            raise BadParameter(name=name)
        return values[0] if values else None

    def all(self, name: str) -> Sequence[str]:
        """Return every value, in the order asked."""
        return self.values.get(name, ())

    def count(self) -> int:
        """Return how many entries a page may have, 0 to 100. Raises BadParameter."""
        given = self.one("_count")
        if given is None:
            return DEFAULT_COUNT
        if not (given.isascii() and given.isdigit() and len(given) <= 4):
            raise BadParameter(name="_count")
        return min(int(given), MOST)

    def ids(self, name: str, *kinds: Kind) -> list[UUID]:
        """Return the ids that references of these kinds name. Raises BadParameter."""
        return [reference_id(value, name, *kinds) for value in self.all(name)]

    def codes(self, name: str) -> list[str]:
        """Return the code parts of tokens, `system|code` or `code`."""
        return [value.rpartition("|")[2] for value in self.all(name)]

    def uuids(self, name: str) -> list[UUID]:
        """Return plain ids; those that no id of ours looks like are left out."""
        return [found for value in self.all(name) if (found := as_uuid(value)) is not None]


@dataclass(frozen=True, slots=True)
class Between:
    """From an instant on and before another; None is open."""

    first: datetime | None = None
    before: datetime | None = None


def as_uuid(value: str) -> UUID | None:
    """Return the id, or None of anything else."""
    try:
        found = UUID(value)
    except ValueError:
        return None
    return found if str(found) == value.lower() else None


def reference_id(value: str, name: str, *kinds: Kind) -> UUID:
    """Return the id that `Kind/id`, an address that ends so, or a bare id names. Raises BadParameter."""
    found = as_uuid(reference_part(value, name, *kinds))
    if found is None:
        raise BadParameter(name=name)
    return found


def reference_part(value: str, name: str, *kinds: Kind) -> str:
    """Return the id part of a reference to one of the kinds. Raises BadParameter."""
    parts = value.rstrip("/").split("/")
    if len(parts) > 1 and parts[-2] not in kinds:
        raise BadParameter(name=name)
    return parts[-1]


def between(values: Iterable[str], name: str) -> Between:
    """Return the span that prefixed dates leave. A day is the province's day. Raises BadParameter."""
    first: datetime | None = None
    before: datetime | None = None
    for value in values:
        matched = _PREFIXED.fullmatch(value)
        if matched is None:
            raise BadParameter(name=name)
        prefix, text = matched.groups()
        start, end = span_of(text, name)
        low, high = {
            None: (start, end),
            "eq": (start, end),
            "ge": (start, None),
            "gt": (end, None),
            "sa": (end, None),
            "le": (None, end),
            "lt": (None, start),
            "eb": (None, start),
        }[prefix]
        first = low if first is None else max(first, low or first)
        before = high if before is None else min(before, high or before)
    return Between(first, before)


def span_of(text: str, name: str) -> tuple[datetime, datetime]:
    """Return the instants that a FHIR date or dateTime covers. Raises BadParameter.

    An instant of the second is that second, as FHIR has it; without an offset it is local time.
    """
    text = text.replace(" ", "+")  # a plus sign that nobody escaped
    try:
        if is_day(text):
            day = date.fromisoformat(text)
            midnight = datetime.combine(day, time.min, PROVINCE_TZ)
            return midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=PROVINCE_TZ)
        return instant.astimezone(UTC), (instant + timedelta(seconds=1)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadParameter(name=name) from error


def is_day(text: str) -> bool:
    """Tell whether a FHIR dateTime names no time of day."""
    return len(text) < _INSTANT_LENGTH


def parameters_of(body: Any) -> dict[str, list[Any]]:
    """Return the values of a Parameters resource by name; resources stay dictionaries.

    Raises InvalidResource.
    """
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise InvalidResource({"resourceType": ["fhir-field-invalid"]})
    found: dict[str, list[Any]] = {}
    listed = body.get("parameter", [])
    for item in listed if isinstance(listed, list) else [None]:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise InvalidResource({"parameter": ["fhir-field-invalid"]})
        value = item.get("resource") or next((item[key] for key in item if key.startswith("value")), None)
        if value is None:
            raise InvalidResource({item["name"][:40]: ["fhir-field-invalid"]})
        found.setdefault(item["name"], []).append(value)
    return found


def plain(value: Any, name: str) -> str:
    """Return a parameter's value as it would stand in an address. Raises InvalidResource."""
    if isinstance(value, dict) and isinstance(value.get("reference"), str):
        return str(value["reference"])
    if isinstance(value, dict) and isinstance(value.get("code"), str):
        return str(value["code"])
    if isinstance(value, str):
        return value
    raise InvalidResource({name: ["fhir-field-invalid"]})
