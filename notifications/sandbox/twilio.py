"""Twilio's Messages resource, as much of it as a sender of SMS meets (API version 2010-04-01)."""

import base64
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox import faults
from notifications.sandbox.desk import Desk, instant, reference, stamped
from notifications.sandbox.faults import Planned, Sending
from notifications.sandbox.ledger import Entry, phone_number
from notifications.templates.segments import measure

_MESSAGES = "/2010-04-01/Accounts/{account}/Messages.json"
_FINAL = frozenset({"delivered", "undelivered", "failed"})


def routes(desk: Desk) -> list[Route]:
    async def create(request: Request) -> Response:
        if (refusal := _unauthorised(desk, request)) is not None:
            return refusal
        form = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        if (refusal := _unusable(form)) is not None:
            return refusal
        planned = desk.faults.take("twilio", form["To"])
        sending = Sending(
            request=request,
            accept=lambda: _accept(desk, form, planned),
            accepted=lambda entry: JSONResponse(_resource(desk, entry), status_code=201),
            refused=_refusal,
        )
        return await faults.answer(sending, planned)

    async def listing(request: Request) -> Response:
        if (refusal := _unauthorised(desk, request)) is not None:
            return refusal
        found = [_resource(desk, entry) for entry in reversed(_matching(desk, request))]
        page = {"page": 0, "page_size": len(found), "next_page_uri": None, "previous_page_uri": None}
        return JSONResponse({"messages": found, **page})

    return [
        Route(_MESSAGES, create, methods=["POST"]),
        Route(_MESSAGES, listing, methods=["GET"]),
    ]


def _unauthorised(desk: Desk, request: Request) -> Response | None:
    known = f"{desk.credentials.twilio_account_sid}:{desk.credentials.twilio_auth_token}"
    expected = "Basic " + base64.b64encode(known.encode()).decode()
    if request.headers.get("authorization") != expected:
        return _refusal(401, 20003, {})
    if request.path_params["account"] != desk.credentials.twilio_account_sid:
        return _refusal(404, 20404, {})
    return None


def _unusable(form: dict[str, str]) -> Response | None:
    to = form.get("To", "")
    if not to.startswith("+") or not to[1:].isdigit() or not 9 <= len(to) <= 16:
        return _refusal(400, 21211, {})
    if to.startswith("+842"):
        return _refusal(400, 21614, {})
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return _refusal(400, 21603, {})
    if not form.get("Body"):
        return _refusal(400, 21602, {})
    if len(form["Body"]) > 1600:
        return _refusal(400, 21617, {})
    return None


def _refusal(status: int, code: int | None, headers: dict[str, str]) -> Response:
    number = code or {429: 20429, 500: 20500}.get(status, 21211)
    body = {
        "code": number,
        "message": f"sandbox refusal {number}",
        "more_info": f"https://www.twilio.com/docs/errors/{number}",
        "status": status,
    }
    return JSONResponse(body, status_code=status, headers=headers)


def _accept(desk: Desk, form: dict[str, str], planned: Planned | None) -> Entry:
    entry = desk.ledger.add(
        Entry(
            ref=reference("SM"),
            provider="twilio",
            channel="sms",
            to=form["To"],
            text=form["Body"],
            at=instant().isoformat(),
            sender=form.get("From", ""),
            status="queued",
            segments=measure(form["Body"]).segments,
            callback=form.get("StatusCallback"),
            discarded=form.get("ContentRetention") == "discard",
        )
    )
    desk.start(_deliver(desk, entry, planned))
    return entry


async def _deliver(desk: Desk, entry: Entry, planned: Planned | None) -> None:
    final = desk.final_status(planned)
    for status in ("sent", final):
        await desk.travel()
        entry.status = status
        if status == "undelivered" and planned is not None:
            entry.error_code = planned.code or 30003
        for _ in range(desk.receipts(planned)):
            await desk.callbacks.twilio(entry, status)


def _matching(desk: Desk, request: Request) -> list[Entry]:
    to = request.query_params.get("To")
    after = request.query_params.get("DateSent>")
    entries = desk.ledger.to(phone_number(to) if to else None, "twilio")
    if after:
        since = datetime.fromisoformat(after).replace(tzinfo=UTC)
        entries = [entry for entry in entries if stamped(entry) >= since]
    return entries


def _resource(desk: Desk, entry: Entry) -> dict[str, Any]:
    """The message as Twilio tells it: discarded text is gone once the message has arrived."""
    account = desk.credentials.twilio_account_sid
    redacted = entry.discarded and entry.status in _FINAL
    date = format_datetime(stamped(entry))
    return {
        "sid": entry.ref,
        "account_sid": account,
        "api_version": "2010-04-01",
        "to": entry.to,
        "from": entry.sender,
        "body": "" if redacted else entry.text,
        "status": entry.status,
        "direction": "outbound-api",
        "num_segments": str(entry.segments),
        "num_media": "0",
        "date_created": date,
        "date_sent": date,
        "date_updated": date,
        "error_code": entry.error_code,
        "error_message": None,
        "messaging_service_sid": None,
        "price": None,
        "price_unit": "USD",
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{entry.ref}.json",
        "subresource_uris": {},
    }
