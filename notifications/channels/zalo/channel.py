"""Template messages over Zalo. There is neither an idempotency key nor a look-up without the message id, so a
lost answer stays lost until the delivery webhook brings our tracking id."""

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import requests

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
from notifications.channels.transport import TIMEOUT, lost, pooled_session, retry_after
from notifications.templates import placeholders, tidy

CODES = codes.load(Path(__file__).parent / "codes.yaml")
_log = logging.getLogger(__name__)


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
    ) -> None:
        """`template_ids` maps "kind.language" to the id under which Zalo approved the text."""
        self._tokens = tokens
        self._url = base_url.rstrip("/") + "/message/template"
        self._template_ids = template_ids or {}
        self._timeout = timeout
        self._session = pooled_session()

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        token = self._tokens.current()
        if token is None:
            return Rejected(code="no-token", scope=Scope.CONFIG)
        outcome = self._post(message, key, token)
        if outcome is not None:
            return outcome
        token = self._tokens.renewed(token)
        if token is None:
            return Rejected(code="no-token", scope=Scope.CONFIG)
        return self._post(message, key, token) or Rejected(code="token", scope=Scope.CONFIG)

    def upkeep(self) -> None:
        """Renew the token in good time, so that no message has to wait for it."""
        self._tokens.renew_when_due()

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str]
    ) -> Outcome | None:
        return Ambiguous(reason="Zalo cannot be asked by our own id")

    def _post(self, message: Outgoing, key: UUID, token: str) -> Outcome | None:
        """None when Zalo did not like the token."""
        try:
            response = self._session.post(
                self._url,
                json=self._body(message, key),
                headers={"access_token": token},
                timeout=self._timeout,
            )
        except requests.RequestException as error:
            return lost(error)
        if response.status_code == 429:
            return Retry(code="429", after=retry_after(response.headers.get("Retry-After")))
        try:
            return judged(response.json())
        except (ValueError, KeyError, TypeError):
            return Ambiguous(reason=f"HTTP {response.status_code}")

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
