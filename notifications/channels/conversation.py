"""What people do towards an account of ours at a messenger, as its webhook tells it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Deed(StrEnum):
    FOLLOWED = "followed"
    UNFOLLOWED = "unfollowed"
    SHARED = "shared"
    WROTE = "wrote"


class Intent(StrEnum):
    """What a text asks for. Only this is kept of it, and of a code its digits."""

    STOP = "stop"
    RESUME = "resume"
    CODE = "code"
    OTHER = "other"


@dataclass(frozen=True)
class Heard:
    """`person` is the messenger's id of somebody, `which` tells two deeds of one moment apart. `phone`: what
    they typed as their number, in whatever form; nobody has proven it."""

    deed: Deed
    person: str
    at: datetime
    which: str = ""
    phone: str | None = None
    intent: Intent | None = None
    digits: str | None = None
