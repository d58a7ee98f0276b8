"""Calls to Zalo under an access token, which may have to be renewed on the way."""

import hmac
import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from urllib3.exceptions import HTTPError

from notifications.channels.base import Accepted, Ambiguous, Outcome, Rejected, Retry, Scope
from notifications.channels.codes import CodeClass, CodeTable
from notifications.channels.transport import Wire, lost

_log = logging.getLogger(__name__)
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


class AuthorisedCalls:
    """Sends by one address of Zalo's. `ref` names the field of the answer that holds Zalo's own reference;
    `proof_secret`: the application's secret, where it is set to ask for a proof with each call."""

    def __init__(
        self,
        tokens: AccessTokens,
        url: str,
        wire: Wire,
        codes: CodeTable,
        ref: str,
        proof_secret: str | None = None,
    ) -> None:
        self._tokens = tokens
        self._url = url
        self._wire = wire
        self._codes = codes
        self._ref = ref
        self._proof_secret = proof_secret

    def post(self, body: Mapping[str, Any]) -> Outcome:
        began = time.monotonic()
        token = self._tokens.current()
        outcome = self._sent(body, token, began)
        if outcome is None and token is not None:
            began = time.monotonic()
            outcome = self._sent(body, self._tokens.renewed(token), began)
        return outcome or Rejected(code="token", scope=Scope.CONFIG)

    def _sent(self, body: Mapping[str, Any], token: str | None, asked_at: float) -> Outcome | None:
        """None when Zalo did not like the token. Whoever had to wait for one may have lost the lease."""
        if token is None:
            return Rejected(code="no-token", scope=Scope.CONFIG)
        if time.monotonic() - asked_at > _LONGEST_WAIT_SECONDS:
            return Retry(code="token-late", down=True)
        return self._post(body, token)

    def _post(self, body: Mapping[str, Any], token: str) -> Outcome | None:
        """None when Zalo did not like the token."""
        try:
            answer = self._wire.post_json(self._url, body, headers(token, self._proof_secret))
        except HTTPError as error:
            return lost(error)
        if answer.status == 429:
            return Retry(code="429", after=answer.retry_after)
        try:
            return judged(answer.json(), self._codes, self._ref)
        except (ValueError, KeyError, TypeError):
            return Ambiguous(reason=f"HTTP {answer.status}")


def headers(token: str, proof_secret: str | None) -> Mapping[str, str]:
    if proof_secret is None:
        return {"access_token": token}
    return {"access_token": token, "appsecret_proof": proof(token, proof_secret)}


def proof(token: str, secret: str) -> str:
    """Zalo's appsecret_proof as its own Java SDK computes it: HMAC-SHA256 of the token under the secret."""
    return hmac.digest(secret.encode(), token.encode(), "sha256").hex()


def judged(answer: Mapping[str, Any], codes: CodeTable, ref: str = "msg_id") -> Outcome | None:
    """What Zalo's answer means; None: the access token is no good. Raises KeyError for what is no answer."""
    code = str(answer["error"])
    match codes.class_of(code):
        case CodeClass.OK:
            return Accepted(ref=str(answer.get("data", {}).get(ref)))
        case CodeClass.ACCESS:
            return None
        case CodeClass.RETRY:
            return Retry(code=code)
        case CodeClass.AMBIGUOUS:
            return Ambiguous(reason=code)
        case refused:
            if code not in codes.classes:
                _log.error("unknown Zalo code %s", code)
            return Rejected(code=code, scope=Scope(refused.value))
