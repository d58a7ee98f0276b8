"""Consultation messages: free for 48 hours after a person has written, and refused afterwards.

As with template messages there is neither an idempotency key nor a look-up.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from notifications.channels import codes
from notifications.channels.base import Ambiguous, Capabilities, Outcome, Outgoing
from notifications.channels.transport import TIMEOUT, Wire
from notifications.channels.zalo.calls import AccessTokens, AuthorisedCalls
from notifications.templates import fill

CODES = codes.load(Path(__file__).parent / "codes.yaml")


class ZaloConsultationMessages:
    provider = "zalo-chat"
    capabilities = Capabilities()

    def __init__(
        self,
        tokens: AccessTokens,
        base_url: str,
        timeout: float = TIMEOUT,
        *,
        proof_secret: str | None = None,
    ) -> None:
        url = base_url.rstrip("/") + "/v3.0/oa/message/cs"
        self._calls = AuthorisedCalls(tokens, url, Wire(timeout), CODES, "message_id", proof_secret)

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        return self._calls.post(body(message), key)

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        return Ambiguous(reason="Zalo cannot be asked by our own id")


def body(message: Outgoing) -> Mapping[str, Any]:
    """The words of the template; a link may stand in the text of a conversation."""
    words = message.template.zalo
    lines = [*words.paragraphs, *(words.button or ())[1:]]
    text = "\n".join(fill(line, message.params) for line in lines)
    return {"recipient": {"user_id": message.address}, "message": {"text": text}}
