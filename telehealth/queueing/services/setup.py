"""Queues out of service points."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.core.ids import derived_id
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.models import ServicePoint
from telehealth.queueing.models import Queue

# One line leads to all desks of these kinds: what it is called, its letter, minutes a person takes.
_HALLS: Mapping[ServicePointKind, tuple[str, str, int]] = {
    ServicePointKind.REGISTRATION: ("Quầy tiếp đón", "A", 3),
    ServicePointKind.CASHIER: ("Quầy thu phí", "T", 3),
    ServicePointKind.SAMPLING: ("Phòng lấy mẫu xét nghiệm", "X", 4),
    ServicePointKind.IMAGING: ("Phòng chẩn đoán hình ảnh", "H", 10),
    ServicePointKind.RESULTS: ("Quầy trả kết quả", "K", 2),
    ServicePointKind.PHARMACY: ("Quầy phát thuốc", "D", 3),
}
_CLINIC_MINUTES = 8


def ensure_queues(session: Session, facility_id: UUID) -> int:
    """Make a facility's queues follow its service points, and return how many are in use.

    One queue for each hall (registration, cashier and so on) and one for each clinic room.
    Emergencies have none: they are no place in an order. Running it again changes only what the
    points changed; what staff set stays, and so do doctors' own queues.
    """
    return _ensure(session, ServicePoint.facility_id == facility_id, Queue.facility_id == facility_id)


def ensure_all_queues(session: Session) -> int:
    """Make every facility's queues follow its service points; return how many are in use."""
    return _ensure(session, true(), true())


def _ensure(session: Session, points_of: ColumnElement[bool], queues_of: ColumnElement[bool]) -> int:
    points = session.scalars(select(ServicePoint).where(points_of, ServicePoint.active)).all()
    kinds = {(point.facility_id, ServicePointKind(point.kind)) for point in points}
    rows = [_hall(facility_id, kind) for facility_id, kind in sorted(kinds) if kind in _HALLS]
    rows += [_room(point) for point in points if point.kind == ServicePointKind.CLINIC]
    session.execute(
        update(Queue)
        .where(
            queues_of,
            Queue.active,
            Queue.practitioner_id.is_(None),
            Queue.id.not_in([row["id"] for row in rows]),
        )
        .values(active=False)
        .execution_options(synchronize_session=False)
    )
    if rows:
        statement = insert(Queue).values(rows)
        follows = {name: statement.excluded[name] for name in ("name", "service_point_id", "active")}
        session.execute(statement.on_conflict_do_update(index_elements=["facility_id", "code"], set_=follows))
    return len(rows)


def _hall(facility_id: UUID, kind: ServicePointKind) -> dict[str, Any]:
    name, prefix, minutes = _HALLS[kind]
    return _row(facility_id, kind.value, name, kind, None, prefix, minutes)


def _room(point: ServicePoint) -> dict[str, Any]:
    digits = "".join(char for char in point.code if char.isdigit()).lstrip("0")
    prefix = f"{digits or point.code}-"
    return _row(
        point.facility_id, point.code, point.name, ServicePointKind.CLINIC, point.id, prefix, _CLINIC_MINUTES
    )


def _row(
    facility_id: UUID,
    code: str,
    name: str,
    kind: ServicePointKind,
    service_point_id: UUID | None,
    prefix: str,
    minutes: int,
) -> dict[str, Any]:
    return {
        "id": derived_id("queue", facility_id, code),
        "facility_id": facility_id,
        "code": code,
        "name": name,
        "kind": kind,
        "service_point_id": service_point_id,
        "prefix": prefix,
        "minutes_per_visit": minutes,
        "daily_limit": None,
        "active": True,
    }
