"""Telling the product what became of a message, signed as the real providers sign."""

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1, sha256
from hmac import digest
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from notifications.sandbox.ledger import Entry

_log = logging.getLogger(__name__)
# The real providers wait longer between their tries: Twilio and Zalo minutes, eSMS up to five tries.
_WAITS = (0.0, 1.0, 5.0)
_ESMS_WAITS = (0.0, 1.0, 2.0, 4.0, 8.0)
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_AT_ONCE = 32


class Callbacks:
    """`zalo_webhook` is the address that the official account has registered.

    Signatures are computed here anew and not with the product's own code: a judge must not borrow the
    ruler of the one it judges. `forged`: with a wrong signature, as somebody else would send it.
    """

    def __init__(
        self,
        *,
        twilio_auth_token: str,
        zalo_oa_secret: str,
        zalo_webhook: str,
        bank_webhooks: str = "",
        bank_secret: str = "",
    ) -> None:
        self._auth_token = twilio_auth_token.encode()
        self._oa_secret = zalo_oa_secret
        self._zalo_webhook = zalo_webhook
        self._bank_webhooks = bank_webhooks
        self._bank_secret = bank_secret.encode()
        self._client: aiohttp.ClientSession | None = None

    async def twilio(self, url: str, fields: Mapping[str, str], forged: bool = False) -> None:
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        signature = b64encode(digest(self._auth_token, signed.encode(), sha1)).decode()
        headers = {
            "X-Twilio-Signature": _spoilt(signature) if forged else signature,
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        }
        await self._until_answered("POST", url, _WAITS, data=urlencode(fields).encode(), headers=headers)

    async def zalo(self, event: Mapping[str, Any], forged: bool = False) -> None:
        """`event` carries its app_id and timestamp, which the signature covers with the bytes as sent."""
        body = json.dumps(event, ensure_ascii=False).encode()
        signed = str(event["app_id"]).encode() + body + str(event["timestamp"]).encode()
        mac = sha256(signed + self._oa_secret.encode()).hexdigest()
        headers = {
            "X-ZEvent-Signature": f"mac={_spoilt(mac) if forged else mac}",
            "Content-Type": "application/json",
        }
        await self._until_answered(
            "POST", self._zalo_webhook, _WAITS, data=body, headers=headers, count_in="num_retry"
        )

    async def esms(self, url: str, fields: Mapping[str, str], forged: bool = False) -> None:
        """A GET without any signature; a forged one comes to an address that nobody was given."""
        address, mark, query = url.partition("?")
        target = f"{address}?{_spoilt(query)}" if forged and mark else _spoilt(address) if forged else url
        separator = "&" if "?" in target else "?"
        await self._until_answered("GET", target + separator + urlencode(fields), _ESMS_WAITS)

    async def bank(self, facility: str, said: Mapping[str, Any], at: datetime, forged: bool) -> int:
        """Tell of a transfer; returns the status answered, 0 when nobody answers."""
        body = json.dumps(said, ensure_ascii=False).encode()
        timestamp = str(int(at.timestamp()))
        signature = digest(self._bank_secret, timestamp.encode() + b"." + body, sha256).hex()
        headers = {
            "X-SePay-Timestamp": timestamp,
            "X-SePay-Signature": f"sha256={_spoilt(signature) if forged else signature}",
            "Content-Type": "application/json",
        }
        url = f"{self._bank_webhooks}/{quote(facility, safe='')}"
        try:
            async with self._session().post(url, data=body, headers=headers) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _until_answered(
        self,
        method: str,
        url: str,
        waits: tuple[float, ...],
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        count_in: str | None = None,
    ) -> None:
        """`count_in`: the header in which a provider numbers its tries again."""
        for tried, wait in enumerate(waits):
            await asyncio.sleep(wait)
            counted = {**(headers or {}), count_in: str(tried)} if count_in and tried else headers
            try:
                async with self._session().request(method, url, data=data, headers=counted) as response:
                    if response.status < 500:
                        return
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                _log.debug("a callback was not delivered: %s", type(error).__name__)

    def _session(self) -> aiohttp.ClientSession:
        """Opened in the loop that uses it."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_AT_ONCE), timeout=_TIMEOUT, trust_env=False
            )
        return self._client


def _spoilt(text: str) -> str:
    """Another sign near the end; the last one of a base64 text may mean nothing."""
    place = max(len(text) - 5, 0)
    return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]


def twilio_fields(entry: Entry, status: str) -> dict[str, str]:
    fields = {
        "MessageSid": entry.ref,
        "SmsSid": entry.ref,
        "MessageStatus": status,
        "To": entry.to,
        "From": entry.sender,
        "ApiVersion": "2010-04-01",
    }
    if entry.error_code is not None and status in {"undelivered", "failed"}:
        fields["ErrorCode"] = str(entry.error_code)
    return fields
