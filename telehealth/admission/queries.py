"""Reading the waiting room: one's own place, and how many are before it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.admission.models import ReleasePolicy
from telehealth.admission.rules import Standing, standing
from telehealth.directory.models import HealthcareService


@dataclass(frozen=True, slots=True)
class RoomView:
    """A release and one's place in it: how many are let in before, and when one's own turn is."""

    service_id: UUID
    service_code: str
    service_name_vi: str
    service_name_en: str
    facility_id: UUID
    facility_code: str
    facility_name: str
    opens_at: datetime
    standing: Standing
    ahead: int | None
    admit_at: datetime | None
    lapses_at: datetime | None

    def service_name(self, locale: str) -> str:
        """Return the service in a language."""
        return self.service_name_vi if locale == "vi" else self.service_name_en


_ROOM = """
SELECT v.id, v.code, v.name_vi, v.name_en, f.id AS facility_id, f.code AS facility_code, f.name, c.opens_at,
       t.account_id, t.place, t.admit_at, t.lapses_at, p.rate_per_minute
  FROM healthcare_service v
  JOIN facility f ON f.id = v.facility_id
  JOIN release_policy p ON p.service_id = v.id
 CROSS JOIN LATERAL (SELECT current_release(v.id, %(now)s) AS opens_at) c
  LEFT JOIN release_ticket t
    ON t.service_id = v.id AND t.opens_at = c.opens_at AND t.account_id = %(account)s
 WHERE v.id = %(service)s AND c.opens_at IS NOT NULL
"""


def room(session: Session, service_id: UUID, account_id: UUID | None, *, now: datetime) -> RoomView | None:
    """Return the waiting room of a service, or None when no release is near: places are taken as ever."""
    asked = {"service": service_id, "account": account_id, "now": now}
    row = session.connection().exec_driver_sql(_ROOM, asked).one_or_none()
    if row is None:
        return None
    stands = standing(row.account_id is not None, row.opens_at, row.admit_at, row.lapses_at, now)
    ahead = None
    if row.admit_at is not None:
        left = max(0.0, (row.admit_at - now).total_seconds())
        ahead = min(row.place - 1, int(left * row.rate_per_minute / 60))
    return RoomView(
        service_id=row.id,
        service_code=row.code,
        service_name_vi=row.name_vi,
        service_name_en=row.name_en,
        facility_id=row.facility_id,
        facility_code=row.facility_code,
        facility_name=row.name,
        opens_at=row.opens_at,
        standing=stands,
        ahead=ahead,
        admit_at=row.admit_at,
        lapses_at=row.lapses_at,
    )


def arranged(session: Session, facility_id: UUID) -> dict[UUID, ReleasePolicy]:
    """Return the waiting rooms of a facility's services, by service."""
    rows = session.scalars(
        select(ReleasePolicy)
        .join(HealthcareService, HealthcareService.id == ReleasePolicy.service_id)
        .where(HealthcareService.facility_id == facility_id)
        .order_by(ReleasePolicy.service_id)
    )
    return {row.service_id: row for row in rows}


@dataclass(frozen=True, slots=True)
class NearRelease:
    """A release that is near or hot, and has a waiting room."""

    service_id: UUID
    opens_at: datetime


def near(session: Session, facility_id: UUID, service_code: str, *, now: datetime) -> NearRelease | None:
    """Return the release of a facility's service that one waits for now, or None."""
    row = (
        session.connection()
        .exec_driver_sql(
            """SELECT v.id, current_release(v.id, %(now)s) AS opens_at
                 FROM healthcare_service v JOIN release_policy p ON p.service_id = v.id
                WHERE v.facility_id = %(facility)s AND v.code = %(code)s""",
            {"facility": facility_id, "code": service_code, "now": now},
        )
        .one_or_none()
    )
    return None if row is None or row.opens_at is None else NearRelease(row.id, row.opens_at)
