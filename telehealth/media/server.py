"""The control side of a media process: a few routes on loopback."""

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from telehealth.media.control import KEY_HEADER, MAX_OFFER
from telehealth.media.engine import MediaEngine, MediaRefused

STATUS = {"bad-offer": 422, "media-full": 503}


def control_app(make_engine: Callable[[], MediaEngine], key: str) -> Starlette:
    """Return the application; the engine lives as long as it serves."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.engine = make_engine()
        yield
        await app.state.engine.close()

    routes = [Route("/test", _with_key(key, test), methods=["POST"]), Route("/healthz", healthz)]
    return Starlette(routes=routes, lifespan=lifespan)


def _with_key(
    key: str, endpoint: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(KEY_HEADER, "").encode(), key.encode()):
            return JSONResponse({"code": "forbidden"}, status_code=403)
        return await endpoint(request)

    return checked


async def test(request: Request) -> Response:
    """POST /test {sdp}: the answer of a test peer."""
    body = await request.body()
    try:
        offer = json.loads(body) if len(body) <= MAX_OFFER else {}
        sdp = offer["sdp"]
        answer = await request.app.state.engine.answer_test(sdp if isinstance(sdp, str) else "")
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"code": "bad-offer"}, status_code=422)
    except MediaRefused as error:
        return JSONResponse({"code": error.code}, status_code=STATUS[error.code])
    return JSONResponse({"sdp": answer})


async def healthz(request: Request) -> Response:
    """GET /healthz: alive, and how busy."""
    return JSONResponse({"status": "ok", **asdict(request.app.state.engine.load())})
