"""Twilio's Messages resource, as much of it as a sender of SMS meets (API version 2010-04-01)."""

import base64
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.answers import Dropped, Refusal, Sending
from notifications.sandbox.callbacks import twilio_fields
from notifications.sandbox.desk import Desk, instant, reference, stamped
from notifications.sandbox.faults import Course, Fault, Planned
from notifications.sandbox.ledger import Entry, phone_number
from notifications.templates.segments import measure

_MESSAGES = "/2010-04-01/Accounts/{account}/Messages.json"
_FINAL = frozenset({"delivered", "undelivered", "failed"})
_CODES = {
    Fault.REJECT: Refusal(400, 21211),
    Fault.QUOTA: Refusal(429, 63038, 3600),
    Fault.TOKEN_EXPIRED: Refusal(401, 20003),
}


def routes(desk: Desk) -> list[Route]:
    known = f"{desk.credentials.twilio_account_sid}:{desk.credentials.twilio_auth_token}"
    expected = "Basic " + base64.b64encode(known.encode()).decode()

    def unauthorised(request: Request) -> Response | None:
        if request.headers.get("authorization") != expected:
            return _refusal(Refusal(401, 20003))
        if request.path_params["account"] != desk.credentials.twilio_account_sid:
            return _refusal(Refusal(404, 20404))
        return None

    async def create(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        refusal = unauthorised(request) or _unusable(form)
        if refusal is not None:
            return refusal
        planned = desk.faults.take("twilio", form["To"])
        sending = Sending[Response](
            accept=lambda late: JSONResponse(
                _resource(desk, _accept(desk, form, planned, late)), status_code=201
            ),
            refuse=_refusal,
            cut=Dropped,
            codes=_CODES,
        )
        return await desk.answer(sending, planned)

    async def listing(request: Request) -> Response:
        if (refusal := unauthorised(request)) is not None:
            return refusal
        try:
            found = [_resource(desk, entry) for entry in reversed(_matching(desk, request))]
        except ValueError:
            return _refusal(Refusal(400, 20001))
        page = {"page": 0, "page_size": len(found), "next_page_uri": None, "previous_page_uri": None}
        return JSONResponse({"messages": found, **page})

    return [
        Route(_MESSAGES, create, methods=["POST"]),
        Route(_MESSAGES, listing, methods=["GET"]),
    ]


def _unusable(form: dict[str, str]) -> Response | None:
    to = form.get("To", "")
    if not to.startswith("+") or not to[1:].isdigit() or not 9 <= len(to) <= 16:
        return _refusal(Refusal(400, 21211))
    if to.startswith("+842"):
        return _refusal(Refusal(400, 21614))
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return _refusal(Refusal(400, 21603))
    if not form.get("Body"):
        return _refusal(Refusal(400, 21602))
    if len(form["Body"]) > 1600:
        return _refusal(Refusal(400, 21617))
    return None


def _refusal(refusal: Refusal) -> Response:
    number = refusal.code or {429: 20429, 500: 20500}.get(refusal.status, 21211)
    body = {
        "code": number,
        "message": f"sandbox refusal {number}",
        "more_info": f"https://www.twilio.com/docs/errors/{number}",
        "status": refusal.status,
    }
    return JSONResponse(body, status_code=refusal.status, headers=refusal.headers)


def _accept(desk: Desk, form: dict[str, str], planned: Planned | None, late: bool) -> Entry:
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
            late=late,
        )
    )
    desk.start(_deliver(desk, entry, Course.under(planned)))
    return entry


async def _deliver(desk: Desk, entry: Entry, course: Course) -> None:
    final = "delivered" if course.delivered else "undelivered"
    code = None if course.delivered else course.code or 30003
    if course.unordered:
        desk.ledger.move(entry, final, code)
        for status in (final, "sent"):
            await _tell(desk, entry, status, course)
        return
    for status in ("sent", final):
        await desk.travel(course)
        desk.ledger.move(entry, status, code if status == final else None)
        await _tell(desk, entry, status, course)


async def _tell(desk: Desk, entry: Entry, status: str, course: Course) -> None:
    url, fields = entry.callback, twilio_fields(entry, status)
    if url is not None:
        await desk.report(course, partial(desk.callbacks.twilio, url, fields))


def _matching(desk: Desk, request: Request) -> list[Entry]:
    """Raises ValueError for a date that is none."""
    to = request.query_params.get("To")
    after = request.query_params.get("DateSent>")
    entries = desk.ledger.to(phone_number(to) if to else None, "twilio")
    if after:
        since = datetime.fromisoformat(after).replace(tzinfo=UTC)
        entries = [entry for entry in entries if stamped(entry.at) >= since]
    return entries


def _resource(desk: Desk, entry: Entry) -> dict[str, Any]:
    """The message as Twilio tells it: discarded text is gone once the message has arrived."""
    account = desk.credentials.twilio_account_sid
    redacted = entry.discarded and entry.status in _FINAL
    date = format_datetime(stamped(entry.at))
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
