"""Telling the product what became of a message, signed as the real providers sign."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from twilio.request_validator import RequestValidator

from notifications.channels.zalo.webhook import mac as zalo_mac
from notifications.sandbox.ledger import Entry

_log = logging.getLogger(__name__)
_WAITS = (0.0, 1.0, 5.0)


class Callbacks:
    """`zalo_webhook` is the address that the official account has registered."""

    def __init__(self, *, twilio_auth_token: str, zalo_oa_secret: str, zalo_webhook: str) -> None:
        self._validator = RequestValidator(twilio_auth_token)
        self._oa_secret = zalo_oa_secret
        self._zalo_webhook = zalo_webhook

    async def twilio(self, entry: Entry, status: str) -> None:
        if entry.callback is None:
            return
        fields = {
            "MessageSid": entry.ref,
            "SmsSid": entry.ref,
            "MessageStatus": status,
            "To": entry.to,
            "From": entry.sender,
            "ApiVersion": "2010-04-01",
        }
        if entry.error_code is not None:
            fields["ErrorCode"] = str(entry.error_code)
        signature = self._validator.compute_signature(entry.callback, fields)
        headers = {
            "X-Twilio-Signature": signature,
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        }
        await self._post(entry.callback, urlencode(fields).encode(), headers)

    async def zalo(self, entry: Entry, app_id: str, now_milliseconds: int) -> None:
        event = {
            "event_name": "user_received_message",
            "app_id": app_id,
            "sender": {"id": "official-account"},
            "recipient": {"id": hashlib.sha256(entry.to.encode()).hexdigest()[:19]},
            "message": {
                "msg_id": entry.ref,
                "tracking_id": entry.key,
                "delivery_time": str(now_milliseconds),
            },
            "timestamp": str(now_milliseconds),
        }
        body = json.dumps(event, ensure_ascii=False).encode()
        mac = zalo_mac(app_id, body, str(now_milliseconds), self._oa_secret)
        headers = {"X-ZEvent-Signature": f"mac={mac}", "Content-Type": "application/json"}
        await self._post(self._zalo_webhook, body, headers)

    async def esms(self, entry: Entry) -> None:
        if entry.callback is None:
            return
        query = {"SMSID": entry.ref, "SendStatus": "5", "SendSuccess": "1", "RequestId": entry.key or ""}
        separator = "&" if "?" in entry.callback else "?"
        await self._get(entry.callback + separator + urlencode(query))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        await self._until_answered(requests.post, url, data=body, headers=dict(headers))

    async def _get(self, url: str) -> None:
        await self._until_answered(requests.get, url)

    async def _until_answered(self, call: Any, url: str, **arguments: Any) -> None:
        for wait in _WAITS:
            await asyncio.sleep(wait)
            try:
                response = await asyncio.to_thread(call, url, timeout=5, **arguments)
            except requests.RequestException as error:
                _log.debug("a callback was not delivered: %s", type(error).__name__)
                continue
            if response.status_code < 500:
                return
