"""SMS by Twilio's SDK. Twilio drops no second copy of a send, but it can be asked what it has sent."""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import requests
from twilio.base import values
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import HttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

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
from notifications.channels.transport import lost
from notifications.channels.twilio.client import Throttled
from notifications.templates.segments import measure

CODES = codes.load(Path(__file__).parent / "codes.yaml")
WEBHOOK_PATH = "/webhooks/twilio"

_log = logging.getLogger(__name__)
# Twilio's clock and ours, and its times in whole seconds.
_CLOCK_SLACK = timedelta(seconds=90)
_LONGEST_VALID_SECONDS = 36000
# What the SDK raises for an answer that is no JSON, or not of a message.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
# One page of Twilio's list; nobody gets that many messages while one is in doubt.
_NEWEST = 50


@dataclass(frozen=True)
class Sender:
    """Who writes: a name or number of ours, or one that a Messaging Service picks, or both. `redacts`: the
    account has Twilio's Message Redaction, without which it refuses to discard a text (error 30029)."""

    name: str | None = None
    messaging_service_sid: str | None = None
    redacts: bool = True


class TwilioSms:
    provider = "twilio"
    capabilities = Capabilities(lookup=True)

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        sender: Sender,
        public_base_url: str,
        http_client: HttpClient,
    ) -> None:
        self._client = Client(account_sid, auth_token, http_client=http_client)
        # The SDK imports what it needs at first use, half a second that no one-time code should wait for.
        self._messages = self._client.messages
        self._sender = sender
        self._callback = public_base_url.rstrip("/") + WEBHOOK_PATH

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        """The text is discarded at Twilio. The number stays: hidden, it could not be looked up any more."""
        try:
            sent = self._messages.create(
                to=message.address,
                from_=self._sender.name or values.unset,
                messaging_service_sid=self._sender.messaging_service_sid or values.unset,
                body=message.sms,
                status_callback=f"{self._callback}?{urlencode({'key': str(key)})}",
                validity_period=validity(message.expires_at, message.now),
                content_retention="discard" if self._sender.redacts else values.unset,
            )
            return Accepted(ref=_reference(sent.sid), segments=int(sent.num_segments or 0) or None)
        except Throttled as error:
            return Retry(code="20429", after=error.after, crowded=True)
        except (TwilioRestException, TwilioServiceException) as error:
            return judged(error.status, error.code)
        except requests.RequestException as error:
            return lost(error)
        except (TwilioException, *_UNREADABLE) as error:
            return Ambiguous(reason=type(error).__name__)

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        """Find the send in Twilio's own list, by its text. That may already be discarded there; then number,
        time, length and not belonging to another message decide. The list is not narrowed by DateSent, which
        a message has only once it has left Twilio's queue."""
        try:
            listed = self._messages.list(to=message.address, limit=_NEWEST, page_size=_NEWEST)
            earliest = since - _CLOCK_SLACK
            untaken = [one for one in listed if one.sid not in taken and one.date_created >= earliest]
            return _ours(untaken, message.sms, rivals)
        except Throttled as error:
            return Retry(code="20429", after=error.after, crowded=True)
        except (TwilioException, requests.RequestException, *_UNREADABLE) as error:
            return Ambiguous(reason=f"lookup {type(error).__name__}")


def _ours(untaken: Sequence[MessageInstance], text: str, rivals: int) -> Outcome | None:
    """With fewer sends without a text than messages that may be theirs, nobody takes one: a swap would send
    one message twice and another never. The callback with our key then decides."""
    for listed in untaken:
        if listed.body == text:
            return _found(listed)
    nameless = [listed for listed in untaken if not listed.body]
    fitting = [listed for listed in nameless if _as_long(listed, text)]
    if not fitting:
        return None
    if len(nameless) <= rivals:
        return Ambiguous(reason="this or another message", answered=True)
    return _found(fitting[0])


def _found(listed: MessageInstance) -> Accepted:
    return Accepted(_reference(listed.sid), int(listed.num_segments or 0) or None, reconciled=True)


def _as_long(listed: MessageInstance, text: str) -> bool:
    """Whether it is of as many segments; where a Messaging Service has not yet sent it there are none."""
    return int(listed.num_segments or 0) in {0, measure(text).segments}


def _reference(sid: str | None) -> str:
    """Raises ValueError where there is none."""
    if not sid:
        raise ValueError("a message without its SID")
    return sid


def validity(expires_at: datetime, now: datetime) -> int:
    """Seconds during which the carrier may still deliver: until the message expires, as far as Twilio can."""
    return min(max(int((expires_at - now).total_seconds()), 1), _LONGEST_VALID_SECONDS)


def judged(status: int, code: int | None) -> Outcome:
    """What a refusal by HTTP `status` and Twilio `code` means."""
    if status >= 500:
        return Ambiguous(reason=f"HTTP {status}")
    name = str(code if code is not None else status)
    match CODES.class_of(name):
        case CodeClass.RETRY:
            return Retry(code=name, crowded=True)
        case CodeClass.RECIPIENT | CodeClass.CONFIG | CodeClass.TEMPLATE as scope:
            if name not in CODES.classes:
                _log.error("unknown Twilio code %s", name)
            return Rejected(code=name, scope=Scope(scope.value))
        case other:
            raise AssertionError(f"the Twilio table has no use for class {other}")
