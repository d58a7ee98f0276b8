"""Template messages over Zalo. There is neither an idempotency key nor a look-up without the message id, so a
lost answer stays lost until the delivery webhook brings our tracking id."""

import hmac
import logging
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
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
from notifications.channels.provider import Unanswered
from notifications.channels.transport import TIMEOUT, Wire, lost
from notifications.templates import placeholders, tidy

CODES = codes.load(Path(__file__).parent / "codes.yaml")
_log = logging.getLogger(__name__)
_PAGE = 100
# A lease leaves no more between the last moment to begin and the request (policy.safety).
_LONGEST_WAIT_SECONDS = 1.0


class AccessTokens(Protocol):
    def current(self) -> str | None:
        """A token that works now, or None when Zalo has to be authorised again by hand."""
        ...

    def renewed(self, stale: str) -> str | None:
        """Another token than `stale`, which Zalo has just refused."""
        ...

    def renew_when_due(self) -> None: ...


class ZaloTemplateMessages:
    provider = "zalo"
    capabilities = Capabilities()

    def __init__(
        self,
        tokens: AccessTokens,
        base_url: str,
        template_ids: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        *,
        proof_secret: str | None = None,
    ) -> None:
        """`template_ids` maps "kind.language" to the id under which Zalo approved the text. `proof_secret` is
        the application's secret, where the application is set to ask for a proof of it with each call."""
        self._tokens = tokens
        self._base = base_url.rstrip("/")
        self._template_ids = template_ids or {}
        self._proof_secret = proof_secret
        self._wire = Wire(timeout)

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        began = time.monotonic()
        token = self._tokens.current()
        outcome = self._sent(message, key, token, began)
        if outcome is None and token is not None:
            began = time.monotonic()
            outcome = self._sent(message, key, self._tokens.renewed(token), began)
        return outcome or Rejected(code="token", scope=Scope.CONFIG)

    def _sent(self, message: Outgoing, key: UUID, token: str | None, asked_at: float) -> Outcome | None:
        """None when Zalo did not like the token. Whoever had to wait for one may have lost the lease."""
        if token is None:
            return Rejected(code="no-token", scope=Scope.CONFIG)
        if time.monotonic() - asked_at > _LONGEST_WAIT_SECONDS:
            return Retry(code="token-late", down=True)
        return self._post(message, key, token)

    def upkeep(self) -> None:
        """Renew the token in good time, so that no message has to wait for it."""
        self._tokens.renew_when_due()

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str]
    ) -> Outcome | None:
        return Ambiguous(reason="Zalo cannot be asked by our own id")

    def template_states(self) -> Mapping[str, str]:
        """ENABLE, PENDING_REVIEW, REJECT, DISABLE or DELETE, by Zalo's template id."""
        return {str(listed["templateId"]): str(listed["status"]) for listed in self._templates()}

    def remaining(self) -> int | None:
        try:
            return int(self._asked("/message/quota", {})["data"]["remainingQuota"])
        except (KeyError, TypeError, ValueError):
            raise Unanswered("no quota in Zalo's answer") from None

    def _post(self, message: Outgoing, key: UUID, token: str) -> Outcome | None:
        """None when Zalo did not like the token."""
        try:
            answer = self._wire.post_json(
                f"{self._base}/message/template", self._body(message, key), self._headers(token)
            )
        except HTTPError as error:
            return lost(error)
        if answer.status == 429:
            return Retry(code="429", after=answer.retry_after)
        try:
            return judged(answer.json())
        except (ValueError, KeyError, TypeError):
            return Ambiguous(reason=f"HTTP {answer.status}")

    def _templates(self) -> Iterator[Mapping[str, Any]]:
        seen = 0
        while True:
            answer = self._asked("/template/all", {"offset": seen, "limit": _PAGE})
            page = answer.get("data") or []
            yield from page
            seen += len(page)
            if len(page) < _PAGE or seen >= int(answer.get("metadata", {}).get("total", 0)):
                return

    def _asked(self, path: str, query: Mapping[str, str | int]) -> Mapping[str, Any]:
        token = self._tokens.current()
        if token is None:
            raise Unanswered("Zalo has to be authorised again")
        answer = self._get(path, query, token)
        if CODES.class_of(str(answer.get("error"))) is CodeClass.ACCESS:
            answer = self._get(path, query, self._tokens.renewed(token) or token)
        if CODES.class_of(str(answer.get("error"))) is not CodeClass.OK:
            raise Unanswered(f"Zalo answered {answer.get('error')}")
        return answer

    def _get(self, path: str, query: Mapping[str, str | int], token: str) -> Mapping[str, Any]:
        try:
            answer = self._wire.get(self._base + path, query, self._headers(token)).json()
        except (HTTPError, ValueError) as error:
            raise Unanswered(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise Unanswered("Zalo answered with something else")
        return answer

    def _headers(self, token: str) -> Mapping[str, str]:
        if self._proof_secret is None:
            return {"access_token": token}
        return {"access_token": token, "appsecret_proof": proof(token, self._proof_secret)}

    def _body(self, message: Outgoing, key: UUID) -> dict[str, Any]:
        template = message.template
        names = {name for text in template.zalo.texts() for name in placeholders(text)}
        known_as = self._template_ids.get(f"{template.kind}.{template.language}", template.zalo.template_id)
        return {
            **_address(message.address),
            "template_id": known_as,
            "template_data": {name: tidy(message.params[name]) for name in sorted(names)},
            "tracking_id": str(key),
        }


def proof(token: str, secret: str) -> str:
    """Zalo's appsecret_proof as its own Java SDK computes it: HMAC-SHA256 of the token under the secret."""
    return hmac.digest(secret.encode(), token.encode(), "sha256").hex()


def _address(address: str) -> dict[str, str]:
    return {"phone": address[1:]} if address.startswith("+") else {"user_id": address}


def judged(answer: Mapping[str, Any]) -> Outcome | None:
    """What Zalo's answer means; None: the access token is no good. Raises KeyError for what is no answer."""
    code = str(answer["error"])
    match CODES.class_of(code):
        case CodeClass.OK:
            return Accepted(ref=str(answer.get("data", {}).get("msg_id")))
        case CodeClass.ACCESS:
            return None
        case CodeClass.RETRY:
            return Retry(code=code)
        case CodeClass.AMBIGUOUS:
            return Ambiguous(reason=code)
        case refused:
            if code not in CODES.classes:
                _log.error("unknown Zalo code %s", code)
            return Rejected(code=code, scope=Scope(refused.value))
