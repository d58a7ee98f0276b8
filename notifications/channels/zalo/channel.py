"""Template messages over Zalo. There is neither an idempotency key nor a look-up without the message id, so a
lost answer stays lost until the delivery webhook brings our tracking id."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from urllib3.exceptions import HTTPError

from notifications.channels import codes
from notifications.channels.base import Ambiguous, Capabilities, Outcome, Outgoing, Rejected, Scope
from notifications.channels.codes import CodeClass
from notifications.channels.provider import Unanswered
from notifications.channels.transport import TIMEOUT, Wire
from notifications.channels.zalo.calls import AccessTokens, AuthorisedCalls, headers
from notifications.templates import tidy

CODES = codes.load(Path(__file__).parent / "codes.yaml")
_PAGE = 100


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
        """`template_ids` maps "kind.language" to the id under which Zalo approved the text, for messages that
        come without one. `proof_secret` is
        the application's secret, where the application is set to ask for a proof of it with each call."""
        self._tokens = tokens
        self._base = base_url.rstrip("/")
        self.template_ids = template_ids or {}
        self._proof_secret = proof_secret
        self._wire = Wire(timeout)
        self._calls = AuthorisedCalls(
            tokens, f"{self._base}/message/template", self._wire, CODES, "msg_id", proof_secret
        )

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        text = f"{message.template.kind}.{message.template.language}"
        known_as = message.provider_template_id or self.template_ids.get(text)
        if known_as is None:
            return Rejected(code="unregistered", scope=Scope.TEMPLATE)
        return self._calls.post(_body(message, known_as, key), key)

    def upkeep(self) -> None:
        """Renew the token in good time, so that no message has to wait for it."""
        self._tokens.renew_when_due()

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
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
            answer = self._wire.get(self._base + path, query, headers(token, self._proof_secret)).json()
        except (HTTPError, ValueError) as error:
            raise Unanswered(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise Unanswered("Zalo answered with something else")
        return answer


def _body(message: Outgoing, known_as: str, key: UUID) -> dict[str, Any]:
    return {
        **_address(message.address),
        "template_id": known_as,
        "template_data": {name: tidy(message.params[name]) for name in message.template.zalo.names},
        "tracking_id": str(key),
    }


def _address(address: str) -> dict[str, str]:
    return {"phone": address[1:]} if address.startswith("+") else {"user_id": address}
