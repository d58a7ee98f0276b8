"""Free slots as a person reads them: by day; with whoever is free first, then by who offers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from telehealth.core.clock import business_date
from telehealth.directory.places import Place
from telehealth.directory.queries import FacilityView
from telehealth.patient_portal.any_doctor import with_anybody
from telehealth.scheduling.queries import SlotView

_Place = tuple[UUID, str]
_Key = tuple[UUID, UUID, str]


@dataclass(frozen=True, slots=True)
class Offer:
    """One doctor's free times on a day at a facility; `distance_km` from the area asked about."""

    facility: FacilityView
    slots: tuple[SlotView, ...]
    distance_km: float | None

    @property
    def first(self) -> SlotView:
        """Return the earliest slot, which speaks for all: same doctor, service and way."""
        return self.slots[0]


@dataclass(frozen=True, slots=True)
class Day:
    """A day and its offers: by distance if an area was asked about, else by time.

    `anybody`: for places where several doctors offer the same service, each start once.
    """

    day: date
    offers: tuple[Offer, ...]
    anybody: tuple[Offer, ...]


def by_day(
    slots: Sequence[SlotView], facilities: Mapping[UUID, FacilityView], near: Place | None
) -> tuple[Day, ...]:
    """Group slots, which come in order of time."""
    days: dict[date, dict[_Key, list[SlotView]]] = {}
    for slot in slots:
        offers = days.setdefault(business_date(slot.start), {})
        offers.setdefault((slot.facility.id, slot.practitioner.id, slot.modality), []).append(slot)
    return tuple(
        Day(
            day,
            tuple(_ordered([_offer(same, facilities, near) for same in offers.values()])),
            tuple(_ordered([_offer(same, facilities, near) for same in _anybody(list(offers.values()))])),
        )
        for day, offers in days.items()
    )


def _anybody(offers: Sequence[Sequence[SlotView]]) -> list[list[SlotView]]:
    """Return the starts of each place and way that more than one doctor has."""
    there: dict[_Place, list[Sequence[SlotView]]] = {}
    for same in offers:
        there.setdefault((same[0].facility.id, same[0].modality), []).append(same)
    return [
        with_anybody(sorted((slot for same in doctors for slot in same), key=lambda slot: slot.start))
        for doctors in there.values()
        if len(doctors) > 1
    ]


def _offer(slots: Sequence[SlotView], facilities: Mapping[UUID, FacilityView], near: Place | None) -> Offer:
    facility = facilities[slots[0].facility.id]
    distance = None
    if near is not None and facility.latitude is not None and facility.longitude is not None:
        distance = near.distance_km(Place(facility.latitude, facility.longitude))
    return Offer(facility, tuple(slots), distance)


def _ordered(offers: Sequence[Offer]) -> list[Offer]:
    """Order by distance where it is known; what is known to be near comes before the unknown."""
    return sorted(offers, key=lambda offer: (offer.distance_km is None, offer.distance_km or 0.0))
