"""What somebody looks for, read from an address that anybody may have typed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from telehealth.core.clock import at_local
from telehealth.core.text import clean
from telehealth.directory.codes import Modality
from telehealth.directory.places import Place
from telehealth.directory.queries import AreaView

LONGEST = 100
DAYS_AHEAD = 90


@dataclass(frozen=True, slots=True)
class Search:
    """A service, and where, with whom, how and from which day. Empty fields ask nothing."""

    service: str = ""
    facility: str = ""
    practitioner: UUID | None = None
    modality: str = ""
    area: str = ""
    near: Place | None = None
    from_day: date | None = None
    after: datetime | None = None

    @classmethod
    def read(cls, args: Mapping[str, str], today: date) -> "Search":
        """Read an address; what makes no sense asks nothing."""
        modality = args.get("modality", "")
        return cls(
            service=clean(args.get("service", "")[:LONGEST]),
            facility=clean(args.get("facility", "")[:LONGEST]),
            practitioner=_uuid(args.get("practitioner", "")),
            modality=modality if modality in {way.value for way in Modality} else "",
            area=clean(args.get("area", "")[:LONGEST]),
            near=_place(args.get("near", "")),
            from_day=_day(args.get("from", ""), today),
            after=_instant(args.get("after", "")),
        )

    @property
    def earliest(self) -> datetime | None:
        """Return the instant from which slots are looked for; None: from now on."""
        if self.after is not None:
            return self.after
        return None if self.from_day is None else at_local(self.from_day, 0)

    def centre(self, areas: Iterable[AreaView]) -> Place | None:
        """Return the point from which distances are told: where somebody is, or an area's middle."""
        if self.near is not None:
            return self.near
        return next((area.centre for area in areas if area.name == self.area), None)

    def args(self, **changes: str | None) -> dict[str, str]:
        """Return the search as the arguments of an address, with changes (None takes one away)."""
        given = {
            "service": self.service,
            "facility": self.facility,
            "practitioner": str(self.practitioner or ""),
            "modality": self.modality,
            "area": self.area,
            "near": "" if self.near is None else f"{self.near.latitude:.2f},{self.near.longitude:.2f}",
            "from": "" if self.from_day is None else self.from_day.isoformat(),
        }
        given |= {name: value or "" for name, value in changes.items()}
        return {name: value for name, value in given.items() if value}

    def later(self, instant: datetime) -> "Search":
        """Return the same search for slots after an instant."""
        return replace(self, after=instant + timedelta(minutes=1))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _place(text: str) -> Place | None:
    try:
        return Place.parse(text)
    except ValueError:
        return None


def _day(text: str, today: date) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return min(max(day, today), today + timedelta(days=DAYS_AHEAD))


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return instant if instant.tzinfo is not None and 2000 < instant.year < 2200 else None
