"""The sandbox's own pages and switches, around the simulated providers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox import bank, esms, faults, push, twilio, zalo, zalo_account, zalo_oauth
from notifications.sandbox.desk import Desk
from notifications.sandbox.faults import Fault
from notifications.sandbox.ledger import Entry, phone_number
from notifications.sandbox.zalo_account import OfficialAccount
from notifications.sandbox.zalo_oauth import ZaloTokenIssuer

_FOLDER = Path(__file__).parent
_SHOWN = (
    "ref", "provider", "channel", "to", "text", "at", "key", "sender", "status", "error_code", "segments",
    "late", "incoming", "title", "paragraphs", "rows", "button", "details",
)  # fmt: skip
_LONGEST_LIST = 2000
_ON_THE_PAGE = 200
# A message cannot bring code along: scripts come from this address only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def create_app(desk: Desk, issuer: ZaloTokenIssuer) -> Starlette:
    account = OfficialAccount(desk)
    return Starlette(
        routes=[
            *twilio.routes(desk),
            *esms.routes(desk),
            *zalo.routes(desk, issuer, account),
            *zalo_oauth.routes(desk, issuer),
            *zalo_account.routes(desk, issuer, account),
            *_own(desk, account),
            *bank.routes(desk),
            *push.routes(desk),
        ]
    )


def _own(desk: Desk, account: OfficialAccount) -> list[Route]:
    return [
        Route("/", _page("inbox.html")),
        Route("/_sandbox/inbox.js", _page("inbox.js")),
        Route("/_sandbox/inbox.css", _page("inbox.css")),
        Route("/_sandbox/inbox", _inbox(desk, account), methods=["GET"]),
        Route("/_sandbox/messages", _messages(desk), methods=["GET", "DELETE"]),
        Route("/_sandbox/tally", _tally(desk), methods=["GET"]),
        Route("/_sandbox/faults", _faults(desk), methods=["POST", "DELETE"]),
        Route("/_sandbox/weather", _weather(desk), methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/phones", _phones(desk), methods=["POST"]),
    ]


def _page(name: str) -> Any:
    async def page(request: Request) -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        return FileResponse(_FOLDER / name, headers=headers)

    return page


def _inbox(desk: Desk, account: OfficialAccount) -> Any:
    async def inbox(request: Request) -> Response:
        """What the page shows: the latest messages with those that people wrote, and what to know of them.

        ?to= is a phone or a mail address. Answers 304 to the ETag of the latest state.
        """
        tag = f'"{desk.ledger.life}-{desk.ledger.version}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        to = recipient(request.query_params.get("to", "")) or None
        entries = desk.ledger.latest(_ON_THE_PAGE, to, incoming=True)
        people = {
            phone: {"zalo": desk.has_zalo(phone), "follows": account.follows(phone)}
            for phone in dict.fromkeys([*([to] if to else []), *(entry.to for entry in entries)])
            if phone.startswith("+")
        }
        shown = {"items": [_shown(entry) for entry in entries], "people": people, "life": desk.ledger.life}
        return JSONResponse(shown, headers={"ETag": tag})

    return inbox


def _messages(desk: Desk) -> Any:
    async def messages(request: Request) -> Response:
        """GET ?to&limit lists, newest first; DELETE forgets."""
        if request.method == "DELETE":
            desk.ledger.clear()
            return Response(status_code=204)
        query = request.query_params
        to = recipient(query["to"]) if query.get("to") else None
        wanted = query.get("limit", "200")
        limit = min(int(wanted), _LONGEST_LIST) if wanted.isdecimal() and int(wanted) else 200
        shown = [_shown(entry) for entry in desk.ledger.latest(limit, to)]
        return JSONResponse({"items": shown, "total": desk.ledger.count(to)})

    return messages


def _shown(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _SHOWN}


def recipient(text: str) -> str:
    """A phone in E.164 or a mail address in small letters."""
    return text.strip().lower() if "@" in text else phone_number(text)


def _tally(desk: Desk) -> Any:
    async def tally(request: Request) -> Response:
        """Counts over the whole ledger, without a walk through it."""
        return JSONResponse(desk.ledger.tally.figures())

    return tally


def _faults(desk: Desk) -> Any:
    async def plan(request: Request) -> Response:
        """POST {provider, fault, times?, to?, seconds?, code?} plans; DELETE forgets what is planned."""
        if request.method == "DELETE":
            desk.faults.clear()
            return Response(status_code=204)
        try:
            planned = faults.planned(json.loads(await request.body()), recipient)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _refused(error)
        desk.faults.add(planned)
        return JSONResponse({"planned": asdict(planned)}, 201)

    return plan


def _weather(desk: Desk) -> Any:
    async def weather(request: Request) -> Response:
        """POST {provider, seed, shares: {fault: share}, seconds?}; GET what it did; DELETE clears up."""
        skies = desk.faults.weather
        if request.method == "DELETE":
            skies.clear()
            return Response(status_code=204)
        if request.method == "POST":
            try:
                made = faults.weather(json.loads(await request.body()))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return _refused(error)
            skies[made.provider] = made
        return JSONResponse({"weather": [sky.told() for sky in skies.values()]})

    return weather


def _refused(error: Exception) -> Response:
    return JSONResponse({"refused": str(error), "faults": [fault.value for fault in Fault]}, 422)


def _phones(desk: Desk) -> Any:
    async def phones(request: Request) -> Response:
        """POST {to, zalo?: whether the phone has it, blocked?: whether it refuses SMS}."""
        try:
            wanted = json.loads(await request.body())
            phone = phone_number(str(wanted["to"]))
            if "zalo" in wanted:
                desk.zalo_phones[phone] = bool(wanted["zalo"])
            if "blocked" in wanted:
                (desk.blocked_phones.add if wanted["blocked"] else desk.blocked_phones.discard)(phone)
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error)}, 422)
        return Response(status_code=204)

    return phones
