"""What every provider reads and returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook call. Header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """Money that came in: `ref` is the provider's own number of it, told again it is the same."""

    ref: str
    account_no: str
    amount_vnd: int
    content: str
    booked_at: datetime
