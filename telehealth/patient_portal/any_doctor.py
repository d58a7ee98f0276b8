"""“Bác sĩ nào cũng được”: a time at a place with whoever is free then. Who it is, the hold decides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from telehealth.booking.services import AnyPractitioner
from telehealth.core.clock import PROVINCE_TZ, local
from telehealth.directory.codes import Modality
from telehealth.scheduling.queries import SlotQuery, SlotView

_WORD, _BETWEEN = "any", "~"
_WRITTEN = "%Y%m%dT%H%M"
_AS_LONG = timedelta(minutes=1)
_WAYS = frozenset(way.value for way in Modality)
_EVERY = 100


@dataclass(frozen=True, slots=True)
class AnyDoctor:
    """A start of a facility's service. Its `id` stands in addresses where a slot's id does."""

    facility: str
    service: str
    modality: str
    start: datetime

    @classmethod
    def of(cls, slot: SlotView) -> "AnyDoctor":
        """Return the same start with whichever doctor."""
        return cls(slot.facility.code, slot.service.code, slot.modality, slot.start)

    @classmethod
    def parse(cls, text: str) -> "AnyDoctor | None":
        """Read an id that anybody may have typed; None for anything else, a slot's id too."""
        parts = text.split(_BETWEEN)
        if len(parts) != 5 or parts[0] != _WORD or parts[3] not in _WAYS:
            return None
        try:
            wall = datetime.strptime(parts[4], _WRITTEN).replace(tzinfo=PROVINCE_TZ)
        except ValueError:
            return None
        if not 2000 < wall.year < 2200:
            return None
        return cls(parts[1], parts[2], parts[3], wall)

    @property
    def id(self) -> str:
        """Return how addresses write it: codes, way and wall time, nothing of a person."""
        wall = local(self.start).strftime(_WRITTEN)
        return _BETWEEN.join((_WORD, self.facility, self.service, self.modality, wall))

    def wanted(self, facility_id: UUID) -> AnyPractitioner:
        """Return what booking is asked for."""
        end = self.start + _AS_LONG
        return AnyPractitioner(self.service, facility_id, self.start, end, self.modality)

    def query(self, facility_id: UUID) -> SlotQuery:
        """Return the search for the doctors' slots that begin then."""
        return SlotQuery(
            service_code=self.service,
            facility_id=facility_id,
            modality=self.modality,
            from_=self.start,
            to=self.start + _AS_LONG,
            shown=True,
        )

    def later(self, facility_id: UUID) -> SlotQuery:
        """Return the search for what is free from then on."""
        return SlotQuery(
            service_code=self.service,
            facility_id=facility_id,
            modality=self.modality,
            from_=self.start,
            limit=_EVERY,
        )


def with_anybody(slots: Sequence[SlotView]) -> list[SlotView]:
    """Return each place's starts once, in order, as slots of nobody's room whose ids are `AnyDoctor` ids."""
    seen: dict[str, SlotView] = {}
    for slot in slots:
        anybody = AnyDoctor.of(slot).id
        seen.setdefault(anybody, replace(slot, id=anybody, room=""))
    return list(seen.values())
