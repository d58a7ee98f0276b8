"""SMS by eSMS.vn. It drops a second message under one RequestId, so that a lost answer is simply sent again.

Its pages say "24 hours" here and "the day" there: a repeat over midnight may become a second SMS.
"""

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any
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
from notifications.channels.esms.webhook import STATUS_FIELDS, CallbackToken, told_by
from notifications.channels.provider import Unanswered
from notifications.channels.receipt import Claim, Receipt, Told
from notifications.channels.transport import TIMEOUT, Answer, Wire, lost
from notifications.templates.segments import measure

CODES = codes.load(Path(__file__).parent / "codes.yaml")
WEBHOOK_PATH = "/webhooks/esms"

_log = logging.getLogger(__name__)
_CUSTOMER_CARE = "2"
# The status API does not know a message yet that has only just been sent.
_NOT_FOUND = "105"
_ANSWERED = "100"


class EsmsBrandname:
    """Customer-care messages (SmsType 2) under a registered brandname."""

    provider = "esms"
    capabilities = Capabilities(idempotent=True)

    def __init__(
        self,
        *,
        api_key: str,
        secret_key: str,
        brandname: str,
        base_url: str,
        public_base_url: str,
        timeout: float = TIMEOUT,
    ) -> None:
        self._account = {"ApiKey": api_key, "SecretKey": secret_key}
        self._brandname = brandname
        self._service = base_url.rstrip("/") + "/MainService.svc/json"
        self._callback = public_base_url.rstrip("/") + WEBHOOK_PATH
        self._tokens = CallbackToken(secret_key)
        self._wire = Wire(timeout)

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        text = message.sms
        try:
            answer = self._wire.post_json(
                f"{self._service}/SendMultipleMessage_V4_post_json/", self._body(message, text, key)
            )
        except HTTPError as error:
            return lost(error)
        return judged(answer, key, measure(text).segments)

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        """Not needed: sending again under the same key asks and sends in one."""
        return Ambiguous(reason="eSMS is asked by sending again")

    def confirmed(self, claim: Claim) -> Receipt | None:
        ref = claim.ref if claim.recorded in {None, _stand_in(claim.key)} else str(claim.recorded)
        fields = self._asked(f"{self._service}/GetSendStatus", {"RefId": ref})
        code = str(fields.get("CodeResponse"))
        if code == _NOT_FOUND:
            return None
        told = told_by(fields) if code == _ANSWERED else None
        if told is None:
            raise Unanswered(f"eSMS answered {code}")
        if told is Told.ACCEPTED:
            return None
        return Receipt(
            provider=self.provider,
            event_key=f"{ref}:{told}",
            told=told,
            key=claim.key,
            ref=ref,
            code=str(fields.get("SendStatus")),
            raw={name: fields.get(name) for name in STATUS_FIELDS},
        )

    def template_states(self) -> Mapping[str, str]:
        """The registered texts: eSMS lists those that the networks have approved, and no others."""
        wanted = {"SmsType": _CUSTOMER_CARE, "Brandname": self._brandname}
        fields = self._asked(f"{self._service}/GetTemplate/", wanted, post=True)
        if str(fields.get("CodeResult")) != _ANSWERED:
            raise Unanswered(f"eSMS answered {fields.get('CodeResult')}")
        return {str(listed["TempId"]): "APPROVED" for listed in fields.get("BrandnameTemplates") or ()}

    def _body(self, message: Outgoing, text: str, key: UUID) -> dict[str, Any]:
        return {
            **self._account,
            "Phone": _national(message.address),
            "Content": text,
            "Brandname": self._brandname,
            "SmsType": _CUSTOMER_CARE,
            "IsUnicode": "1" if message.accented else "0",
            "RequestId": str(key),
            "CallbackUrl": f"{self._callback}/{self._tokens.issue(key)}",
        }

    def _asked(self, url: str, question: Mapping[str, str], *, post: bool = False) -> Mapping[str, Any]:
        ask = self._wire.post_json if post else self._wire.get
        try:
            answer = ask(url, {**question, **self._account}).json()
        except (HTTPError, ValueError) as error:
            raise Unanswered(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise Unanswered("eSMS answered with something else")
        return answer


def judged(answer: Answer, key: UUID, segments: int) -> Outcome:
    """What eSMS's answer to a send means."""
    if answer.status == 429:
        return Retry(code="429", after=answer.retry_after, crowded=True)
    if answer.status >= 500:
        return Ambiguous(reason=f"HTTP {answer.status}")
    try:
        fields = answer.json()
    except ValueError:
        return _unread(answer.status)
    if not isinstance(fields, dict):
        return _unread(answer.status)
    code = codes.plain(fields.get("CodeResult"))
    if code is None:
        return _unread(answer.status, refused="error" in fields)
    return _outcome(code, codes.plain(fields.get("SMSID")) or _stand_in(key), segments)


def _outcome(code: str, ref: str, segments: int) -> Outcome:
    match CODES.class_of(code):
        case CodeClass.OK:
            return Accepted(ref=ref, segments=segments)
        case CodeClass.REPEATED:
            return Accepted(ref=ref, segments=segments, reconciled=True)
        case CodeClass.RETRY:
            return Retry(code=code, crowded=True)
        case CodeClass.RECIPIENT | CodeClass.CONFIG | CodeClass.TEMPLATE as scope:
            if code not in CODES.classes:
                _log.error("unknown eSMS code %s", code)
            return Rejected(code=code, scope=Scope(scope.value))
        case other:
            raise AssertionError(f"the eSMS table has no use for class {other}")


def _stand_in(key: UUID | None) -> str:
    """A reference of a send whose own one got lost: a repeated RequestId is answered without it."""
    return f"request:{key}"


def _unread(status: int, *, refused: bool = False) -> Outcome:
    """No code in the answer: what refuses by HTTP, or says `error`, has not sent; another 200 may have."""
    if status in {401, 403}:
        return Rejected(code=f"HTTP {status}", scope=Scope.CONFIG)
    if status >= 400 or refused:
        return Rejected(code=f"HTTP {status}", scope=Scope.TEMPLATE)
    return Ambiguous(reason=f"HTTP {status}")


def _national(address: str) -> str:
    """As eSMS's own examples write a number: 0912345678."""
    return "0" + address[3:] if address.startswith("+84") else address.lstrip("+")
