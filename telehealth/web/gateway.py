"""A WSGI application behind an event loop.

The loop reads a request whole before a thread takes it, and sends the answer once the thread has gone on: a
slow line holds no thread, and a request costs two changes between loop and thread where streaming each piece
costs eight. An answer longer than `AT_ONCE` goes out piece by piece, as fast as the other side reads.
"""

import asyncio
import contextvars
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

AT_ONCE = 64 * 1024
"""Bytes of an answer that are held until it is whole."""
_NAMED = {b"content-length": "CONTENT_LENGTH", b"content-type": "CONTENT_TYPE"}


class WsgiGateway:
    """An ASGI application that asks a WSGI application in one of `threads` threads.

    Of a body nothing beyond `most` bytes and one piece is read: the application refuses it by its length.
    """

    def __init__(self, app: WsgiApp, *, threads: int, most: int) -> None:
        self._app = app
        self._most = most
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="WSGI")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; there are no WebSockets here."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        body = await self._body(scope, receive)
        if body is None:
            return
        loop = asyncio.get_running_loop()
        answer = _Answer(loop, send)
        environ = _environ(scope, body)
        context = contextvars.copy_context()
        await loop.run_in_executor(self._threads, context.run, answer.fill, self._app, environ)
        await answer.send_rest()

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body; None when its sender went away before it was whole."""
        if _length(scope) > self._most:
            return b""
        pieces, size, more = [], 0, True
        while more and size <= self._most:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece = message.get("body", b"")
            pieces.append(piece)
            size += len(piece)
            more = message.get("more_body", False)
        return b"".join(pieces)


class _Answer:
    """What one request is answered with: filled in a thread, sent by the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop = loop
        self._send = send
        self._start: Message | None = None
        self._held: list[bytes] = []
        self._size = 0

    def fill(self, app: WsgiApp, environ: Environ) -> None:
        """Ask the application. In a thread."""
        pieces = app(environ, self._begin)
        try:
            for piece in pieces:
                self._hold(piece)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    async def send_rest(self) -> None:
        """Send what is held: the whole of a short answer, the end of a long one."""
        await self._send_held(more=False)

    def _begin(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[..., None]:
        self._start = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                (name.strip().lower().encode("latin1"), value.strip().encode("latin1"))
                for name, value in headers
            ],
        }
        return self._hold

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._size += len(piece)
        if self._size >= AT_ONCE:
            asyncio.run_coroutine_threadsafe(self._send_held(more=True), self._loop).result()

    async def _send_held(self, *, more: bool) -> None:
        if self._start is not None:
            await self._send(self._start)
            self._start = None
        body = b"".join(self._held)
        self._held, self._size = [], 0
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _length(scope: Scope) -> int:
    """Return the length that a request says its body has; 0 where it says none."""
    said = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(said) if said.isdigit() else 0


def _environ(scope: Scope, body: bytes) -> Environ:
    """Return the request as PEP 3333 has it."""
    host, port = scope.get("server") or ("localhost", 80)
    address, from_port = scope.get("client") or ("", 0)
    root = scope.get("root_path", "")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _as_wsgi(root),
        "PATH_INFO": _as_wsgi(scope["path"].removeprefix(root)),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(from_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        if b"_" in raw:  # X_Forwarded_For would pass for X-Forwarded-For, which only our front may say
            continue
        name = _NAMED.get(raw.lower()) or "HTTP_" + raw.decode("latin1").upper().replace("-", "_")
        said = value.decode("latin1")
        environ[name] = _joined(name, environ[name], said) if name in environ else said
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ


def _joined(name: str, before: str, said: str) -> str:
    """Return a header that came twice as one (RFC 9110 5.3; cookies: RFC 9113 8.2.3)."""
    return f"{before}{'; ' if name == 'HTTP_COOKIE' else ','}{said}"


def _as_wsgi(path: str) -> str:
    return path.encode().decode("latin1")
