"""The sandbox's own pages and switches, around the simulated providers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox import esms, twilio, zalo
from notifications.sandbox.desk import Desk
from notifications.sandbox.faults import Fault, Planned
from notifications.sandbox.ledger import Entry, phone_number
from notifications.sandbox.zalo import ZaloTokenIssuer

_INBOX = (Path(__file__).parent / "inbox.html").read_text(encoding="utf-8")
_SHOWN = (
    "ref", "provider", "channel", "to", "text", "at", "key", "sender", "status", "error_code", "segments",
    "title", "paragraphs", "rows", "button",
)  # fmt: skip
_LONGEST_LIST = 2000


def create_app(desk: Desk) -> Starlette:
    issuer = ZaloTokenIssuer(desk)
    own = [
        Route("/", _inbox),
        Route("/_sandbox/messages", _messages(desk), methods=["GET", "DELETE"]),
        Route("/_sandbox/faults", _faults(desk, issuer), methods=["POST", "DELETE"]),
        Route("/_sandbox/phones", _phones(desk), methods=["POST"]),
    ]
    return Starlette(routes=[*own, *twilio.routes(desk), *zalo.routes(desk, issuer), *esms.routes(desk)])


async def _inbox(request: Request) -> Response:
    return HTMLResponse(_INBOX)


def _messages(desk: Desk) -> Any:
    async def messages(request: Request) -> Response:
        """GET lists, newest first; DELETE forgets."""
        if request.method == "DELETE":
            desk.ledger.clear()
            return Response(status_code=204)
        to = request.query_params.get("to")
        wanted = request.query_params.get("limit", "200")
        limit = min(int(wanted), _LONGEST_LIST) if wanted.isdecimal() and int(wanted) else 200
        entries = desk.ledger.to(phone_number(to) if to else None)
        shown = [_shown(entry) for entry in reversed(entries[-limit:])]
        return JSONResponse({"items": shown, "total": len(entries)})

    return messages


def _shown(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name in _SHOWN}


def _faults(desk: Desk, issuer: ZaloTokenIssuer) -> Any:
    async def plan(request: Request) -> Response:
        """POST {provider, fault, times?, to?, seconds?, code?} plans; DELETE forgets what is planned."""
        if request.method == "DELETE":
            desk.faults.clear()
            return Response(status_code=204)
        try:
            planned = _planned(json.loads(await request.body()))
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error), "faults": [fault.value for fault in Fault]}, 422)
        if planned.fault is Fault.TOKEN_EXPIRED:
            issuer.expire_all()
        else:
            desk.faults.add(planned)
        return JSONResponse({"planned": asdict(planned)}, 201)

    return plan


def _planned(wanted: dict[str, Any]) -> Planned:
    return Planned(
        provider=str(wanted["provider"]),
        fault=Fault(str(wanted["fault"])),
        times=int(wanted.get("times", 1)),
        to=phone_number(str(wanted["to"])) if wanted.get("to") else None,
        seconds=float(wanted.get("seconds", wanted.get("retry_after", 1.0))),
        code=int(wanted["code"]) if wanted.get("code") is not None else None,
    )


def _phones(desk: Desk) -> Any:
    async def phones(request: Request) -> Response:
        """POST {to, zalo: true or false}: whether a phone has Zalo."""
        try:
            wanted = json.loads(await request.body())
            desk.zalo_phones[phone_number(str(wanted["to"]))] = bool(wanted["zalo"])
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error)}, 422)
        return Response(status_code=204)

    return phones
