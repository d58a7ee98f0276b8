"""Which weekday's roster a day follows."""

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.directory.models import CalendarDay


def weekdays_followed(session: Session, facility_ids: Iterable[UUID], day: date) -> dict[UUID, int | None]:
    """Return the weekday (0 Monday) whose roster each facility follows that day; None on a holiday."""
    overrides = {
        row.facility_id: row for row in session.scalars(select(CalendarDay).where(CalendarDay.day == day))
    }

    def followed(facility_id: UUID) -> int | None:
        override = overrides.get(facility_id) or overrides.get(None)
        if override is None or override.kind == "working":
            return day.weekday()
        return override.like_weekday

    return {facility_id: followed(facility_id) for facility_id in facility_ids}
