"""The only module that reads the clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

PROVINCE_TZ = ZoneInfo("Asia/Ho_Chi_Minh")


def system_clock() -> datetime:
    """Return the current instant, in UTC."""
    return datetime.now(UTC)


def local(instant: datetime) -> datetime:
    """Return the instant as wall time in the province."""
    return instant.astimezone(PROVINCE_TZ)


def business_date(instant: datetime) -> date:
    """Return the day an instant belongs to for queue numbers and opening hours."""
    return local(instant).date()


def at_local(day: date, minute: int) -> datetime:
    """Return the UTC instant of a local minute of day; 1440 and more run into the next day."""
    midnight = datetime.combine(day, time.min, PROVINCE_TZ)
    return (midnight + timedelta(minutes=minute)).astimezone(UTC)


def minute_of_day(instant: datetime) -> int:
    """Return the local minute of day, 0 to 1439."""
    wall = local(instant)
    return wall.hour * 60 + wall.minute
