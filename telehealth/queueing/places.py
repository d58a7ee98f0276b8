"""What a desk or room is called in a hall: what is done there and its number, never a specialty. Pure."""

import re
from dataclasses import dataclass

from telehealth.directory.codes import ServicePointKind

_NAMES = {
    ServicePointKind.REGISTRATION: ("Quầy đăng ký", "Registration desk"),
    ServicePointKind.CLINIC: ("Phòng khám", "Room"),
    ServicePointKind.CASHIER: ("Quầy thu phí", "Cashier"),
    ServicePointKind.SAMPLING: ("Phòng lấy mẫu", "Sampling room"),
    ServicePointKind.IMAGING: ("Phòng chẩn đoán hình ảnh", "Imaging room"),
    ServicePointKind.RESULTS: ("Quầy trả kết quả", "Results desk"),
    ServicePointKind.PHARMACY: ("Quầy phát thuốc", "Pharmacy"),
    ServicePointKind.EMERGENCY: ("Cấp cứu", "Emergency"),
}
# `305`, `12A`, `B2.05`, `P-3`; a word that merely ends in a figure is none.
_DOOR = re.compile(r"[A-Za-z]{0,2}-?\d{1,4}(?:[.-]\d{1,3})?[A-Za-z]?")
_LEADING = re.compile(r"^[A-Za-z]+0*(?=\d)|^0+(?=\d)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a called number goes: the kind of point and what stands on its door, which may be nothing."""

    kind: ServicePointKind
    door: str

    @property
    def vi(self) -> str:
        """`Phòng khám 5`."""
        return f"{_NAMES[self.kind][0]} {self.door}".strip()

    @property
    def en(self) -> str:
        """`Room 5`."""
        return f"{_NAMES[self.kind][1]} {self.door}".strip()


def place_of(kind: ServicePointKind, code: str = "", name: str = "") -> Place:
    """Return the public name of a point.

    Everybody in a hall reads it beside a number whose holder stands there. So of a name such as `Phòng
    khám Tâm thần 12` only the number is kept; without one it is taken from the code (`P012`).
    """
    doors = [word for word in name.split() if _DOOR.fullmatch(word)]
    return Place(kind, doors[-1] if doors else _LEADING.sub("", code))
