"""Messages that can be told apart at the provider: each has a number, which its text carries as its code."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient
from notifications.kinds import KINDS
from telehealth.core.clock import system_clock

NUMBERED = r"\bM(\d{7})\b"
_AT_ONCE = 500
_SAMPLE = {
    "facility": "BV Bà Rịa",
    "time": "08:30",
    "date": "thứ Ba 24/11",
    "link": "http://127.0.0.1:8000/j/abc",
    "minutes": "5",
}


def message(
    kind: str,
    number: int,
    due_at: datetime,
    *,
    phone: str | None = None,
    lifetime: timedelta = timedelta(hours=2),
) -> Message:
    """Message `number`, by default to a phone of its own, which has Zalo."""
    params = {**_SAMPLE, "code": f"M{number:07d}"}
    return Message(
        kind=kind,
        recipient=Recipient(phone=phone or phone_of(number)),
        params={name: params[name] for name in KINDS[kind].params},
        dedupe_key=f"bench:{number}",
        not_before=due_at,
        expires_at=due_at + lifetime,
    )


def phone_of(number: int) -> str:
    """A mobile number; those that end in 0 have no Zalo in the sandbox, and this one has."""
    return f"+849{number:07d}1"


def post(engine: Engine, outbox: Outbox, messages: Sequence[Message]) -> None:
    """Enqueue many, in transactions of a few hundred."""
    for some in _chunks(messages):
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, some, now=system_clock())


def _chunks(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for first in range(0, len(messages), _AT_ONCE):
        yield messages[first : first + _AT_ONCE]
