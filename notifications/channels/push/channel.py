"""Web push (RFC 8030): to the browsers in which a person has turned it on, through their makers' services.

A message replaces an earlier one with the same topic, so that a send may be repeated. There are no receipts,
and a service may say yes for a phone that is never switched on again: push goes beside another channel, never
instead of one.
"""

import base64
import json
import logging
import secrets
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
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
    Subscription,
)
from notifications.channels.codes import CodeClass
from notifications.channels.push.encryption import encrypted, usable
from notifications.channels.push.endpoint import PushServices
from notifications.channels.push.signature import Signer
from notifications.channels.transport import TIMEOUT, lost, pooled_session, retry_after
from notifications.kinds import KINDS, Priority
from notifications.templates import fill, tidy

CODES = codes.load(Path(__file__).parent / "codes.yaml")
# The longest that every service keeps a message for a phone that is switched off (FCM: four weeks).
LONGEST_TTL = timedelta(days=28)

_log = logging.getLogger(__name__)
# What one answer counts for among those of a person's browsers: the first of these that occurs.
_WORTH = (Accepted, Ambiguous, Retry, Scope.CONFIG, Scope.TEMPLATE, Scope.RECIPIENT)


class WebPush:
    provider = "push"
    capabilities = Capabilities(idempotent=True, browsers=True)

    def __init__(self, signer: Signer, services: PushServices, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for all of a person's browsers together."""
        self._signer = signer
        self._services = services
        self._timeout = timeout
        self._session = pooled_session()

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        deadline = time.monotonic() + self._timeout
        body, headers = payload(message, key), _headers(message, key)
        answers = {
            each.id: self._post(each, body, headers, message.now, deadline - time.monotonic())
            for each in message.subscriptions
        }
        return together(answers)

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        return Ambiguous(reason="push services cannot be asked")

    def _post(
        self, to: Subscription, body: bytes, headers: Mapping[str, str], now: datetime, seconds: float
    ) -> Outcome:
        address = self._services.address(to.endpoint)
        if address is None:
            return _judged("foreign-endpoint", None)
        if seconds <= 0:
            return Retry(code="late")
        if not usable(to.p256dh, to.auth):
            return _judged("bad-keys", None)
        if to.under not in ("", self._signer.public_key):
            return _judged("former-key", None)
        signed = {**headers, "Authorization": self._signer.authorization(address, now)}
        try:
            # A redirect would lead past the list of known services.
            response = self._session.post(
                address, data=encrypted(body, to), headers=signed, timeout=seconds, allow_redirects=False
            )
        except requests.RequestException as error:
            return lost(error)
        return _judged(str(response.status_code), response.headers.get("Retry-After"))


def payload(message: Outgoing, key: UUID) -> bytes:
    """What the service worker shows: title, body, tag, lang, and url where the message has a link."""
    push = message.template.push
    shown = {
        "title": fill(push.title, message.params),
        "body": fill(push.body, message.params),
        "tag": topic(key),
        "lang": message.template.language,
    }
    if "link" in message.params:
        shown["url"] = tidy(message.params["link"])
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def topic(key: UUID) -> str:
    """Base64url of the key, 22 characters; RFC 8030 section 5.4 allows 32."""
    return base64.urlsafe_b64encode(key.bytes).rstrip(b"=").decode()


def together(answers: Mapping[UUID, Outcome]) -> Outcome:
    """One outcome of the answers for each browser: any that took it is enough."""
    if not answers:
        return Rejected(code="no-subscription", scope=Scope.RECIPIENT)
    gone = tuple(
        each
        for each, answer in answers.items()
        if isinstance(answer, Rejected) and answer.scope is Scope.RECIPIENT
    )
    best = min(answers.values(), key=_worth)
    return replace(best, gone=gone) if isinstance(best, Accepted | Rejected) else best


def _worth(answer: Outcome) -> int:
    return _WORTH.index(answer.scope if isinstance(answer, Rejected) else type(answer))


def _headers(message: Outgoing, key: UUID) -> dict[str, str]:
    left = min(message.expires_at - message.now, LONGEST_TTL)
    urgent = KINDS[message.template.kind].priority <= Priority.URGENT
    return {
        # Without a time to live a service drops the message when the phone is not there this very moment.
        "TTL": str(max(1, int(left.total_seconds()))),
        "Urgency": "high" if urgent else "normal",
        "Topic": topic(key),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }


def _judged(code: str, waiting: str | None) -> Outcome:
    """What an HTTP status, or a name of our own, means for one browser."""
    known = code in CODES.classes
    if not known and code.startswith("5"):
        return Ambiguous(reason=f"HTTP {code}")
    match CODES.class_of(code):
        case CodeClass.OK:
            # Some services give two sends of one topic one reference; ours must differ for each attempt.
            return Accepted(ref=secrets.token_hex(12))
        case CodeClass.RETRY:
            return Retry(code=code, after=retry_after(waiting), crowded=True)
        case CodeClass.AMBIGUOUS:
            return Ambiguous(reason=f"HTTP {code}")
        case refused:
            if not known:
                _log.error("unknown answer %s of a push service", code)
            return Rejected(code=code, scope=Scope(refused.value))
