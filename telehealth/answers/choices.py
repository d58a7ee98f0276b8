"""Pure: what the owner of a phone may choose to be told, and what follows for notifications.preferences.

A choice belongs to a telephone number, not to a person: families share one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from notifications.kinds import KINDS
from notifications.preferences import EVERY, Wishes

TOPICS: Mapping[str, tuple[str, ...]] = {
    "reminders": ("appointment-reminder-day", "appointment-reminder-hours"),
    "turn": ("turn-near", "leave-home-now"),
}
CHANNELS = ("zalo", "sms")
STOP_ALL = "stop-all"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """The pairs of topic and channel that are wanted, and whether SMS bear diacritics."""

    wanted: frozenset[Pair]
    accented: bool = False

    def channels(self, topic: str) -> frozenset[str]:
        """Return by which channels a topic is wanted."""
        return frozenset(channel for each, channel in self.wanted if each == topic)


def chosen(form: Mapping[str, Collection[str]]) -> Choice:
    """Read a choice from the form of answers/_choices.html; the button that stops all leaves the accents."""
    every = ((topic, channel) for topic in TOPICS for channel in CHANNELS)
    ticked = frozenset(pair for pair in every if pair[1] in form.get(pair[0], ()))
    return Choice(frozenset() if STOP_ALL in form else ticked, "accented" in form)


def choice_of(wishes: Wishes) -> Choice:
    """Return what stands: a topic is wanted by a channel when each of its kinds may go by it."""
    wanted = frozenset(
        (topic, channel)
        for topic, kinds in TOPICS.items()
        for channel in CHANNELS
        if all(wishes.allow(KINDS[kind], channel) for kind in kinds)
    )
    return Choice(wanted, wishes.accented)


def changes(kind: str, wanted: Collection[str], muted: Collection[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return what to mute of a kind and what to take back, wider mutings by other doors included."""
    if not wanted:
        return [(kind, EVERY)], []
    stop = [(kind, channel) for channel in CHANNELS if channel not in wanted]
    in_the_way = {(name, channel) for name in (kind, EVERY) for channel in (*wanted, EVERY)}
    return stop, sorted(in_the_way & set(muted))
