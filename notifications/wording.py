"""Local times as people read them in a message."""

from datetime import datetime

from notifications.policy import LOCAL

_DAYS = {
    "vi": ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ Nhật"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def time_text(instant: datetime) -> str:
    """The wall time in the province: "08:30"."""
    return f"{instant.astimezone(LOCAL):%H:%M}"


def date_text(instant: datetime, language: str) -> str:
    """The day in the province: "thứ Ba 24/11", "Tue 24 Nov"."""
    local = instant.astimezone(LOCAL)
    day = _DAYS[language][local.weekday()]
    if language == "vi":
        return f"{day} {local:%d/%m}"
    return f"{day} {local.day} {_MONTHS[local.month - 1]}"
