"""POST /rt/media/test: passes a page's offer to the media process's test peer and its answer back."""

import asyncio
import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telehealth.media.control import MAX_OFFER, MediaClient
from telehealth.media.engine import MediaRefused

STATUS = {"bad-offer": 422, "media-full": 503, "media-unavailable": 503}
AT_ONCE = 4


class LineTest:
    """The way to the test peer; a few callers at once, the others are told to come back."""

    def __init__(self, client: MediaClient, origins: frozenset[str]) -> None:
        self._client = client
        self._origins = origins
        self._under_way = 0

    async def answer(self, request: Request) -> Response:
        """Return the answer, or a problem with a stable code."""
        if request.headers.get("origin") not in self._origins:
            return _problem(403, "forbidden")
        try:
            return JSONResponse({"sdp": await self._ask(await _offer(request))})
        except MediaRefused as error:
            return _problem(STATUS.get(error.code, 503), error.code)

    async def _ask(self, sdp: str) -> str:
        if self._under_way >= AT_ONCE:
            raise MediaRefused("media-full")
        self._under_way += 1
        try:
            return await asyncio.to_thread(self._client.answer_test, sdp)
        finally:
            self._under_way -= 1


async def _offer(request: Request) -> str:
    """Read a bounded body. Raises MediaRefused."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_OFFER:
            raise MediaRefused("bad-offer")
    try:
        sdp = json.loads(body)["sdp"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MediaRefused("bad-offer") from error
    if not isinstance(sdp, str):
        raise MediaRefused("bad-offer")
    return sdp


def _problem(status: int, code: str) -> Response:
    return JSONResponse(
        {"type": "about:blank", "status": status, "code": code, "detail": ""},
        status_code=status,
        media_type="application/problem+json",
    )


async def line_test(request: Request) -> Response:
    """POST /rt/media/test."""
    answered: Response = await request.app.state.realtime.line_test.answer(request)
    return answered
