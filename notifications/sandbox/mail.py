"""A mail server that keeps what it gets: SMTP without encryption, for this machine only."""

import asyncio
import socket
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from weakref import WeakKeyDictionary

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifications.sandbox.answers import Refusal, Sending
from notifications.sandbox.desk import Desk, instant, reference
from notifications.sandbox.faults import Course, Fault, Planned
from notifications.sandbox.ledger import Entry

_CODES = {
    Fault.REJECT: Refusal(550),
    Fault.QUOTA: Refusal(452),
    Fault.TOKEN_EXPIRED: Refusal(530),
}
_WORDS = {
    421: "4.3.2 Service not available",
    429: "451 4.7.1 Greylisted, try again later",
    450: "4.2.1 Mailbox busy",
    451: "4.3.0 Local error in processing",
    452: "4.2.2 Mailbox full",
    500: "451 4.3.0 Local error in processing",
    530: "5.7.0 Authentication required",
    550: "5.1.1 Mailbox unavailable",
    552: "5.2.2 Mailbox full",
    554: "5.7.1 Transaction failed",
}
_LONGEST_KEPT = 200_000


async def listen(desk: Desk, listener: socket.socket) -> asyncio.Server:
    """Serve SMTP on a bound socket, in the running loop."""
    loop = asyncio.get_running_loop()
    handler = MailHandler(desk)
    return await loop.create_server(
        lambda: SMTP(handler, hostname="sandbox", ident="sandbox", enable_SMTPUTF8=True, loop=loop),
        sock=listener,
    )


class MailHandler:
    """What aiosmtpd asks at each step. A recipient is refused where a real server would: at RCPT TO."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._planned: WeakKeyDictionary[Envelope, Planned] = WeakKeyDictionary()

    async def handle_RCPT(  # noqa: N802  the names that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        planned = self._desk.faults.take("smtp", address.lower())
        if planned is not None and planned.fault in _CODES:
            return _reply(Refusal(planned.code or _CODES[planned.fault].status))
        if planned is not None:
            self._planned[envelope] = planned
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        mail = message_from_bytes(_raw(envelope), policy=policy.default)
        planned = self._planned.get(envelope)

        def accept(late: bool) -> str:
            for recipient in envelope.rcpt_tos:
                entry = self._desk.ledger.add(_entry(mail, recipient, late))
                self._desk.start(_deliver(self._desk, entry, Course.under(planned)))
            return "250 2.0.0 OK: queued"

        def cut() -> str:
            transport: Any = server.transport
            transport.abort()
            return "421 4.4.2 Connection dropped"

        sending = Sending[str](accept=accept, refuse=_reply, cut=cut, codes={})
        return await self._desk.answer(sending, planned)


def _reply(refusal: Refusal) -> str:
    """HTTP's 429 and 500 are failures that pass; any other status is SMTP's own."""
    words = _WORDS.get(refusal.status, "5.0.0 Refused" if refusal.status >= 500 else "4.0.0 Try again later")
    return words if words[:3].isdecimal() else f"{refusal.status} {words}"


def _raw(envelope: Envelope) -> bytes:
    content = envelope.content or b""
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def _entry(mail: EmailMessage, recipient: str, late: bool) -> Entry:
    headers = [[name, str(value)] for name, value in mail.items()]
    return Entry(
        ref=reference("m"),
        provider="smtp",
        channel="email",
        to=recipient.lower(),
        text=_part(mail, "plain"),
        at=instant().isoformat(),
        key=str(mail["Message-ID"]) if mail["Message-ID"] else None,
        sender=_sender(str(mail["From"] or "")),
        late=late,
        title=str(mail["Subject"] or ""),
        details={"html": _part(mail, "html"), "headers": headers},
    )


def _sender(field: str) -> str:
    name, address = parseaddr(field)
    return f"{name} <{address}>" if name else address


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())[:_LONGEST_KEPT]
    except (LookupError, KeyError):  # a character set or type that nobody knows
        return ""


async def _deliver(desk: Desk, entry: Entry, course: Course) -> None:
    await desk.travel(course)
    desk.ledger.move(entry, "delivered" if course.delivered else "undelivered", course.code)
