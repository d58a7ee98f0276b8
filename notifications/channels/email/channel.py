"""E-mail by SMTP. It has neither a look-up nor receipts.

In doubt, after the text has left and no answer came, it is sent again under the same Message-ID. Servers do
not drop the second copy; some readers show the two as one. That is our policy and no promise of SMTP's: a
second copy of a letter does less harm than none.
"""

import logging
import re
from collections.abc import Set as AbstractSet
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from uuid import UUID

from notifications.channels import codes
from notifications.channels.base import (
    Accepted,
    Ambiguous,
    Capabilities,
    Outcome,
    Outgoing,
    Rejected,
    Retry,
    Scope,
)
from notifications.channels.codes import CodeClass
from notifications.channels.email.letter import letter, message_id
from notifications.channels.email.relay import Broken, Refused, Relay, Step, deliver
from notifications.channels.transport import TIMEOUT

__all__ = ["Relay", "SmtpEmail"]

CODES = codes.load(Path(__file__).parent / "codes.yaml")

_log = logging.getLogger(__name__)
# RFC 5321, 4.2.3: "service not available, closing". The other 4xx are what greylists and full boxes say.
_TOO_BUSY = 421
_ENHANCED = re.compile(r"[245]\.(\d{1,3}\.\d{1,3})\b")
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class SmtpEmail:
    provider = "email"
    # By policy: sent again in doubt, although the copy may arrive.
    capabilities = Capabilities(idempotent=True)

    def __init__(self, relay: Relay, sender: str, *, timeout: float = TIMEOUT) -> None:
        self._relay = relay
        self._sender = sender
        _, self._from = parseaddr(sender)
        self._timeout = timeout

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        if not message.address.isascii() or not _ADDRESS.fullmatch(message.address):
            return Rejected(code="address", scope=Scope.RECIPIENT)
        written = letter(message, key, sender=self._sender)
        try:
            deliver(self._relay, written, self._from, message.address, timeout=self._timeout)
        except Refused as refusal:
            return judged(refusal)
        except Broken as broken:
            return _lost(broken)
        return Accepted(ref=message_id(key, self._from))

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str]
    ) -> Outcome | None:
        return Ambiguous(reason="a mail server cannot be asked")


def _lost(broken: Broken) -> Outcome:
    if broken.refused:
        _log.error("the mail server is not trusted: %s", broken)
        return Rejected(code="tls", scope=Scope.CONFIG)
    if broken.step is Step.TEXT:
        return Ambiguous(reason=broken.cause)
    return Retry(code="unreachable", down=True)


def judged(refusal: Refused) -> Outcome:
    """4xx passes, and is about this letter alone unless the server is busy. 5xx is about the sender until the
    recipient was named; then the tables decide, the enhanced code (RFC 3463) before the plain one, as servers
    refuse for many reasons with 550."""
    name = str(refusal.code)
    if refusal.code < 500:
        return Retry(code=name, crowded=refusal.code == _TOO_BUSY)
    if refusal.step not in {Step.RECIPIENT, Step.TEXT}:
        return Rejected(code=name, scope=Scope.CONFIG)
    enhanced = _ENHANCED.match(refusal.text)
    known = enhanced is not None and enhanced[1] in CODES.classes
    found = CODES.class_of(enhanced[1] if enhanced is not None and known else name)
    match found:
        case CodeClass.RECIPIENT | CodeClass.CONFIG | CodeClass.TEMPLATE as scope:
            if not known and name not in CODES.classes:
                _log.error("unknown SMTP code %s", name)
            return Rejected(code=name, scope=Scope(scope.value))
        case other:
            raise AssertionError(f"the SMTP table has no use for class {other}")
