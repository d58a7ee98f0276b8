"""Calls to Zalo under an access token, which may have to be renewed on the way."""

import hmac
import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from urllib3.exceptions import HTTPError

from notifications.channels import codes as provider_codes
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

    def post(self, body: Mapping[str, Any], key: UUID) -> Outcome:
        """`key` is ours, and stands in for Zalo's reference where the answer has none."""
        began = time.monotonic()
        token = self._tokens.current()
        outcome = self._sent(body, key, token, began)
        if outcome is None and token is not None:
            began = time.monotonic()
            outcome = self._sent(body, key, self._tokens.renewed(token), began)
        return outcome or Rejected(code="token", scope=Scope.CONFIG)

    def _sent(self, body: Mapping[str, Any], key: UUID, token: str | None, asked_at: float) -> Outcome | None:
        """None when Zalo did not like the token. Whoever had to wait for one may have lost the lease."""
        if token is None:
            return Rejected(code="no-token", scope=Scope.CONFIG)
        if time.monotonic() - asked_at > _LONGEST_WAIT_SECONDS:
            return Retry(code="token-late", down=True)
        return self._post(body, key, token)

    def _post(self, body: Mapping[str, Any], key: UUID, token: str) -> Outcome | None:
        """None when Zalo did not like the token."""
        try:
            answer = self._wire.post_json(self._url, body, headers(token, self._proof_secret))
        except HTTPError as error:
            return lost(error)
        if answer.status == 429:
            return Retry(code="429", after=answer.retry_after, crowded=True)
        try:
            said = answer.json()
        except ValueError:
            said = None
        code = _code(said)
        if code is None:
            return Ambiguous(reason=f"HTTP {answer.status}")
        return judged(code, _reference(said, self._ref) or _stand_in(key), self._codes)


def headers(token: str, proof_secret: str | None) -> Mapping[str, str]:
    if proof_secret is None:
        return {"access_token": token}
    return {"access_token": token, "appsecret_proof": proof(token, proof_secret)}


def proof(token: str, secret: str) -> str:
    """Zalo's appsecret_proof as its own Java SDK computes it: HMAC-SHA256 of the token under the secret."""
    return hmac.digest(secret.encode(), token.encode(), "sha256").hex()


def judged(code: str, ref: str, codes: CodeTable) -> Outcome | None:
    """What Zalo's answer means; None: the access token is no good."""
    match codes.class_of(code):
        case CodeClass.OK:
            return Accepted(ref=ref)
        case CodeClass.ACCESS:
            return None
        case CodeClass.RETRY:
            return Retry(code=code, crowded=True)
        case CodeClass.AMBIGUOUS:
            return Ambiguous(reason=code)
        case refused:
            if code not in codes.classes:
                _log.error("unknown Zalo code %s", code)
            return Rejected(code=code, scope=Scope(refused.value))


def _code(answer: object) -> str | None:
    """The code in an answer; None for what is no answer of Zalo's."""
    return provider_codes.plain(answer.get("error")) if isinstance(answer, dict) else None


def _reference(answer: Mapping[str, Any], field: str) -> str | None:
    data = answer.get("data")
    return provider_codes.plain(data.get(field)) if isinstance(data, dict) else None


def _stand_in(key: UUID) -> str:
    """A reference of a message that Zalo took without giving it one; its receipt brings our key."""
    return f"tracking:{key}"
