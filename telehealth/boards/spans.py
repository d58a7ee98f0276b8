"""Which days figures are of. Pure."""

from datetime import date, timedelta

from telehealth.boards.errors import BadDays
from telehealth.boards.figures import MOST_DAYS


def days(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """Return the first and last day asked for, by default today. Raises BadDays."""
    begin = first or last or today
    end = last or max(begin, today)
    if not begin <= end <= begin + timedelta(days=MOST_DAYS - 1):
        raise BadDays({"to": ["field-board-days"]}, most=MOST_DAYS)
    return begin, end
