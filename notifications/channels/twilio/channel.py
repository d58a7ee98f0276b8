"""SMS by Twilio's SDK. Twilio drops no second copy of a send, but it can be asked what it has sent."""

import logging
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
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str]
    ) -> Outcome | None:
        """Find the send in Twilio's own list. Its text may already be discarded there; then the number, the
        time, and not belonging to another message decide. The list is not narrowed by DateSent, which a
        message has only once it has left Twilio's queue."""
        earliest = since - _CLOCK_SLACK
        try:
            listed = self._messages.list(to=message.address, limit=_NEWEST, page_size=_NEWEST)
        except Throttled as error:
            return Retry(code="20429", after=error.after, crowded=True)
        except (TwilioException, requests.RequestException, *_UNREADABLE) as error:
            return Ambiguous(reason=f"lookup {type(error).__name__}")
        text = message.sms
        for found in listed:
            if found.sid not in taken and found.date_created >= earliest and found.body in {text, "", None}:
                return Accepted(ref=found.sid, segments=int(found.num_segments or 0) or None, reconciled=True)
        return None


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
