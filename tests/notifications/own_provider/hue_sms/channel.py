"""POST /messages {to, text, ours}: the gateway drops a second message under one `ours`."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from uuid import UUID

from urllib3.exceptions import HTTPError

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
from notifications.channels.transport import Wire, lost
from notifications.templates.segments import measure

CODES = codes.load(Path(__file__).parent / "codes.yaml")


class GatewaySms:
    provider = "hue-sms"
    capabilities = Capabilities(idempotent=True)

    def __init__(self, url: str, secret: str, public_base_url: str, timeout: float) -> None:
        self._url = url.rstrip("/") + "/messages"
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._callback = f"{public_base_url}/webhooks/hue-sms"
        self._wire = Wire(timeout)

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        body = {"to": message.address, "text": message.sms, "ours": str(key), "tell": self._callback}
        try:
            answer = self._wire.post_json(self._url, body, self._headers)
        except HTTPError as error:
            return lost(error)
        if answer.status >= 500:
            return Ambiguous(reason=f"HTTP {answer.status}")
        try:
            fields = answer.json()
            code = str(fields["code"])
        except (ValueError, KeyError, TypeError):
            return Ambiguous(reason=f"HTTP {answer.status}")
        match CODES.class_of(code):
            case CodeClass.OK:
                return Accepted(ref=str(fields["number"]), segments=measure(message.sms).segments)
            case CodeClass.RETRY:
                return Retry(code=code, after=answer.retry_after, crowded=True)
            case refused:
                return Rejected(code=code, scope=Scope(refused.value))

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        return Ambiguous(reason="asked by sending again")
