"""Zalo's template messages (ZBS): templates in their states, a daily quota, phones without Zalo."""

import json
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.answers import Dropped, Refusal, Sending
from notifications.sandbox.desk import Desk, instant, milliseconds, reference
from notifications.sandbox.faults import Course, Fault
from notifications.sandbox.ledger import Entry
from notifications.sandbox.zalo_account import OA_ID, OA_NAME, OfficialAccount
from notifications.sandbox.zalo_oauth import ZaloTokenIssuer
from notifications.templates import CATALOGUE, Template, fill

STATES = ("ENABLE", "PENDING_REVIEW", "REJECT", "DISABLE")
_REFUSED_STATES = {"PENDING_REVIEW": -131, "REJECT": -131, "DISABLE": -146}
_CODES = {
    Fault.REJECT: Refusal(200, -108),
    Fault.QUOTA: Refusal(200, -144),
    Fault.TOKEN_EXPIRED: Refusal(200, -124),
}
_PRICE = "120"


@dataclass
class Shelf:
    """What the official account has registered, and how much it may send today.

    `quota`: messages a day, None for the exemption of public services; `needs_proof`: whether the
    application asks for appsecret_proof.
    """

    quota: int | None = None
    needs_proof: bool = False
    states: dict[str, str] = field(default_factory=dict)
    _day: date | None = None
    _sent: int = 0

    def state(self, template_id: str) -> str:
        return self.states.get(template_id, "ENABLE")

    def spend(self) -> None:
        self._turn_page()
        self._sent += 1

    def told(self) -> dict[str, str]:
        """A large quota where there is none."""
        self._turn_page()
        daily = 500_000 if self.quota is None else self.quota
        return {"dailyQuota": str(daily), "remainingQuota": str(max(daily - self._sent, 0))}

    @property
    def exhausted(self) -> bool:
        self._turn_page()
        return self.quota is not None and self._sent >= self.quota

    def _turn_page(self) -> None:
        today = instant().date()
        if today != self._day:
            self._day, self._sent = today, 0


def routes(desk: Desk, issuer: ZaloTokenIssuer, account: OfficialAccount) -> list[Route]:
    service = ZaloTemplateService(desk, issuer, account)
    return [
        Route("/message/template", service.template_message, methods=["POST"]),
        Route("/message/status", service.status, methods=["GET"]),
        Route("/message/quota", service.quota, methods=["GET"]),
        Route("/template/all", service.all_templates, methods=["GET"]),
        Route("/template/info/v2", service.template_info, methods=["GET"]),
        Route("/_sandbox/zalo/templates", service.templates, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/zalo/limits", service.limits, methods=["POST"]),
    ]


class ZaloTemplateService:
    def __init__(self, desk: Desk, issuer: ZaloTokenIssuer, account: OfficialAccount) -> None:
        self._desk = desk
        self._issuer = issuer
        self._account = account
        self._shelf = Shelf()

    def _unauthorised(self, request: Request) -> Response | None:
        token = request.headers.get("access_token", "")
        if self._issuer.holder(token) is None:
            return _refusal(Refusal(200, -124))
        proof = request.headers.get("appsecret_proof")
        if (proof is not None or self._shelf.needs_proof) and proof != self._issuer.proof(token):
            return _refusal(Refusal(200, -242))
        return None

    async def template_message(self, request: Request) -> Response:
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        try:
            body = json.loads(await request.body())
            to = self._account.phone_of(body)
        except (ValueError, AttributeError, TypeError):
            return _refusal(Refusal(200, -132))
        planned = self._desk.faults.take("zalo", to)
        template = _registered(body.get("template_id"))
        code = _objection(self._desk, to, template, body.get("template_data")) or _hindrance(
            self._shelf, template
        )
        if template is None or code is not None:
            return _refusal(Refusal(200, code or -109))
        app_id, token = self._account.app_id_of(self._issuer, request), request.headers["access_token"]
        if planned is not None and planned.fault is Fault.TOKEN_EXPIRED:
            self._issuer.expire(token)

        def accept(late: bool) -> Response:
            self._shelf.spend()
            entry = _accept(self._desk, to, template, body, late)
            self._desk.start(_deliver(self._desk, self._account, app_id, entry, Course.under(planned)))
            return _accepted(entry, self._shelf)

        sending = Sending[Response](accept=accept, refuse=_refusal, cut=Dropped, codes=_CODES)
        return await self._desk.answer(sending, planned)

    async def status(self, request: Request) -> Response:
        """Known by message id only. 1: on the phone; 0: not yet."""
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        entry = self._desk.ledger.by_ref(request.query_params.get("message_id", ""))
        if entry is None or entry.provider != "zalo":
            return _refusal(Refusal(200, -107))
        delivered = entry.status == "delivered"
        words = "delivered to the user's phone" if delivered else "not delivered yet"
        data = {"status": int(delivered), "message": f"The message was {words}", "delivery_time": None}
        return JSONResponse({"error": 0, "message": "Success", "data": data})

    async def quota(self, request: Request) -> Response:
        return self._unauthorised(request) or JSONResponse(
            {"error": 0, "message": "Success", "data": self._shelf.told()}
        )

    async def all_templates(self, request: Request) -> Response:
        """GET ?offset&limit&status: status counts the states from 1."""
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        query = request.query_params
        offset, limit, number = (query.get(name, "") for name in ("offset", "limit", "status"))
        wanted = STATES[int(number) - 1] if number in {"1", "2", "3", "4"} else None
        ids = [template.zalo.template_id for template in CATALOGUE if template.zalo.template_id]
        found = [_listed(i, self._shelf) for i in sorted(set(ids)) if wanted in {None, self._shelf.state(i)}]
        start = int(offset) if offset.isdecimal() else 0
        page = found[start : start + (min(int(limit), 100) if limit.isdecimal() else 100)]
        return JSONResponse(
            {"error": 0, "message": "Success", "data": page, "metadata": {"total": len(found)}}
        )

    async def template_info(self, request: Request) -> Response:
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        template = _registered(request.query_params.get("template_id"))
        if template is None:
            return _refusal(Refusal(200, -109))
        return JSONResponse({"error": 0, "message": "Success", "data": _described(template, self._shelf)})

    async def templates(self, request: Request) -> Response:
        """POST {template_id, status} puts a template into a state; GET tells them; DELETE enables all."""
        if request.method == "GET":
            return JSONResponse({"states": self._shelf.states})
        if request.method == "DELETE":
            self._shelf.states.clear()
            return Response(status_code=204)
        try:
            wanted = json.loads(await request.body())
            template_id, state = str(wanted["template_id"]), str(wanted["status"])
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error), "states": STATES}, 422)
        if state not in STATES or _registered(template_id) is None:
            return JSONResponse({"refused": "unknown template or state", "states": STATES}, 422)
        self._shelf.states[template_id] = state
        return Response(status_code=204)

    async def limits(self, request: Request) -> Response:
        """POST {daily?: number or null, appsecret_proof?: true or false}."""
        try:
            wanted = json.loads(await request.body())
            if "daily" in wanted:
                self._shelf.quota = None if wanted["daily"] is None else int(wanted["daily"])
            self._shelf.needs_proof = bool(wanted.get("appsecret_proof", self._shelf.needs_proof))
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"refused": str(error)}, 422)
        return JSONResponse(self._shelf.told())


def _registered(template_id: Any) -> Template | None:
    """Texts without an id of Zalo's are said by other means, and nobody has registered them."""
    return CATALOGUE.with_zalo_id(str(template_id)) if template_id else None


def _objection(desk: Desk, to: str, template: Template | None, data: Any) -> int | None:
    """Zalo's code for what is wrong with a request."""
    if template is None:
        return -109
    if not to.startswith("+84") or len(to) != 12:
        return -108
    if not desk.has_zalo(to):
        return -118
    if not isinstance(data, dict):
        return -111
    needed = set(template.zalo.names)
    if not needed <= set(data):
        return -1122
    return -1121 if any(len(str(value)) > 200 for value in data.values()) else None


def _hindrance(shelf: Shelf, template: Template | None) -> int | None:
    """Zalo's code for what stands in the way of a request that is right in itself."""
    refused = _REFUSED_STATES.get(shelf.state(template.zalo.template_id)) if template else None
    return refused or (-144 if shelf.exhausted else None)


def _refusal(refusal: Refusal) -> Response:
    """Zalo answers 200 with a code of its own; a plain failure has no JSON at all."""
    if refusal.code is None and refusal.status >= 429:
        return Response("failure", status_code=refusal.status, headers=refusal.headers)
    code = refusal.code or -108
    return JSONResponse({"error": code, "message": f"sandbox refusal {code}"})


def _accepted(entry: Entry, shelf: Shelf) -> Response:
    data = {"msg_id": entry.ref, "sent_time": str(milliseconds()), "quota": shelf.told()}
    return JSONResponse({"error": 0, "message": "Success", "data": data})


def _listed(template_id: str, shelf: Shelf) -> dict[str, Any]:
    template = _registered(template_id)
    return {
        "templateId": int(template_id),
        "templateName": f"{template.kind}.{template.language}" if template else "",
        "status": shelf.state(template_id),
        "templateQuality": "HIGH",
        "createdTime": 1_767_225_600_000,
    }


def _described(template: Template, shelf: Shelf) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "require": True,
            "type": "STRING",
            "maxLength": 200,
            "minLength": 0,
            "acceptNull": False,
        }
        for name in template.zalo.names
    ]
    state = shelf.state(template.zalo.template_id)
    return {
        **_listed(template.zalo.template_id, shelf),
        "reason": "Nội dung chưa phù hợp" if state == "REJECT" else "",
        "listParams": parameters,
        "timeout": 7200,
        "templateTag": "TRANSACTION",
        "price": _PRICE,
        "previewUrl": "",
    }


def _accept(desk: Desk, to: str, template: Template, body: dict[str, Any], late: bool) -> Entry:
    zalo = template.zalo
    values = {name: str(value) for name, value in body["template_data"].items()}
    return desk.ledger.add(
        Entry(
            ref=reference("z"),
            provider="zalo",
            channel="zalo",
            to=to,
            text=fill("\n".join(zalo.paragraphs), values),
            at=instant().isoformat(),
            key=body.get("tracking_id"),
            sender=OA_NAME,
            late=late,
            title=fill(zalo.title, values),
            paragraphs=[fill(paragraph, values) for paragraph in zalo.paragraphs],
            rows=[[label, fill(value, values)] for label, value in zalo.rows],
            button=[fill(text, values) for text in zalo.button or ()],
        )
    )


async def _deliver(desk: Desk, account: OfficialAccount, app_id: str, entry: Entry, course: Course) -> None:
    """There is one event for what arrived and none for what did not."""
    await desk.travel(course)
    desk.ledger.move(entry, "delivered" if course.delivered else "undelivered", course.code)
    if not course.delivered:
        return
    now = milliseconds()
    event = {
        "event_name": "user_received_message",
        "app_id": app_id,
        "sender": {"id": OA_ID},
        "recipient": {"id": account.user_of(entry.to)},
        "message": {"msg_id": entry.ref, "tracking_id": entry.key, "delivery_time": str(now)},
        "timestamp": str(now),
    }
    await desk.report(course, partial(desk.callbacks.zalo, event))
