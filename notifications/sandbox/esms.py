"""eSMS.vn's SMS service: a RequestId that was seen before is not sent again."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox import faults
from notifications.sandbox.desk import Desk, instant, reference
from notifications.sandbox.faults import Planned, Sending
from notifications.sandbox.ledger import Entry, phone_number
from notifications.templates.segments import measure

_SEND = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"


def routes(desk: Desk) -> list[Route]:
    async def send(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
            to, text, key = phone_number(body["Phone"]), str(body["Content"]), body.get("RequestId")
        except (ValueError, KeyError, TypeError):
            return _refusal(200, 99, {})
        planned = desk.faults.take("esms", to)
        if key is not None and desk.ledger.by_key("esms", str(key)) is not None:
            return _refusal(200, 124, {})
        sending = Sending(
            request=request,
            accept=lambda: _accept(desk, to, text, body, planned),
            accepted=lambda entry: JSONResponse(
                {"CodeResult": "100", "CountRegenerate": 0, "SMSID": entry.ref}
            ),
            refused=_refusal,
        )
        return await faults.answer(sending, planned)

    return [Route(_SEND, send, methods=["POST"])]


def _refusal(status: int, code: int | None, headers: dict[str, str]) -> Response:
    if code is None and status >= 429:
        return Response("failure", status_code=status, headers=headers)
    return JSONResponse({"CodeResult": str(code or 99), "ErrorMessage": "sandbox refusal"})


def _accept(desk: Desk, to: str, text: str, body: dict[str, Any], planned: Planned | None) -> Entry:
    entry = desk.ledger.add(
        Entry(
            ref=reference("e"),
            provider="esms",
            channel="sms",
            to=to,
            text=text,
            at=instant().isoformat(),
            key=str(body["RequestId"]) if body.get("RequestId") else None,
            sender=str(body.get("Brandname", "")),
            segments=measure(text).segments,
            callback=body.get("CallbackUrl"),
        )
    )
    desk.start(_deliver(desk, entry, planned))
    return entry


async def _deliver(desk: Desk, entry: Entry, planned: Planned | None) -> None:
    await desk.travel()
    entry.status = desk.final_status(planned)
    for _ in range(desk.receipts(planned)):
        await desk.callbacks.esms(entry)
