"""Places on the map."""

import math
from dataclasses import dataclass
from typing import Self

EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Place:
    """A point in decimal degrees."""

    latitude: float
    longitude: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10.49,107.17`. Raises ValueError."""
        first, comma, second = text.partition(",")
        place = cls(float(first), float(second))
        if not comma or not (abs(place.latitude) <= 90 and abs(place.longitude) <= 180):
            raise ValueError(text)
        return place

    def distance_km(self, other: "Place") -> float:
        """Return the distance as the crow flies (haversine)."""
        half_lat = math.radians(other.latitude - self.latitude) / 2
        half_lon = math.radians(other.longitude - self.longitude) / 2
        chord = (
            math.sin(half_lat) ** 2
            + math.cos(math.radians(self.latitude))
            * math.cos(math.radians(other.latitude))
            * math.sin(half_lon) ** 2
        )
        return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, chord)))

    def box(self, radius_km: float) -> tuple[float, float, float, float]:
        """Return the south, north, west and east bounds in degrees of a box that holds a circle round it."""
        high = math.degrees(radius_km / EARTH_RADIUS_KM)
        wide = high / max(0.01, math.cos(math.radians(min(89.0, abs(self.latitude) + high))))
        return self.latitude - high, self.latitude + high, self.longitude - wide, self.longitude + wide
