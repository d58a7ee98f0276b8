"""What a WSGI application behind the event loop is asked, and what goes out of its answer."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask, Response, request

from telehealth.web.gateway import AT_ONCE, WsgiGateway

MOST = 1000
GONE = {"type": "http.disconnect"}


def ask(app: Any, *pieces: dict[str, Any], method: str = "POST", headers: Any = ()) -> list[dict[str, Any]]:
    """Send a request of these messages to /chào?a=b; returns what was sent back."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": "/chào",
        "root_path": "",
        "query_string": b"a=b",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("192.0.2.7", 5555),
        "headers": [(b"host", b"kham.example.vn"), *headers],
    }
    coming, sent = list(pieces), []

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(dict(message))

    async def served() -> None:
        await WsgiGateway(app, threads=2, most=MOST)(scope, receive, send)

    with ThreadPoolExecutor(1) as pool:  # the thread of a test may have a loop of a browser's already
        pool.submit(asyncio.run, served()).result()
    return sent


def piece(body: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture
def flask() -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST

    @app.route("/chào", methods=["GET", "POST"])
    def greet() -> Response:
        answer = Response(request.get_data() + b"|" + request.query_string)
        answer.headers["X-From"] = f"{request.remote_addr} {request.host}"
        answer.headers["X-Cookies"] = ",".join(sorted(request.cookies))
        answer.headers["X-Thread"] = threading.current_thread().name
        answer.headers.add("Set-Cookie", "one=1")
        answer.headers.add("Set-Cookie", "two=2")
        return answer

    return app


def test_a_request_in_pieces_is_answered_in_one(flask: Flask):
    start, end = ask(
        flask,
        piece(b"xin ", more=True),
        piece(b"ch\xc3\xa0o"),
        headers=[(b"content-length", b"9"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
    )
    headers = start["headers"]
    assert (start["status"], end["body"], end["more_body"]) == (200, "xin chào|a=b".encode(), False)
    assert (b"x-from", b"192.0.2.7 kham.example.vn") in headers
    assert (b"x-cookies", b"a,b") in headers
    assert [value for name, value in headers if name == b"set-cookie"] == [b"one=1", b"two=2"]
    assert dict(headers)[b"x-thread"].startswith(b"WSGI")


def test_a_body_without_a_stated_length_is_read_to_its_end(flask: Flask):
    assert ask(flask, piece(b"a", more=True), piece(b"b"))[1]["body"] == b"ab|a=b"


@pytest.mark.parametrize("headers", [[(b"content-length", b"5000")], []])
def test_too_long_a_body_is_refused_and_not_kept(flask: Flask, headers: list[tuple[bytes, bytes]]):
    pieces = [piece(b"x" * 600, more=True) for _ in range(3)]
    assert ask(flask, *pieces, headers=headers)[0]["status"] == 413


def test_whoever_goes_away_while_sending_is_not_answered(flask: Flask):
    assert ask(flask, piece(b"half", more=True), GONE) == []


def test_a_long_answer_goes_out_in_pieces_and_whole(flask: Flask):
    chunk = b"x" * (AT_ONCE // 2)
    ended = []

    def pieces() -> Iterator[bytes]:
        try:
            yield from (chunk for _ in range(5))
        finally:
            ended.append(True)

    flask.view_functions["greet"] = lambda: Response(pieces())
    start, *bodies = ask(flask, piece(), method="GET")
    assert start["status"] == 200
    assert [len(each["body"]) for each in bodies] == [AT_ONCE, AT_ONCE, AT_ONCE // 2]
    assert [each["more_body"] for each in bodies] == [True, True, False]
    assert ended == [True]


def test_what_the_application_raises_reaches_the_server_unanswered():
    def broken(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError

    with pytest.raises(LookupError):
        ask(broken, piece())


def test_a_header_that_would_pass_for_another_is_left_out(flask: Flask):
    seen: dict[str, str] = {}

    @flask.before_request
    def look() -> None:
        seen.update(request.headers)

    ask(flask, piece(), headers=[(b"x_forwarded_for", b"10.0.0.1"), (b"x-other", b"1")])
    assert seen["X-Other"] == "1"
    assert "X-Forwarded-For" not in seen
