"""Zalo's OAuth: an access token lives 25 hours, and a refresh token works once."""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.answers import Dropped, Refusal, Sending
from notifications.sandbox.desk import Desk
from notifications.sandbox.faults import Fault

ACCESS_SECONDS = 90000
_WRONG_SECRET = -14004
_WRONG_REFRESH_TOKEN = -14014
_CODES = {
    Fault.REJECT: Refusal(200, _WRONG_REFRESH_TOKEN),
    Fault.TOKEN_BURNT: Refusal(200, _WRONG_REFRESH_TOKEN),
    Fault.TOKEN_EXPIRED: Refusal(200, _WRONG_REFRESH_TOKEN),
    Fault.QUOTA: Refusal(200, -14003),
}


class ZaloTokenIssuer:
    """Tokens carry their own proof, so that a restarted sandbox knows the ones it gave out before.

    `used` is the file of the refresh tokens that have been used (their hashes): without it a restart would
    give them a second life, which the real ones do not have.
    """

    def __init__(self, *, app_secret: str, first_refresh_token: str, used: Path | None = None) -> None:
        self._secret = app_secret.encode()
        self._first = first_refresh_token
        self._expired: set[str] = set()
        self._path = used
        self._used = set(used.read_text().split()) if used is not None and used.exists() else set()

    def exchange(self, app_id: str, refresh_token: str) -> dict[str, str] | None:
        """A new pair for a token that is good, and from now on no good any more."""
        known = refresh_token == self._first or self._proven("refresh", refresh_token, app_id)
        if not known or not self._use_up(app_id, refresh_token):
            return None
        return {
            "access_token": self._token("access", app_id),
            "refresh_token": self.authorise(app_id),
            "expires_in": str(ACCESS_SECONDS),
        }

    def authorise(self, app_id: str) -> str:
        """What an administrator of the official account gets by agreeing in the browser."""
        return self._token("refresh", app_id)

    def holder(self, access_token: str) -> str | None:
        """The application that may use this token now."""
        if access_token in self._expired or not self._proven("access", access_token):
            return None
        return access_token.partition("~")[0]

    def expire(self, access_token: str) -> None:
        self._expired.add(access_token)

    def proof(self, access_token: str) -> str:
        """The appsecret_proof of a call with this token."""
        return hmac.digest(self._secret, access_token.encode(), "sha256").hex()

    def _use_up(self, app_id: str, refresh_token: str) -> bool:
        mark = sha256(f"{app_id}\0{refresh_token}".encode()).hexdigest()
        if mark in self._used:
            return False
        self._used.add(mark)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(mark + "\n")
        return True

    def _token(self, use: str, app_id: str) -> str:
        nonce = f"{app_id}~{secrets.token_hex(12)}"
        return f"{nonce}.{self._proof_of(use, nonce)}"

    def _proven(self, use: str, token: str, app_id: str | None = None) -> bool:
        nonce, _, proof = token.partition(".")
        own = app_id is None or nonce.partition("~")[0] == app_id
        return own and hmac.compare_digest(proof.encode(), self._proof_of(use, nonce).encode())

    def _proof_of(self, use: str, nonce: str) -> str:
        return hmac.digest(self._secret, f"{use}:{nonce}".encode(), "sha256").hex()


def routes(desk: Desk, issuer: ZaloTokenIssuer) -> list[Route]:
    async def access_token(request: Request) -> Response:
        """Faults are planned for the provider `zalo-oauth`: `drop-after-accept` burns the token and loses
        the new pair, `token-burnt` says that somebody else has used it."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if request.headers.get("secret_key") != desk.credentials.zalo_app_secret:
            return _refusal(Refusal(200, _WRONG_SECRET))
        app_id, refresh_token = form.get("app_id", ""), form.get("refresh_token", "")

        def exchange(late: bool) -> Response:
            pair = issuer.exchange(app_id, refresh_token)
            return JSONResponse(pair) if pair else _refusal(Refusal(200, _WRONG_REFRESH_TOKEN))

        planned = desk.faults.take("zalo-oauth", app_id)
        if planned is not None and planned.fault is Fault.TOKEN_BURNT:
            issuer.exchange(app_id, refresh_token)
        sending = Sending[Response](accept=exchange, refuse=_refusal, cut=Dropped, codes=_CODES)
        return await desk.answer(sending, planned)

    async def authorise(request: Request) -> Response:
        """POST: the consent of an administrator, which gives an application a new first refresh token."""
        app_id = request.query_params.get("app_id") or desk.credentials.zalo_app_id
        return JSONResponse({"app_id": app_id, "refresh_token": issuer.authorise(app_id)}, 201)

    return [
        Route("/v4/oa/access_token", access_token, methods=["POST"]),
        Route("/_sandbox/zalo/authorise", authorise, methods=["POST"]),
    ]


def _refusal(refusal: Refusal) -> Response:
    if refusal.code is None and refusal.status >= 429:
        return Response("failure", status_code=refusal.status, headers=refusal.headers)
    name = {_WRONG_SECRET: "Invalid secret key"}.get(refusal.code or 0, "Invalid refresh token")
    return JSONResponse({"error": refusal.code or -14003, "error_name": name, "error_description": name})
