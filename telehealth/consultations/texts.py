"""The texts the room's script needs, in the reader's language."""

from telehealth.web.localization import t

_KEYS = (
    "audio-on",
    "audio-off",
    "video-on",
    "video-off",
    "line-testing",
    "line-good",
    "line-weak",
    "line-none",
    "state-entering",
    "state-connecting",
    "state-connected",
    "state-reconnecting",
    "state-other-gone",
    "state-not-open",
    "other-video-off",
    "other-audio-off",
    "closing",
    "failed",
    "over-left",
    "over-ended",
    "over-replaced",
    "over-full",
    "over-fault",
)


def room_texts(*, leads: bool, practitioner: str) -> dict[str, str]:
    """Return text by key; `{name}` and `{time}` are filled by the page."""
    texts = {key: t(f"room-{key}", name="{name}", time="{time}") for key in _KEYS}
    if leads:
        ours = {"state-waiting": t("room-state-waiting-staff"), "over-ended": t("room-over-ended-staff")}
    else:
        ours = {"state-waiting": t("room-state-waiting", practitioner=practitioner)}
    return {**texts, **ours}
