"""Zalo's OAuth and template messages. A refresh token works once; phones without Zalo are refused."""

import hmac
import json
import secrets
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox import faults
from notifications.sandbox.desk import Desk, instant, reference
from notifications.sandbox.faults import Planned, Sending
from notifications.sandbox.ledger import Entry, phone_number
from notifications.templates import CATALOGUE, Template, fill, placeholders

_ACCESS_SECONDS = 90000


class ZaloTokenIssuer:
    """Tokens carry their own proof, so that a restarted sandbox knows the ones it gave out before."""

    def __init__(self, desk: Desk) -> None:
        self._secret = desk.credentials.zalo_app_secret.encode()
        self._first = desk.credentials.zalo_first_refresh_token
        self._used: set[tuple[str, str]] = set()
        self._expired: set[str] = set()
        self._given: set[str] = set()

    def exchange(self, app_id: str, refresh_token: str) -> dict[str, str] | None:
        known = refresh_token == self._first or self._proven("refresh", refresh_token)
        if not known or (app_id, refresh_token) in self._used:
            return None
        self._used.add((app_id, refresh_token))
        access = self._token("access", app_id)
        self._given.add(access)
        return {
            "access_token": access,
            "refresh_token": self._token("refresh", app_id),
            "expires_in": str(_ACCESS_SECONDS),
        }

    def holder(self, access_token: str) -> str | None:
        """The application that may use this token now."""
        if access_token in self._expired or not self._proven("access", access_token):
            return None
        return access_token.partition("~")[0]

    def expire_all(self) -> None:
        self._expired |= self._given

    def _token(self, use: str, app_id: str) -> str:
        nonce = f"{app_id}~{secrets.token_hex(12)}"
        return f"{nonce}.{self._proof(use, nonce)}"

    def _proven(self, use: str, token: str) -> bool:
        nonce, _, proof = token.partition(".")
        return hmac.compare_digest(proof, self._proof(use, nonce))

    def _proof(self, use: str, nonce: str) -> str:
        return hmac.digest(self._secret, f"{use}:{nonce}".encode(), "sha256").hex()


def routes(desk: Desk, issuer: ZaloTokenIssuer) -> list[Route]:
    async def access_token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if request.headers.get("secret_key") != desk.credentials.zalo_app_secret:
            return _oauth_refusal(-14004, "Invalid secret key")
        pair = issuer.exchange(form.get("app_id", ""), form.get("refresh_token", ""))
        return JSONResponse(pair) if pair else _oauth_refusal(-14014, "Invalid refresh token")

    async def template_message(request: Request) -> Response:
        app_id = issuer.holder(request.headers.get("access_token", ""))
        if app_id is None:
            return _refusal(200, -124, {})
        try:
            body = json.loads(await request.body())
            to = phone_number(str(body.get("phone", "")))
        except (ValueError, AttributeError):
            return _refusal(200, -132, {})
        planned = desk.faults.take("zalo", to)
        template = CATALOGUE.with_zalo_id(str(body.get("template_id")))
        data = body.get("template_data")
        code = _objection(desk, to, template, data)
        if template is None or code is not None:
            return _refusal(200, code or -109, {})
        sending = Sending(
            request=request,
            accept=lambda: _accept(desk, app_id, to, template, body, planned),
            accepted=_accepted,
            refused=_refusal,
        )
        return await faults.answer(sending, planned)

    async def status(request: Request) -> Response:
        entry = desk.ledger.by_ref(request.query_params.get("message_id", ""))
        if entry is None:
            return _refusal(200, -107, {})
        delivered = 1 if entry.status == "delivered" else 0
        return JSONResponse({"error": 0, "message": "Success", "data": {"status": delivered}})

    return [
        Route("/v4/oa/access_token", access_token, methods=["POST"]),
        Route("/message/template", template_message, methods=["POST"]),
        Route("/message/status", status, methods=["GET"]),
    ]


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
    needed = {name for text in template.zalo.texts() for name in placeholders(text)}
    if not needed <= set(data):
        return -1122
    return -1121 if any(len(str(value)) > 200 for value in data.values()) else None


def _oauth_refusal(code: int, name: str) -> Response:
    return JSONResponse({"error": code, "error_name": name, "error_description": name})


def _refusal(status: int, code: int | None, headers: dict[str, str]) -> Response:
    """Zalo answers 200 with a code of its own; a plain failure has no JSON at all."""
    if code is None and status >= 429:
        return Response("failure", status_code=status, headers=headers)
    return JSONResponse({"error": code or -108, "message": f"sandbox refusal {code}"})


def _accepted(entry: Entry) -> Response:
    quota = {"dailyQuota": "500", "remainingQuota": "499"}
    sent = str(int(instant().timestamp() * 1000))
    data = {"msg_id": entry.ref, "sent_time": sent, "quota": quota}
    return JSONResponse({"error": 0, "message": "Success", "data": data})


def _accept(
    desk: Desk, app_id: str, to: str, template: Template, body: dict[str, Any], planned: Planned | None
) -> Entry:
    zalo = template.zalo
    values = {name: str(value) for name, value in body["template_data"].items()}
    entry = desk.ledger.add(
        Entry(
            ref=reference("z"),
            provider="zalo",
            channel="zalo",
            to=to,
            text=fill("\n".join(zalo.paragraphs), values),
            at=instant().isoformat(),
            key=body.get("tracking_id"),
            sender="Sở Y tế",
            title=fill(zalo.title, values),
            paragraphs=[fill(paragraph, values) for paragraph in zalo.paragraphs],
            rows=[[label, fill(value, values)] for label, value in zalo.rows],
            button=[fill(text, values) for text in zalo.button or ()],
        )
    )
    desk.start(_deliver(desk, app_id, entry, planned))
    return entry


async def _deliver(desk: Desk, app_id: str, entry: Entry, planned: Planned | None) -> None:
    await desk.travel()
    entry.status = desk.final_status(planned)
    if entry.status == "delivered":
        for _ in range(desk.receipts(planned)):
            await desk.callbacks.zalo(entry, app_id, int(instant().timestamp() * 1000))
