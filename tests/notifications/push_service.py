"""A browser and the push service of its maker, in small: keeps what was posted and answers as it is told."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifications.channels.base import Subscription


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class MadeUpBrowser:
    """Somebody's browser: its subscription, and the private key that opens what is sent to it."""

    def __init__(self, endpoint: str = "") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.endpoint = endpoint or f"https://fcm.googleapis.com/fcm/send/{uuid4().hex}"
        self.keys = {"p256dh": base64url(point), "auth": base64url(self._auth)}
        self.subscription = Subscription(id=uuid4(), endpoint=self.endpoint, **self.keys)

    @property
    def path(self) -> str:
        return self.endpoint.removeprefix("https://fcm.googleapis.com")

    def read(self, body: bytes) -> dict[str, str]:
        opened = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        shown: dict[str, str] = json.loads(opened)
        return shown


@dataclass(frozen=True)
class Posted:
    """One message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """`answers` maps a path to a status and headers, else 201; `slow` maps one to seconds."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)

    def answer(self, browser: MadeUpBrowser, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[browser.path] = (status, named)


@contextmanager
def running_service() -> Iterator[PushService]:
    service, given_up = PushService(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.posted.append(Posted(self.path, dict(self.headers.items()), body))
            given_up.wait(service.slow.get(self.path, 0))
            status, headers = service.answers.get(self.path, (201, {}))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield service
    finally:
        given_up.set()
        server.shutdown()
        thread.join()
        server.server_close()
