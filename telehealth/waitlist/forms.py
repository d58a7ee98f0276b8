"""The form by which a family or a desk says what somebody waits for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from werkzeug.datastructures import MultiDict

from telehealth.directory.codes import Modality
from telehealth.waitlist.errors import BadWish
from telehealth.waitlist.rules import DAY, PARTS, Wish

_AHEAD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class WishForm:
    """What was typed. `where`: "here" for the facility that was looked at, else anywhere."""

    service: str = ""
    facility: str = ""
    practitioner: UUID | None = None
    modality: str = ""
    first: str = ""
    last: str = ""
    weekdays: tuple[int, ...] = ()
    part: str = ""
    where: str = "here"
    doctor: str = "any"

    @classmethod
    def read(cls, given: MultiDict[str, str], today: date) -> "WishForm":
        """Read a form or an address; what makes no sense asks nothing."""
        modality = given.get("modality", "")
        return cls(
            service=given.get("service", "")[:40],
            facility=given.get("facility", "")[:40],
            practitioner=_uuid(given.get("practitioner", "")),
            modality=modality if modality in {way.value for way in Modality} else "",
            first=given.get("first", today.isoformat())[:10],
            last=given.get("last", (today + _AHEAD).isoformat())[:10],
            weekdays=tuple(sorted({int(day) for day in given.getlist("weekday") if day in set("0123456")})),
            part=given.get("part", "") if given.get("part") in PARTS else "",
            where="anywhere" if given.get("where") == "anywhere" else "here",
            doctor="same" if given.get("doctor") == "same" else "any",
        )

    def wish(self, facility_id: UUID | None) -> Wish:
        """Return what is waited for. Raises BadWish."""
        first, last = PARTS.get(self.part, (0, DAY))
        here = self.where == "here" and facility_id is not None
        return Wish(
            service_code=self.service,
            first_day=_day(self.first, "first"),
            last_day=_day(self.last, "to"),
            facility_id=facility_id if here else None,
            practitioner_id=self.practitioner if here and self.doctor == "same" else None,
            modality=self.modality or None,
            weekdays=self.weekdays,
            from_minute=first,
            to_minute=last,
        )

    def args(self) -> Mapping[str, str]:
        """Return what the form was opened with, as hidden fields."""
        given = {
            "service": self.service,
            "facility": self.facility,
            "practitioner": str(self.practitioner or ""),
            "modality": self.modality,
        }
        return {name: value for name, value in given.items() if value}


def _day(given: str, field: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise BadWish({field: ["field-date"]}) from error


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None
